package imagery_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
)

func TestHokkaidoInDegreesIsWarpedToUTM(t *testing.T) {
	dir := realData(t, "sentinel2/hokkaido_2018")
	e := imagery.Event{
		ID: "hokkaido-2018", Title: "Hokkaido Eastern Iburi earthquake",
		Trigger: imagery.Trigger{Time: time.Date(2018, 9, 5, 18, 8, 0, 0, time.UTC), Type: "earthquake"},
		Pre:     []imagery.Scene{{Path: filepath.Join(dir, "pre.tif")}},
		Post:    []imagery.Scene{{Path: filepath.Join(dir, "post.tif")}},
		DEM:     filepath.Join(dir, "dem.tif"),
	}
	s, err := imagery.Open(t.Context(), e, imagery.Options{Allow: []string{dir}})
	require.NoError(t, err)
	defer s.Close()
	g := s.Grid()
	assert.Equal(t, 32654, g.EPSG)
	assert.InDelta(t, 1130, g.Width, 40)
	assert.InDelta(t, 980, g.Height, 40)
	assert.True(t, s.HasBand(imagery.Post, "B04"))
	assert.False(t, s.HasBand(imagery.Post, "B08"))

	w := read(t, s, imagery.Request{Rect: g.Rect(), Pre: []string{"B02", "B03", "B04"}, Post: []string{"B04", "B08"}, Terrain: allTerrain, Clouds: true})
	assert.Nil(t, w.Post[1], "B08 is absent")
	assert.InDelta(t, 0.6, share(w.PreValid), 0.07, "40 % of pre is nodata")
	assert.Greater(t, share(w.PostValid), 0.9)
	assert.Greater(t, share(w.TerrainValid), 0.9)
	var steepest, highest float32
	for i, v := range w.TerrainValid {
		if v == 1 {
			highest, steepest = max(highest, w.Terrain[0][i]), max(steepest, w.Terrain[1][i])
		}
	}
	assert.InDelta(t, 286, highest, 15)
	assert.Greater(t, steepest, float32(25))
	assert.Less(t, steepest, float32(75))
}

func share(valid []uint8) float64 {
	n := 0
	for _, v := range valid {
		n += int(v)
	}
	return float64(n) / float64(len(valid))
}

func TestEarthSearchFolderOfCOGs(t *testing.T) {
	dir := realData(t, "sentinel2/cog_S2A_29RKH_20200219")
	made := t.TempDir()
	dem := rasterSpec{epsg: 4326, left: -12, top: 25.4, pixel: 1.0 / 120, width: 180, height: 180}
	e := imagery.Event{
		ID: "desert", Title: "Desert", Trigger: imagery.Trigger{Time: time.Date(2020, 2, 1, 0, 0, 0, 0, time.UTC)},
		Pre: []imagery.Scene{{Path: dir}}, Post: []imagery.Scene{{Path: dir}},
		DEM: writeRaster(t, filepath.Join(made, "dem.tif"), dem, hills),
	}
	s, err := imagery.Open(t.Context(), e, imagery.Options{Allow: []string{dir, made}})
	require.NoError(t, err)
	defer s.Close()
	// The pixels are of 100 m, the extent is the granule's.
	assert.Equal(t, imagery.Grid{EPSG: 32629, OriginX: 199980, OriginY: 2800020, Width: 10980, Height: 10980}, s.Grid())
	assert.Equal(t, []time.Time{time.Date(2020, 2, 19, 11, 34, 25, 405e6, time.UTC)}, s.Dates(imagery.Pre), "from the STAC item")
	assert.Equal(t, "L2A", s.Level(imagery.Pre))
	for _, b := range twelve {
		assert.True(t, s.HasBand(imagery.Pre, b), b)
	}
	r := imagery.Rect{X: 5000, Y: 5000, W: 320, H: 320}
	w := read(t, s, imagery.Request{Rect: r, Pre: twelve, Terrain: allTerrain, Clouds: true})
	assert.InDelta(t, 1, share(w.PreValid), 0)
	small := read(t, s, imagery.Request{Rect: s.Grid().Rect(), Width: 256, Height: 256, Pre: []string{"B04", "B12"}, Terrain: allTerrain, Clouds: true})
	assert.Greater(t, share(small.PreValid), 0.8)
	assert.InDelta(t, mean(w.Pre[3]), mean(small.Pre[0]), 2500)
}

func TestBarbellinoStacksAreNamedByTheEvent(t *testing.T) {
	dir := realData(t, "sentinel2/barbellino")
	made := t.TempDir()
	boa := []string{"B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B11", "B12"}
	toa := []string{"B1", "B2", "B3", "B4", "B5", "B6", "B7", "B8", "B9", "B10", "B11", "B12"}
	dem := rasterSpec{epsg: 32632, left: 580000, top: 5103000, pixel: 30, width: 60, height: 60}
	e := imagery.Event{
		ID: "barbellino", Title: "Barbellino", Trigger: imagery.Trigger{Time: time.Date(2018, 10, 29, 0, 0, 0, 0, time.UTC)},
		Pre: []imagery.Scene{{
			Path: filepath.Join(dir, "S2A2A_20170703_022_Barbellino_BOA_10.tif"),
			SCL:  filepath.Join(dir, "S2A2A_20170703_022_Barbellino_SCL_10.tif"), Bands: boa,
		}},
		Post: []imagery.Scene{{Path: filepath.Join(dir, "S2A1C_20190723_022_Barbellino_TOA_10.tif"), Bands: toa, Level: "L1C"}},
		DEM:  writeRaster(t, filepath.Join(made, "dem.tif"), dem, hills),
	}
	s, err := imagery.Open(t.Context(), e, imagery.Options{Allow: []string{dir, made}})
	require.NoError(t, err)
	defer s.Close()
	assert.Equal(t, imagery.Grid{EPSG: 32632, OriginX: 580560, OriginY: 5102120, Width: 24, Height: 42}, s.Grid())
	assert.Equal(t, []time.Time{time.Date(2017, 7, 3, 0, 0, 0, 0, time.UTC)}, s.Dates(imagery.Pre))
	assert.Equal(t, "L1C", s.Level(imagery.Post))
	assert.True(t, s.HasBand(imagery.Post, "B10"))
	assert.False(t, s.HasBand(imagery.Pre, "B8A"))
	w := read(t, s, imagery.Request{Rect: s.Grid().Rect(), Pre: []string{"B02", "B8A", "B12"}, Post: []string{"B02", "B10"}, Clouds: true})
	assert.Nil(t, w.Pre[1])
	assert.Greater(t, mean(w.Post[0]), mean(w.Pre[0]), "haze brightens blue above the atmosphere")
	assert.Greater(t, share(w.PreValid), 0.9)
}

func TestTimeSeriesMosaicPrefersClearDates(t *testing.T) {
	dir := realData(t, "sentinel2/time_series/00002806639B424A")
	made := t.TempDir()
	// The classifications are real; the stacks beside them hold no usable numbers, so others stand in.
	stack := rasterSpec{epsg: 32631, left: 501360, top: 5629680, pixel: 10, width: 64, height: 64, bands: twelve}
	scene := func(day string) imagery.Scene {
		return imagery.Scene{Path: writeRaster(t, filepath.Join(made, day+".tif"), stack, pattern(len(day))), SCL: filepath.Join(dir, "SCL_"+day+".tif")}
	}
	dem := rasterSpec{epsg: 32631, left: 501000, top: 5630000, pixel: 30, width: 60, height: 60}
	e := imagery.Event{
		ID: "belgium", Title: "Belgium", Trigger: imagery.Trigger{Time: time.Date(2017, 8, 15, 0, 0, 0, 0, time.UTC)},
		Pre:  []imagery.Scene{scene("20170814")}, // the cloudy one
		Post: []imagery.Scene{scene("20170824")},
		DEM:  writeRaster(t, filepath.Join(made, "dem.tif"), dem, hills),
	}
	clouded := func(e imagery.Event) int {
		s, err := imagery.Open(t.Context(), e, imagery.Options{Allow: []string{dir, made}})
		require.NoError(t, err)
		defer s.Close()
		w := read(t, s, imagery.Request{Rect: s.Grid().Rect(), Pre: []string{"B04"}, Clouds: true})
		n := 0
		for i, c := range w.PreCloud {
			if c != imagery.Clear || w.PreValid[i] == 0 {
				n++
			}
		}
		return n
	}
	alone := clouded(e)
	e.Pre = append(e.Pre, scene("20180419"), scene("20180524"))
	together := clouded(e)
	assert.Greater(t, alone, 100)
	assert.Less(t, together, alone/4, "of %d pixels under cloud", alone)
}

func mean(layer []uint16) float64 {
	sum := 0.0
	for _, v := range layer {
		sum += float64(v)
	}
	return sum / float64(len(layer))
}

func TestSRTMTileAsDownloaded(t *testing.T) {
	tile := realData(t, "dem/N51E005.SRTMGL1.hgt.zip")
	made := t.TempDir()
	stack := rasterSpec{epsg: 32631, left: 680000, top: 5700000, pixel: 10, width: 200, height: 200, bands: twelve}
	scene := []imagery.Scene{{Path: writeRaster(t, filepath.Join(made, "a_20180101.tif"), stack, pattern(1))}}
	e := imagery.Event{ID: "srtm", Title: "SRTM", Trigger: imagery.Trigger{Time: time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)}, Pre: scene, Post: scene, DEM: tile}
	s, err := imagery.Open(t.Context(), e, imagery.Options{Allow: []string{filepath.Dir(tile), made}})
	require.NoError(t, err)
	defer s.Close()
	w := read(t, s, imagery.Request{Rect: s.Grid().Rect(), Terrain: allTerrain})
	assert.Greater(t, share(w.TerrainValid), 0.99)
	for i := range w.Terrain[0] {
		require.InDelta(t, 30, w.Terrain[0][i], 60, "the Netherlands are low")
		require.Less(t, w.Terrain[1][i], float32(40))
	}
}
