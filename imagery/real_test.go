package imagery_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"scarp/imagery"
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
