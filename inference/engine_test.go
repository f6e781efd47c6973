package inference_test

import (
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/cache"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/inference/inferencetest"
)

func newCache(t testing.TB) cache.Cache {
	t.Helper()
	c, err := cache.New(t.Context(), cache.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func tinyModels(t testing.TB, lattices map[string]inference.LatticeConfig) []*inference.Model {
	t.Helper()
	models, err := inference.LoadModels([]fs.FS{os.DirFS("testdata")}, lattices)
	require.NoError(t, err)
	return models
}

// newEngine returns an engine with the tiny models; change may alter its configuration.
func newEngine(t testing.TB, change func(*inference.Config)) *inference.Engine {
	t.Helper()
	c := inference.Config{Runtime: inferencetest.Runtime(t)}
	if change != nil {
		change(&c)
	}
	if c.Models == nil {
		c.Models = tinyModels(t, nil)
	}
	if c.Cache == nil {
		c.Cache = newCache(t)
	}
	e, err := inference.NewEngine(c)
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	return e
}

func model(t testing.TB, e *inference.Engine, name string) *inference.Model {
	t.Helper()
	m, err := e.Model(name)
	require.NoError(t, err)
	return m
}

func block(t testing.TB, e *inference.Engine, src *imagerytest.Source, m *inference.Model, level, col, row int) []uint8 {
	t.Helper()
	b, err := e.Block(t.Context(), src, m, inference.BlockIndex{Level: level, Col: col, Row: row}, inference.Interactive)
	require.NoError(t, err)
	return b.Pixels
}

// The tiny network, end to end, finds the synthetic landslides.
func TestBlockShowsTheLandslides(t *testing.T) {
	e := newEngine(t, nil)
	src := imagerytest.New(500, 400)
	m := model(t, e, "tiny-bitemporal")
	hit, miss, inside, outside := 0, 0, 0, 0
	for row := range 2 {
		for col := range 2 {
			px := block(t, e, src, m, 0, col, row)
			require.Len(t, px, inference.BlockSize*inference.BlockSize)
			for i, v := range px {
				x, y := col*inference.BlockSize+i%inference.BlockSize, row*inference.BlockSize+i/inference.BlockSize
				if x >= 500 || y >= 400 {
					require.Equal(t, inference.NoData, v, "outside the grid")
					continue
				}
				require.LessOrEqual(t, v, inference.MaxProbability)
				if src.Landslide(x, y) {
					inside++
					if v > 125 {
						hit++
					}
				} else {
					outside++
					if v > 125 {
						miss++
					}
				}
			}
		}
	}
	t.Logf("hit %d of %d, false %d of %d", hit, inside, miss, outside)
	assert.Greater(t, hit*10, inside*8)
	assert.Less(t, miss*50, outside)
}
