package tiles_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/cache"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/tiles"
)

// native is a view of the whole event at its own resolution.
func native(f *fixture, layer tiles.Layer) tiles.View {
	g := f.src.Grid()
	x0, y0, x1, y1 := g.Bounds()
	return tiles.View{Event: "synthetic", Layer: layer, EPSG: g.EPSG, BBox: [4]float64{x0, y0, x1, y1}, Width: g.Width, Height: g.Height, Transparent: true}
}

func TestABudgetBoundsWhatAViewComputes(t *testing.T) {
	f := newFixture(t, imagerytest.New(1280, 1280), func(c *tiles.Config) { c.Budget = 4 })
	var before int
	for round := 1; ; round++ {
		r, err := f.Render(t.Context(), native(f, tiles.Probability))
		require.NoError(t, err)
		computed, _ := f.predictor.counts()
		require.LessOrEqual(t, computed, 4*round)
		if round == 1 {
			b, _, _ := f.predictor.Peek(t.Context(), nil, nil, inference.BlockIndex{Col: 2, Row: 2})
			assert.NotNil(t, b, "the middle comes first")
		}
		if r.Complete {
			assert.Equal(t, 25, computed)
			break
		}
		require.Greater(t, computed, before)
		before = computed
	}
}

func TestIncompleteTilesAreNotKept(t *testing.T) {
	f := newFixture(t, imagerytest.New(1280, 1280), func(c *tiles.Config) { c.Budget = 1 })
	tile := f.middle(t, tiles.Probability, 12)
	var r tiles.Rendered
	for range 100 {
		var err error
		r, err = f.Tile(t.Context(), tile)
		require.NoError(t, err)
		require.Equal(t, cache.Miss, r.Tier)
		if r.Complete {
			break
		}
	}
	require.True(t, r.Complete)
	again, err := f.Tile(t.Context(), tile)
	require.NoError(t, err)
	assert.Equal(t, cache.Memory, again.Tier)
}

// Far out nobody waits for blocks: they are computed in the background, with
// the priority of batches, and the picture fills in.
func TestWarmUp(t *testing.T) {
	f := newFixture(t, imagerytest.New(1280, 1280), func(c *tiles.Config) { c.Budget, c.WarmUp = 4, 8 })
	blocks := make(chan inference.BlockIndex, 100)
	f.predictor.onBlock = func(_ context.Context, at inference.BlockIndex) error {
		blocks <- at
		return nil
	}
	v := native(f, tiles.Probability)
	v.Width, v.Height = 300, 300
	complete := false
	for !complete {
		r, err := f.Render(t.Context(), v)
		require.NoError(t, err)
		complete = r.Complete
		if computed, _ := f.predictor.counts(); !complete && computed < 25 {
			<-blocks // one more is under way, or done
		}
	}
	computed, batch := f.predictor.counts()
	assert.Equal(t, 25, computed)
	assert.GreaterOrEqual(t, batch, 25-4, "the last few are within the budget")
}

// The bytes of a picture do not depend on the order in which blocks were computed.
func TestAnyOrderOfBlocks(t *testing.T) {
	var want []byte
	for _, order := range [][]inference.BlockIndex{
		nil,
		{{Col: 1, Row: 1}, {Col: 0, Row: 2}},
		{{Col: 2, Row: 2}, {Col: 2, Row: 1}, {Col: 0, Row: 0}},
	} {
		f := newFixture(t, cloudy(700, 700), nil)
		for _, at := range order {
			_, err := f.predictor.Block(t.Context(), f.src, f.predictor.model, at, inference.Batch)
			require.NoError(t, err)
		}
		r, err := f.Render(t.Context(), native(f, tiles.Probability))
		require.NoError(t, err)
		require.True(t, r.Complete)
		if want == nil {
			want = r.Bytes
		}
		assert.Equal(t, want, r.Bytes)
	}
}
