// Package storetest is the suite that every [store.Store] passes. It says, in
// tests, what the interface promises.
package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/store"
)

// Run runs the suite; open returns an empty store, and closes it at the test's end.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	tests := map[string]func(*testing.T, store.Store){
		"events come back as they were put":                   eventsRoundTrip,
		"events are listed newest first":                      eventsInOrder,
		"removing an event removes its runs":                  deleteEventCascades,
		"runs and landslides come back as they went":          runRoundTrip,
		"the run published last is the latest":                latestRun,
		"deleting the latest run shows the one before":        deleteLatest,
		"publishing a run again replaces it":                  republish,
		"what is unknown is not found":                        unknown,
		"invalid polygons are refused by number":              refusesInvalid,
		"a refused run leaves the old one whole":              refusalLeavesOld,
		"a cancelled publication leaves the old run whole":    cancelLeavesOld,
		"pages follow each other without gaps":                paging,
		"a run is paged unchanged while another is published": pagingWhilePublishing,
		"bounding boxes test the polygon itself":              boundingBoxes,
		"bounding boxes cross the antimeridian":               antimeridian,
		"time and area filter":                                timeAndArea,
		"filters combine, and count what they match":          combined,
		"bad queries are refused":                             badQueries,
		"every operator of filters selects":                   filters,
		"filters combine with everything else":                filtersCombine,
		"bad filters are refused":                             badFilters,
		"sorted pages follow each other without gaps":         sorting,
		"pages stay right while landslides come and go":       pagingWhileChanging,
		"what is too much is not counted":                     countLimit,
		"large boxes are paged wherever their landslides are": largeBoxes,
		"sketches show the largest first":                     sketches,
		"sketches show so many a tile":                        thinned,
		"a store has a secret of its own":                     secret,
		"readers see whole runs only":                         readersDuringPublish,
		"writers do not lose each other's work":               concurrentWriters,
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// time0 is the trigger time of [Event], and the day of its first post date.
var time0 = time.Date(2024, 1, 1, 7, 10, 9, 0, time.UTC)

// Event is an event with the id.
func Event(id string) imagery.Event {
	offset := -1000
	return imagery.Event{
		ID: id, Title: "Noto, " + id, Description: "Slopes that the earthquake set off",
		Trigger: imagery.Trigger{Time: time0, Type: "earthquake"},
		Pre:     []imagery.Scene{{Path: "pre.tif", Date: time0.AddDate(0, 0, -9), Bands: []string{"B02", "B03"}, Offset: &offset}},
		Post:    []imagery.Scene{{Path: "post.tif", SCL: "scl.tif", Level: "L2A"}},
		DEM:     "dem.tif",
		AOI:     geojson.NewGeometry(orb.Polygon{square(136.5, 37, 1)}),
		Model:   "bbunet",
	}
}

// NewRun is a run of the event, published the given number of minutes after the trigger.
func NewRun(id, event string, minutes int) store.Run {
	at := time0.Add(time.Duration(minutes) * time.Minute)
	return store.Run{
		ID: id, Event: event, Model: "bbunet", ModelVersion: "1.0.0", Threshold: 0.5, MinArea: 500,
		Started: at.Add(-time.Minute), Published: at, Quality: "missing=(B05 terrain)",
	}
}

// Landslides are n small squares in a row eastwards from 137° E 37° N, 0.01° apart.
func Landslides(n int) []store.Landslide {
	out := make([]store.Landslide, n)
	for i := range out {
		out[i] = Landslide(orb.Polygon{square(137+0.01*float64(i), 37, 0.005)})
		out[i].Area = float64(600 + i)
	}
	return out
}

// Landslide is one landslide with the given shape and every attribute set.
func Landslide(p orb.Polygon) store.Landslide {
	ndvi := -0.375
	return store.Landslide{
		Geometry: p, Area: 1234.5, Perimeter: 150, Length: 60, Width: 20, ProbMean: 0.75, ProbMax: 0.98,
		ElevMin: 100, ElevMax: 180, ElevMean: 140, SlopeMean: 31, Aspect: 270, DeltaNDVI: &ndvi, CloudAdjacent: true,
		PreDate: time0.AddDate(0, 0, -9), PostDate: time0.AddDate(0, 0, 7),
	}
}

// square is a ring with its lower left corner at (x, y).
func square(x, y, side float64) orb.Ring {
	return orb.Ring{{x, y}, {x + side, y}, {x + side, y + side}, {x, y + side}, {x, y}}
}

// publish puts the event where it is missing and publishes the run.
func publish(t *testing.T, s store.Store, r store.Run, landslides []store.Landslide) {
	t.Helper()
	if _, err := s.Event(t.Context(), r.Event); err != nil {
		require.NoError(t, s.PutEvent(t.Context(), Event(r.Event)))
	}
	require.NoError(t, s.Publish(t.Context(), r, landslides))
}

// all reads the query's pages of the given size one after the other.
func all(t *testing.T, s store.Store, q store.Query) []store.Landslide {
	t.Helper()
	var out []store.Landslide
	for range 1000 {
		page, err := s.Landslides(t.Context(), q)
		require.NoError(t, err)
		out = append(out, page.Landslides...)
		if page.Next == 0 {
			require.Len(t, out, page.Matched)
			return out
		}
		q.After, q.AfterKeys = page.Next, page.NextKeys
	}
	t.Fatal("paging does not end")
	return nil
}

// areas names the landslides by their areas.
func areas(landslides []store.Landslide) []float64 {
	out := []float64{}
	for _, l := range landslides {
		out = append(out, l.Area)
	}
	return out
}

func runIDs(runs []store.Run) []string {
	out := []string{}
	for _, r := range runs {
		out = append(out, r.ID)
	}
	return out
}

func runName(i int) string { return fmt.Sprintf("run-%d", i) }
