package storetest

import (
	"context"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/scarp-map/scarp/store"
)

func eventsRoundTrip(t *testing.T, s store.Store) {
	want := Event("noto-2024")
	require.NoError(t, s.PutEvent(t.Context(), want))
	got, err := s.Event(t.Context(), want.ID)
	require.NoError(t, err)
	assert.Equal(t, want, got)

	publish(t, s, NewRun("run", want.ID, 1), Landslides(2))
	want.Title, want.AOI, want.Model = "Renamed", nil, ""
	require.NoError(t, s.PutEvent(t.Context(), want))
	got, err = s.Event(t.Context(), want.ID)
	require.NoError(t, err)
	assert.Equal(t, want, got)
	assert.Len(t, all(t, s, store.Query{Event: want.ID}), 2, "replacing an event keeps its landslides")
	assert.NoError(t, s.Ping(t.Context()))
}

func eventsInOrder(t *testing.T, s store.Store) {
	none, err := s.Events(t.Context())
	require.NoError(t, err)
	assert.Empty(t, none)
	for i, id := range []string{"middle", "newest", "oldest"} {
		e := Event(id)
		e.Trigger.Time = time0.AddDate([]int{0, 1, -30}[i], 0, 0)
		require.NoError(t, s.PutEvent(t.Context(), e))
	}
	events, err := s.Events(t.Context())
	require.NoError(t, err)
	require.Len(t, events, 3)
	assert.Equal(t, []string{"newest", "middle", "oldest"}, []string{events[0].ID, events[1].ID, events[2].ID})
}

func deleteEventCascades(t *testing.T, s store.Store) {
	publish(t, s, NewRun("a1", "a", 1), Landslides(3))
	publish(t, s, NewRun("b1", "b", 1), Landslides(2))
	id := all(t, s, store.Query{Event: "a"})[0].ID
	require.NoError(t, s.DeleteEvent(t.Context(), "a"))

	_, err := s.Run(t.Context(), "a1")
	assert.ErrorIs(t, err, store.ErrNotFound)
	_, err = s.Landslide(t.Context(), "a", id)
	assert.ErrorIs(t, err, store.ErrNotFound)
	assert.Len(t, all(t, s, store.Query{}), 2, "the other event's stay")
	assert.Len(t, all(t, s, store.Query{BBox: &[4]float64{137, 37, 138, 38}}), 2, "the spatial index forgets them too")
}

func runRoundTrip(t *testing.T, s store.Store) {
	r := NewRun("run", "noto", 5)
	r.AOI = orb.MultiPolygon{{square(136, 37, 1)}, {square(138, 37, 1)}}
	r.Summary = store.Summary{Landslides: 2, TotalArea: 2469, LargestArea: 1234.5, MappedArea: 1e9, CloudShare: 0.25, NoDataShare: 0.125}
	withHole := Landslide(orb.Polygon{square(137, 37, 0.01), square(137.003, 37.003, 0.002)})
	plain := Landslide(orb.Polygon{square(-71.5, -13.25, 0.01)})
	plain.DeltaNDVI, plain.CloudAdjacent, plain.Model, plain.ModelVersion = nil, false, "other", "2"
	plain.PreDate, plain.PostDate = time.Time{}, time.Time{} // scenes without a date
	publish(t, s, r, []store.Landslide{withHole, plain})

	got, err := s.Run(t.Context(), r.ID)
	require.NoError(t, err)
	assert.Equal(t, r, got)

	found := all(t, s, store.Query{Event: "noto"})
	require.Len(t, found, 2)
	assert.Positive(t, found[0].ID)
	assert.Less(t, found[0].ID, found[1].ID)
	for i, want := range []store.Landslide{withHole, plain} {
		want.ID, want.Event, want.Run = found[i].ID, "noto", "run"
		if want.Model == "" {
			want.Model, want.ModelVersion = r.Model, r.ModelVersion
		}
		assert.Equal(t, want, found[i])
		single, err := s.Landslide(t.Context(), "noto", want.ID)
		require.NoError(t, err)
		assert.Equal(t, want, single)
	}
}

func latestRun(t *testing.T, s store.Store) {
	publish(t, s, NewRun("second", "e", 20), Landslides(2))
	publish(t, s, NewRun("first", "e", 10), Landslides(1))
	publish(t, s, NewRun("elsewhere", "f", 5), Landslides(4))
	assert.Len(t, all(t, s, store.Query{Event: "e"}), 2)
	assert.Len(t, all(t, s, store.Query{Event: "e", Run: "first"}), 1)
	assert.Len(t, all(t, s, store.Query{Run: "first"}), 1)
	assert.Len(t, all(t, s, store.Query{}), 6, "the latest of every event")
	runs, err := s.Runs(t.Context(), "e")
	require.NoError(t, err)
	assert.Equal(t, []string{"second", "first"}, runIDs(runs))

	publish(t, s, NewRun("empty", "e", 30), nil)
	assert.Empty(t, all(t, s, store.Query{Event: "e"}), "a run that found nothing is the latest all the same")

	now := store.Run{ID: "now", Event: "e"}
	publish(t, s, now, Landslides(1))
	got, err := s.Run(t.Context(), "now")
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), got.Published, time.Hour, "published now where nothing is said")
}

func deleteLatest(t *testing.T, s store.Store) {
	publish(t, s, NewRun("first", "e", 1), Landslides(1))
	publish(t, s, NewRun("second", "e", 2), Landslides(2))
	require.NoError(t, s.DeleteRun(t.Context(), "second"))
	assert.Len(t, all(t, s, store.Query{Event: "e"}), 1)
	require.NoError(t, s.DeleteRun(t.Context(), "first"))
	page, err := s.Landslides(t.Context(), store.Query{Event: "e"})
	require.NoError(t, err)
	assert.Equal(t, store.Page{}, page, "an event without runs")
}

func republish(t *testing.T, s store.Store) {
	publish(t, s, NewRun("run", "e", 1), Landslides(3))
	before := all(t, s, store.Query{Event: "e"})
	publish(t, s, NewRun("run", "e", 2), Landslides(2))
	after := all(t, s, store.Query{Event: "e"})
	assert.Len(t, after, 2)
	assert.Greater(t, after[0].ID, before[2].ID, "ids are never given twice")
	runs, err := s.Runs(t.Context(), "e")
	require.NoError(t, err)
	assert.Len(t, runs, 1)

	require.NoError(t, s.PutEvent(t.Context(), Event("f")))
	err = s.Publish(t.Context(), NewRun("run", "f", 3), nil)
	assert.ErrorIs(t, err, store.ErrInvalid, "a run stays with its event")
	assert.ErrorContains(t, err, "event e")
}

func unknown(t *testing.T, s store.Store) {
	publish(t, s, NewRun("run", "known", 1), Landslides(1))
	publish(t, s, NewRun("run2", "other", 1), Landslides(1))
	id := all(t, s, store.Query{Event: "known"})[0].ID
	ctx := t.Context()
	for name, call := range map[string]func() error{
		"event":                   func() error { _, err := s.Event(ctx, "x"); return err },
		"run":                     func() error { _, err := s.Run(ctx, "x"); return err },
		"runs of an event":        func() error { _, err := s.Runs(ctx, "x"); return err },
		"landslide":               func() error { _, err := s.Landslide(ctx, "known", id+1000); return err },
		"landslide of another":    func() error { _, err := s.Landslide(ctx, "other", id); return err },
		"landslides of an event":  func() error { _, err := s.Landslides(ctx, store.Query{Event: "x"}); return err },
		"landslides of a run":     func() error { _, err := s.Landslides(ctx, store.Query{Run: "x"}); return err },
		"run of another event":    func() error { _, err := s.Landslides(ctx, store.Query{Event: "other", Run: "run"}); return err },
		"event to delete":         func() error { return s.DeleteEvent(ctx, "x") },
		"run to delete":           func() error { return s.DeleteRun(ctx, "x") },
		"event to publish a run":  func() error { return s.Publish(ctx, NewRun("y", "x", 1), nil) },
		"quoted as in an attack":  func() error { _, err := s.Event(ctx, "x' OR '1'='1"); return err },
		"NUL in an event":         func() error { _, err := s.Event(ctx, "a\x00"); return err },
		"broken UTF-8 in a run":   func() error { _, err := s.Run(ctx, "\xff"); return err },
		"NUL in a query":          func() error { _, err := s.Landslides(ctx, store.Query{Event: "a\x00"}); return err },
		"landslide with id zero":  func() error { _, err := s.Landslide(ctx, "known", 0); return err },
		"landslide of a negative": func() error { _, err := s.Landslide(ctx, "known", -1); return err },
	} {
		assert.ErrorIs(t, call(), store.ErrNotFound, name)
	}
}

func refusesInvalid(t *testing.T, s store.Store) {
	require.NoError(t, s.PutEvent(t.Context(), Event("e")))
	nan := Landslide(orb.Polygon{square(137, 37, 0.01)})
	nan.SlopeMean = math.NaN()
	for name, test := range map[string]struct {
		landslide store.Landslide
		says      string
	}{
		"bow tie":           {Landslide(orb.Polygon{{{0, 0}, {1, 1}, {1, 0}, {0, 1}, {0, 0}}}), "not simple"},
		"open ring":         {Landslide(orb.Polygon{{{0, 0}, {1, 0}, {1, 1}}}), "not closed"},
		"hole outside":      {Landslide(orb.Polygon{square(0, 0, 1), square(5, 5, 1)}), "outside"},
		"empty":             {Landslide(nil), "empty"},
		"off the globe":     {Landslide(orb.Polygon{square(500000, 4100000, 10)}), "longitude and latitude"},
		"round the globe":   {Landslide(orb.Polygon{{{-179, 0}, {179, 0}, {179, 1}, {-179, 1}, {-179, 0}}}), "antimeridian"},
		"attribute missing": {nan, "finite"},
	} {
		landslides := Landslides(3)
		landslides[1] = test.landslide
		err := s.Publish(t.Context(), NewRun("run", "e", 1), landslides)
		assert.ErrorIs(t, err, store.ErrInvalid, name)
		assert.ErrorContains(t, err, "landslide 2 of 3", name)
		assert.ErrorContains(t, err, test.says, name)
	}
	_, err := s.Run(t.Context(), "run")
	assert.ErrorIs(t, err, store.ErrNotFound)
	assert.ErrorIs(t, s.Publish(t.Context(), store.Run{Event: "e"}, nil), store.ErrInvalid, "a run without an id")
	assert.ErrorIs(t, s.Publish(t.Context(), NewRun("a\x00b", "e", 1), nil), store.ErrInvalid)
	for _, text := range []string{"a\x00b", "a\xff"} {
		e := Event("e2")
		e.Title = text
		assert.ErrorIs(t, s.PutEvent(t.Context(), e), store.ErrInvalid)
	}
	assert.ErrorIs(t, s.PutEvent(t.Context(), Event("")), store.ErrInvalid)
}

func refusalLeavesOld(t *testing.T, s store.Store) {
	publish(t, s, NewRun("run", "e", 1), Landslides(3))
	want := all(t, s, store.Query{Event: "e"})
	broken := Landslides(5)
	broken[4].Geometry = nil
	require.Error(t, s.Publish(t.Context(), NewRun("run", "e", 2), broken))
	assert.Equal(t, want, all(t, s, store.Query{Event: "e"}))
}

func cancelLeavesOld(t *testing.T, s store.Store) {
	publish(t, s, NewRun("run", "e", 1), Landslides(3))
	want := all(t, s, store.Query{Event: "e"})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Publish(ctx, NewRun("run", "e", 2), Landslides(5)), context.Canceled)
	assert.Equal(t, want, all(t, s, store.Query{Event: "e"}))
}

// readersDuringPublish replaces runs of different lengths, each with one area,
// while readers look: a mixture of areas or a wrong length is half a run.
func readersDuringPublish(t *testing.T, s store.Store) {
	const rounds = 12
	whole := func(round int) []store.Landslide {
		landslides := Landslides(5 + round)
		for i := range landslides {
			landslides[i].Area = float64(1000 + len(landslides))
		}
		return landslides
	}
	publish(t, s, NewRun("run", "e", 0), whole(0))
	done := make(chan struct{})
	var g errgroup.Group
	g.Go(func() error {
		defer close(done)
		for round := 1; round <= rounds; round++ {
			id := "run" // the same run replaced, or a new one
			if round%2 == 1 {
				id = runName(round)
			}
			if err := s.Publish(t.Context(), NewRun(id, "e", round), whole(round)); err != nil {
				return err
			}
		}
		return nil
	})
	box := [4]float64{136, 36, 139, 39}
	for i := range 3 {
		g.Go(func() error {
			for {
				q := store.Query{Event: "e"}
				if i == 1 {
					q.BBox = &box
				}
				page, err := s.Landslides(t.Context(), q)
				if err != nil {
					return err
				}
				for _, l := range page.Landslides {
					assert.EqualValues(t, 1000+page.Matched, l.Area)
				}
				assert.Len(t, page.Landslides, page.Matched)
				select {
				case <-done:
					return nil
				default:
				}
			}
		})
	}
	require.NoError(t, g.Wait())
	assert.Len(t, all(t, s, store.Query{Event: "e"}), 5+rounds)
}

func concurrentWriters(t *testing.T, s store.Store) {
	require.NoError(t, s.PutEvent(t.Context(), Event("e")))
	const writers = 8
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() {
			assert.NoError(t, s.Publish(t.Context(), NewRun(runName(i), "e", i), Landslides(10+i)))
			assert.NoError(t, s.PutEvent(t.Context(), Event(runName(i))))
		})
	}
	wg.Wait()
	runs, err := s.Runs(t.Context(), "e")
	require.NoError(t, err)
	assert.Len(t, runs, writers)
	for i := range writers {
		assert.Len(t, all(t, s, store.Query{Run: runName(i), Limit: 7}), 10+i)
	}
	assert.Len(t, all(t, s, store.Query{Event: "e"}), 10+writers-1, "the latest is by time, not by who was first")
	events, err := s.Events(t.Context())
	require.NoError(t, err)
	assert.Len(t, events, writers+1)
}
