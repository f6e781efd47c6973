package inference_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/inference"
)

// tensors returns the inputs of the patch with its upper left at (x, y).
func tensors(t *testing.T, name string, src *imagerytest.Source, x, y int) (m *inference.Model, inputs [][]float32) {
	t.Helper()
	for _, m = range tinyModels(t, nil) {
		if m.Name() == name {
			break
		}
	}
	fill, err := inference.FillOnce(m, src, x, y, func(r imagery.Request) *imagery.Window {
		w, err := src.Read(t.Context(), r)
		require.NoError(t, err)
		return w
	})
	require.NoError(t, err)
	fill()
	return m, fill() // buffers are used again: the second time gives the same
}

// mirror is reflection without repeating the edge, written the slow way.
func mirror(x, n int) int {
	for x < 0 || x >= n {
		if x < 0 {
			x = -x
		} else {
			x = 2*(n-1) - x
		}
	}
	return x
}

// The bitemporal tensors are what models.md says of BBUnet's, mirrored beyond
// the grid's edges, also where the grid is smaller than a patch.
func TestBitemporalTensors(t *testing.T) {
	for _, c := range []struct{ w, h, x, y int }{{600, 600, 100, 120}, {600, 600, -160, 500}, {90, 40, -160, -100}} {
		src := imagerytest.New(c.w, c.h)
		src.PostEmpty = func(x, y int) bool { return x == 30 }
		src.TerrainEmpty = func(x, y int) bool { return y == 20 }
		src.MissingPost = []string{"B09"}
		m, in := tensors(t, "tiny-bitemporal", src, c.x, c.y)
		bands := []string{"B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"}
		size := m.Lattice.Patch
		at := func(input, channel, x, y int) float32 { return in[input][(channel*size+y)*size+x] }
		for y := 0; y < size; y += 7 {
			for x := range size {
				gx, gy := mirror(c.x+x, c.w), mirror(c.y+y, c.h)
				for k, b := range bands {
					require.Equal(t, float32(float64(src.DN(imagery.Pre, b, gx, gy))/10000), at(0, k, x, y))
					post := float32(float64(src.DN(imagery.Post, b, gx, gy)) / 10000)
					if gx == 30 || b == "B09" {
						post = 0
					}
					require.Equal(t, post, at(1, k, x, y), "%s at %d,%d", b, gx, gy)
				}
				elevation, slope, aspect := src.Terrain(gx, gy)
				want := []float64{elevation / 3000, slope / 90, (math.Sin(aspect*math.Pi/360) + 1) / 2, (math.Cos(aspect*math.Pi/360) + 1) / 2}
				for k, v := range want {
					if gy == 20 {
						v = 0
					}
					require.InDelta(t, v, at(2, k, x, y), 1e-6, "terrain channel %d at %d,%d", k, gx, gy)
				}
			}
		}
	}
}

// Single-date: each band has a divisor of its own, slope and elevation are whole numbers, cirrus may be missing.
func TestSingleDateTensors(t *testing.T) {
	src := imagerytest.New(400, 400)
	src.MissingPost = []string{"B10"}
	m, in := tensors(t, "tiny-single", src, 50, 60)
	size := m.Lattice.Patch
	elevation, slope, _ := src.Terrain(50+10, 60+20)
	at := func(channel int) float32 { return in[0][(channel*size+20)*size+10] }
	assert.InDelta(t, float64(src.DN(imagery.Post, "B01", 60, 80))/1111.81236406, at(0), 1e-6)
	assert.InDelta(t, 1, at(9), 0, "fill of the missing band")
	assert.InDelta(t, math.Round(slope)/20.29228266, at(12), 1e-6)
	assert.InDelta(t, math.Round(elevation)/772.83144788, at(13), 1e-6)
}
