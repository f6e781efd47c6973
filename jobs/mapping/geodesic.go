package mapping

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

// geodesic measures a polygon in longitude and latitude on the WGS 84
// ellipsoid with PROJ's implementation of Karney's algorithms (error below
// 15 nm a vertex): the area in m² without the holes, and the length of all
// rings in m, as PostGIS' ST_Area and ST_Perimeter do on geography.
func geodesic(p orb.Polygon) (area, perimeter float64) {
	var g C.struct_geod_geodesic
	C.geod_init(&g, wgs84A, wgs84F)
	for i, ring := range p {
		a, l := geodesicRing(&g, ring)
		perimeter += l
		if i == 0 {
			area = a
		} else {
			area -= a
		}
	}
	return area, perimeter
}

func geodesicRing(g *C.struct_geod_geodesic, ring orb.Ring) (area, length float64) {
	n := len(ring) - 1 // PROJ closes the ring itself
	if n < 3 {
		return 0, 0
	}
	lat, lon := make([]C.double, n), make([]C.double, n)
	for i, pt := range ring[:n] {
		lon[i], lat[i] = C.double(pt[0]), C.double(pt[1])
	}
	var a, l C.double
	C.geod_polygonarea(g, &lat[0], &lon[0], C.int(n), &a, &l)
	return math.Abs(float64(a)), float64(l)
}
