// Package imagerytest gives tests an event without files: a [Source] whose
// every pixel is a function of its place, so that a test can work out what it
// must read, in any window and in any order.
package imagerytest

import (
	"context"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"sync/atomic"
	"time"

	"github.com/scarp-map/scarp/imagery"
)

// Source is a made-up event that implements [imagery.Source]. Vegetated hills
// with smooth relief; in the post image, landslides (round patches of bare
// soil, see [Source.Landslide]) have appeared. Set the fields before the first
// use; the methods are safe for use by many goroutines.
type Source struct {
	// ID is the event's id; empty means "synthetic".
	ID string
	// Size of the grid in pixels.
	Width, Height int
	// EPSG and origin of the grid; zero means UTM 52N (32652) with its upper left at 400000, 4500000.
	EPSG             int
	OriginX, OriginY float64
	// Seed changes all values.
	Seed uint64
	// MissingPre and MissingPost name bands that no scene of the side has.
	MissingPre, MissingPost []string
	// PreCloud and PostCloud give the class at a pixel (nil: clear everywhere).
	PreCloud, PostCloud func(x, y int) uint8
	// PreEmpty, PostEmpty and TerrainEmpty say where there is no data (nil: nowhere).
	PreEmpty, PostEmpty, TerrainEmpty func(x, y int) bool
	// Mixed makes the post image a fine-grained mixture of vegetation and bare
	// soil instead of a landscape with landslides, so that predictions vary everywhere.
	Mixed bool
	// Flat gives every band and terrain layer one value a row, which is quick to
	// make: for benchmarks.
	Flat bool
	// Version goes into the revision: set it where two sources differ in a function only.
	Version string
	// Unclassified says that no scene has a scene classification; then no cloud is seen either.
	Unclassified bool
	// ProcessingLevel is L2A or L1C; empty means L2A.
	ProcessingLevel string
	// OnRead, when set, is called at the start of every Read, which fails with
	// its error. It may block, to hold readers back until a test lets them go.
	OnRead func(ctx context.Context, r imagery.Request) error

	reads  atomic.Int64
	closed atomic.Bool
}

var _ imagery.Source = (*Source)(nil)

// New returns a source of the size given and otherwise of defaults.
func New(width, height int) *Source { return &Source{Width: width, Height: height} }

// Reads returns how often Read was called.
func (s *Source) Reads() int { return int(s.reads.Load()) }

// Event returns a definition that fits the values.
func (s *Source) Event() imagery.Event {
	id := s.ID
	if id == "" {
		id = "synthetic"
	}
	return imagery.Event{
		ID: id, Title: "Synthetic event",
		Trigger: imagery.Trigger{Time: time.Date(2024, 6, 1, 0, 0, 0, 0, time.UTC), Type: "earthquake"},
		Pre:     []imagery.Scene{{Path: "pre.tif", Date: s.Dates(imagery.Pre)[0]}},
		Post:    []imagery.Scene{{Path: "post.tif", Date: s.Dates(imagery.Post)[0]}},
		DEM:     "dem.tif",
	}
}

// Revision depends on ID, size, Seed, missing bands and Version.
func (s *Source) Revision() string {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %d %d %d %v %v %s", s.Event().ID, s.Width, s.Height, s.Seed, s.MissingPre, s.MissingPost, s.Version)
	return fmt.Sprintf("%016x", h.Sum64())
}

// Grid returns the grid.
func (s *Source) Grid() imagery.Grid {
	g := imagery.Grid{EPSG: s.EPSG, OriginX: s.OriginX, OriginY: s.OriginY, Width: s.Width, Height: s.Height}
	if g.EPSG == 0 {
		g.EPSG = 32652
	}
	if g.OriginX == 0 && g.OriginY == 0 {
		g.OriginX, g.OriginY = 400000, 4500000
	}
	return g
}

// Bounds returns a rough extent in degrees, right to a few hundred metres in
// the default zone (this package does not link PROJ).
func (s *Source) Bounds() [4]float64 {
	g := s.Grid()
	minX, minY, maxX, maxY := g.Bounds()
	const metresPerDegree = 111_200.0
	zone := float64(g.EPSG % 100)
	lat := func(y float64) float64 { return y / metresPerDegree }
	lon := func(x float64) float64 {
		mid := lat((minY + maxY) / 2)
		return zone*6 - 183 + (x-500000)/(metresPerDegree*math.Cos(mid*math.Pi/180))
	}
	return [4]float64{lon(minX), lat(minY), lon(maxX), lat(maxY)}
}

// HasBand says whether the side has the band.
func (s *Source) HasBand(side imagery.Side, band string) bool {
	return slices.Contains(imagery.Bands(), band) && !slices.Contains(s.missing(side), band)
}

func (s *Source) missing(side imagery.Side) []string {
	if side == imagery.Pre {
		return s.MissingPre
	}
	return s.MissingPost
}

// Classified says whether clouds are known.
func (s *Source) Classified(imagery.Side) imagery.Share {
	if s.Unclassified {
		return imagery.NoScene
	}
	return imagery.AllScenes
}

// Level returns ProcessingLevel.
func (s *Source) Level(imagery.Side) string {
	if s.ProcessingLevel == "" {
		return "L2A"
	}
	return s.ProcessingLevel
}

// Dates returns one date a side.
func (s *Source) Dates(side imagery.Side) []time.Time {
	if side == imagery.Pre {
		return []time.Time{time.Date(2024, 5, 20, 2, 0, 0, 0, time.UTC)}
	}
	return []time.Time{time.Date(2024, 6, 9, 2, 0, 0, 0, time.UTC)}
}

// Close marks the source closed: later reads fail.
func (s *Source) Close() error {
	s.closed.Store(true)
	return nil
}

// Read makes the window up. At sizes other than the rectangle's it takes the nearest pixel.
func (s *Source) Read(ctx context.Context, r imagery.Request) (*imagery.Window, error) {
	s.reads.Add(1)
	if s.OnRead != nil {
		if err := s.OnRead(ctx, r); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.closed.Load() {
		return nil, fmt.Errorf("read event %s: source is closed", s.Event().ID)
	}
	if r.Rect.Empty() || !s.Grid().Rect().Contains(r.Rect) {
		return nil, fmt.Errorf("read event %s: window %s is not in the grid %s", s.Event().ID, r.Rect, s.Grid().Rect())
	}
	return s.window(r), nil
}
