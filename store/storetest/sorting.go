package storetest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/paulmach/orb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/store"
)

func sorting(t *testing.T, s store.Store) {
	publish(t, s, NewRun("run", "e", 1), varied())
	for name, test := range map[string]struct {
		sort []store.SortKey
		want []float64
	}{
		"descending":               {[]store.SortKey{{Field: "area_m2", Descending: true}}, []float64{6, 5, 4, 3, 2, 1}},
		"ties by id":               {[]store.SortKey{{Field: "slope_mean_deg", Descending: true}}, []float64{3, 6, 2, 5, 1, 4}},
		"two fields":               {[]store.SortKey{{Field: "slope_mean_deg"}, {Field: "area_m2", Descending: true}}, []float64{4, 1, 5, 2, 6, 3}},
		"no value last":            {[]store.SortKey{{Field: "delta_ndvi_mean"}}, []float64{5, 4, 3, 2, 1, 6}},
		"no value last downwards":  {[]store.SortKey{{Field: "delta_ndvi_mean", Descending: true}}, []float64{1, 2, 3, 4, 5, 6}},
		"texts by code point":      {[]store.SortKey{{Field: "model"}}, []float64{6, 2, 4, 3, 1, 5}},
		"truths":                   {[]store.SortKey{{Field: "cloud_adjacent"}}, []float64{2, 4, 6, 1, 3, 5}},
		"times":                    {[]store.SortKey{{Field: "pre_date"}}, []float64{5, 4, 3, 2, 1, 6}},
		"times and truths and ids": {[]store.SortKey{{Field: "cloud_adjacent", Descending: true}, {Field: "post_date", Descending: true}, {Field: "id"}}, []float64{5, 3, 1, 4, 2, 6}},
		"ids downwards":            {[]store.SortKey{{Field: "id", Descending: true}}, []float64{6, 5, 4, 3, 2, 1}},
	} {
		for _, limit := range []int{1, 2, 4, 6, 7} {
			assert.Equal(t, test.want, areas(all(t, s, store.Query{Event: "e", Sort: test.sort, Limit: limit})), "%s, pages of %d", name, limit)
		}
	}
}

// pagingWhileChanging replaces the run between two pages: the landslide that
// the page ended with is gone, others have come on both sides of it, and every
// id is new. Who pages on sees all that were there throughout, each once.
func pagingWhileChanging(t *testing.T, s store.Store) {
	for _, sort := range [][]store.SortKey{{{Field: "area_m2"}}, {{Field: "area_m2", Descending: true}}, {{Field: "probability_max"}, {Field: "area_m2"}}} {
		run := NewRun(fmt.Sprint("run ", sort), "e", 1)
		before := Landslides(12)
		publish(t, s, run, before)
		q := store.Query{Event: "e", Run: run.ID, Sort: sort, Limit: 3}
		page, err := s.Landslides(t.Context(), q)
		require.NoError(t, err)
		seen := areas(page.Landslides)
		q.After, q.AfterKeys = page.Next, page.NextKeys

		var after []store.Landslide
		for _, l := range before {
			if l.Area != page.Landslides[2].Area {
				after = append(after, l)
			}
			l.Area += 0.5
			after = append(after, l)
		}
		publish(t, s, run, after)
		for page.Next != 0 {
			page, err = s.Landslides(t.Context(), q)
			require.NoError(t, err)
			seen = append(seen, areas(page.Landslides)...)
			q.After, q.AfterKeys = page.Next, page.NextKeys
		}
		times := map[float64]int{}
		for _, area := range seen {
			times[area]++
		}
		for _, l := range before {
			assert.Equal(t, 1, times[l.Area], "%s: %v m²", run.ID, l.Area)
		}
	}
}

func countLimit(t *testing.T, s store.Store) {
	const n = store.CountLimit + 500
	publish(t, s, NewRun("run", "e", 1), Scattered(n))
	page, err := s.Landslides(t.Context(), store.Query{Event: "e", Limit: 10})
	require.NoError(t, err)
	assert.Equal(t, n, page.Matched, "a whole run is counted")
	whole := areas(read(t, s, store.Query{Event: "e", Limit: 6000}))
	require.Len(t, whole, n)
	smallest := slices.Sorted(slices.Values(whole))
	box := &[4]float64{130, 30, 140, 40}
	for name, q := range map[string]store.Query{
		"box":            {BBox: box},
		"filter":         {Filter: parsed(t, "area_m2 > 0")},
		"spatial filter": {Filter: parsed(t, "S_INTERSECTS(geometry, BBOX(130, 30, 140, 40))")},
		"two boxes":      {BBox: &[4]float64{130, 30, -170, 40}},
	} {
		q.Event, q.Limit = "e", 6000
		page, err := s.Landslides(t.Context(), q)
		require.NoError(t, err)
		assert.Equal(t, -1, page.Matched, name)
		assert.Equal(t, whole, areas(read(t, s, q)), name)
		q.Sort = []store.SortKey{{Field: "area_m2", Descending: true}}
		got := areas(read(t, s, q))
		slices.Reverse(got)
		assert.Equal(t, smallest, got, name+", largest first")
	}
	few := store.Query{Event: "e", BBox: box, Filter: parsed(t, "id < 0 OR area_m2 > 5500")}
	page, err = s.Landslides(t.Context(), few)
	require.NoError(t, err)
	assert.Equal(t, page.Matched, len(page.Landslides))
}

// sketches compares pages of sketches with what the landslides' bounding boxes
// say: boxes that hold much of a run, little, nothing, and two at once.
func sketches(t *testing.T, s store.Store) {
	landslides := Scattered(6000)
	landslides[0].Geometry = orb.Polygon{{{179.9, 37}, {179.95, 37}, {179.95, 37.05}, {179.9, 37}}}
	landslides[0].Area = 1e6
	run := NewRun("run", "e", 1)
	run.Summary.Landslides = len(landslides)
	publish(t, s, run, landslides)
	for name, q := range map[string]store.Query{
		"everywhere":   {},
		"all":          {BBox: &[4]float64{130, 30, 140, 40}},
		"half":         {BBox: &[4]float64{136, 36, 137, 38}},
		"little":       {BBox: &[4]float64{136.5, 36.5, 136.7, 36.7}},
		"nothing":      {BBox: &[4]float64{130, 30, 131, 31}},
		"two boxes":    {BBox: &[4]float64{179, 30, 137, 40}},
		"area":         {BBox: &[4]float64{136, 36, 137.5, 38}, MinArea: 2000},
		"dates":        {BBox: &[4]float64{136, 36, 137.5, 38}, From: time0.AddDate(50, 0, 0)},
		"large filter": {BBox: &[4]float64{136, 36, 137.5, 38}, Filter: parsed(t, "area_m2 < 600")},
	} {
		expected := []float64{}
		for _, l := range landslides {
			in := q.BBox == nil
			for _, b := range q.Boxes() {
				in = in || b.Intersects(l.Geometry.Bound())
			}
			if in && l.Area >= q.MinArea && (q.Filter == nil || l.Area < 600) && q.From.IsZero() {
				expected = append(expected, l.Area)
			}
		}
		slices.Sort(expected)
		slices.Reverse(expected)
		q.Event, q.Run, q.Sketch = "e", "run", math.MaxInt // so many that all are drawn
		for _, q.Limit = range []int{40, 1500} {
			got := areas(read(t, s, q))
			assert.Equal(t, expected, got, "%s by %d", name, q.Limit)
		}
		q.Run = ""
		page, err := s.Landslides(t.Context(), q)
		require.NoError(t, err)
		assert.Equal(t, -1, page.Matched, name)
		assert.Equal(t, expected[:min(q.Limit, len(expected))], areas(page.Landslides), "%s of the latest", name)
	}
}

// thinned compares the sketches of Web Mercator tiles with what they should show:
// the landslides that fewer than [store.CellLandslides] larger ones of the tile
// around their centre hide, neighbours' that reach in among them.
func thinned(t *testing.T, s store.Store) {
	landslides := Scattered(6000)
	run := NewRun("run", "e", 2)
	run.Summary.Landslides = len(landslides)
	publish(t, s, NewRun("before", "e", 1), Scattered(5000)) // at the same places, and not to be seen
	publish(t, s, run, landslides)
	for zoom := range 12 {
		side := math.Exp2(float64(zoom))
		tileOf := func(p orb.Point) [2]float64 {
			y := 0.5 - math.Log(math.Tan(math.Pi/4+p[1]*math.Pi/360))/(2*math.Pi)
			return [2]float64{math.Floor((p[0]/360 + 0.5) * side), math.Floor(y * side)}
		}
		north := func(row float64) float64 { return math.Atan(math.Sinh(math.Pi*(1-2*row/side))) * 180 / math.Pi }
		tiles := make(map[[2]float64][]store.Landslide) // by where centres are, the largest first
		for _, l := range landslides {
			at := tileOf(l.Geometry.Bound().Center())
			tiles[at] = append(tiles[at], l)
		}
		var shown []store.Landslide
		for _, in := range tiles {
			slices.SortStableFunc(in, func(a, b store.Landslide) int { return cmp.Compare(b.Area, a.Area) })
			shown = append(shown, in[:min(len(in), store.CellLandslides)]...)
		}
		for at := range tiles {
			box := [4]float64{360 * (at[0]/side - 0.5), north(at[1] + 1), 360 * ((at[0]+1)/side - 0.5), north(at[1])}
			bound := orb.Bound{Min: orb.Point{box[0], box[1]}, Max: orb.Point{box[2], box[3]}}
			const rounding = 1e-4 // indexes may have boxes in single precision, rounded outwards
			var near, in []float64
			for _, l := range shown {
				if bound.Pad(rounding).Intersects(l.Geometry.Bound()) {
					near = append(near, l.Area)
				}
				if bound.Pad(-rounding).Intersects(l.Geometry.Bound()) {
					in = append(in, l.Area)
				}
			}
			got := areas(read(t, s, store.Query{Event: "e", BBox: &box, Sketch: store.CellLandslides, Limit: 700}))
			require.Subset(t, near, got, "tile %v of zoom %d", at, zoom)
			require.Subset(t, got, in, "tile %v of zoom %d", at, zoom)
			require.IsDecreasing(t, append(got, 0), "tile %v of zoom %d", at, zoom)
			if zoom < 8 {
				latest := areas(read(t, s, store.Query{BBox: &box, Sketch: store.CellLandslides, Limit: 700}))
				require.ElementsMatch(t, got, latest, "tile %v of zoom %d, of the latest of all events", at, zoom)
			}
		}
	}
}

// read reads the query's pages one after the other, counted or not.
func read(t *testing.T, s store.Store, q store.Query) []store.Landslide {
	t.Helper()
	var out []store.Landslide
	for range 1000 {
		page, err := s.Landslides(t.Context(), q)
		require.NoError(t, err)
		out = append(out, page.Landslides...)
		if page.Next == 0 {
			return out
		}
		q.After, q.AfterKeys = page.Next, page.NextKeys
	}
	t.Fatal("paging does not end")
	return nil
}

func secret(t *testing.T, s store.Store) {
	first, err := s.Secret(t.Context())
	require.NoError(t, err)
	assert.Len(t, first, 32)
	again, err := s.Secret(t.Context())
	require.NoError(t, err)
	assert.Equal(t, first, again)
}
