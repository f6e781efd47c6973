package tiles_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/cache"
	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/tiles"
)

// ready is a source that has its facts, and all windows read once, at hand: what
// remains is the engine's own work. For a few windows only.
type ready struct {
	located
	bounds   [4]float64
	revision string
	event    imagery.Event
	mu       sync.Mutex
	windows  map[string]*imagery.Window
}

func newReady(src *imagerytest.Source) *ready {
	l := located{src}
	return &ready{located: l, bounds: l.Bounds(), revision: l.Revision(), event: l.Event(), windows: map[string]*imagery.Window{}}
}

func (r *ready) Bounds() [4]float64   { return r.bounds }
func (r *ready) Revision() string     { return r.revision }
func (r *ready) Event() imagery.Event { return r.event }

func (r *ready) Read(ctx context.Context, q imagery.Request) (w *imagery.Window, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := fmt.Sprint(q)
	if r.windows[key] == nil {
		r.windows[key], err = r.located.Read(ctx, q)
	}
	return r.windows[key], err
}

// BenchmarkDraw measures placing, sampling, styling and encoding of a tile whose
// blocks are predicted and whose pixels are read already.
func BenchmarkDraw(b *testing.B) {
	src := cloudy(1024, 1024)
	for _, layer := range tiles.Layers() {
		for _, format := range []string{"image/png", "image/jpeg", "image/webp", "image/tiff", vectorFormat} {
			if format == vectorFormat && layer != tiles.Landslides || layer != tiles.PostImage && layer != tiles.Probability && format != "image/png" && format != vectorFormat {
				continue
			}
			b.Run(string(layer)+" "+format[strings.LastIndexAny(format, "/.")+1:], func(b *testing.B) {
				f := newFixture(b, src, nil)
				f.publish(b, "run-1", [][][2]float64{circle(500, 500, 60)}, [][][2]float64{circle(560, 420, 20)})
				v := f.middle(b, layer, 13)
				v.Format = format
				e, err := tiles.New(tiles.Config{WarmUp: -1}, tiles.Deps{Sources: one{newReady(src)}, Predictor: f.predictor, Store: f.store})
				require.NoError(b, err)
				defer e.Close()
				_, err = e.Tile(b.Context(), v)
				require.NoError(b, err)
				b.ReportAllocs()
				for b.Loop() {
					if _, err := e.Tile(b.Context(), v); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkHit measures a tile that the cache has in memory.
func BenchmarkHit(b *testing.B) {
	f := newFixture(b, imagerytest.New(1024, 1024), nil)
	for _, layer := range []tiles.Layer{tiles.Probability, tiles.Landslides} {
		b.Run(string(layer), func(b *testing.B) {
			tile := f.middle(b, layer, 13)
			e, err := tiles.New(tiles.Config{WarmUp: -1}, tiles.Deps{Sources: one{newReady(f.src)}, Predictor: f.predictor, Store: f.store, Cache: f.cache})
			require.NoError(b, err)
			defer e.Close()
			_, err = e.Tile(b.Context(), tile)
			require.NoError(b, err)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Tile(b.Context(), tile); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// Thousands of different tiles leave nothing behind but the cache, which is
// bounded. SCARP_LONG draws ten thousand; a fifth of that shows the same.
func TestMemoryStaysFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("draws thousands of tiles")
	}
	rounds := 2
	if os.Getenv("SCARP_LONG") != "" {
		rounds = 10
	}
	f := newFixture(t, imagerytest.New(1024, 1024), nil)
	for i := range 16 { // predicted once: what is measured is drawing
		_, err := f.predictor.Block(t.Context(), f.src, f.predictor.model, inference.BlockIndex{Col: i % 4, Row: i / 4}, inference.Batch)
		require.NoError(t, err)
	}
	set := f.MatrixSets()[0]
	const z = 18
	l := f.Limits(set, z, located{f.src}.Bounds())
	cols, rows := l.MaxCol-l.MinCol+1, l.MaxRow-l.MinRow+1
	drawn := 0
	thousand := func() {
		for range 1000 {
			tile := tiles.Tile{Event: "synthetic", Layer: tiles.Probability, MatrixSet: set.ID, Matrix: z,
				Row: l.MinRow + drawn/cols%rows, Col: l.MinCol + drawn%cols}
			if drawn >= cols*rows {
				tile.Layer = tiles.Mask
			}
			if drawn%20 == 0 {
				tile.Format = "image/tiff" // through GDAL
			}
			r, err := f.Tile(t.Context(), tile)
			require.NoError(t, err)
			require.Equal(t, cache.Miss, r.Tier)
			drawn++
		}
	}
	thousand()
	used, limit := f.cache.Bytes()
	before, resident := heap()-used, rss()
	for range rounds - 1 {
		thousand()
	}
	used, _ = f.cache.Bytes()
	after := heap() - used
	t.Logf("heap beside the cache: %d kB after 1,000 tiles, %d kB after %d; cache %d kB of %d kB; resident %d kB, then %d kB",
		before>>10, after>>10, drawn, used>>10, limit>>10, resident>>10, rss()>>10)
	require.Less(t, after-before, int64(4<<20))
}

// heap is what the garbage collector leaves.
func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// rss is the resident memory, 0 where /proc does not say it.
func rss() int64 {
	var size, resident int64
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	if _, err := fmt.Sscan(string(data), &size, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}
