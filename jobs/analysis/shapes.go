package analysis

import (
	"context"
	"fmt"
	"slices"

	"github.com/airbusgeo/godal"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"
	"github.com/peterstace/simplefeatures/rtree"

	"github.com/scarp-map/scarp/jobs/geodesic"
)

const (
	// maxPolygons bounds the polygons that are held in memory, of landslides,
	// of administrative units or of an inventory.
	maxPolygons = 200_000
	// maxVertices bounds their vertices: 5 million take about 200 MB.
	maxVertices = 5_000_000
)

// shape is a polygon feature that is held in memory.
type shape struct {
	feature
	polygons orb.MultiPolygon
	area     float64 // m², geodesic
}

// shapes are polygon features with an index.
type shapes struct {
	all  []shape
	tree *rtree.RTree
}

// load reads polygon features into memory.
func (s Sources) load(ctx context.Context, name, dir string, v Vector) (*shapes, error) {
	var out shapes
	vertices := 0
	err := s.each(ctx, name, dir, v, func(n int, f feature) error {
		if f.Geometry == nil {
			return nil
		}
		var polygons orb.MultiPolygon
		switch g := f.Geometry.Geometry().(type) {
		case orb.Polygon:
			polygons = orb.MultiPolygon{g}
		case orb.MultiPolygon:
			polygons = g
		default:
			return bad("%s is a %s; polygons are needed here", f.name(n), f.Geometry.Type)
		}
		polygons = slices.DeleteFunc(polygons, func(p orb.Polygon) bool { return len(p) == 0 })
		for _, p := range polygons {
			for _, r := range p {
				if vertices += len(r); len(r) < 4 || r[0] != r[len(r)-1] {
					return bad("%s has a ring that is not closed or has fewer than four positions", f.name(n))
				}
			}
		}
		if len(polygons) == 0 {
			return nil
		}
		if len(out.all) >= maxPolygons || vertices > maxVertices {
			return bad("more than %d features or %d vertices: cut them to the area of interest, or simplify them", maxPolygons, maxVertices)
		}
		fixed, err := repaired(polygons)
		if err != nil {
			return bad("%s: %w", f.name(n), err)
		}
		if len(fixed) == 0 {
			return nil // without any area
		}
		f.Geometry = nil
		out.all = append(out.all, shape{feature: f, polygons: fixed, area: geodesic.Area(fixed)})
		return nil
	})
	if err != nil {
		return nil, err
	}
	items := make([]rtree.BulkItem, len(out.all))
	for i, s := range out.all {
		items[i] = rtree.BulkItem{Box: box(s.polygons), RecordID: i}
	}
	out.tree = rtree.BulkLoad(items)
	return &out, nil
}

func box(g orb.Geometry) rtree.Box {
	b := g.Bound()
	return rtree.Box{MinX: b.Min[0], MinY: b.Min[1], MaxX: b.Max[0], MaxY: b.Max[1]}
}

// near lists the shapes whose boxes meet the geometry's, in ascending order.
func (s *shapes) near(g orb.Geometry) (found []int) {
	if emptyBound(g.Bound()) {
		return nil
	}
	_ = s.tree.RangeSearch(box(g), func(i int) error { found = append(found, i); return nil })
	slices.Sort(found)
	return found
}

// repaired returns the polygons as GEOS holds them to be valid.
func repaired(m orb.MultiPolygon) (orb.MultiPolygon, error) {
	g, err := toGEOS(m)
	if err != nil {
		return nil, err
	}
	defer g.Close()
	if g.Valid() {
		return m, nil
	}
	fixed, err := g.Buffer(0, 1, quiet)
	if err != nil {
		return nil, fmt.Errorf("repair it: %w", err)
	}
	defer fixed.Close()
	o, err := fromGEOS(fixed)
	if err != nil {
		return nil, err
	}
	return polygonsOf(o), nil
}

// polygonsOf takes the polygons out of a geometry.
func polygonsOf(g orb.Geometry) (out orb.MultiPolygon) {
	switch g := g.(type) {
	case orb.Polygon:
		if len(g) > 0 {
			out = orb.MultiPolygon{g}
		}
	case orb.MultiPolygon:
		out = g
	case orb.Collection:
		for _, part := range g {
			out = append(out, polygonsOf(part)...)
		}
	}
	return out
}

// linesOf takes the lines out of a geometry.
func linesOf(g orb.Geometry) (out orb.MultiLineString) {
	switch g := g.(type) {
	case orb.LineString:
		if len(g) > 1 {
			out = orb.MultiLineString{g}
		}
	case orb.MultiLineString:
		out = g
	case orb.Collection:
		for _, part := range g {
			out = append(out, linesOf(part)...)
		}
	}
	return out
}

func toGEOS(g orb.Geometry) (*godal.Geometry, error) {
	b, err := wkb.Marshal(g)
	if err != nil {
		return nil, err
	}
	return godal.NewGeometryFromWKB(b, nil, quiet)
}

func fromGEOS(g *godal.Geometry) (orb.Geometry, error) {
	if g.Empty() {
		return orb.Collection{}, nil
	}
	b, err := g.WKB(quiet)
	if err != nil {
		return nil, err
	}
	return wkb.Unmarshal(b)
}

// intersect returns what a geometry shares with several shapes together, and
// which of them it meets.
func (s *shapes) intersect(g orb.Geometry, candidates []int) (orb.Geometry, []int, error) {
	if len(candidates) == 0 {
		return orb.Collection{}, nil, nil
	}
	own, err := toGEOS(g)
	if err != nil {
		return nil, nil, err
	}
	defer own.Close()
	var met []int
	var shared *godal.Geometry
	defer func() {
		if shared != nil {
			shared.Close()
		}
	}()
	for _, i := range candidates {
		part, err := s.meet(own, i)
		if err != nil {
			return nil, nil, fmt.Errorf("intersect it with %s: %w", s.all[i].name(i+1), err)
		}
		if part == nil {
			continue
		}
		met = append(met, i)
		if shared == nil {
			shared = part
			continue
		}
		// Together, so that what two shapes cover counts once.
		both, err := shared.Union(part, quiet)
		part.Close()
		if err != nil {
			return nil, nil, fmt.Errorf("join what it shares: %w", err)
		}
		shared.Close()
		shared = both
	}
	if shared == nil {
		return orb.Collection{}, nil, nil
	}
	o, err := fromGEOS(shared)
	return o, met, err
}

// meet returns what a geometry shares with one shape, nil for nothing.
func (s *shapes) meet(own *godal.Geometry, i int) (*godal.Geometry, error) {
	other, err := toGEOS(s.all[i].polygons)
	if err != nil {
		return nil, err
	}
	defer other.Close()
	if yes, err := own.Intersects(other, quiet); err != nil || !yes {
		return nil, err
	}
	return own.Intersection(other, quiet)
}

// without returns what of a geometry lies outside of one shape.
func (s *shapes) without(g orb.Geometry, i int) (orb.Geometry, error) {
	own, err := toGEOS(g)
	if err != nil {
		return nil, err
	}
	defer own.Close()
	other, err := toGEOS(s.all[i].polygons)
	if err != nil {
		return nil, err
	}
	defer other.Close()
	rest, err := own.Difference(other, quiet)
	if err != nil {
		return nil, fmt.Errorf("cut %s away from it: %w", s.all[i].name(i+1), err)
	}
	defer rest.Close()
	return fromGEOS(rest)
}
