package mapping

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/airbusgeo/godal"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"
	"github.com/paulmach/orb/planar"
)

// outlines returns the polygons of the sieved mosaic in grid pixels, holes
// below the minimum area filled, in the order of their first pixels.
func (m *Mosaic) outlines(ctx context.Context) ([]orb.Polygon, error) {
	s, err := newSieve(ctx, m)
	if err != nil {
		return nil, err
	}
	raw, err := m.polygonize(ctx, s)
	if err != nil {
		return nil, err
	}
	w := m.plan.window
	minHole := float64(minPixels(m.plan.MinArea))
	polys := make([]orb.Polygon, 0, len(raw))
	for _, p := range raw {
		polys = append(polys, clean(p, float64(w.X), float64(w.Y), minHole))
	}
	// The first vertex of a ring is its uppermost, leftmost one: no two polygons share it.
	slices.SortFunc(polys, func(a, b orb.Polygon) int { return comparePoints(a[0][0], b[0][0]) })
	return polys, nil
}

// polygonize lets GDAL outline the groups in window pixels. The mask goes
// through a file, so that GDAL holds a few rows of it only.
func (m *Mosaic) polygonize(ctx context.Context, s *sieve) ([]orb.Polygon, error) {
	w := m.plan.window
	path := filepath.Join(m.dir, "groups.tif")
	ds, err := godal.Create(godal.GTiff, path, 1, godal.Byte, w.W, w.H, godal.CreationOption("COMPRESS=LZW"))
	if err != nil {
		return nil, fmt.Errorf("make %s: %w", path, err)
	}
	defer ds.Close()
	band := ds.Bands()[0]
	if err := s.rows(func(y int, pixels []byte) error {
		if y%256 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return band.Write(0, y, pixels, w.W, 1)
	}); err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	out, err := godal.CreateVector(godal.Memory, "")
	if err != nil {
		return nil, fmt.Errorf("make a layer for outlines: %w", err)
	}
	defer out.Close()
	layer, err := out.CreateLayer("outlines", nil, godal.GTPolygon)
	if err != nil {
		return nil, fmt.Errorf("make a layer for outlines: %w", err)
	}
	// Joined by edges: GDAL's other rule (corners too) makes outlines that touch themselves.
	if err := band.Polygonize(layer, godal.Mask(band)); err != nil {
		return nil, fmt.Errorf("outline the mosaic: %w", err)
	}
	var polys []orb.Polygon
	layer.ResetReading()
	for f := layer.NextFeature(); f != nil; f = layer.NextFeature() {
		p, err := featurePolygon(f)
		f.Close()
		if err != nil {
			return nil, err
		}
		polys = append(polys, p)
	}
	return polys, context.Cause(ctx)
}

func featurePolygon(f *godal.Feature) (orb.Polygon, error) {
	g := f.Geometry()
	defer g.Close()
	b, err := g.WKB()
	if err != nil {
		return nil, fmt.Errorf("read an outline: %w", err)
	}
	decoded, err := wkb.Unmarshal(b)
	if err != nil {
		return nil, fmt.Errorf("read an outline: %w", err)
	}
	p, ok := decoded.(orb.Polygon)
	if !ok {
		return nil, fmt.Errorf("read an outline: GDAL gave a %s", decoded.GeoJSONType())
	}
	return p, nil
}

// clean gives a polygon of pixel edges its canonical form, whatever tracer it
// comes from: moved by (dx, dy); rings that touch themselves at a corner cut
// apart there; holes of fewer than minHole pixels dropped; no vertices on
// straight lines; each ring from its uppermost, leftmost vertex; in longitude
// and latitude the shell counterclockwise and holes clockwise (RFC 7946).
func clean(p orb.Polygon, dx, dy, minHole float64) orb.Polygon {
	var rings []orb.Ring
	for _, r := range p {
		for _, simple := range splitRing(r) {
			rings = append(rings, canonical(simple, dx, dy))
		}
	}
	// The pixels of a group are joined by edges, so one ring encloses all others.
	slices.SortFunc(rings, func(a, b orb.Ring) int {
		return cmp.Or(cmp.Compare(math.Abs(planar.Area(b)), math.Abs(planar.Area(a))), comparePoints(a[0], b[0]))
	})
	out := rings[:1]
	for _, hole := range rings[1:] {
		if math.Abs(planar.Area(hole)) >= minHole {
			out = append(out, hole)
		}
	}
	slices.SortFunc(out[1:], func(a, b orb.Ring) int {
		return cmp.Or(comparePoints(a[0], b[0]), comparePoints(a[1], b[1]))
	})
	// Rows count downwards: clockwise here is counterclockwise on the map.
	for i, r := range out {
		if (r.Orientation() == orb.CW) != (i == 0) {
			slices.Reverse(r)
		}
	}
	return out
}

// splitRing cuts a ring of pixel edges where it meets itself. It walks the
// ring pixel by pixel; coming to a point that it has been at closes a ring.
func splitRing(r orb.Ring) []orb.Ring {
	var out []orb.Ring
	var path []orb.Point
	at := make(map[orb.Point]int)
	visit := func(p orb.Point) {
		if i, ok := at[p]; ok {
			loop := append(orb.Ring{}, path[i:]...)
			out = append(out, append(loop, p))
			for _, q := range path[i+1:] {
				delete(at, q)
			}
			path = path[:i+1]
			return
		}
		at[p] = len(path)
		path = append(path, p)
	}
	visit(r[0])
	for i := 1; i < len(r); i++ {
		a, b := r[i-1], r[i]
		n := math.Abs(b[0]-a[0]) + math.Abs(b[1]-a[1])
		for k := 1.0; k <= n; k++ {
			visit(orb.Point{a[0] + (b[0]-a[0])*k/n, a[1] + (b[1]-a[1])*k/n})
		}
	}
	return out
}

// canonical moves a simple ring, drops vertices on straight lines, and starts it at its uppermost, leftmost vertex.
func canonical(r orb.Ring, dx, dy float64) orb.Ring {
	n := len(r) - 1
	var corners orb.Ring
	for i := range n {
		before, at, after := r[(i+n-1)%n], r[i], r[i+1]
		if (before[0] == at[0]) != (at[0] == after[0]) {
			corners = append(corners, orb.Point{at[0] + dx, at[1] + dy})
		}
	}
	first := 0
	for i := range corners {
		if comparePoints(corners[i], corners[first]) < 0 {
			first = i
		}
	}
	out := append(orb.Ring{}, corners[first:]...)
	out = append(out, corners[:first]...)
	return append(out, out[0])
}

// comparePoints orders points as one reads: row, then column.
func comparePoints(a, b orb.Point) int {
	return cmp.Or(cmp.Compare(a[1], b[1]), cmp.Compare(a[0], b[0]))
}
