package storetest

import (
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/filter"
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

// Million is the side of the square of landslides that [BenchmarkMillion]
// measures: one by one in rows, as a mapping job writes them.
const Million = 1000

// BigRun is the run of [BenchmarkMillion].
func BigRun() store.Run {
	r := NewRun("big", "e", 1)
	r.Summary.Landslides = Million * Million
	return r
}

// InRows are the landslides of [BenchmarkMillion]: octagons 0.002° apart from 136° E 36° N on.
func InRows(run string) iter.Seq2[store.Landslide, error] {
	return func(yield func(store.Landslide, error) bool) {
		random := rand.New(rand.NewPCG(5, 6))
		for i := range Million * Million {
			x, y := 136+0.002*float64(i%Million), 36+0.002*float64(i/Million)
			ring := make(orb.Ring, 9)
			for j := range ring {
				sin, cos := math.Sincos(float64(j%8) * math.Pi / 4)
				ring[j] = orb.Point{x + 0.0005*cos, y + 0.0005*sin}
			}
			l := Landslide(orb.Polygon{ring})
			l.ID, l.Event, l.Run, l.Area = int64(i+1), "e", run, 500+1000*random.ExpFloat64()
			if !yield(l, nil) {
				return
			}
		}
	}
}

// BenchmarkMillion measures pages of 100 of a store whose event e has the run
// big of [InRows]: the 95th percentile and the median of boxes of several
// sizes that were not asked for before.
func BenchmarkMillion(b *testing.B, s store.Store) {
	for name, test := range map[string]struct {
		side float64
		q    store.Query
	}{
		"0.02°":                     {0.02, store.Query{}},
		"0.1°":                      {0.1, store.Query{}},
		"0.5°":                      {0.5, store.Query{}},
		"1°":                        {1, store.Query{}},
		"360°":                      {360, store.Query{}},
		"0.1° to draw":              {0.1, store.Query{Limit: store.CellLandslides, Sketch: store.CellLandslides}},
		"0.35° to draw":             {0.35, store.Query{Limit: store.CellLandslides, Sketch: store.CellLandslides}},
		"0.7° to draw":              {0.7, store.Query{Limit: store.CellLandslides, Sketch: store.CellLandslides}},
		"1° to draw":                {1, store.Query{Limit: store.CellLandslides, Sketch: store.CellLandslides}},
		"360° to draw":              {360, store.Query{Limit: store.CellLandslides, Sketch: store.CellLandslides}},
		"0.1°, filtered by an area": {0.1, store.Query{Filter: &filter.Call{Op: filter.Greater, Args: []filter.Expr{&filter.Property{Name: "area_m2"}, &filter.Literal{Value: 3000.0}}}}},
	} {
		b.Run(name, func(b *testing.B) {
			random := rand.New(rand.NewPCG(3, uint64(len(name))))
			var took []time.Duration
			for b.Loop() {
				w, so := 136+random.Float64()*max(0, 2-test.side), 36+random.Float64()*max(0, 2-test.side)
				q := test.q
				q.Event, q.BBox = "e", &[4]float64{w, so, w + test.side, min(so+test.side, 90)}
				if q.Limit == 0 {
					q.Limit = 100
				}
				start := time.Now()
				page := ask(b, s, q)
				took = append(took, time.Since(start))
				require.NotEmpty(b, page.Landslides)
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
}
