package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/paulmach/orb"
	"github.com/stretchr/testify/require"

	"scarp/store"
)

// Benchmark publishes 100,000 landslides within 2° × 2° and measures publishing,
// the first page of a query and the pages after it, whose count is known.
func Benchmark(b *testing.B, s store.Store) {
	const n = 100_000
	landslides := Scattered(n)
	require.NoError(b, s.PutEvent(b.Context(), Event("e")))
	b.Run("publish", func(b *testing.B) {
		for b.Loop() {
			require.NoError(b, s.Publish(b.Context(), NewRun("run", "e", 1), landslides))
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/n, "µs/landslide")
	})
	for _, side := range []float64{0.02, 0.2, 1, 360} {
		random := rand.New(rand.NewPCG(3, 4))
		box := func() *[4]float64 { // never twice the same, so that each is counted
			w, s := 136.5+random.Float64()/2, 36.5+random.Float64()/2
			return &[4]float64{w, s, w + side, s + side}
		}
		q := store.Query{Event: "e", Limit: 1000}
		b.Run(fmt.Sprintf("%v° first page", side), func(b *testing.B) {
			for b.Loop() {
				q.BBox = box()
				ask(b, s, q)
			}
		})
		q.BBox = box()
		q.After = ask(b, s, q).Next
		b.Run(fmt.Sprintf("%v° next page", side), func(b *testing.B) {
			for b.Loop() {
				ask(b, s, q)
			}
		})
	}
}

func ask(b *testing.B, s store.Store, q store.Query) store.Page {
	page, err := s.Landslides(b.Context(), q)
	require.NoError(b, err)
	return page
}

// Scattered are n twelve-cornered polygons within 2° × 2°.
func Scattered(n int) []store.Landslide {
	corners := orb.Ring{{0, 0}, {1, 0}, {1, .3}, {1.4, .3}, {1.4, 1}, {1.2, 1}, {1.2, 1.5}, {.7, 1.5}, {.7, .8}, {.3, .8}, {.3, .5}, {0, .5}, {0, 0}}
	random := rand.New(rand.NewPCG(1, 2))
	out := make([]store.Landslide, n)
	for i := range out {
		x, y, size := 136+2*random.Float64(), 36+2*random.Float64(), 0.0002+0.0006*random.Float64()
		ring := make(orb.Ring, len(corners))
		for j, c := range corners {
			ring[j] = orb.Point{x + size*c[0], y + size*c[1]}
		}
		out[i] = Landslide(orb.Polygon{ring})
		out[i].Area = 500 + 1000*random.ExpFloat64()
	}
	return out
}
