package ogc_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/ogc/ogctest"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/gpkg"
)

const landslides = "/collections/atsuma-2018_landslides/items"

func query(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return "?" + q.Encode()
}

func TestItemsAreFiltered(t *testing.T) {
	s := newServer(t)
	for _, tt := range []struct {
		want  int
		pairs []string
	}{
		{2, []string{"filter", "area_m2 > 700"}},
		{2, []string{"filter", "area_m2 > 700", "filter-lang", "cql2-text"}},
		{2, []string{"filter", `{"op":">","args":[{"property":"area_m2"},700]}`, "filter-lang", "cql2-json"}},
		{2, []string{"filter", "S_INTERSECTS(geometry, BBOX(141.9495, 42.6, 141.9515, 42.8))"}},
		{2, []string{"filter", "S_INTERSECTS(geometry, BBOX(42.6, 141.9495, 42.8, 141.9515))", "filter-crs", "http://www.opengis.net/def/crs/EPSG/0/4326"}},
		{2, []string{"filter", "S_INTERSECTS(geometry, BBOX(15801746, 5264000, 15801969, 5295000))", "filter-crs", "http://www.opengis.net/def/crs/EPSG/0/3857"}},
		{1, []string{"filter", "area_m2 > 500", "bbox", "141.9495,42.6,141.9515,42.8"}},
		{3, []string{"filter", "area_m2 > 500", "datetime", "2018-09-10", "min_area", "700"}},
		{1, []string{"area_m2", "700"}}, {5, []string{"model", "bbunet"}}, {0, []string{"model", "bb%"}}, {5, []string{"cloud_adjacent", "false"}},
		{5, []string{"post_date", "2018-09-10"}}, {5, []string{"post_date", "2018-09-01/.."}}, {0, []string{"pre_date", "../2018-01-01"}},
		{1, []string{"area_m2", "700", "model", "bbunet", "filter", "slope_mean_deg = 28"}}, {1, []string{"id", "3"}},
	} {
		require.Equal(t, tt.want, items(t, s, query(tt.pairs...)).NumberMatched, tt.pairs)
	}
}

func TestItemsAreSortedPageByPage(t *testing.T) {
	s := newServer(t)
	for order, want := range map[string][]int64{"-area_m2": {5, 4, 3, 2, 1}, "model,-id": {5, 4, 3, 2, 1}, "+area_m2": {1, 2, 3, 4, 5}, "delta_ndvi_mean,-probability_max": {1, 2, 3, 4, 5}} {
		var got []int64
		for next := query("sortby", order, "limit", "2"); next != ""; {
			doc := items(t, s, next)
			require.Equal(t, 5, doc.NumberMatched)
			for _, f := range doc.Features {
				got = append(got, f.ID)
			}
			next = doc.next()
			require.LessOrEqual(t, len(got), 5)
		}
		require.Equal(t, want, got, order)
	}
	// A token continues nothing but its own list in its own order.
	next := items(t, s, query("sortby", "-area_m2", "limit", "2")).next()
	for _, change := range []string{strings.Replace(next, "sortby=-area_m2", "sortby=area_m2", 1), strings.Replace(next, "run=job-2", "run=job-1", 1), strings.Replace(next, "&sortby=-area_m2", "", 1)} {
		r := s.get(landslides + change)
		require.Equal(t, http.StatusBadRequest, r.StatusCode, change)
		require.Contains(t, text(t, r), "not a token of this list")
	}
}

func TestPropertiesAreChosen(t *testing.T) {
	s := newServer(t)
	var doc struct {
		Features []struct{ Properties map[string]any }
	}
	require.NoError(t, json.Unmarshal([]byte(text(t, s.get(landslides+query("properties", "area_m2,model", "limit", "1")))), &doc))
	require.Equal(t, map[string]any{"area_m2": 500.0, "model": "bbunet"}, doc.Features[0].Properties)
	var one struct{ Properties map[string]any }
	require.NoError(t, json.Unmarshal([]byte(text(t, s.get(landslides+"/2"+query("properties", "")))), &one))
	require.Empty(t, one.Properties)
}

func TestJSONFG(t *testing.T) {
	s := newServer(t)
	for crs, place := range map[string]bool{"": false, "http://www.opengis.net/def/crs/EPSG/0/3857": true} {
		pairs := []string{"f", "jsonfg", "limit", "2"}
		if place {
			pairs = append(pairs, "crs", crs)
		}
		r := s.get(landslides + query(pairs...))
		require.Equal(t, "application/vnd.ogc.fg+json", r.Header.Get("Content-Type"))
		var doc struct {
			ConformsTo               []string
			FeatureType, CoordRefSys string
			NumberMatched            int
			Features                 []struct {
				Time            struct{ Interval [2]string }
				Place, Geometry *struct{ Coordinates [][][2]float64 }
			}
		}
		require.NoError(t, json.Unmarshal([]byte(text(t, r)), &doc))
		require.Contains(t, doc.ConformsTo, "http://www.opengis.net/spec/json-fg-1/1.0/conf/core")
		require.Equal(t, "landslide", doc.FeatureType)
		require.Equal(t, crs, doc.CoordRefSys)
		require.Len(t, doc.Features, 2)
		f := doc.Features[0]
		require.Equal(t, [2]string{"2018-08-06T03:07:59Z", "2018-09-10T03:07:59Z"}, f.Time.Interval)
		require.Equal(t, place, f.Place != nil)
		require.Equal(t, !place, f.Geometry != nil)
	}
	require.Equal(t, "application/vnd.ogc.fg+json", s.get(landslides+"/1", "Accept", "application/vnd.ogc.fg+json").Header.Get("Content-Type"))
}

// Files hold all that is selected, under a name that says of what.
func TestDownloads(t *testing.T) {
	s := newServer(t)
	fetch := func(f string, pairs ...string) []byte {
		t.Helper()
		r := s.get(landslides + query(append(pairs, "f", f)...))
		b, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, r.StatusCode, string(b))
		ending := map[string]string{"geojsonseq": "geojsons"}[f]
		if ending == "" {
			ending = f
		}
		require.Equal(t, `attachment; filename="atsuma-2018_landslides.`+ending+`"`, r.Header.Get("Content-Disposition"))
		return b
	}
	rows, err := csv.NewReader(bytes.NewReader(fetch("csv", "filter", "area_m2 >= 700", "sortby", "-area_m2", "properties", "area_m2"))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, []string{"id", "area_m2", "WKT"}, rows[0])
	require.Equal(t, []string{"5", "900"}, rows[1][:2])
	require.Len(t, rows, 4)
	require.Contains(t, string(fetch("csv", "crs", "http://www.opengis.net/def/crs/EPSG/0/4326", "limit", "1")), "POLYGON((42.7 141.95,")

	lines := strings.Split(strings.TrimSpace(string(fetch("geojsonseq"))), "\n")
	require.Len(t, lines, 5)
	require.True(t, json.Valid([]byte(strings.TrimPrefix(lines[4], "\x1e"))))
	require.Len(t, strings.Split(strings.TrimSpace(string(fetch("geojsonseq", "limit", "2"))), "\n"), 2)

	b := fetch("parquet", "filter", "area_m2 < 700")
	f, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	require.NoError(t, err)
	require.EqualValues(t, 2, f.NumRows())

	path := filepath.Join(t.TempDir(), "all.gpkg")
	require.NoError(t, os.WriteFile(path, fetch("gpkg", "filter", "area_m2 < 700"), 0o644))
	db, err := gpkg.Open(t.Context(), path)
	require.NoError(t, err)
	defer db.Close()
	page, err := db.Landslides(t.Context(), store.Query{Event: "atsuma-2018"})
	require.NoError(t, err)
	require.Len(t, page.Landslides, 2)
	e, err := db.Event(t.Context(), "atsuma-2018")
	require.NoError(t, err)
	require.Empty(t, e.Pre, "where the scenes lie is not given away")
	require.NotEmpty(t, fetch("fgb"))
	require.NotEmpty(t, fetch("gpkg", "filter", "area_m2 < 0"), "nothing is a file too")
	require.NotEmpty(t, fetch("fgb", "filter", "area_m2 < 0"))
	require.NotEmpty(t, fetch("parquet", "filter", "area_m2 < 0"))

	r := s.ask(http.MethodHead, landslides+"?f=gpkg", "")
	require.Equal(t, http.StatusOK, r.StatusCode)
	require.Equal(t, "application/geopackage+sqlite3", r.Header.Get("Content-Type"))
	for accept, want := range map[string]string{"application/geopackage+sqlite3": "application/geopackage+sqlite3", "application/flatgeobuf": "application/flatgeobuf",
		"application/vnd.apache.parquet": "application/vnd.apache.parquet", "text/csv": "text/csv; charset=utf-8; header=present", "application/geo+json-seq": "application/geo+json-seq",
		"*/*": "application/geo+json", "application/json;q=0.5, text/csv;q=0.4": "application/geo+json"} {
		require.Equal(t, want, s.get(landslides, "Accept", accept).Header.Get("Content-Type"), accept)
	}
}

// A list longer than is counted says so by not saying how long it is.
func TestLongListsAreNotCounted(t *testing.T) {
	s := newServer(t)
	require.NoError(t, s.store.Publish(t.Context(), store.Run{ID: "long", Event: "atsuma-2018", Model: "bbunet", Started: ogctest.Day(), Published: ogctest.Day().AddDate(0, 0, 1)},
		ogctest.Landslides(store.CountLimit+1)))
	require.Contains(t, text(t, s.get(landslides+"?limit=1")), `"numberMatched":10001`)
	r := s.get(landslides + "?limit=1&min_area=1")
	require.NotContains(t, text(t, r), "numberMatched")
	require.Contains(t, text(t, s.get(landslides+"?limit=1&min_area=1&f=html")), "of many landslides")
}

// tokens are different in every store.
var tokens = regexp.MustCompile(`after=[A-Za-z0-9_-]+`)

// masked takes out of a document what is different in every test.
func masked(document []byte) []byte { return tokens.ReplaceAll(document, []byte("after=TOKEN")) }
