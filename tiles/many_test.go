package tiles_test

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/tiles"
)

// sorting is a store that answers with the largest landslides first where it is asked to.
type sorting struct {
	*fakeStore
	asked store.Query
}

func (s *sorting) Landslides(ctx context.Context, q store.Query) (store.Page, error) {
	s.asked = q
	limit := q.Limit
	if q.Sketch > 0 {
		q.Limit = math.MaxInt
	}
	page, err := s.fakeStore.Landslides(ctx, q)
	if q.Sketch > 0 {
		slices.SortFunc(page.Landslides, func(a, b store.Landslide) int { return cmp.Compare(b.Area, a.Area) })
		page.Landslides = page.Landslides[:min(limit, len(page.Landslides))]
	}
	return page, err
}

// many publishes landslides of ascending size all over an event and returns the
// tile in which they all are.
func many(t testing.TB, n int) (*fixture, *tiles.Engine, *sorting, tiles.Tile) {
	f := newFixture(t, imagerytest.New(1024, 1024), nil)
	var shapes [][][][2]float64
	side := int(math.Ceil(math.Sqrt(float64(n))))
	step := 900 / float64(side)
	for i := range n {
		x, y, size := 60+step*float64(i%side), 60+step*float64(i/side), step/2+float64(i)/float64(n)
		shapes = append(shapes, [][][2]float64{{{x, y}, {x + size, y}, {x + size, y + size}, {x + size/2, y + 1.2*size}, {x, y + size}}})
	}
	f.publish(t, "run-1", shapes...)
	s := &sorting{fakeStore: f.store}
	e, err := tiles.New(tiles.Config{WarmUp: -1}, tiles.Deps{Sources: one{newReady(f.src)}, Predictor: f.predictor, Store: s})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	tile := f.middle(t, tiles.Landslides, 10)
	tile.Format = vectorFormat
	return f, e, s, tile
}

// A tile of thousands of landslides shows the largest, and asks the store for no more.
func TestVectorTilesShowTheLargest(t *testing.T) {
	f, e, s, tile := many(t, 1600)
	f.Engine = e
	shown := map[float64]bool{}
	for _, v := range f.vectors(t, tile) {
		shown[v.Properties["id"].(float64)] = true
	}
	require.Equal(t, 1500, s.asked.Limit)
	require.NotEmpty(t, shown)
	for id := range shown {
		require.Greater(t, id, 100.0, "the smallest hundred are left out")
	}
}

// BenchmarkManyLandslides measures a vector tile of as many landslides as a tile
// has at most, without the store's share.
func BenchmarkManyLandslides(b *testing.B) {
	for _, n := range []int{200, 1500} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			_, e, _, tile := many(b, n)
			var took []time.Duration
			size := 0
			for b.Loop() {
				start := time.Now()
				r, err := e.Tile(b.Context(), tile)
				require.NoError(b, err)
				took, size = append(took, time.Since(start)), len(r.Bytes)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
			b.ReportMetric(float64(size), "bytes")
		})
	}
}
