package ogc_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/ogc/ogctest"
	"github.com/scarp-map/scarp/store"
)

type itemsDoc struct {
	NumberMatched, NumberReturned int
	Features                      []struct {
		ID       int64
		Geometry struct{ Coordinates [][][2]float64 }
	}
	Links []struct{ Rel, Href string }
}

func items(t *testing.T, s *server, query string) itemsDoc {
	t.Helper()
	r := s.get("/collections/atsuma-2018_landslides/items" + query)
	body := text(t, r)
	require.Equal(t, http.StatusOK, r.StatusCode, body)
	require.Equal(t, "application/geo+json", r.Header.Get("Content-Type"))
	var doc itemsDoc
	require.NoError(t, json.Unmarshal([]byte(body), &doc))
	require.Equal(t, doc.NumberReturned, len(doc.Features))
	return doc
}

func (d itemsDoc) next() string {
	for _, l := range d.Links {
		if l.Rel == "next" {
			return strings.TrimPrefix(l.Href, base+"/collections/atsuma-2018_landslides/items")
		}
	}
	return ""
}

// Whoever follows the next links sees every landslide of one run once, also
// when another run is published meanwhile.
func TestPagingStaysInOneRun(t *testing.T) {
	s := newServer(t)
	seen := map[int64]bool{}
	doc := items(t, s, "?limit=2&min_area=100")
	require.NoError(t, s.store.Publish(t.Context(), store.Run{ID: "later", Event: "atsuma-2018", Model: "bbunet", Started: ogctest.Day(), Published: ogctest.Day().AddDate(0, 0, 1)}, ogctest.Landslides(9)))
	for pages := 0; ; pages++ {
		require.Less(t, pages, 5)
		require.Equal(t, 5, doc.NumberMatched)
		for _, f := range doc.Features {
			require.False(t, seen[f.ID])
			seen[f.ID] = true
		}
		if doc.next() == "" {
			break
		}
		doc = items(t, s, doc.next())
	}
	require.Len(t, seen, 5)
	require.Equal(t, 9, items(t, s, "").NumberMatched)
}

func TestItemsAreSelected(t *testing.T) {
	s := newServer(t)
	for query, want := range map[string]int{
		"": 5, "?limit=3": 5, "?min_area=700": 3, "?run=job-2": 5,
		"?bbox=141.9495,42.6,141.9515,42.8":                          2,
		"?bbox=141.9495,42.6,0,141.9515,42.8,100":                    2,
		"?bbox=42.6,141.9495,42.8,141.9515&bbox-crs=EPSG:4326":       2,
		"?bbox=15801746,5264000,15801969,5295000&bbox-crs=EPSG:3857": 2,
		"?bbox=10,10,11,11":                                          0,
		"?datetime=2018-09-10":                                       5,
		"?datetime=2018-09-10T03:07:59Z":                             5,
		"?datetime=2018-09-11/..":                                    0,
		"?datetime=/2018-09-10":                                      5,
	} {
		require.Equal(t, want, items(t, s, query).NumberMatched, query)
	}
}

func TestItemsComeInTheAskedCRS(t *testing.T) {
	s := newServer(t)
	for crs, want := range map[string][2]float64{
		"http://www.opengis.net/def/crs/OGC/1.3/CRS84": {141.95, 42.7},
		"http://www.opengis.net/def/crs/EPSG/0/4326":   {42.7, 141.95},
		"http://www.opengis.net/def/crs/EPSG/0/3857":   {15801801.7, 5266457.9},
	} {
		r := s.get("/collections/atsuma-2018_landslides/items?limit=1&crs=" + crs)
		require.Equal(t, "<"+crs+">", r.Header.Get("Content-Crs"))
		got := items(t, s, "?limit=1&crs="+crs).Features[0].Geometry.Coordinates[0][0]
		require.InDelta(t, want[0], got[0], 100, crs)
		require.InDelta(t, want[1], got[1], 1000, crs)
	}
}

func TestEventsAreWritten(t *testing.T) {
	s := newServer(t)
	const body = `{"id":"new","title":"New","trigger":{"time":"2024-04-03T00:00:00Z","type":"earthquake"},"pre":[{"path":"a.tif"}],"post":[{"path":"b.tif"}],"dem":"d.tif"}`
	r := s.ask(http.MethodPost, "/events", body)
	require.Equal(t, http.StatusCreated, r.StatusCode, text(t, r))
	require.Equal(t, base+"/events/new", r.Header.Get("Location"))
	require.Equal(t, http.StatusOK, s.get("/collections/new_probability").StatusCode)
	r = s.ask(http.MethodPut, "/events/new", strings.Replace(body, "New", "Renamed", 1))
	require.Equal(t, http.StatusOK, r.StatusCode)
	require.Contains(t, text(t, s.get("/events/new")), "Renamed")
	require.Equal(t, http.StatusNoContent, s.ask(http.MethodDelete, "/events/new", "").StatusCode)
	require.Equal(t, http.StatusNotFound, s.get("/events/new").StatusCode)
	require.Equal(t, http.StatusCreated, s.ask(http.MethodPut, "/events/new", body).StatusCode)
	require.Equal(t, http.StatusRequestEntityTooLarge, s.ask(http.MethodPost, "/events", `{"title":"`+strings.Repeat("a", 2<<20)+`"}`).StatusCode)
}
