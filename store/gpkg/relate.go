package gpkg

import (
	"fmt"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/peterstace/simplefeatures/geom"
)

// relations tests geometries against each other. It keeps the last few of
// filters, each of which is compared with many.
type relations struct {
	kept *lru.Cache[string, geom.Geometry]
}

func newRelations() (relations, error) {
	kept, err := lru.New[string, geom.Geometry](16) // of 64 KiB of text at most each
	return relations{kept}, err
}

// relate says whether the relation holds from a to b, both GeoPackageBinary.
func (r relations) relate(op string, a, b []byte) (bool, error) {
	pa, err := parse(a)
	if err != nil {
		return false, err
	}
	pb, err := parse(b)
	if err != nil {
		return false, err
	}
	if ea, eb := pa.envelope, pb.envelope; ea != nil && eb != nil && (ea[0] > eb[1] || ea[1] < eb[0] || ea[2] > eb[3] || ea[3] < eb[2]) {
		return op == "disjoint", nil
	}
	ga, err := r.geometry(pa, a[2] == literalMark)
	if err != nil {
		return false, err
	}
	gb, err := r.geometry(pb, b[2] == literalMark)
	if err != nil {
		return false, err
	}
	switch op {
	case "intersects":
		return geom.Intersects(ga, gb), nil
	case "disjoint":
		return !geom.Intersects(ga, gb), nil
	case "equals":
		return geom.Equals(ga, gb)
	case "touches":
		return geom.Touches(ga, gb)
	case "within":
		return geom.Within(ga, gb)
	case "overlaps":
		return geom.Overlaps(ga, gb)
	case "crosses":
		return geom.Crosses(ga, gb)
	case "contains":
		return geom.Contains(ga, gb)
	}
	return false, fmt.Errorf("scarp_relate: there is no relation %q", op)
}

func (r relations) geometry(b blob, keep bool) (geom.Geometry, error) {
	if keep {
		if g, ok := r.kept.Get(string(b.wkb)); ok {
			return g, nil
		}
	}
	g, err := geom.UnmarshalWKB(b.wkb, geom.NoValidate{})
	if err != nil {
		return g, fmt.Errorf("read the geometry's WKB: %w", err)
	}
	if keep {
		r.kept.Add(string(b.wkb), g)
	}
	return g, nil
}
