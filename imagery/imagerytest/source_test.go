package imagerytest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/imagerytest"
)

// A pixel's values don't depend on the window that they are read in.
func TestValuesDependOnPlaceAlone(t *testing.T) {
	src := imagerytest.New(300, 200)
	src.PostEmpty = func(x, y int) bool { return x > 250 }
	src.PreCloud = func(x, y int) uint8 { return uint8(x / 100) }
	src.MissingPre = []string{"B01"}
	read := func(r imagery.Rect) *imagery.Window {
		w, err := src.Read(t.Context(), imagery.Request{Rect: r, Pre: []string{"B01", "B04"}, Post: []string{"B04"}, Terrain: []string{imagery.Slope}, Clouds: true})
		require.NoError(t, err)
		return w
	}
	all, part := read(src.Grid().Rect()), read(imagery.Rect{X: 90, Y: 50, W: 200, H: 100})
	for y := range 100 {
		for x := range 200 {
			i, j := y*200+x, (y+50)*300+x+90
			require.Equal(t, all.Pre[1][j], part.Pre[1][i])
			require.Equal(t, all.Post[0][j], part.Post[0][i])
			require.Equal(t, all.Terrain[0][j], part.Terrain[0][i])
			require.Equal(t, all.PreCloud[j], part.PreCloud[i])
			require.Equal(t, all.PostValid[j], part.PostValid[i])
		}
	}
	assert.Nil(t, part.Pre[0], "missing band")
	assert.Equal(t, 2, src.Reads())
	_, err := src.Read(t.Context(), imagery.Request{Rect: imagery.Rect{X: 200, Y: 0, W: 101, H: 10}})
	assert.ErrorContains(t, err, "not in the grid")
}
