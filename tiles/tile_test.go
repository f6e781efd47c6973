package tiles_test

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/cache"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/tiles"
)

// middle returns a request for the tile over the middle of the event.
func (f *fixture) middle(t testing.TB, layer tiles.Layer, z int) tiles.Tile {
	g := f.src.Grid()
	set := f.MatrixSets()[0]
	row, col := tileAt(t, g, set, z, float64(g.Width)/2, float64(g.Height)/2)
	return tiles.Tile{Event: "synthetic", Layer: layer, MatrixSet: set.ID, Matrix: z, Row: row, Col: col}
}

func TestTilesAreKept(t *testing.T) {
	f := newFixture(t, imagerytest.New(600, 600), nil)
	for _, layer := range tiles.Layers() {
		for _, scale := range []int{1, 2} {
			tile := f.middle(t, layer, 13)
			tile.Scale = scale
			first, err := f.Tile(t.Context(), tile)
			require.NoError(t, err)
			assert.Equal(t, cache.Miss, first.Tier)
			reads := f.src.Reads()
			again, err := f.Tile(t.Context(), tile)
			require.NoError(t, err)
			assert.Equal(t, cache.Memory, again.Tier)
			assert.Equal(t, reads, f.src.Reads())
			assert.Equal(t, first.Bytes, again.Bytes)
			assert.Equal(t, first.ETag, again.ETag)
			assert.Equal(t, first.Modified, again.Modified)
			assert.Regexp(t, `^"[0-9a-f]{32}"$`, again.ETag)
			assert.Equal(t, 256*scale, decode(t, again.Bytes).Rect.Dx())
		}
	}
}

// Whatever a tile's bytes depend on gives another tile: nothing stale is served.
func TestWhatChangesATileIsInItsKey(t *testing.T) {
	f := newFixture(t, imagerytest.New(600, 600), nil)
	tile := f.middle(t, tiles.Probability, 13)
	tier := func(tile tiles.Tile) cache.Tier {
		r, err := f.Tile(t.Context(), tile)
		require.NoError(t, err)
		return r.Tier
	}
	require.Equal(t, cache.Miss, tier(tile))
	require.Equal(t, cache.Memory, tier(tile))
	for name, change := range map[string]func(*tiles.Tile){
		"style":  func(t *tiles.Tile) { t.Style = "classes" },
		"format": func(t *tiles.Tile) { t.Format = "image/jpeg" },
		"scale":  func(t *tiles.Tile) { t.Scale = 2 },
		"layer":  func(t *tiles.Tile) { t.Layer = tiles.Mask },
		"row":    func(t *tiles.Tile) { t.Row++ },
		"column": func(t *tiles.Tile) { t.Col-- },
	} {
		other := tile
		change(&other)
		assert.Equal(t, cache.Miss, tier(other), name)
	}
	f.predictor.model = &inference.Model{Manifest: f.predictor.model.Manifest, Digest: "fedcba9876543210"}
	assert.Equal(t, cache.Miss, tier(tile), "model")
	f.src.Version = "2"
	assert.Equal(t, cache.Miss, tier(tile), "revision")

	polygons := f.middle(t, tiles.Landslides, 13)
	require.Equal(t, cache.Miss, tier(polygons))
	f.store.mu.Lock()
	f.store.runs = []store.Run{{ID: "run-1", Event: "synthetic"}}
	f.store.mu.Unlock()
	f.Invalidate("synthetic")
	assert.Equal(t, cache.Miss, tier(polygons), "a new run")
	asked := f.store.asked
	assert.Equal(t, cache.Memory, tier(polygons))
	assert.Equal(t, asked, f.store.asked, "a hit does not ask the store")
}

func TestTileRefusals(t *testing.T) {
	f := newFixture(t, imagerytest.New(300, 300), nil)
	for name, c := range map[string]struct {
		change func(*tiles.Tile)
		want   error
	}{
		"set":           {func(t *tiles.Tile) { t.MatrixSet = "EuropeanETRS89_LAEAQuad" }, tiles.ErrUnknownTMS},
		"matrix":        {func(t *tiles.Tile) { t.Matrix = 25 }, tiles.ErrOutsideLimits},
		"matrix below":  {func(t *tiles.Tile) { t.Matrix = -1 }, tiles.ErrOutsideLimits},
		"row":           {func(t *tiles.Tile) { t.Row = 0 }, tiles.ErrOutsideLimits},
		"column":        {func(t *tiles.Tile) { t.Col += 1000 }, tiles.ErrOutsideLimits},
		"scale":         {func(t *tiles.Tile) { t.Scale = 3 }, tiles.ErrBadView},
		"layer":         {func(t *tiles.Tile) { t.Layer = "" }, tiles.ErrUnknownLayer},
		"style":         {func(t *tiles.Tile) { t.Style = "solid" }, tiles.ErrUnknownStyle},
		"format":        {func(t *tiles.Tile) { t.Format = "text/html" }, tiles.ErrUnknownFormat},
		"vector raster": {func(t *tiles.Tile) { t.Format = "application/vnd.mapbox-vector-tile" }, tiles.ErrUnknownFormat},
		"model":         {func(t *tiles.Tile) { t.Model = "none" }, inference.ErrUnknownModel},
		"run":           {func(t *tiles.Tile) { t.Layer, t.Run = tiles.Landslides, "none" }, store.ErrNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			tile := f.middle(t, tiles.Probability, 13)
			c.change(&tile)
			_, err := f.Tile(t.Context(), tile)
			require.ErrorIs(t, err, c.want)
		})
	}
	_, err := f.Tile(t.Context(), tiles.Tile{Event: "nowhere", Layer: tiles.Mask, MatrixSet: "WebMercatorQuad"})
	require.ErrorContains(t, err, "nowhere")
}

// Many that want one tile at once have it drawn once; one that leaves does not spoil it.
func TestATileIsDrawnOnce(t *testing.T) {
	f := newFixture(t, imagerytest.New(256, 256), nil)
	hold, started := make(chan struct{}), make(chan struct{})
	var once sync.Once
	f.predictor.onBlock = func(ctx context.Context, _ inference.BlockIndex) error {
		once.Do(func() { close(started) })
		select {
		case <-hold:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	tile := f.middle(t, tiles.Probability, 14)
	first, leave := context.WithCancel(t.Context())
	errs := make(chan error, 9)
	go func() { _, err := f.Tile(first, tile); errs <- err }()
	<-started
	var others sync.WaitGroup
	for range 8 {
		others.Go(func() { _, err := f.Tile(t.Context(), tile); errs <- err })
	}
	leave()
	require.ErrorIs(t, <-errs, context.Canceled)
	close(hold)
	others.Wait()
	for range 8 {
		require.NoError(t, <-errs)
	}
	computed, _ := f.predictor.counts()
	assert.Equal(t, 1, computed)
}

// When the last one leaves, the computation ends; who comes after starts anew.
func TestNobodyWaitsNothingIsComputed(t *testing.T) {
	f := newFixture(t, imagerytest.New(256, 256), nil)
	started, ended := make(chan struct{}), make(chan struct{})
	f.predictor.onBlock = func(ctx context.Context, _ inference.BlockIndex) error {
		close(started)
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	}
	tile := f.middle(t, tiles.Probability, 14)
	ctx, leave := context.WithCancel(t.Context())
	errs := make(chan error)
	go func() { _, err := f.Tile(ctx, tile); errs <- err }()
	<-started
	leave()
	require.ErrorIs(t, <-errs, context.Canceled)
	<-ended
	f.predictor.onBlock = nil
	_, err := f.Tile(t.Context(), tile)
	require.NoError(t, err)
}

func TestTooManyAtOnceAreTurnedAway(t *testing.T) {
	f := newFixture(t, imagerytest.New(256, 256), func(c *tiles.Config) { c.Memory, c.Queue = 1, 1 })
	hold, started := make(chan struct{}), make(chan struct{}, 8)
	f.predictor.onBlock = func(context.Context, inference.BlockIndex) error {
		started <- struct{}{}
		<-hold
		return nil
	}
	errs := make(chan error, 3)
	draw := func(style string) {
		tile := f.middle(t, tiles.Probability, 14)
		tile.Style = style
		_, err := f.Tile(t.Context(), tile)
		errs <- err
	}
	go draw("ramp")
	<-started // it has the memory
	go draw("classes")
	go draw("values")
	require.ErrorIs(t, <-errs, tiles.ErrBusy) // of the other two one waits and one is turned away
	close(hold)
	require.NoError(t, <-errs)
	require.NoError(t, <-errs)
}

func TestErrorsAreNotKept(t *testing.T) {
	f := newFixture(t, imagerytest.New(256, 256), nil)
	broken := errors.New("disk on fire")
	f.predictor.onBlock = func(context.Context, inference.BlockIndex) error { return broken }
	tile := f.middle(t, tiles.Probability, 14)
	_, err := f.Tile(t.Context(), tile)
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "synthetic")
	f.predictor.onBlock = nil
	_, err = f.Tile(t.Context(), tile)
	require.NoError(t, err)
}
