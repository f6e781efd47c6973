package imagery_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
)

// withDEM is an event with the DEM given.
func withDEM(t testing.TB, s rasterSpec, elevation func(_, x, y int) float32) imagery.Event {
	e := pair(t, 90, 90)
	e.DEM = writeRaster(t, filepath.Join(t.TempDir(), "dem.tif"), s, elevation)
	return e
}

func TestAspectDoesNotTearAtNorth(t *testing.T) {
	spec := utm(50, 50)
	spec.pixel, spec.left, spec.top = 30, 399800, 4800200
	// A valley that runs north: its sides face a few degrees west and east of north.
	e := withDEM(t, spec, func(_, x, y int) float32 { return float32(1000 + 10*y + x%2) })
	w := read(t, open(t, e), imagery.Request{Rect: imagery.Rect{X: 10, Y: 10, W: 60, H: 60}, Terrain: allTerrain})
	for i, a := range w.Terrain[2] {
		require.True(t, a < 20 || a > 340, "pixel %d faces %v°", i, a)
		require.True(t, a >= 0 && a < 360)
	}

	// The same slope turned so that neighbours lie at 350° and 10°.
	e = withDEM(t, spec, func(_, x, y int) float32 {
		side := 1.0
		if x >= 25 {
			side = -1
		}
		return float32(1000 + 10*float64(y) + side*math.Tan(10*math.Pi/180)*10*float64(x-25))
	})
	w = read(t, open(t, e), imagery.Request{Rect: imagery.Rect{W: 90, H: 90}, Terrain: []string{imagery.Aspect}})
	for i, a := range w.Terrain[0] {
		require.True(t, a < 12 || a > 348, "pixel %d faces %v°", i, a)
	}
}

func TestSlopesAreInMetresWhateverTheDEMIsIn(t *testing.T) {
	// A plane that falls to the east by half a metre a metre, in UTM metres, in degrees and in Web Mercator.
	const lat = 43.346
	utmSpec := utm(60, 60)
	utmSpec.pixel, utmSpec.left, utmSpec.top = 30, 399700, 4800300
	metres := math.Cos(lat*math.Pi/180) * 111320
	degrees := rasterSpec{epsg: 4326, left: 139.76, top: 43.36, pixel: 1.0 / 3600, width: 120, height: 100}
	mercator := rasterSpec{epsg: 3857, left: 15558000, top: 5366500, pixel: 40, width: 120, height: 120}
	for name, c := range map[string]struct {
		spec  rasterSpec
		width float64 // of a pixel on the ground
	}{
		"UTM": {utmSpec, 30}, "degrees": {degrees, metres / 3600}, "Web Mercator": {mercator, 40 * math.Cos(lat*math.Pi/180)},
	} {
		t.Run(name, func(t *testing.T) {
			e := withDEM(t, c.spec, func(_, x, y int) float32 { return float32(5000 - 0.5*c.width*float64(x)) })
			w := read(t, open(t, e), imagery.Request{Rect: imagery.Rect{X: 20, Y: 20, W: 40, H: 40}, Terrain: allTerrain})
			for i := range w.Terrain[1] {
				require.Equal(t, uint8(1), w.TerrainValid[i])
				require.InDelta(t, math.Atan(0.5)*180/math.Pi, w.Terrain[1][i], 0.4)
				require.InDelta(t, 90, w.Terrain[2][i], 1.5)
			}
		})
	}
}

func TestDEMNodata(t *testing.T) {
	spec := utm(60, 60)
	spec.pixel, spec.left, spec.top, spec.nodata = 30, 399700, 4800300, -32768
	e := withDEM(t, spec, func(_, x, y int) float32 {
		if x == 20 && y == 20 {
			return -32768
		}
		return 500
	})
	w := read(t, open(t, e), imagery.Request{Rect: imagery.Rect{W: 90, H: 90}, Terrain: allTerrain})
	// Pixel 20 of 30 m from 399700 covers 400300–400330, that is columns 30–32.
	assert.Equal(t, uint8(0), w.TerrainValid[31*90+31])
	assert.Equal(t, uint8(1), w.TerrainValid[31*90+33])
	for i, v := range w.TerrainValid {
		if v == 1 {
			require.InDelta(t, 500, w.Terrain[0][i], 1e-3, "pixel %d", i)
			require.Equal(t, []float32{0, 0}, []float32{w.Terrain[1][i], w.Terrain[2][i]}, "pixel %d", i)
		}
	}
}
