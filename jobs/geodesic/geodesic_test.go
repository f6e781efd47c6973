package geodesic_test

import (
	"testing"

	"github.com/paulmach/orb"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/jobs/geodesic"
)

// A degree along the equator and along a meridian, and the square between: as
// PostGIS' ST_Length and ST_Area have them on geography.
func TestMeasures(t *testing.T) {
	equator, meridian := orb.LineString{{0, 0}, {1, 0}}, orb.LineString{{0, 0}, {0, 1}}
	require.InDelta(t, 111319.4908, geodesic.Length(equator), 1e-3)
	require.InDelta(t, 110574.3886, geodesic.Length(meridian), 1e-3)
	require.InDelta(t, 221893.8794, geodesic.Length(orb.Collection{equator, orb.MultiLineString{meridian}, orb.Point{}}), 1e-3)
	square := orb.Polygon{{{0, 0}, {1, 0}, {1, 1}, {0, 1}, {0, 0}}}
	require.InDelta(t, 12308778361.469, geodesic.Area(square), 1e-2)
	holed := append(orb.Polygon{}, square[0], orb.Ring{{.4, .4}, {.4, .6}, {.6, .6}, {.6, .4}, {.4, .4}})
	require.InDelta(t, 0.96, geodesic.Area(orb.MultiPolygon{holed})/geodesic.Area(square), 1e-4)
	require.Zero(t, geodesic.Area(equator))
	require.Zero(t, geodesic.Length(square))
}
