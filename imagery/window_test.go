package imagery_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/airbusgeo/godal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
)

// mixed is an event whose parts all have to be resampled: a folder with bands
// of 10, 20 and 60 m, a scene in degrees, one in the neighbouring zone, and a
// DEM in degrees.
func mixed(t testing.TB) imagery.Event {
	dir := t.TempDir()
	e := pair(t, 300, 300)
	for band, pixel := range map[string]float64{"B02": 10, "B04": 10, "B05": 20, "B11": 20, "B01": 60} {
		s := utm(int(3000/pixel), int(3000/pixel))
		s.pixel = pixel
		seed := len(band) + int(pixel)
		writeRaster(t, filepath.Join(dir, "post_20180911", "T54_20180911_"+band+".tif"), s, func(b, x, y int) uint16 {
			if (x+y)%29 == 0 {
				return 0
			}
			return pattern(seed)(b, x, y)
		})
	}
	scl := utm(150, 150)
	scl.pixel = 20
	writeRaster(t, filepath.Join(dir, "post_20180911", "SCL.tif"), scl, func(_, x, y int) uint8 { return uint8((x/3 + y/5) % 12) })
	degrees := rasterSpec{epsg: 4326, left: 139.765, top: 43.355, pixel: 0.0001, width: 450, height: 400, bands: []string{"B02", "B04", "B05", "B11"}}
	neighbour := rasterSpec{epsg: 32653, left: 886000, top: 4811000, pixel: 10, width: 500, height: 500, bands: []string{"B02", "B04", "B05", "B11"}}
	e.Pre = []imagery.Scene{
		{Path: writeRaster(t, filepath.Join(dir, "degrees_20180701.tif"), degrees, pattern(5))},
		{Path: writeRaster(t, filepath.Join(dir, "zone53_20180601.tif"), neighbour, pattern(6))},
	}
	e.Post = append(e.Post, imagery.Scene{Path: filepath.Join(dir, "post_20180911")})
	dem := rasterSpec{epsg: 4326, left: 139.76, top: 43.36, pixel: 1.0 / 3600, width: 200, height: 150}
	e.DEM = writeRaster(t, filepath.Join(dir, "dem.tif"), dem, hills)
	return e
}

func TestAWindowIsPartOfALargerOne(t *testing.T) {
	s := open(t, mixed(t))
	bands := []string{"B01", "B02", "B04", "B05", "B11"}
	request := func(r imagery.Rect) *imagery.Window {
		return read(t, s, imagery.Request{Rect: r, Pre: bands[1:], Post: bands, Terrain: allTerrain, Clouds: true})
	}
	g := s.Grid()
	whole := request(g.Rect())
	require.Greater(t, share(whole.PreValid), 0.5)
	require.Greater(t, share(whole.TerrainValid), 0.5)
	for _, r := range []imagery.Rect{{X: 0, Y: 0, W: 64, H: 64}, {X: 1, Y: 3, W: 1, H: 1}, {X: 63, Y: 65, W: 130, H: 3}, {X: 97, Y: 131, W: 101, H: 99}, {X: g.Width - 33, Y: g.Height - 17, W: 33, H: 17}} {
		part := request(r)
		for k := range r.W * r.H {
			at := (r.Y+k/r.W)*g.Width + r.X + k%r.W
			for b := range bands[1:] {
				require.Equal(t, whole.Pre[b][at], part.Pre[b][k], "pre %s in %s", bands[1+b], r)
			}
			for b := range bands {
				require.Equal(t, whole.Post[b][at], part.Post[b][k], "post %s in %s", bands[b], r)
			}
			for b := range allTerrain {
				require.Equal(t, math.Float32bits(whole.Terrain[b][at]), math.Float32bits(part.Terrain[b][k]), "%s in %s", allTerrain[b], r)
			}
			require.Equal(t, whole.PreValid[at], part.PreValid[k])
			require.Equal(t, whole.PostCloud[at], part.PostCloud[k])
			require.Equal(t, whole.TerrainValid[at], part.TerrainValid[k])
		}
	}
}

func TestCoarseBandsAreInterpolatedAndNodataDoesNotBleed(t *testing.T) {
	dir := t.TempDir()
	e := pair(t, 60, 60)
	ten, twenty := utm(60, 60), utm(30, 30)
	twenty.pixel = 20
	writeRaster(t, filepath.Join(dir, "s_20180910", "B04.tif"), ten, pattern(1))
	// A ramp of 100 a pixel of 20 m, with a hole of nodata.
	writeRaster(t, filepath.Join(dir, "s_20180910", "B11.tif"), twenty, func(_, x, y int) uint16 {
		if x == 10 && y == 10 {
			return 0
		}
		return uint16(1000 + 100*x)
	})
	e.Post = []imagery.Scene{{Path: filepath.Join(dir, "s_20180910")}}
	w := read(t, open(t, e), imagery.Request{Rect: imagery.Rect{W: 60, H: 60}, Post: []string{"B11"}})
	at := func(x, y int) uint16 { return w.Post[0][y*60+x] }
	assert.Equal(t, uint16(1000+475), at(10, 3), "a quarter of a pixel left of the centre of pixel 5")
	assert.Equal(t, uint16(1000+525), at(11, 3))
	assert.Equal(t, uint16(1000), at(0, 3), "the edge repeats")
	assert.Equal(t, uint16(0), at(20, 20))
	assert.Equal(t, uint16(0), at(21, 21))
	assert.InDelta(t, 1900, int(at(19, 20)), 30, "the pixel beside the hole is not darkened")
}

func TestDecimatedReads(t *testing.T) {
	dir := t.TempDir()
	flat := func(band, x, y int) uint16 { return uint16(1000 + 10*(x/32)) }
	for _, overviews := range [][]int{nil, {2, 4}} {
		e := pair(t, 512, 512)
		spec := utm(512, 512, "B04")
		spec.overviews = overviews
		e.Post = []imagery.Scene{{Path: writeRaster(t, filepath.Join(dir, "d.tif"), spec, flat), Date: e.Trigger.Time}}
		w := read(t, open(t, e), imagery.Request{Rect: imagery.Rect{W: 512, H: 512}, Width: 64, Height: 64, Post: []string{"B04"}, Terrain: allTerrain, Clouds: true})
		require.Len(t, w.Post[0], 64*64)
		for i, v := range w.Post[0] {
			require.Equal(t, flat(0, i%64*8, 0), v)
		}
		assert.InDelta(t, 1, share(w.TerrainValid), 0)
		assert.InDelta(t, 1, share(w.PostValid), 0)
	}
}

func TestLargeResultsAreReadInStripsThatDoNotShow(t *testing.T) {
	dir := t.TempDir()
	e := pair(t, 30, 30)
	e.Post = []imagery.Scene{{Path: writeRaster(t, filepath.Join(dir, "b_20180910.tif"), utm(1100, 1000, "B04"), pattern(1))}}
	half := utm(550, 500, "B11")
	half.pixel = 20
	e.Post = append(e.Post, imagery.Scene{Path: writeRaster(t, filepath.Join(dir, "c_20180910.tif"), half, pattern(2))})
	dem := utm(400, 400)
	dem.pixel = 30
	e.DEM = writeRaster(t, filepath.Join(dir, "dem.tif"), dem, hills)
	s := open(t, e)
	request := func(r imagery.Rect) *imagery.Window {
		return read(t, s, imagery.Request{Rect: r, Pre: []string{"B04"}, Post: []string{"B04", "B11"}, Terrain: allTerrain, Clouds: true})
	}
	whole := request(s.Grid().Rect())
	r := imagery.Rect{X: 300, Y: 900, W: 200, H: 100}
	part := request(r)
	for k := range r.W * r.H {
		at := (r.Y+k/r.W)*1100 + r.X + k%r.W
		require.Equal(t, whole.Post[0][at], part.Post[0][k])
		require.Equal(t, whole.Post[1][at], part.Post[1][k])
		require.Equal(t, whole.Terrain[2][at], part.Terrain[2][k])
	}
	small := read(t, s, imagery.Request{Rect: s.Grid().Rect(), Width: 1099, Height: 999, Post: []string{"B04"}})
	assert.NotContains(t, small.Post[0], uint16(0))
}

// Values are a function of the place, so that a result pixel's value tells where it was taken from.
func TestOtherReferenceSystemsAreWarpedToTheRightPlace(t *testing.T) {
	dir := t.TempDir()
	smooth := func(x, y float64) float64 {
		return 3000 + 1000*math.Sin(x/36) + 1500*math.Cos(y/28+x/124)
	}
	for name, spec := range map[string]rasterSpec{
		"degrees":            {epsg: 4326, left: 139.765, top: 43.36, pixel: 0.0001, width: 450, height: 400, bands: []string{"B04"}},
		"neighbouring zone":  {epsg: 32653, left: 886000, top: 4811500, pixel: 10, width: 600, height: 600, bands: []string{"B04"}},
		"another projection": {epsg: 3857, left: 15557800, top: 5367500, pixel: 14, width: 500, height: 500, bands: []string{"B04"}},
	} {
		t.Run(name, func(t *testing.T) {
			e := pair(t, 300, 300)
			path := filepath.Join(dir, name+"_20180801.tif")
			e.Pre = []imagery.Scene{{Path: writeRaster(t, path, spec, func(_, x, y int) uint16 { return uint16(smooth(float64(x), float64(y)) + 0.5) })}}
			s := open(t, e)
			w := read(t, s, imagery.Request{Rect: s.Grid().Rect(), Pre: []string{"B04"}, Clouds: true})
			require.Greater(t, share(w.PreValid), 0.9)

			// PROJ's own answer for every pixel.
			from, err := godal.NewSpatialRefFromEPSG(32654)
			require.NoError(t, err)
			to, err := godal.NewSpatialRefFromEPSG(spec.epsg)
			require.NoError(t, err)
			transform, err := godal.NewTransform(from, to)
			require.NoError(t, err)
			x, y := make([]float64, 300*300), make([]float64, 300*300)
			for i := range x {
				x[i], y[i] = 400000+(float64(i%300)+0.5)*10, 4800000-(float64(i/300)+0.5)*10
			}
			require.NoError(t, transform.TransformEx(x, y, nil, nil))
			for i, v := range w.Pre[0] {
				if v == 0 {
					continue
				}
				col, row := (x[i]-spec.left)/spec.pixel-0.5, (spec.top-y[i])/spec.pixel-0.5
				if col < 0 || row < 0 || col > float64(spec.width-1) || row > float64(spec.height-1) {
					continue // the edge repeats
				}
				require.InDelta(t, smooth(col, row), v, 2, "a fiftieth of a pixel changes the value by about 1")
			}
		})
	}
}
