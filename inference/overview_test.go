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

func TestOverviews(t *testing.T) {
	e := newEngine(t, nil)
	src := imagerytest.New(600, 300)
	src.PostCloud = func(x, y int) uint8 {
		if x < 101 {
			return imagery.ThickCloud
		}
		return imagery.Clear
	}
	m := model(t, e, "tiny-bitemporal")
	peek := func(level, col, row int) (*inference.Block, bool) {
		b, complete, err := e.Peek(t.Context(), src, m, inference.BlockIndex{Level: level, Col: col, Row: row})
		require.NoError(t, err)
		return b, complete
	}
	b, complete := peek(2, 0, 0)
	assert.Nil(t, b, "nothing is predicted yet")
	assert.False(t, complete)

	block(t, e, src, m, 0, 0, 0)
	b, complete = peek(0, 0, 0)
	assert.True(t, complete)
	assert.NotNil(t, b)
	b, complete = peek(2, 0, 0)
	require.NotNil(t, b)
	assert.False(t, complete)
	at := func(px []uint8, x, y int) uint8 { return px[y*inference.BlockSize+x] }
	assert.Equal(t, inference.CloudPost, at(b.Pixels, 0, 0))
	assert.LessOrEqual(t, at(b.Pixels, 40, 40), inference.MaxProbability)
	assert.Equal(t, inference.NotPredicted, at(b.Pixels, 100, 10))
	assert.Equal(t, inference.NoData, at(b.Pixels, 255, 255), "beyond the grid")

	one := block(t, e, src, m, 1, 0, 0)
	full := map[[2]int][]uint8{}
	for row := range 2 {
		for col := range 2 {
			full[[2]int{col, row}] = block(t, e, src, m, 0, col, row)
		}
	}
	for y := range inference.BlockSize {
		for x := range inference.BlockSize {
			px := full[[2]int{x / 128, y / 128}]
			sum, n := 0, 0
			for k := range 4 {
				if v := at(px, 2*(x%128)+k%2, 2*(y%128)+k/2); v <= inference.MaxProbability {
					sum, n = sum+int(v), n+1
				}
			}
			if n > 0 {
				require.Equal(t, uint8(math.Round(float64(sum)/float64(n))), at(one, x, y), "%d,%d", x, y)
			}
		}
	}
	two := block(t, e, src, m, 2, 0, 0)
	b, complete = peek(2, 0, 0)
	assert.True(t, complete)
	assert.Equal(t, two, b.Pixels)
	runs := e.Stats().Runs
	assert.Equal(t, two, block(t, e, src, m, 2, 0, 0))
	assert.Equal(t, runs, e.Stats().Runs, "from the cache")

	require.NoError(t, e.Forget(t.Context(), src.Revision()))
	b, _ = peek(2, 0, 0)
	assert.Nil(t, b)
}

func TestLevelsOutOfRange(t *testing.T) {
	e := newEngine(t, nil)
	for _, level := range []int{-1, inference.MaxLevel + 1} {
		_, err := e.Block(t.Context(), imagerytest.New(64, 64), model(t, e, ""), inference.BlockIndex{Level: level}, inference.Interactive)
		assert.ErrorContains(t, err, "is not between")
	}
}
