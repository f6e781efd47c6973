package imagery

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// maxGridSide bounds a grid's width and height in pixels (1310 km).
const maxGridSide = 131072

// source is an opened event.
type source struct {
	event      Event
	stamp      stamp
	grid       Grid
	bounds     [4]float64
	sides      map[Side][]*scene // the closest to the trigger first
	dem        *dem
	rasters    []*raster
	transforms *transforms
	files      []location
	*lifetime
}

// lifetime says whether a source is in use. A source and what was made from it
// by [source.During] share one, as they share their files.
type lifetime struct {
	mu      sync.Mutex
	idle    sync.Cond // signalled when reads falls to 0
	reads   int
	retired bool
	closed  bool
}

// Open opens the files of an event and works out its grid. It checks every
// reference against o.Allow, and that every scene has bands that it knows; all
// faults found are in the error, each with the event, side, scene and file.
func Open(ctx context.Context, e Event, o Options) (Source, error) {
	s, err := open(ctx, e, o)
	if err != nil {
		return nil, fmt.Errorf("open event %s: %w", e.ID, err)
	}
	return s, nil
}

func open(ctx context.Context, e Event, o Options) (*source, error) {
	o = o.withDefaults()
	if err := Setup(o.BlockCache); err != nil {
		return nil, err
	}
	if err := e.Validate(); err != nil {
		return nil, err
	}
	allow, err := newAllowList(o)
	if err != nil {
		return nil, err
	}
	op := &opener{allow: allow, handles: o.Handles}
	s := &source{event: e, sides: map[Side][]*scene{}, transforms: &transforms{}, lifetime: &lifetime{}}
	s.idle.L = &s.mu
	err = s.openFiles(ctx, op)
	if err == nil {
		err = s.layOut()
	}
	if err == nil {
		s.stamp, err = stampOf(e, s.files)
	}
	if err != nil {
		op.close()
		s.transforms.close()
		return nil, err
	}
	return s, nil
}

func (s *source) openFiles(ctx context.Context, op *opener) error {
	var faults []error
	for _, side := range []Side{Pre, Post} {
		for i, def := range s.event.scenes(side) {
			if err := ctx.Err(); err != nil {
				return err
			}
			sc, err := op.scene(def, s.event.Trigger.Time)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s scene %d: %w", side, i+1, err))
				continue
			}
			s.sides[side] = append(s.sides[side], sc)
		}
		s.orderScenes(side)
		for _, sc := range s.sides[side] {
			if first := s.sides[side][0]; sc.level != first.level {
				faults = append(faults, fmt.Errorf("%s scenes %s (%s) and %s (%s) are of different levels: use one level on a side, or say `level` where it was not recognised",
					side, first.ref, first.level, sc.ref, sc.level))
			}
		}
	}
	if s.event.DEM != "" {
		var err error
		if s.dem, err = op.dem(s.event.DEM); err != nil {
			faults = append(faults, err)
		}
	}
	s.rasters, s.files = op.rasters, op.files
	return errors.Join(faults...)
}

// orderScenes puts scenes close in time to the trigger first; those without a
// date last; and otherwise keeps the event's order.
func (s *source) orderScenes(side Side) {
	distance := func(sc *scene) time.Duration {
		if sc.date.IsZero() {
			return math.MaxInt64
		}
		return sc.date.Sub(s.event.Trigger.Time).Abs()
	}
	slices.SortStableFunc(s.sides[side], func(a, b *scene) int {
		switch da, db := distance(a), distance(b); {
		case da < db:
			return -1
		case da > db:
			return 1
		}
		return 0
	})
}

func (e Event) scenes(side Side) []Scene {
	if side == Pre {
		return e.Pre
	}
	return e.Post
}

// layOut works out the grid and what follows from it.
func (s *source) layOut() error {
	epsg, err := s.utmZone()
	if err != nil {
		return err
	}
	crs := crsName(epsg)
	minX, minY, maxX, maxY := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for _, sc := range s.sides[Post] {
		x0, y0, x1, y1, err := s.transforms.extent(sc.finest().geometry, crs)
		if err != nil {
			return fmt.Errorf("post scene %s: %w", sc.ref, err)
		}
		minX, minY, maxX, maxY = min(minX, x0), min(minY, y0), max(maxX, x1), max(maxY, y1)
	}
	// Outwards to multiples of 10 m, but not for the sake of rounding.
	const hair = 1e-3
	left, top := math.Floor((minX+hair)/PixelSize), math.Ceil((maxY-hair)/PixelSize)
	right, bottom := math.Ceil((maxX-hair)/PixelSize), math.Floor((minY+hair)/PixelSize)
	if w, h := right-left, top-bottom; !(w > 0 && h > 0 && w <= maxGridSide && h <= maxGridSide) {
		return fmt.Errorf("the post scenes span %.0f×%.0f pixels of 10 m in EPSG:%d; expected at most %d×%d: split the event", w, h, epsg, maxGridSide, maxGridSide)
	}
	s.grid = Grid{EPSG: epsg, OriginX: left * PixelSize, OriginY: top * PixelSize, Width: int(right - left), Height: int(top - bottom)}

	for side, scenes := range s.sides {
		for _, sc := range scenes {
			if sc.footprint, err = s.footprint(sc.finest().geometry); err != nil {
				return fmt.Errorf("%s scene %s: %w", side, sc.ref, err)
			}
		}
	}
	if len(s.sides[Pre]) > 0 && !slices.ContainsFunc(s.sides[Pre], func(sc *scene) bool { return !sc.footprint.Empty() }) {
		return fmt.Errorf("no pre scene overlaps the post scenes: check that both sides show the same place")
	}
	if s.dem != nil {
		if err := s.dem.settle(s); err != nil {
			return err
		}
	}
	west, south, east, north, err := s.transforms.extent(s.grid.geometry(s.grid.Rect()), geographicCRS)
	s.bounds = [4]float64{west, south, east, north}
	return err
}

// geometry returns the place of a window of the grid as that of a raster.
func (g Grid) geometry(r Rect) geometry {
	return geometry{crs: crsName(g.EPSG), gt: g.GeoTransform(r), width: r.W, height: r.H}
}

// utmZone returns the zone of the first post scene, by the event's order after sorting; for one in another CRS the zone of its centre.
func (s *source) utmZone() (int, error) {
	sc := s.sides[Post][0]
	g := sc.finest().geometry
	if epsg, ok := utmOf(g.crs); ok {
		return epsg, nil
	}
	x := []float64{g.gt[0] + g.gt[1]*float64(g.width)/2 + g.gt[2]*float64(g.height)/2}
	y := []float64{g.gt[3] + g.gt[4]*float64(g.width)/2 + g.gt[5]*float64(g.height)/2}
	if err := s.transforms.apply(g.crs, geographicCRS, x, y); err != nil {
		return 0, fmt.Errorf("post scene %s: %w", sc.ref, err)
	}
	epsg, err := utmAt(x[0], y[0])
	if err != nil {
		return 0, fmt.Errorf("post scene %s: its centre: %w", sc.ref, err)
	}
	return epsg, nil
}

// footprint returns the grid pixels that a raster touches.
func (s *source) footprint(g geometry) (Rect, error) {
	minX, minY, maxX, maxY, err := s.transforms.extent(g, crsName(s.grid.EPSG))
	if err != nil {
		return Rect{}, err
	}
	col := func(x float64) int { return int(min(max((x-s.grid.OriginX)/PixelSize, -1), maxGridSide+1)) }
	row := func(y float64) int { return int(min(max((s.grid.OriginY-y)/PixelSize, -1), maxGridSide+1)) }
	r := Rect{X: col(minX) - 1, Y: row(maxY) - 1}
	r.W, r.H = col(maxX)+2-r.X, row(minY)+2-r.Y
	return r.Intersect(s.grid.Rect()), nil
}

func (s *source) Event() Event       { return s.event }
func (s *source) Revision() string   { return s.stamp.revision() }
func (s *source) Grid() Grid         { return s.grid }
func (s *source) Bounds() [4]float64 { return s.bounds }

func (s *source) HasBand(side Side, band string) bool {
	return slices.ContainsFunc(s.sides[side], func(sc *scene) bool { return sc.layers[band] != nil })
}

func (s *source) Classified(side Side) Share {
	n := 0
	for _, sc := range s.sides[side] {
		if sc.scl != nil {
			n++
		}
	}
	switch n {
	case 0:
		return NoScene
	case len(s.sides[side]):
		return AllScenes
	}
	return SomeScenes
}

func (s *source) Level(side Side) string {
	if len(s.sides[side]) == 0 {
		return ""
	}
	return s.sides[side][0].level
}

func (s *source) Dates(side Side) []time.Time {
	var dates []time.Time
	for _, sc := range s.sides[side] {
		if !sc.date.IsZero() {
			dates = append(dates, sc.date)
		}
	}
	slices.SortFunc(dates, time.Time.Compare)
	return dates
}

// begin counts a read in; end counts it out.
func (s *source) begin() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	s.reads++
	return nil
}

func (s *source) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reads--; s.reads > 0 {
		return
	}
	s.idle.Broadcast()
	if s.retired {
		s.transforms.close()
	}
}

// retire lets idle files go and keeps none open between reads from now on. The
// source still reads: whoever holds it is not disturbed.
func (s *source) retire() {
	s.mu.Lock()
	s.retired = true
	reading := s.reads > 0
	s.mu.Unlock()
	for _, r := range s.rasters {
		r.retire()
	}
	if !reading {
		s.transforms.close()
	}
}

// Close waits for reads under way and closes all files. Reads begun later fail.
func (s *source) Close() error {
	s.mu.Lock()
	s.closed = true
	for s.reads > 0 {
		s.idle.Wait()
	}
	s.mu.Unlock()
	s.retire()
	return nil
}
