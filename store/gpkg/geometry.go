package gpkg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"

	"github.com/scarp-map/scarp/store"
)

// srid is the CRS of every geometry: EPSG:4326, longitude first as GeoPackage has it.
const srid = 4326

// headerSize is the length of the GeoPackageBinary header that encode writes:
// magic, version, flags, CRS and a two-dimensional envelope.
const headerSize = 8 + 4*8

// encode writes the polygon as a StandardGeoPackageBinary (clause 2.1.3 of the standard).
func encode(p orb.Polygon) ([]byte, error) {
	body, err := wkb.Marshal(p, binary.LittleEndian)
	if err != nil {
		return nil, fmt.Errorf("encode polygon: %w", err)
	}
	b := p.Bound()
	out := make([]byte, 0, headerSize+len(body))
	out = append(out, 'G', 'P', 0, 1<<1|1) // version 1, envelope of four numbers, little-endian
	out = binary.LittleEndian.AppendUint32(out, srid)
	for _, f := range []float64{b.Min[0], b.Max[0], b.Min[1], b.Max[1]} {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(f))
	}
	return append(out, body...), nil
}

// blob is a GeoPackageBinary taken apart; other programs may have written it.
type blob struct {
	empty    bool
	envelope *[4]float64 // minx, maxx, miny, maxy; nil where the header has none
	wkb      []byte
}

func parse(b []byte) (blob, error) {
	if len(b) < 8 || b[0] != 'G' || b[1] != 'P' {
		return blob{}, errors.New("not a GeoPackage geometry")
	}
	flags := b[3]
	kind := flags >> 1 & 7
	if kind > 4 || flags&(1<<5) != 0 {
		return blob{}, errors.New("a GeoPackage geometry of an unknown kind")
	}
	size := 8 + []int{0, 32, 48, 48, 64}[kind]
	if len(b) < size {
		return blob{}, errors.New("a GeoPackage geometry that is cut short")
	}
	out := blob{empty: flags&(1<<4) != 0, wkb: b[size:]}
	if kind > 0 && !out.empty {
		var order binary.ByteOrder = binary.BigEndian
		if flags&1 == 1 {
			order = binary.LittleEndian
		}
		out.envelope = new([4]float64)
		for i := range out.envelope {
			out.envelope[i] = math.Float64frombits(order.Uint64(b[8+8*i:]))
		}
	}
	return out, nil
}

// decode reads a polygon, also one that a GIS wrote as a multipolygon of one part.
func decode(b []byte) (orb.Polygon, error) {
	parsed, err := parse(b)
	if err != nil {
		return nil, err
	}
	return polygon(parsed)
}

// polygon reads the body with orb, which takes no count in it on trust.
func polygon(parsed blob) (orb.Polygon, error) {
	g, err := wkb.Unmarshal(parsed.wkb)
	if err != nil {
		return nil, fmt.Errorf("read the geometry's WKB: %w", err)
	}
	switch g := g.(type) {
	case orb.Polygon:
		return g, nil
	case orb.MultiPolygon:
		if len(g) == 1 {
			return g[0], nil
		}
	}
	return nil, fmt.Errorf("the geometry is a %s, not a polygon", g.GeoJSONType())
}

// bounds gives the geometry's envelope as minx, maxx, miny, maxy, and false for an empty one.
func bounds(b []byte) ([4]float64, bool, error) {
	parsed, err := parse(b)
	if err != nil || parsed.empty {
		return [4]float64{}, false, err
	}
	if parsed.envelope != nil {
		return *parsed.envelope, true, nil
	}
	g, err := wkb.Unmarshal(parsed.wkb)
	if err != nil {
		return [4]float64{}, false, fmt.Errorf("read the geometry's WKB: %w", err)
	}
	e := g.Bound()
	return [4]float64{e.Min[0], e.Max[0], e.Min[1], e.Max[1]}, !e.IsEmpty(), nil
}

// intersects says whether the geometry shares a point with the box.
func intersects(b []byte, box orb.Bound) (bool, error) {
	parsed, err := parse(b)
	if err != nil || parsed.empty {
		return false, err
	}
	if e := parsed.envelope; e != nil {
		if e[0] > box.Max[0] || e[1] < box.Min[0] || e[2] > box.Max[1] || e[3] < box.Min[1] {
			return false, nil
		}
		if e[0] >= box.Min[0] && e[1] <= box.Max[0] && e[2] >= box.Min[1] && e[3] <= box.Max[1] {
			return true, nil
		}
	}
	p, err := polygon(parsed)
	if err != nil {
		return false, err
	}
	return store.Intersects(p, box), nil
}
