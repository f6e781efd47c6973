package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/ogc"
	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/ogc/processes"
	"github.com/scarp-map/scarp/tiles"
	"github.com/scarp-map/scarp/web"
)

// maxBody bounds the body of a request: an area of interest is the largest thing that is sent.
const maxBody = "16M"

// NewHandler puts the standards, the map page, health and metrics on one handler.
func NewHandler(b *Backend) (http.Handler, *health, error) {
	c := b.Config
	public, err := newPublicURL(c)
	if err != nil {
		return nil, nil, err
	}
	rates, err := limitRate(c.RateLimit, c.RateBurst)
	if err != nil {
		return nil, nil, err
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.IPExtractor = public.clientIP()
	problems := &common.Site{Log: b.Log, BaseURL: public.of}
	e.HTTPErrorHandler = func(err error, c echo.Context) {
		if !c.Response().Committed {
			_ = problems.WriteError(c, err) // the client went away: nobody to tell
		}
	}

	e.Use(
		observe(b.Log, c.AccessLog, b.metrics),
		middleware.RecoverWithConfig(middleware.RecoverConfig{LogErrorFunc: func(c echo.Context, err error, stack []byte) error {
			b.Log.Error("panic", "error", err, "path", c.Request().URL.Path, "stack", string(stack))
			return err
		}}),
		securityHeaders,
		middleware.CORSWithConfig(middleware.CORSConfig{
			AllowOrigins: c.CORSOrigins,
			AllowMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete},
			// Range and what goes with it is for pages that read coverages in pieces.
			AllowHeaders: []string{"Accept", "Content-Type", "Prefer", "X-API-Key", "Authorization", "If-None-Match", "If-Match", "If-Range", "Range"},
			ExposeHeaders: []string{"Link", "Location", "Preference-Applied", "Retry-After", "Scarp-Complete", "Scarp-Quality", "ETag", "Warning",
				"Accept-Ranges", "Content-Range", "Content-Crs", "Content-Bbox", "Content-Disposition"},
			MaxAge: 3600,
		}),
		limitHead,
		limitInFlight(c.MaxInFlight),
		rates,
		middleware.BodyLimit(maxBody),
	)

	health := &health{checks: []check{
		{"store", b.Store.Ping},
		{"jobs", b.Jobs.Ping},
		{"models", func(context.Context) error {
			if len(b.Inference.Models()) == 0 {
				return errors.New("there is no model to serve")
			}
			return nil
		}},
	}}
	metrics := echo.WrapHandler(promhttp.HandlerFor(b.metrics.registry, promhttp.HandlerOpts{}))
	for path, handler := range map[string]echo.HandlerFunc{"/healthz": health.alive, "/readyz": health.ready, "/metrics": metrics} {
		e.Match([]string{http.MethodGet, http.MethodHead}, path, handler)
	}

	app, err := addApp(e)
	if err != nil {
		return nil, nil, err
	}
	if err := addAPIPage(e); err != nil {
		return nil, nil, err
	}
	err = ogc.Register(e, ogc.Deps{
		Title: c.Title, BaseURL: public.of, App: app,
		Store: b.Store, Sources: b.Sources, Renderer: b.Tiles, Jobs: b.Jobs, Models: b.Inference, Callbacks: len(c.CallbackHosts) > 0,
		RegisterEvent: b.RegisterEvent, DeleteEvent: b.Store.DeleteEvent, WriteGuard: guardWrites(c.APIKeys, public),
		CRS: c.WMSCRS, Projector: b.Tiles, LatLon: tiles.NorthingFirst,
		MaxWidth: c.MaxImageSize, MaxHeight: c.MaxImageSize, SyncTimeout: c.SyncTimeout, Log: b.Log,
	})
	if err != nil {
		return nil, nil, err
	}

	// Pictures are compressed already; what remains is text and vector tiles.
	zip, err := gzhttp.NewWrapper(gzhttp.MinSize(1024), gzhttp.ContentTypes([]string{
		"application/json", "application/geo+json", "application/problem+json", "application/schema+json", "application/vnd.oai.openapi+json",
		"application/vnd.mapbox-vector-tile", "application/xml", "text/html", "text/plain", "text/css", "text/xml", "text/javascript", "image/svg+xml",
	}))
	if err != nil {
		return nil, nil, fmt.Errorf("set up compression: %w", err)
	}
	return zip(e), health, nil
}

// RegisterEvent opens the event's files, which must lie in allowed places, and
// puts the event into the store. What is wrong with it becomes a problem for the client.
func (b *Backend) RegisterEvent(ctx context.Context, e imagery.Event) error {
	unknownTime := e.Trigger.Time.IsZero() && strings.HasPrefix(e.ID, processes.AdHocPrefix)
	if unknownTime {
		e.Trigger.Time = time.Now().UTC() // scenes tell their own dates; this only orders those that don't
	}
	src, err := imagery.Open(ctx, e, b.Config.Imagery())
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return common.BadRequest("%v", err)
	}
	if dates := src.Dates(imagery.Post); unknownTime && len(dates) > 0 {
		e.Trigger.Time = dates[0] // it happened before
	}
	if err := src.Close(); err != nil {
		return err
	}
	return b.Store.PutEvent(ctx, e)
}

// addApp serves the map application's files and returns the handler of its
// page; nil when the program was built without it.
func addApp(e *echo.Echo) (http.Handler, error) {
	files, built := web.App()
	if !built {
		return nil, nil
	}
	page, err := fs.ReadFile(files, "index.html")
	if err != nil {
		return nil, fmt.Errorf("read the map page: %w", err)
	}
	// The names of assets hold a hash of what is in them.
	for _, m := range []string{http.MethodGet, http.MethodHead} {
		e.Add(m, "/assets/*", appFile(files, "assets", "public, max-age=31536000, immutable"))
		e.Add(m, "/icon.svg", appFile(files, "", "public, max-age=86400"))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-cache")
		h.Add("Vary", "Accept")
		h.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data: blob: https://tile.openstreetmap.org; style-src 'self' 'unsafe-inline'; connect-src 'self'; worker-src 'self' blob:; frame-ancestors *")
		w.WriteHeader(http.StatusOK)
		if r.Method != http.MethodHead {
			_, _ = w.Write(page)
		}
	}), nil
}

func appFile(files fs.FS, folder, cacheControl string) echo.HandlerFunc {
	return func(c echo.Context) error {
		name := path.Join(folder, c.Param("*"))
		if name == folder || folder == "" {
			name = strings.TrimPrefix(c.Path(), "/")
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return common.NotFound("there is no %s", common.Quote(name))
		}
		c.Response().Header().Set("Cache-Control", cacheControl)
		return common.Blob(c, http.StatusOK, mime.TypeByExtension(path.Ext(name)), content)
	}
}

func securityHeaders(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Header().Set("X-Content-Type-Options", "nosniff")
		return next(c)
	}
}
