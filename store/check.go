package store

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/paulmach/orb"
	"github.com/peterstace/simplefeatures/geom"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/store/filter"
)

// ErrInvalid is returned (wrapped) for a run, landslide or query that can't be
// right; the text says which one it is and what is wrong with it.
var ErrInvalid = errors.New("invalid")

// Prepare is what every store does with a run and its landslides before it
// writes anything: it checks them (ErrInvalid) and returns copies as they are
// kept: times in UTC to the millisecond, Published now where it is zero, each
// landslide with the run's id and event, and its model where it names none.
func Prepare(r Run, landslides []Landslide, now time.Time) (Run, []Landslide, error) {
	if r.ID == "" || r.Event == "" {
		return r, nil, fmt.Errorf("%w run: id %q and event %q must not be empty", ErrInvalid, r.ID, r.Event)
	}
	for _, text := range []string{r.ID, r.Event, r.Model, r.ModelVersion} {
		if !storable(text) {
			return r, nil, fmt.Errorf("%w run %q: the text %q is not UTF-8, or holds a NUL character", ErrInvalid, r.ID, text)
		}
	}
	if r.Published.IsZero() {
		r.Published = now
	}
	r.Started, r.Published = stamp(r.Started), stamp(r.Published)
	for _, f := range r.numbers() {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return r, nil, fmt.Errorf("%w run %s: a number of it or of its summary is %v", ErrInvalid, r.ID, f)
		}
	}
	out := make([]Landslide, len(landslides))
	for i, l := range landslides {
		if err := l.check(); err != nil {
			return r, nil, fmt.Errorf("%w landslide %d of %d of run %s: %w", ErrInvalid, i+1, len(landslides), r.ID, err)
		}
		l.Event, l.Run = r.Event, r.ID
		if l.Model == "" {
			l.Model, l.ModelVersion = r.Model, r.ModelVersion
		}
		l.PreDate, l.PostDate = stamp(l.PreDate), stamp(l.PostDate)
		out[i] = l
	}
	return r, out, nil
}

// stamp brings a time to what both stores can keep.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

func (r Run) numbers() []float64 {
	s := r.Summary
	return []float64{r.Threshold, r.MinArea, s.TotalArea, s.LargestArea, s.MappedArea, s.CloudShare, s.NoDataShare}
}

// check says why the landslide can't be stored.
func (l Landslide) check() error {
	numbers := []float64{l.Area, l.Perimeter, l.Length, l.Width, l.ProbMean, l.ProbMax,
		l.ElevMin, l.ElevMax, l.ElevMean, l.SlopeMean, l.Aspect}
	if l.DeltaNDVI != nil {
		numbers = append(numbers, *l.DeltaNDVI)
	}
	for _, f := range numbers {
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("an attribute is %v: every number must be finite", f)
		}
	}
	if !storable(l.Model) || !storable(l.ModelVersion) {
		return fmt.Errorf("the model's name %q or version %q is not UTF-8, or holds a NUL character", l.Model, l.ModelVersion)
	}
	return CheckPolygon(l.Geometry)
}

// storable says whether both stores can keep the text.
func storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }

// CheckPolygon says why p is not a valid OGC simple feature in longitude and
// latitude: rings that are open, cross themselves or each other, holes outside
// of the shell, a cut interior, positions off the globe, or more than 180° of
// longitude, which means that it should have been cut at the antimeridian.
func CheckPolygon(p orb.Polygon) error {
	if len(p) == 0 || len(p[0]) == 0 {
		return errors.New("the polygon is empty")
	}
	for _, ring := range p {
		for _, at := range ring {
			if !(at[0] >= -180 && at[0] <= 180 && at[1] >= -90 && at[1] <= 90) {
				return fmt.Errorf("position (%v, %v) is not a longitude and latitude in degrees", at[0], at[1])
			}
		}
	}
	if b := p.Bound(); b.Max[0]-b.Min[0] > 180 {
		return fmt.Errorf("the polygon spans longitudes %v to %v: cut it in two at the antimeridian", b.Min[0], b.Max[0])
	}
	if err := simpleFeature(p).Validate(); err != nil {
		return fmt.Errorf("the polygon near (%.6f, %.6f) is not a valid simple feature: %w", p[0][0][0], p[0][0][1], err)
	}
	return nil
}

// Intersects says whether the polygon (not only its own box) shares a point with the box.
func Intersects(p orb.Polygon, box orb.Bound) bool {
	area := geom.NewEnvelope(geom.XY{X: box.Min[0], Y: box.Min[1]}, geom.XY{X: box.Max[0], Y: box.Max[1]})
	return geom.Intersects(simpleFeature(p).AsGeometry(), area.AsGeometry())
}

func simpleFeature(p orb.Polygon) geom.Polygon {
	rings := make([]geom.LineString, len(p))
	for i, ring := range p {
		flat := make([]float64, 0, 2*len(ring))
		for _, at := range ring {
			flat = append(flat, at[0], at[1])
		}
		rings[i] = geom.NewLineString(geom.NewSequence(flat, geom.DimXY))
	}
	return geom.NewPolygon(rings)
}

// DefaultLimit is the length of a page where a query names none, MaxLimit that
// of the longest: who asks for more gets so much, and the page's Next.
const (
	DefaultLimit = 1000
	MaxLimit     = 100_000
)

// CountLimit is how many matches of a query are counted at most.
const CountLimit = 10_000

// Normal returns the query with its limit filled in and its times as they are
// compared, or ErrInvalid when nothing could ever answer it.
func (q Query) Normal() (Query, error) {
	if q.Limit < 0 || q.After < 0 {
		return q, fmt.Errorf("%w query: limit %d and after %d must not be negative", ErrInvalid, q.Limit, q.After)
	}
	if q.Limit == 0 {
		q.Limit = DefaultLimit
	}
	q.Limit = min(q.Limit, MaxLimit)
	if math.IsNaN(q.MinArea) || math.IsInf(q.MinArea, 0) {
		return q, fmt.Errorf("%w query: minimum area %v is no number", ErrInvalid, q.MinArea)
	}
	if q.Filter != nil {
		if err := filter.Check(q.Filter, FieldTypes()); err != nil {
			return q, fmt.Errorf("%w query: %w", ErrInvalid, err)
		}
	}
	if q.Sketch > 0 {
		q.Sort = []SortKey{largestFirst()}
	}
	if err := q.checkSort(); err != nil {
		return q, err
	}
	if !q.From.IsZero() {
		q.From = stamp(q.From)
	}
	if !q.To.IsZero() {
		q.To = stamp(q.To)
	}
	if !q.From.IsZero() && !q.To.IsZero() && q.From.After(q.To) {
		return q, fmt.Errorf("%w query: it begins %s, after its end %s", ErrInvalid, q.From.Format(time.RFC3339), q.To.Format(time.RFC3339))
	}
	if q.BBox != nil {
		b := *q.BBox
		for _, f := range b {
			if math.IsNaN(f) || math.IsInf(f, 0) {
				return q, fmt.Errorf("%w query: bounding box %v has a coordinate that is no number", ErrInvalid, b)
			}
		}
		if b[1] > b[3] {
			return q, fmt.Errorf("%w query: bounding box %v has its south %v above its north %v", ErrInvalid, b, b[1], b[3])
		}
		if b[0] <= -180 && b[1] <= -90 && b[2] >= 180 && b[3] >= 90 {
			q.BBox = nil // everything is on the globe
		}
	}
	return q, nil
}

// Boxes are the query's bounding box as one rectangle, as two where it crosses
// the antimeridian, and none where the query is for everywhere.
func (q Query) Boxes() []orb.Bound {
	if q.BBox == nil {
		return nil
	}
	w, s, e, n := q.BBox[0], q.BBox[1], q.BBox[2], q.BBox[3]
	if w <= e {
		return []orb.Bound{{Min: orb.Point{w, s}, Max: orb.Point{e, n}}}
	}
	return []orb.Bound{
		{Min: orb.Point{w, s}, Max: orb.Point{180, n}},
		{Min: orb.Point{-180, s}, Max: orb.Point{e, n}},
	}
}

// WholeRun says whether the query selects all landslides of its run.
func (q Query) WholeRun() bool {
	return q.BBox == nil && q.Filter == nil && q.MinArea <= 0 && q.From.IsZero() && q.To.IsZero()
}

// EventJSON is the event's definition as the stores keep it. It refuses what
// can't be kept (ErrInvalid): no id, broken UTF-8, or a NUL character in a text.
func EventJSON(e imagery.Event) ([]byte, error) {
	if e.ID == "" {
		return nil, fmt.Errorf("%w event: its id is empty", ErrInvalid)
	}
	definition, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("%w event %q: %w", ErrInvalid, e.ID, err)
	}
	whole := storable(e.ID) && storable(e.Title) && storable(e.Trigger.Type)
	if !whole || bytes.Contains(definition, []byte(`\u0000`)) {
		return nil, fmt.Errorf("%w event %q: a text of it is not UTF-8, or holds a NUL character", ErrInvalid, e.ID)
	}
	return definition, nil
}
