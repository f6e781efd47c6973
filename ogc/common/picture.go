package common

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"scarp/tiles"
)

// How long what was drawn may be kept without asking again.
const (
	// Fresh is for pictures of images and predictions: they change only with
	// an event's files or a model, and the ETag tells.
	Fresh = "public, max-age=3600"
	// Revalidate is for what a mapping job can change at any moment.
	Revalidate = "public, no-cache"
	// Immutable is for addresses that carry the version of what they name.
	Immutable = "public, max-age=31536000, immutable"
	noStore   = "no-store"
)

// Pictures lists the formats that maps are drawn in, the default first.
func Pictures() []Format { return []Format{PNG, JPEG, WebP, TIFF} }

// WritePicture answers with what was drawn: with validators and the cache
// rule where it is complete, not to be kept by anybody where it is not.
// It is on the path of every tile, so it sets canonical header keys directly.
func WritePicture(c echo.Context, r tiles.Rendered, cache string) error {
	w := c.Response()
	h := w.Header()
	if r.Quality != "" {
		h["Scarp-Quality"] = []string{r.Quality}
	}
	if !r.Complete {
		h["Cache-Control"] = []string{noStore}
		h["Scarp-Complete"] = []string{"false"}
		return Blob(c, http.StatusOK, r.ContentType, r.Bytes)
	}
	h["Cache-Control"] = []string{cache}
	if r.ETag != "" {
		h["Etag"] = []string{r.ETag}
	}
	if !r.Modified.IsZero() {
		h["Last-Modified"] = []string{r.Modified.UTC().Format(http.TimeFormat)}
	}
	if NotModified(c.Request(), r.ETag, r.Modified.Truncate(time.Second)) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return Blob(c, http.StatusOK, r.ContentType, r.Bytes)
}
