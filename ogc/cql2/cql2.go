// Package cql2 reads the OGC's Common Query Language (OGC 21-065r2), as text
// and as JSON, into the filters of package filter.
//
// Both forms give the same tree. What it refuses it says with the place and a
// way to mend it; what names or types are wrong shows when the filter is
// checked against the fields that there are.
package cql2

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/peterstace/simplefeatures/geom"

	"github.com/scarp-map/scarp/store/filter"
)

// MaxLength is how many bytes a filter may have.
const MaxLength = 64 << 10

// Options says how to read a filter.
type Options struct {
	// ToLonLat converts coordinates of geometries, as the filter's CRS orders
	// them, to longitude and latitude; nil takes them as they are.
	ToLonLat func(geom.XY) (geom.XY, error)
}

func fail(at filter.Place, format string, args ...any) error {
	return &filter.Error{Place: at, Problem: fmt.Sprintf(format, args...)}
}

// lonLat brings a geometry to longitude and latitude, two dimensions, and checks it.
func (o Options) lonLat(g geom.Geometry, at filter.Place) (*filter.Literal, error) {
	g = g.Force2D()
	if o.ToLonLat != nil {
		var failed error
		g = g.TransformXY(func(p geom.XY) geom.XY {
			q, err := o.ToLonLat(p)
			if err != nil {
				failed = err
			}
			return q
		})
		if failed != nil {
			return nil, fail(at, "the geometry can't be converted to longitude and latitude: %s", failed)
		}
	}
	if g.IsEmpty() {
		return nil, fail(at, "the geometry is empty")
	}
	if err := g.Validate(); err != nil {
		return nil, fail(at, "the geometry is not valid: %s", err)
	}
	if low, high, ok := g.Envelope().MinMaxXYs(); !ok || low.X < -360 || high.X > 360 || low.Y < -90 || high.Y > 90 {
		return nil, fail(at, "the geometry is not on the globe; are its coordinates in the order of filter-crs?")
	}
	return &filter.Literal{Value: g, Place: at}, nil
}

// box makes a geometry of four or six numbers: west, south, east, north in the
// order of the CRS. One whose west is greater than its east crosses the antimeridian.
func (o Options) box(v []float64, at filter.Place) (*filter.Literal, error) {
	if len(v) == 6 {
		v = []float64{v[0], v[1], v[3], v[4]}
	}
	if len(v) != 4 {
		return nil, fail(at, "BBOX has %d numbers, it must have 4, or 6 with heights", len(v))
	}
	low, high := geom.XY{X: v[0], Y: v[1]}, geom.XY{X: v[2], Y: v[3]}
	if o.ToLonLat != nil {
		var errs [2]error
		low, errs[0] = o.ToLonLat(low)
		high, errs[1] = o.ToLonLat(high)
		if err := errors.Join(errs[:]...); err != nil {
			return nil, fail(at, "BBOX can't be converted to longitude and latitude: %s", err)
		}
		o.ToLonLat = nil
	}
	if low.Y > high.Y {
		return nil, fail(at, "BBOX has its south %g above its north %g", low.Y, high.Y)
	}
	if low.X <= high.X {
		return o.lonLat(geom.NewEnvelope(low, high).AsGeometry(), at)
	}
	west := geom.NewEnvelope(low, geom.XY{X: 180, Y: high.Y}).AsGeometry()
	east := geom.NewEnvelope(geom.XY{X: -180, Y: low.Y}, high).AsGeometry()
	if west.Type() != geom.TypePolygon || east.Type() != geom.TypePolygon {
		return nil, fail(at, "BBOX crosses the antimeridian without an area")
	}
	return o.lonLat(geom.NewMultiPolygon([]geom.Polygon{west.MustAsPolygon(), east.MustAsPolygon()}).AsGeometry(), at)
}

func day(s string, at filter.Place) (*filter.Literal, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1 {
		return nil, fail(at, "%q is not a date such as 2018-09-10", shortened(s))
	}
	return &filter.Literal{Value: filter.Day(t), Place: at}, nil
}

func timestamp(s string, at filter.Place) (*filter.Literal, error) {
	t, err := time.Parse(time.RFC3339, strings.ToUpper(s))
	if err != nil || t.Year() < 1 || t.Year() > 9998 {
		return nil, fail(at, "%q is not a time such as 2018-09-10T01:30:00Z", shortened(s))
	}
	return &filter.Literal{Value: filter.Moment{Time: t.UTC().Truncate(time.Millisecond)}, Place: at}, nil
}

// bound reads one end of an interval; .. is open.
func bound(s string, infinite int, at filter.Place) (*filter.Literal, error) {
	if s == ".." || s == "" {
		return &filter.Literal{Value: filter.Moment{Infinite: infinite}, Place: at}, nil
	}
	if len(s) == len(time.DateOnly) {
		return day(s, at)
	}
	return timestamp(s, at)
}

// interval makes a period of two ends and checks their order where both are given.
func interval(from, to filter.Expr, at filter.Place) (filter.Expr, error) {
	a, okA := from.(*filter.Literal)
	b, okB := to.(*filter.Literal)
	if okA && okB {
		start, closedA := instant(a)
		end, closedB := instant(b)
		if closedA && closedB && start.After(end) {
			return nil, fail(at, "the interval begins after its end")
		}
	}
	return &filter.Call{Op: filter.Interval, Args: []filter.Expr{from, to}, Place: at}, nil
}

func instant(l *filter.Literal) (time.Time, bool) {
	switch v := l.Value.(type) {
	case filter.Day:
		return time.Time(v), true
	case filter.Moment:
		return v.Time, v.Infinite == 0
	}
	return time.Time{}, false
}

func shortened(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// operation finds an operation by its name in any case, among those written as functions.
func operation(name string) (filter.Op, bool) {
	for _, ops := range [][]filter.Op{filter.Spatial(), filter.Temporal(), {filter.CaseI, filter.AccentI}} {
		for _, op := range ops {
			if strings.EqualFold(name, string(op)) {
				return op, true
			}
		}
	}
	return "", false
}
