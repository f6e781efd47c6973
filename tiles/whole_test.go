package tiles_test

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/cache"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/inference/inferencetest"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/gpkg"
	"github.com/scarp-map/scarp/tiles"
)

// The engine over the real predictor, cache and store.
func TestOverTheRealParts(t *testing.T) {
	models, err := inference.LoadModels([]fs.FS{os.DirFS(filepath.Join("..", "inference", "testdata"))}, nil)
	require.NoError(t, err)
	kept, err := cache.New(t.Context(), cache.Config{BlobURL: t.TempDir()})
	require.NoError(t, err)
	defer kept.Close()
	predictor, err := inference.NewEngine(inference.Config{Runtime: inferencetest.Runtime(t), Models: models, DefaultModel: "tiny-bitemporal", Cache: kept})
	require.NoError(t, err)
	defer predictor.Close()
	landslides, err := gpkg.Open(t.Context(), filepath.Join(t.TempDir(), "scarp.gpkg"))
	require.NoError(t, err)
	defer landslides.Close()
	src := imagerytest.New(900, 900)
	require.NoError(t, landslides.PutEvent(t.Context(), src.Event()))
	f := &fixture{src: src, store: new(fakeStore)}
	f.Engine, err = tiles.New(tiles.Config{}, tiles.Deps{Sources: one{located{src}}, Predictor: predictor, Store: landslides, Cache: kept})
	require.NoError(t, err)
	defer f.Close()
	f.publish(t, "run-1", [][][2]float64{circle(450, 450, 60)}, [][][2]float64{circle(300, 520, 30), circle(300, 520, 10)})
	for i := range f.store.items {
		f.store.items[i].ID = 0
	}
	require.NoError(t, landslides.Publish(t.Context(), store.Run{ID: "run-1", Event: "synthetic", Model: "tiny-bitemporal", ModelVersion: "1", Threshold: 0.5,
		Started: time.Now(), Published: time.Now()}, f.store.items))
	f.Invalidate("synthetic")

	for _, z := range []int{14, 13, 12, 11, 8} {
		for _, layer := range tiles.Layers() {
			tile := f.middle(t, layer, z)
			r, err := f.Tile(t.Context(), tile)
			require.NoError(t, err, "%s at zoom %d", layer, z)
			require.True(t, r.Complete, "%s at zoom %d", layer, z)
			require.Equal(t, cache.Miss, r.Tier)
			assert.Positive(t, opaquePixels(decode(t, r.Bytes)), "%s at zoom %d", layer, z)
			again, err := f.Tile(t.Context(), tile)
			require.NoError(t, err)
			assert.Equal(t, cache.Memory, again.Tier)
		}
	}
	found := f.vectors(t, f.middle(t, tiles.Landslides, 11))
	assert.NotEmpty(t, found)
	g := src.Grid()
	lon, lat := project(t, g.EPSG, 4326, g.OriginX+4500, g.OriginY-4500)
	info, err := f.Point(t.Context(), tiles.PointQuery{Event: "synthetic", Lon: lon, Lat: lat})
	require.NoError(t, err)
	assert.NotNil(t, info.Probability)
	assert.Len(t, info.Landslides, 1)
}

// BenchmarkCold measures a tile whose blocks are not predicted, as a multiple
// of the time that ONNX Runtime takes for them (the metric x-runtime). The
// network is $SCARP_BENCH_MODELS/… (the first), or else a tiny one, beside
// which everything looks slow.
func BenchmarkCold(b *testing.B) {
	folder := cmp.Or(os.Getenv("SCARP_BENCH_MODELS"), filepath.Join("..", "inference", "testdata"))
	models, err := inference.LoadModels([]fs.FS{os.DirFS(folder)}, nil)
	require.NoError(b, err)
	kept, err := cache.New(b.Context(), cache.Config{})
	require.NoError(b, err)
	defer kept.Close()
	var mu sync.Mutex
	var spent time.Duration
	predictor, err := inference.NewEngine(inference.Config{Runtime: inferencetest.Runtime(b), Models: models, Cache: kept, Workers: 1,
		Hooks: inference.Hooks{Run: func(_ string, took time.Duration) {
			mu.Lock()
			spent += took
			mu.Unlock()
		}}})
	require.NoError(b, err)
	defer predictor.Close()
	src := newReady(imagerytest.New(1024, 1024))
	f := &fixture{src: src.synthetic}
	f.Engine, err = tiles.New(tiles.Config{WarmUp: -1}, tiles.Deps{Sources: one{src}, Predictor: predictor, Cache: kept})
	require.NoError(b, err)
	defer f.Close()
	tile := f.middle(b, tiles.Probability, 14)
	cold := func(i int) {
		src.revision = strconv.Itoa(i) // another event, as far as caches know
		r, err := f.Tile(b.Context(), tile)
		require.NoError(b, err)
		require.True(b, r.Complete)
	}
	cold(-1) // loads the model
	spent = 0
	n := 0
	for b.Loop() {
		cold(n)
		n++
	}
	b.ReportMetric(float64(b.Elapsed())/float64(spent), "x-runtime")
}
