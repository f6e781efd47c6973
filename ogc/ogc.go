// Package ogc puts the OGC's standards on an Echo server: OGC API Common,
// Tiles, Maps, Features and Processes, WMS and WMTS, the OpenAPI document that describes
// them, and Scarp's own resources for events and models.
//
// Each standard is a package of its own below this one. They parse requests and
// write documents; what is drawn, mapped and kept is behind the interfaces in [Deps].
package ogc

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/ogc/coverages"
	"github.com/scarp-map/scarp/ogc/events"
	"github.com/scarp-map/scarp/ogc/features"
	"github.com/scarp-map/scarp/ogc/maps"
	"github.com/scarp-map/scarp/ogc/openapi"
	"github.com/scarp-map/scarp/ogc/processes"
	ogctiles "github.com/scarp-map/scarp/ogc/tiles"
	"github.com/scarp-map/scarp/ogc/wms"
	"github.com/scarp-map/scarp/ogc/wmts"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/tiles"
)

// Deps is what the standards are served with.
type Deps struct {
	// Title, Description and Contact say who the server is; empty ones get a default.
	Title, Description string
	Contact            common.Contact
	// BaseURL returns the absolute public URL of the server, path prefix included.
	BaseURL func(*http.Request) string
	// App is the map application: it answers browsers at /. Nil leaves / to the landing page.
	App http.Handler

	Store    store.Store
	Sources  imagery.Sources
	Renderer tiles.Renderer
	Jobs     jobs.Service
	Models   inference.Predictor
	// Callbacks says that there are hosts that jobs may call back.
	Callbacks bool
	// RegisterEvent checks an event (against the imagery allow-list too) and
	// stores it. It wraps a [common.Problem] where the event is at fault.
	RegisterEvent func(context.Context, imagery.Event) error
	// DeleteEvent removes an event with its runs; nil is the store's DeleteEvent.
	DeleteEvent func(ctx context.Context, id string) error
	// WriteGuard is put before every route that changes something; nil lets everybody write.
	WriteGuard echo.MiddlewareFunc

	// CRS lists the EPSG codes that maps can be asked for, beside CRS84; nil is 4326 and 3857.
	// The UTM zones of events are added to it by whoever knows them.
	CRS []int
	// Projector converts coordinates in those CRSs; nil knows 4326 and 3857 only.
	Projector common.Projector
	// LatLon says whether an EPSG code's axis order is northing first; nil is
	// right for the geographic codes in common use.
	LatLon func(epsg int) bool

	// MaxWidth and MaxHeight bound pictures in pixels; 0 is 4096.
	MaxWidth, MaxHeight int
	// DefaultLimit and MaxLimit bound pages of features; 0 is 100 and 10000.
	DefaultLimit, MaxLimit int
	// SyncTimeout bounds how long a synchronous execution waits; 0 is 10 minutes.
	SyncTimeout time.Duration
	// Log receives what goes wrong inside; nil drops it.
	Log *slog.Logger
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

func (d Deps) withDefaults() Deps {
	if d.Title == "" {
		d.Title = "Scarp"
	}
	if d.Description == "" {
		d.Description = "Newly triggered landslides, mapped from satellite images before and after an event."
	}
	if d.DeleteEvent == nil {
		d.DeleteEvent = d.Store.DeleteEvent
	}
	if len(d.CRS) == 0 {
		d.CRS = []int{4326, 3857}
	}
	if d.Projector == nil {
		d.Projector = common.WebProjector{}
	}
	if d.LatLon == nil {
		d.LatLon = common.Geographic
	}
	for v, def := range map[*int]int{&d.MaxWidth: 4096, &d.MaxHeight: 4096, &d.DefaultLimit: 100, &d.MaxLimit: 10000} {
		if *v == 0 {
			*v = def
		}
	}
	if d.SyncTimeout == 0 {
		d.SyncTimeout = 10 * time.Minute
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	return d
}

// conformance lists the URIs of all conformance classes that the server declares.
func (d Deps) conformance() []string {
	const c = "http://www.opengis.net/spec/ogcapi-common-"
	return slices.Concat([]string{c + "1/1.0/conf/core", c + "1/1.0/conf/landing-page", c + "1/1.0/conf/json", c + "1/1.0/conf/html", c + "1/1.0/conf/oas30", c + "2/1.0/conf/collections"},
		features.Conformance(), ogctiles.Conformance(), maps.Conformance(), processes.Conformance(d.Callbacks))
}

// Register adds the routes of all standards. It fails where templates,
// schemas or the OpenAPI document are wrong, so that this shows at start.
func Register(e *echo.Echo, d Deps) error {
	d = d.withDefaults()
	site := &common.Site{Title: d.Title, Description: d.Description, Contact: d.Contact, BaseURL: d.BaseURL, Log: d.Log}
	catalog := common.NewCatalog(d.Store, d.Sources, d.Log)
	resources := &common.Resources{Site: site, Catalog: catalog, App: d.App, Conformance: d.conformance(), MapCRS: d.CRS, LatLon: d.LatLon}
	tilesAPI := &ogctiles.API{Site: site, Catalog: catalog, Renderer: d.Renderer}
	featuresAPI := &features.API{Site: site, Catalog: catalog, Store: d.Store, CRS: d.CRS, Projector: d.Projector, LatLon: d.LatLon, DefaultLimit: d.DefaultLimit, MaxLimit: d.MaxLimit, Now: d.Now}
	processesAPI := &processes.API{Site: site, Catalog: catalog, Jobs: d.Jobs, Models: d.Models, RegisterEvent: d.RegisterEvent, Guard: d.WriteGuard, SyncTimeout: d.SyncTimeout}
	eventsAPI := &events.API{Site: site, Catalog: catalog, Models: d.Models, Put: d.RegisterEvent, Delete: d.DeleteEvent, Guard: d.WriteGuard}
	openAPI := &openapi.API{Site: site, MaxWidth: d.MaxWidth, MaxHeight: d.MaxHeight, DefaultLimit: d.DefaultLimit, MaxLimit: d.MaxLimit}
	for _, r := range []struct {
		name string
		add  func(*echo.Echo) error
	}{{"common", resources.Register}, {"tiles", tilesAPI.Register}, {"features", featuresAPI.Register}, {"processes", processesAPI.Register},
		{"events", eventsAPI.Register}, {"openapi", openAPI.Register}} {
		if err := r.add(e); err != nil {
			return fmt.Errorf("register %s: %w", r.name, err)
		}
	}
	if err := (&maps.API{Site: site, Catalog: catalog, Renderer: d.Renderer, Projector: d.Projector, LatLon: d.LatLon, CRS: d.CRS, MaxWidth: d.MaxWidth, MaxHeight: d.MaxHeight}).Register(e); err != nil {
		return fmt.Errorf("register maps: %w", err)
	}
	if err := (&wmts.API{Site: site, Catalog: catalog, Renderer: d.Renderer, Projector: d.Projector}).Register(e); err != nil {
		return fmt.Errorf("register wmts: %w", err)
	}
	(&coverages.API{Site: site, Catalog: catalog, Renderer: d.Renderer, Projector: d.Projector, LatLon: d.LatLon, CRS: d.CRS, MaxWidth: d.MaxWidth, MaxHeight: d.MaxHeight}).Register(e)
	(&wms.API{Site: site, Catalog: catalog, Renderer: d.Renderer, Projector: d.Projector, LatLon: d.LatLon, CRS: d.CRS, MaxWidth: d.MaxWidth, MaxHeight: d.MaxHeight}).Register(e)
	return nil
}
