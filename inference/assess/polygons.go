package assess

import (
	"fmt"
	"slices"

	"github.com/airbusgeo/godal"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"
	"github.com/peterstace/simplefeatures/rtree"
)

// MatchPolygons matches the polygons of two inventories by the rule; each
// polygon is an object, in the order given. Coordinates are in metres (of an
// equal-area or UTM projection). Invalid polygons are repaired.
func MatchPolygons(mapped, truth []orb.Polygon, r Rule) (*Objects, error) {
	o := &Objects{Mapped: make([]Object, len(mapped)), True: make([]Object, len(truth))}
	shapes, err := geometries(truth, o.True)
	defer closeAll(shapes)
	if err != nil {
		return nil, fmt.Errorf("true polygons: %w", err)
	}
	own, err := geometries(mapped, o.Mapped)
	defer closeAll(own)
	if err != nil {
		return nil, fmt.Errorf("mapped polygons: %w", err)
	}
	near := newIndex(truth)
	for i, a := range own {
		err := near.RangeSearch(box(mapped[i]), func(j int) error {
			overlap, err := overlap(a, shapes[j])
			if overlap > 0 {
				o.Pairs = append(o.Pairs, Pair{i, j, overlap})
			}
			if err != nil {
				return fmt.Errorf("intersect mapped polygon %d with true polygon %d: %w", i+1, j+1, err)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(o.Pairs, comparePairs)
	o.settle(r)
	return o, nil
}

func geometries(polygons []orb.Polygon, objects []Object) ([]*godal.Geometry, error) {
	out := make([]*godal.Geometry, 0, len(polygons))
	for i, p := range polygons {
		b, err := wkb.Marshal(p)
		if err != nil {
			return out, fmt.Errorf("polygon %d: %w", i+1, err)
		}
		g, err := godal.NewGeometryFromWKB(b, nil)
		if err != nil {
			return out, fmt.Errorf("polygon %d: %w", i+1, err)
		}
		if !g.Valid() {
			fixed, err := g.Buffer(0, 1)
			g.Close()
			if err != nil {
				return out, fmt.Errorf("repair polygon %d: %w", i+1, err)
			}
			g = fixed
		}
		out = append(out, g)
		objects[i].Area = g.Area()
	}
	return out, nil
}

func closeAll(shapes []*godal.Geometry) {
	for _, g := range shapes {
		g.Close()
	}
}

func overlap(a, b *godal.Geometry) (float64, error) {
	if meet, err := a.Intersects(b); err != nil || !meet {
		return 0, err
	}
	common, err := a.Intersection(b)
	if err != nil {
		return 0, err
	}
	defer common.Close()
	return common.Area(), nil
}

// newIndex returns a tree of the polygons' boxes.
func newIndex(polygons []orb.Polygon) *rtree.RTree {
	items := make([]rtree.BulkItem, len(polygons))
	for i, p := range polygons {
		items[i] = rtree.BulkItem{Box: box(p), RecordID: i}
	}
	return rtree.BulkLoad(items)
}

func box(p orb.Polygon) rtree.Box {
	b := p.Bound()
	return rtree.Box{MinX: b.Min[0], MinY: b.Min[1], MaxX: b.Max[0], MaxY: b.Max[1]}
}
