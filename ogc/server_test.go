package ogc_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/ogc"
	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/ogc/ogctest"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/gpkg"
	"github.com/scarp-map/scarp/tiles"
)

// base is the public address in tests: with a prefix, to see that links keep it.
const base = "https://example.org/scarp"

// server is an Echo with all routes over fakes and a real GeoPackage that has
// two events (the second's files are away) and one run of five landslides.
type server struct {
	*echo.Echo
	store    store.Store
	renderer *ogctest.Renderer
	jobs     *ogctest.Jobs
	files    string // folder that inputs may refer to
}

func newServer(t testing.TB, change ...func(*ogc.Deps)) *server {
	t.Helper()
	ctx := context.Background()
	db, err := gpkg.Open(ctx, filepath.Join(t.TempDir(), "scarp.gpkg"))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	require.NoError(t, db.PutEvent(ctx, ogctest.Event("atsuma-2018")))
	away := ogctest.Event("away")
	away.Trigger.Time = ogctest.Day().AddDate(-1, 0, 0)
	require.NoError(t, db.PutEvent(ctx, away))
	require.NoError(t, db.Publish(ctx, store.Run{ID: "job-2", Event: "atsuma-2018", Model: "bbunet", ModelVersion: "1.0.0", Threshold: 0.5,
		Started: ogctest.Day(), Published: ogctest.Day()}, ogctest.Landslides(5)))

	files := t.TempDir()
	s := &server{Echo: echo.New(), store: db, renderer: &ogctest.Renderer{Store: db}, jobs: &ogctest.Jobs{Processes: ogctest.Processes(db, files)}, files: files}
	d := ogc.Deps{
		BaseURL: func(*http.Request) string { return base },
		Contact: common.Contact{Name: "Test office", Email: "office@example.org"},
		Store:   db, Sources: ogctest.Sources{Store: db, Broken: map[string]bool{"away": true}},
		Renderer: s.renderer, Jobs: s.jobs, Models: ogctest.Models{}, Callbacks: true,
		RegisterEvent: func(ctx context.Context, e imagery.Event) error {
			if strings.HasPrefix(e.DEM, "/etc/") {
				return common.BadRequest("dem %s is not in an allowed place", e.DEM)
			}
			return db.PutEvent(ctx, e)
		},
		CRS: []int{4326, 3857, 32654}, Now: ogctest.Day, SyncTimeout: 20 * time.Millisecond,
	}
	for _, f := range change {
		f(&d)
	}
	require.NoError(t, ogc.Register(s.Echo, d))
	return s
}

// ask sends a request; headers come in pairs of name and value.
func (s *server) ask(method, target, body string, headers ...string) *http.Response {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body == "" {
		r.Body = http.NoBody
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func (s *server) get(target string, headers ...string) *http.Response {
	return s.ask(http.MethodGet, target, "", headers...)
}

func text(t testing.TB, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return string(b)
}

// fixedTile answers every tile with the same bytes, to measure what is around it.
type fixedTile struct {
	tiles.Renderer
	tile tiles.Rendered
}

func (f fixedTile) Tile(context.Context, tiles.Tile) (tiles.Rendered, error) { return f.tile, nil }

func newServerWith(t testing.TB, r tiles.Renderer) *server {
	return newServer(t, func(d *ogc.Deps) { d.Renderer = r })
}

// discard is a response writer that costs nothing.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// broken fails to draw in a way that must not show outside.
type broken struct{ tiles.Renderer }

func (broken) Tile(context.Context, tiles.Tile) (tiles.Rendered, error) {
	return tiles.Rendered{}, errors.New("read /secret/path/post.tif: input/output error")
}

func (broken) Render(context.Context, tiles.View) (tiles.Rendered, error) {
	return tiles.Rendered{}, errors.New("read /secret/path/post.tif: input/output error")
}

// crowded has three mapped landslides at every place.
type crowded struct{ tiles.Renderer }

func (c crowded) Point(ctx context.Context, q tiles.PointQuery) (tiles.PointInfo, error) {
	p, err := c.Renderer.Point(ctx, q)
	p.Landslides = []tiles.PointLandslide{{ID: 1, Area: 500}, {ID: 2, Area: 600}, {ID: 3, Area: 700}}
	return p, err
}
