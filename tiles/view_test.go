package tiles_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/cache"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/tiles"
)

// whole is a view of the synthetic event's own grid.
func (f *fixture) whole() tiles.View {
	g := f.src.Grid()
	x0, y0, x1, y1 := g.Bounds()
	return tiles.View{Event: "synthetic", Layer: tiles.Probability, Style: "values", EPSG: g.EPSG, BBox: [4]float64{x0, y0, x1, y1},
		Width: g.Width, Height: g.Height, Format: "image/tiff", Transparent: true, Keep: true}
}

func TestViewsAreKeptWhereThatIsAskedFor(t *testing.T) {
	f := newFixture(t, imagerytest.New(600, 500), nil)
	view := f.whole()
	first, err := f.Render(t.Context(), view)
	require.NoError(t, err)
	assert.Equal(t, cache.Miss, first.Tier)
	again, err := f.Render(t.Context(), view)
	require.NoError(t, err)
	assert.Equal(t, cache.Memory, again.Tier)
	assert.Equal(t, first.Bytes, again.Bytes)
	assert.Equal(t, first.ETag, again.ETag)
	assert.Equal(t, first.Modified, again.Modified)

	view.Keep = false
	drawn, err := f.Render(t.Context(), view)
	require.NoError(t, err)
	assert.Equal(t, cache.Miss, drawn.Tier)
	assert.Equal(t, first.Bytes, drawn.Bytes)
}

// Whatever a view's bytes depend on gives another one: nothing stale is served.
func TestWhatChangesAViewIsInItsKey(t *testing.T) {
	f := newFixture(t, imagerytest.New(600, 500), nil)
	view := f.whole()
	tier := func(v tiles.View) cache.Tier {
		r, err := f.Render(t.Context(), v)
		require.NoError(t, err)
		return r.Tier
	}
	require.Equal(t, cache.Miss, tier(view))
	for name, change := range map[string]func(*tiles.View){
		"bytes":       func(v *tiles.View) { v.Bytes = true },
		"width":       func(v *tiles.View) { v.Width /= 2 },
		"height":      func(v *tiles.View) { v.Height /= 2 },
		"box":         func(v *tiles.View) { v.BBox[0] += 10 },
		"layer":       func(v *tiles.View) { v.Layer = tiles.Mask },
		"style":       func(v *tiles.View) { v.Style = "classes" },
		"format":      func(v *tiles.View) { v.Format = "image/png" },
		"threshold":   func(v *tiles.View) { v.Layer, v.Threshold = tiles.Mask, 0.8 },
		"CRS":         func(v *tiles.View) { v.EPSG, v.BBox = 4326, f.degrees() },
		"transparent": func(v *tiles.View) { v.Format, v.Transparent = "image/png", false },
	} {
		other := view
		change(&other)
		assert.Equal(t, cache.Miss, tier(other), name)
		assert.Equal(t, cache.Memory, tier(other), name)
	}
	require.Equal(t, cache.Memory, tier(view))
	f.predictor.model = &inference.Model{Manifest: f.predictor.model.Manifest, Digest: "fedcba9876543210"}
	assert.Equal(t, cache.Miss, tier(view), "model")
	f.src.Version = "2"
	assert.Equal(t, cache.Miss, tier(view), "revision")
}

// degrees is the box of the event in longitude and latitude.
func (f *fixture) degrees() [4]float64 { return located{f.src}.Bounds() }

// What lacks blocks is drawn anew until it has them: the rest would never be seen.
func TestIncompleteViewsAreNotKept(t *testing.T) {
	f := newFixture(t, imagerytest.New(1100, 1100), func(c *tiles.Config) { c.Budget = 1 })
	first, err := f.Render(t.Context(), f.whole())
	require.NoError(t, err)
	require.False(t, first.Complete)
	for range 30 { // the budget is of blocks, whatever number of them there are
		r, err := f.Render(t.Context(), f.whole())
		require.NoError(t, err)
		if r.Complete {
			assert.NotEqual(t, first.Bytes, r.Bytes)
			return
		}
		assert.Equal(t, cache.Miss, r.Tier)
	}
	t.Fatal("never complete")
}

// A client that reads over many connections has a file drawn once.
func TestAKeptViewIsDrawnOnceForManyAtOnce(t *testing.T) {
	f := newFixture(t, imagerytest.New(600, 500), nil)
	f.predictor.forget = true // so that each drawing computes
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, err := f.Render(t.Context(), f.whole())
			assert.NoError(t, err)
		})
	}
	all.Wait()
	computed, _ := f.predictor.counts()
	once := newFixture(t, imagerytest.New(600, 500), nil)
	_, err := once.Render(t.Context(), once.whole())
	require.NoError(t, err)
	want, _ := once.predictor.counts()
	assert.Equal(t, want, computed)
}
