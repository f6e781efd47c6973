package imagery_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
)

var allTerrain = []string{imagery.Elevation, imagery.Slope, imagery.Aspect}

func TestReadCopiesPixelsOfStacksOnTheGrid(t *testing.T) {
	s := open(t, pair(t, 300, 280))
	assert.Equal(t, imagery.Grid{EPSG: 32654, OriginX: 400000, OriginY: 4800000, Width: 300, Height: 280}, s.Grid())

	r := imagery.Rect{X: 7, Y: 11, W: 200, H: 150}
	w := read(t, s, imagery.Request{Rect: r, Pre: twelve, Post: twelve, Terrain: allTerrain, Clouds: true})
	for b := range twelve {
		for _, side := range []struct {
			layers [][]uint16
			want   func(band, x, y int) uint16
		}{{w.Pre, pattern(1)}, {w.Post, pattern(2)}} {
			require.Len(t, side.layers[b], r.W*r.H)
			for i, v := range side.layers[b] {
				require.Equal(t, side.want(b, r.X+i%r.W, r.Y+i/r.W), v, "band %s, pixel %d", twelve[b], i)
			}
		}
	}
	assert.NotContains(t, w.PreValid, uint8(0))
	assert.NotContains(t, w.PostCloud, imagery.ThickCloud)
	assert.NotContains(t, w.TerrainValid, uint8(0))
}
