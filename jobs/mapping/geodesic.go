package mapping

import (
	"github.com/paulmach/orb"

	earth "github.com/scarp-map/scarp/jobs/geodesic"
)

// geodesic measures a polygon in longitude and latitude: the area in m²
// without the holes, and the length of all rings in m.
func geodesic(p orb.Polygon) (area, perimeter float64) { return earth.Polygon(p) }
