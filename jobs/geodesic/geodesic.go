// Package geodesic measures lines and polygons in longitude and latitude on the
// WGS 84 ellipsoid, with PROJ's implementation of Karney's algorithms (error
// below 15 nm a vertex), as PostGIS does on geography.
package geodesic

/*
#cgo pkg-config: proj
#include <geodesic.h>
*/
import "C"

import (
	"math"

	"github.com/paulmach/orb"
)

// WGS 84, the ellipsoid of EPSG:4326.
const (
	wgs84A = 6378137
	wgs84F = 1 / 298.257223563
)

func ellipsoid() (g C.struct_geod_geodesic) {
	C.geod_init(&g, wgs84A, wgs84F)
	return g
}

// Polygon returns the area in m² without the holes, and the length of all rings in m.
func Polygon(p orb.Polygon) (area, perimeter float64) {
	g := ellipsoid()
	for i, r := range p {
		a, l := ring(&g, r)
		perimeter += l
		if i == 0 {
			area = a
		} else {
			area -= a
		}
	}
	return area, perimeter
}

func ring(g *C.struct_geod_geodesic, r orb.Ring) (area, length float64) {
	n := len(r) - 1 // PROJ closes the ring itself
	if n < 3 {
		return 0, 0
	}
	lat, lon := make([]C.double, n), make([]C.double, n)
	for i, pt := range r[:n] {
		lon[i], lat[i] = C.double(pt[0]), C.double(pt[1])
	}
	var a, l C.double
	C.geod_polygonarea(g, &lat[0], &lon[0], C.int(n), &a, &l)
	return math.Abs(float64(a)), float64(l)
}

// Area returns the area in m² of the polygons of a geometry; what has none has 0.
func Area(g orb.Geometry) (area float64) {
	switch g := g.(type) {
	case orb.Polygon:
		area, _ = Polygon(g)
	case orb.MultiPolygon:
		for _, p := range g {
			a, _ := Polygon(p)
			area += a
		}
	case orb.Collection:
		for _, part := range g {
			area += Area(part)
		}
	}
	return area
}

// Length returns the length in m of the lines of a geometry; what has none has 0.
func Length(g orb.Geometry) (length float64) {
	switch g := g.(type) {
	case orb.LineString:
		e := ellipsoid()
		for i := 1; i < len(g); i++ {
			var d C.double
			C.geod_inverse(&e, C.double(g[i-1][1]), C.double(g[i-1][0]), C.double(g[i][1]), C.double(g[i][0]), &d, nil, nil)
			length += float64(d)
		}
	case orb.MultiLineString:
		for _, l := range g {
			length += Length(l)
		}
	case orb.Collection:
		for _, part := range g {
			length += Length(part)
		}
	}
	return length
}
