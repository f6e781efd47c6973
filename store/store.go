// Package store keeps events, mapping runs and landslide polygons behind one
// interface: a GeoPackage (the embedded default, which QGIS opens as it is) or
// PostGIS. Both pass the suite in storetest.
package store

import (
	"context"
	"errors"
	"time"

	"github.com/paulmach/orb"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/store/filter"
)

// ErrNotFound is returned (wrapped) when there is no such event, run or landslide.
var ErrNotFound = errors.New("not found")

// Run is one published mapping of an event.
type Run struct {
	// ID is the job's id.
	ID, Event           string
	Model, ModelVersion string
	Threshold           float64      // probability, 0 to 1
	MinArea             float64      // m²
	Started, Published  time.Time    // to the millisecond; the run Published last is its event's latest
	AOI                 orb.Geometry // longitude, latitude; nil is the whole event
	Summary             Summary
	// Quality is what the event lacked of what the model expects, in the words
	// of the header Scarp-Quality; empty for nothing.
	Quality string
}

// Summary says what a run found.
type Summary struct {
	Landslides  int     `json:"landslides"`
	TotalArea   float64 `json:"total_area_m2"`
	LargestArea float64 `json:"largest_area_m2"`
	MappedArea  float64 `json:"mapped_area_m2"` // area with a prediction
	CloudShare  float64 `json:"cloud_share"`    // of the area with imagery, 0 to 1
	NoDataShare float64 `json:"nodata_share"`   // of the area asked for, 0 to 1
}

// Landslide is one polygon of a run with its attributes. Geometry is in
// longitude and latitude (EPSG:4326), a valid OGC simple feature.
type Landslide struct {
	// ID is given by the store: positive, stable, ascending in order of publication.
	ID            int64       `json:"id"`
	Event         string      `json:"event"`
	Run           string      `json:"run"`
	Geometry      orb.Polygon `json:"-"`
	Area          float64     `json:"area_m2"` // geodesic
	Perimeter     float64     `json:"perimeter_m"`
	Length        float64     `json:"length_m"` // of the minimum rotated rectangle
	Width         float64     `json:"width_m"`
	ProbMean      float64     `json:"probability_mean"`
	ProbMax       float64     `json:"probability_max"`
	ElevMin       float64     `json:"elevation_min_m"`
	ElevMax       float64     `json:"elevation_max_m"`
	ElevMean      float64     `json:"elevation_mean_m"`
	SlopeMean     float64     `json:"slope_mean_deg"`
	Aspect        float64     `json:"aspect_deg"`      // circular mean
	DeltaNDVI     *float64    `json:"delta_ndvi_mean"` // nil where there is no B08
	CloudAdjacent bool        `json:"cloud_adjacent"`
	PreDate       time.Time   `json:"pre_date,omitzero"` // zero where the scenes have no date
	PostDate      time.Time   `json:"post_date,omitzero"`
	Model         string      `json:"model"`
	ModelVersion  string      `json:"model_version"`
}

// Query selects landslides. The zero value selects the latest run's of every event.
type Query struct {
	Event string
	// Run selects one run; empty means each event's latest. Who reads many pages
	// names the run, so that a run published meanwhile doesn't mix in.
	Run string
	// BBox is west, south, east, north in degrees; nil is everywhere. West > east crosses the antimeridian.
	// A landslide is in it when its polygon (not only its own box) shares a point with it.
	BBox *[4]float64
	// From and To bound the post date, inclusive; zero is open.
	From, To time.Time
	// MinArea in m².
	MinArea float64
	// Filter selects by the fields of [Fields]; nil selects all.
	Filter filter.Expr
	// Sort orders the landslides; those that it leaves equal are in ascending order of id.
	Sort []SortKey
	// After continues behind the landslide with this id (keyset paging), whether it
	// is still there or not. AfterKeys are its values of the fields of Sort.
	After     int64
	AfterKeys []any
	// Limit bounds the page; 0 means [DefaultLimit], more than [MaxLimit] that.
	Limit int
	// Sketch, where it is not 0, is how many landslides are drawn, pages taken together:
	// the largest come first whatever Sort says, those of a finer [Query.Level] are left out, nothing is
	// counted, and what only its own bounding box has in BBox may be there too.
	Sketch int
}

// Page is a piece of a query's answer in the query's order.
type Page struct {
	Landslides []Landslide
	// Next and NextKeys are the After and AfterKeys of the next page; Next is 0 at the end.
	Next     int64
	NextKeys []any
	// Matched counts all that the query matches without After and Limit; it is
	// -1 where they are more than [CountLimit] and counting them would cost too
	// much, and where the query is a sketch. Whole runs are always counted.
	Matched int
}

// Store keeps events, runs and landslides. It is safe for use by many goroutines.
type Store interface {
	// PutEvent adds the event or replaces the one with its id.
	PutEvent(ctx context.Context, e imagery.Event) error
	Event(ctx context.Context, id string) (imagery.Event, error)
	// Events lists the events in order of trigger time, newest first.
	Events(ctx context.Context) ([]imagery.Event, error)
	// DeleteEvent removes the event with its runs and landslides.
	DeleteEvent(ctx context.Context, id string) error

	// Publish stores the run and its landslides in one transaction: readers
	// see the whole run or nothing of it. Publishing a run id again replaces it.
	// It returns ErrNotFound where there is no such event, and ErrInvalid, naming
	// the polygon, for what [Prepare] refuses; nothing is stored then.
	Publish(ctx context.Context, r Run, landslides []Landslide) error
	// Runs lists an event's runs, the newest first.
	Runs(ctx context.Context, event string) ([]Run, error)
	Run(ctx context.Context, id string) (Run, error)
	DeleteRun(ctx context.Context, id string) error

	// Landslides answers a query; an unknown event or run is ErrNotFound, an
	// event without runs an empty page.
	Landslides(ctx context.Context, q Query) (Page, error)
	// Landslide returns one landslide of the event, whatever its run.
	Landslide(ctx context.Context, event string, id int64) (Landslide, error)

	// Secret is a random key of 32 bytes that is the store's own and never
	// changes, by which servers on it know each other's tokens.
	Secret(ctx context.Context) ([]byte, error)

	// Ping says whether the store answers.
	Ping(ctx context.Context) error
	Close() error
}
