package common

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/tiles"
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
	setHeaders(w.Header(), r, cache)
	if r.Complete && NotModified(c.Request(), r.ETag, r.Modified.Truncate(time.Second)) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return Blob(c, http.StatusOK, r.ContentType, r.Bytes)
}

// WriteFile is WritePicture for files that clients read in pieces, as GDAL does
// with cloud-optimised GeoTIFF. An incomplete file comes whole whatever range is
// asked for, since the pieces of two of them would not fit each other.
func WriteFile(c echo.Context, r tiles.Rendered, cache string) error {
	if !r.Complete {
		return WritePicture(c, r, cache)
	}
	h := c.Response().Header()
	setHeaders(h, r, cache)
	h.Set(echo.HeaderContentType, r.ContentType)
	return ServeFile(c, r.Modified, bytes.NewReader(r.Bytes))
}

// ServeFile answers with a file, or the ranges of its bytes that are asked for.
// Its media type, ETag and cache rule must be set; what net/http refuses comes
// back as a [Problem].
func ServeFile(c echo.Context, modified time.Time, file io.ReadSeeker) error {
	request := c.Request()
	asked := request.Header.Get("Range")
	if !strings.HasPrefix(asked, "bytes=") { // other units are to be ignored, net/http refuses them
		request = request.Clone(request.Context())
		request.Header.Del("Range")
	}
	w := &refusing{ResponseWriter: c.Response()}
	http.ServeContent(w, request, "", modified, file)
	switch w.refused {
	case 0:
		return nil
	case http.StatusRequestedRangeNotSatisfiable:
		return &Problem{Status: w.refused, Detail: Quote(asked) + " is no range of bytes that the file has"}
	case http.StatusPreconditionFailed:
		return &Problem{Status: w.refused, Detail: "the file is another one by now: its ETag is " + w.Header().Get("ETag")}
	}
	return errors.New("serve a file: it can't be read")
}

// refusing keeps what net/http would answer an error with to itself, so that it
// can be answered in the form of all others.
type refusing struct {
	http.ResponseWriter
	refused int // the status; 0 is none
}

func (w *refusing) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		w.refused = status
		return
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *refusing) Write(b []byte) (int, error) {
	if w.refused != 0 {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// setHeaders sets the headers of what was drawn.
func setHeaders(h http.Header, r tiles.Rendered, cache string) {
	if r.Quality != "" {
		h["Scarp-Quality"] = []string{r.Quality}
	}
	if !r.Complete {
		h["Cache-Control"] = []string{noStore}
		h["Scarp-Complete"] = []string{"false"}
		return
	}
	h["Cache-Control"] = []string{cache}
	if r.ETag != "" {
		h["Etag"] = []string{r.ETag}
	}
	if !r.Modified.IsZero() {
		h["Last-Modified"] = []string{r.Modified.UTC().Format(http.TimeFormat)}
	}
}
