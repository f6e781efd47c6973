package storetest

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/store"
)

func paging(t *testing.T, s store.Store) {
	publish(t, s, NewRun("old", "e", 1), Landslides(4))
	publish(t, s, NewRun("new", "e", 2), Landslides(10))
	whole := all(t, s, store.Query{Event: "e"})
	require.Len(t, whole, 10)
	for _, limit := range []int{1, 3, 5, 9, 10, 11} {
		assert.Equal(t, whole, all(t, s, store.Query{Event: "e", Limit: limit}), "pages of %d", limit)
	}
	page, err := s.Landslides(t.Context(), store.Query{Event: "e", Limit: 10})
	require.NoError(t, err)
	assert.Zero(t, page.Next, "a full page that is the last")
	page, err = s.Landslides(t.Context(), store.Query{Event: "e", After: whole[6].ID, Limit: 2})
	require.NoError(t, err)
	assert.Equal(t, store.Page{Landslides: whole[7:9], Next: whole[8].ID, Matched: 10}, page)
	page, err = s.Landslides(t.Context(), store.Query{Event: "e", After: whole[9].ID})
	require.NoError(t, err)
	assert.Equal(t, store.Page{Matched: 10}, page)
}

func pagingWhilePublishing(t *testing.T, s store.Store) {
	publish(t, s, NewRun("first", "e", 1), Landslides(9))
	want := all(t, s, store.Query{Run: "first"})
	var got []store.Landslide
	q := store.Query{Event: "e", Run: "first", Limit: 2}
	for i := 0; ; i++ {
		page, err := s.Landslides(t.Context(), q)
		require.NoError(t, err)
		assert.Equal(t, 9, page.Matched)
		got = append(got, page.Landslides...)
		if page.Next == 0 {
			break
		}
		q.After = page.Next
		publish(t, s, NewRun(runName(i), "e", 10+i), Landslides(3))
	}
	assert.Equal(t, want, got)
}

func boundingBoxes(t *testing.T, s store.Store) {
	triangle := Landslide(orb.Polygon{{{10, 10}, {11, 10}, {10, 11}, {10, 10}}})
	triangle.Area = 1
	ring := Landslide(orb.Polygon{square(20, 10, 1), square(20.2, 10.2, 0.6)})
	ring.Area = 2
	publish(t, s, NewRun("run", "e", 1), []store.Landslide{triangle, ring})
	for name, test := range map[string]struct {
		box  [4]float64
		want []float64
	}{
		"everywhere":                        {[4]float64{-180, -90, 180, 90}, []float64{1, 2}},
		"larger than the world":             {[4]float64{-400, -100, 400, 100}, []float64{1, 2}},
		"around one":                        {[4]float64{9, 9, 12, 12}, []float64{1}},
		"across an edge":                    {[4]float64{10.4, 9, 10.6, 9.999999999 + 1e-6}, []float64{1}},
		"touching a corner":                 {[4]float64{9, 9, 10, 10}, []float64{1}},
		"just short of it":                  {[4]float64{9, 9, 9.9999999, 9.9999999}, []float64{}},
		"inside the box, off the triangle":  {[4]float64{10.7, 10.7, 10.9, 10.9}, []float64{}},
		"inside the triangle":               {[4]float64{10.1, 10.1, 10.2, 10.2}, []float64{1}},
		"in the hole":                       {[4]float64{20.4, 10.4, 20.6, 10.6}, []float64{}},
		"across the hole's edge":            {[4]float64{20.4, 10.4, 20.9, 10.6}, []float64{2}},
		"a point within":                    {[4]float64{10.2, 10.2, 10.2, 10.2}, []float64{1}},
		"a line through both":               {[4]float64{0, 10.1, 30, 10.1}, []float64{1, 2}},
		"elsewhere":                         {[4]float64{-60, -20, -50, -10}, []float64{}},
		"at the poles":                      {[4]float64{-180, 89, 180, 90}, []float64{}},
		"crossing the antimeridian, not it": {[4]float64{30, 0, 5, 20}, []float64{}},
	} {
		page, err := s.Landslides(t.Context(), store.Query{Event: "e", BBox: &test.box})
		require.NoError(t, err, name)
		assert.Equal(t, test.want, areas(page.Landslides), name)
		assert.Equal(t, len(test.want), page.Matched, name)
	}
}

func antimeridian(t *testing.T, s store.Store) {
	var landslides []store.Landslide
	for i, x := range []float64{179.5, -179.9, -90, 0, 90} {
		l := Landslide(orb.Polygon{square(x, -17, 0.1)})
		l.Area = float64(i)
		landslides = append(landslides, l)
	}
	publish(t, s, NewRun("fiji", "e", 1), landslides)
	for name, test := range map[string]struct {
		box  [4]float64
		want []float64
	}{
		"both sides":       {[4]float64{179, -20, -179, -10}, []float64{0, 1}},
		"one side":         {[4]float64{179, -20, 180, -10}, []float64{0}},
		"the long way":     {[4]float64{80, -20, -80, -10}, []float64{0, 1, 2, 4}},
		"other latitude":   {[4]float64{179, 10, -179, 20}, []float64{}},
		"all but a stripe": {[4]float64{1, -20, -1, -10}, []float64{0, 1, 2, 4}},
	} {
		got := all(t, s, store.Query{Event: "e", BBox: &test.box, Limit: 2})
		assert.Equal(t, test.want, areas(got), name)
	}
}

func timeAndArea(t *testing.T, s store.Store) {
	landslides := Landslides(4)
	for i := range landslides {
		landslides[i].PostDate = time0.AddDate(0, 0, i)
		landslides[i].Area = float64(i)
	}
	publish(t, s, NewRun("run", "e", 1), landslides)
	day := func(i int) time.Time { return time0.AddDate(0, 0, i) }
	elsewhere := time.FixedZone("JST", 9*3600)
	for name, test := range map[string]struct {
		q    store.Query
		want []float64
	}{
		"from, inclusive":    {store.Query{From: day(2)}, []float64{2, 3}},
		"to, inclusive":      {store.Query{To: day(1)}, []float64{0, 1}},
		"interval":           {store.Query{From: day(1), To: day(2)}, []float64{1, 2}},
		"an instant":         {store.Query{From: day(1), To: day(1)}, []float64{1}},
		"just after":         {store.Query{From: day(3).Add(time.Second)}, []float64{}},
		"in another zone":    {store.Query{To: day(1).In(elsewhere)}, []float64{0, 1}},
		"area, inclusive":    {store.Query{MinArea: 2}, []float64{2, 3}},
		"area above all":     {store.Query{MinArea: 3.5}, []float64{}},
		"area and time":      {store.Query{MinArea: 1, To: day(2)}, []float64{1, 2}},
		"no minimum at zero": {store.Query{MinArea: 0}, []float64{0, 1, 2, 3}},
	} {
		test.q.Event = "e"
		assert.Equal(t, test.want, areas(all(t, s, test.q)), name)
	}
}

func combined(t *testing.T, s store.Store) {
	publish(t, s, NewRun("run", "e", 1), Landslides(50))
	publish(t, s, NewRun("other", "f", 1), Landslides(50))
	q := store.Query{
		Event: "e", BBox: &[4]float64{137.1, 37, 137.3, 37.001}, MinArea: 615,
		From: time0, To: time0.AddDate(0, 1, 0), Limit: 4,
	}
	page, err := s.Landslides(t.Context(), q)
	require.NoError(t, err)
	assert.Equal(t, []float64{615, 616, 617, 618}, areas(page.Landslides))
	assert.Equal(t, 16, page.Matched, "615 to 630, on the box's edge")
	q.Limit = 0
	assert.Len(t, all(t, s, q), 16)
	q.Event = ""
	assert.Len(t, all(t, s, q), 32)
}

func badQueries(t *testing.T, s store.Store) {
	publish(t, s, NewRun("run", "e", 1), Landslides(1))
	for name, q := range map[string]store.Query{
		"negative limit":    {Limit: -1},
		"negative after":    {After: -1},
		"south above north": {BBox: &[4]float64{0, 10, 1, 5}},
		"no number":         {BBox: &[4]float64{0, math.NaN(), 1, 5}},
		"infinite":          {BBox: &[4]float64{0, 0, math.Inf(1), 5}},
		"area no number":    {MinArea: math.NaN()},
		"ends before start": {From: time0, To: time0.Add(-time.Hour)},
	} {
		_, err := s.Landslides(t.Context(), q)
		assert.ErrorIs(t, err, store.ErrInvalid, name)
	}
}

// largeBoxes pages through a box of more landslides than are counted. They come in their
// runs in one order or another, with others elsewhere before, between and behind them.
func largeBoxes(t *testing.T, s store.Store) {
	const many = store.CountLimit + 600
	box, acrossAntimeridian := [4]float64{140, 36, 142, 39}, [4]float64{170, 36, 142, 39}
	random := rand.New(rand.NewPCG(7, 8))
	check := func(q store.Query, limit int, bounds [4]float64, wanted []float64, name string) {
		t.Helper()
		q.BBox, q.Limit = &bounds, limit
		page, err := s.Landslides(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, -1, page.Matched, name)
		require.Equal(t, wanted, areas(read(t, s, q)), "%s, %v by %d", name, bounds, limit)
	}
	elsewhere := Landslide(orb.Polygon{square(144, 37, 0.001)})
	// One early, the rest late, in no order, with gaps.
	inside := func(i int) bool { return i == 3 || i > 1300 && i/1100%4 > 0 && random.IntN(10) > 0 }
	var landslides []store.Landslide
	wanted := []float64{}
	for i := 0; len(wanted) < many; i++ {
		l := Landslide(orb.Polygon{square(144+random.Float64(), 37+random.Float64(), 0.001)})
		l.Area = 1000 + float64(i)/100
		if inside(i) {
			wanted = append(wanted, l.Area)
			l.Geometry = orb.Polygon{square(140+random.Float64(), 37+random.Float64(), 0.001)}
			if len(wanted) <= 2 { // touches the box from the east
				l.Geometry = orb.Polygon{{{143, 37.2}, {143, 37.6}, {142, 37.4}, {143, 37.2}}}
			}
		}
		landslides = append(landslides, l)
	}
	publish(t, s, NewRun("large", "e", 1), landslides)
	publish(t, s, NewRun("elsewhere", "f", 1), []store.Landslide{elsewhere})
	check(store.Query{Event: "e"}, 1000, box, wanted, "by small pages")
	check(store.Query{Event: "e"}, many-5, acrossAntimeridian, wanted, "across the antimeridian")
	check(store.Query{}, many-5, box, wanted, "the latest of all events")
	publish(t, s, NewRun("later", "e", 9), []store.Landslide{elsewhere, Landslide(orb.Polygon{square(140.5, 37.5, 0.001)})})
	check(store.Query{Event: "e", Run: "large"}, many-5, box, wanted, "beside a later one")
	require.NoError(t, s.DeleteRun(t.Context(), "later"))
	check(store.Query{Event: "e"}, many-5, box, wanted, "the run before the one that was deleted")
}

// BehindOthers publishes, as event e, 4000 landslides 100° further west, with the ids from 1 on, and behind
// them more than are counted in a box that [FirstIDs] asks for.
func BehindOthers(t *testing.T, s store.Store) {
	t.Helper()
	landslides := Scattered(4000 + store.CountLimit + 10)
	for i := range 4000 {
		for j := range landslides[i].Geometry[0] {
			landslides[i].Geometry[0][j][0] -= 100
		}
	}
	require.NoError(t, s.PutEvent(t.Context(), Event("e")))
	require.NoError(t, s.Publish(t.Context(), NewRun("run", "e", 1), landslides))
}

// FirstIDs begin the first page of the box of [BehindOthers].
func FirstIDs(t *testing.T, s store.Store) (ids []int64) {
	t.Helper()
	page, err := s.Landslides(t.Context(), store.Query{Event: "e", BBox: &[4]float64{136, 36, 139, 39}, Limit: 4})
	require.NoError(t, err)
	require.Equal(t, -1, page.Matched)
	for _, l := range page.Landslides {
		ids = append(ids, l.ID)
	}
	return ids
}
