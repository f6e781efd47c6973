package ogc_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// layer reads a layer with ogr2ogr and returns the features' areas in ascending order.
func layer(t *testing.T, from string, args ...string) []float64 {
	t.Helper()
	out := filepath.Join(t.TempDir(), "out.geojson")
	program(t, "ogr2ogr", append([]string{"-f", "GeoJSON", out, from}, args...)...)
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	var doc struct {
		Features []struct {
			Properties map[string]any
			Geometry   struct{ Coordinates [][][2]float64 }
		}
	}
	require.NoError(t, json.Unmarshal(text, &doc))
	var got []float64
	for _, f := range doc.Features {
		area, _ := f.Properties["area_m2"].(float64)
		got = append(got, area)
		require.InDelta(t, 141.95+0.001*(area-500)/100, f.Geometry.Coordinates[0][0][0], 1e-6, "%s: the outline of the landslide of %v m²", from, area)
		require.Equal(t, "job-2", f.Properties["run"])
	}
	slices.Sort(got)
	return got
}

// GDAL pages through features, and asks for those of a box or a value.
func TestGDALSelectsFeatures(t *testing.T) {
	server := listen(t)
	source, name := "OAPIF:"+server, "atsuma-2018_landslides"
	all := []float64{500, 600, 700, 800, 900}
	require.Equal(t, all, layer(t, source, name, "-oo", "PAGE_SIZE=2"))
	require.Equal(t, []float64{500, 600}, layer(t, source, name, "-spat", "141.9495", "42.6", "141.9515", "42.8"))
	require.Equal(t, []float64{700}, layer(t, source, name, "-where", "area_m2 = 700"))
	require.Equal(t, []float64{800, 900}, layer(t, source, name, "-where", "area_m2 > 700"))
}

// Files are what the store has, to programs that did not come with Scarp.
func TestGDALReadsFiles(t *testing.T) {
	server := listen(t)
	for format, options := range map[string][]string{
		"fgb": nil, "gpkg": {"latest_landslides"}, "csv": {"-oo", "AUTODETECT_TYPE=YES"}, "geojsonseq": nil, "geojson": nil,
	} {
		target := server + "/collections/atsuma-2018_landslides/items?" + url.Values{"f": {format}, "filter": {"area_m2 >= 700 AND S_INTERSECTS(geometry, BBOX(141, 42, 142, 43))"}}.Encode()
		r, err := http.Get(target)
		require.NoError(t, err)
		defer r.Body.Close()
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, r.StatusCode, string(body))
		ending := map[string]string{"geojsonseq": "geojsons"}[format]
		if ending == "" {
			ending = format
		}
		path := filepath.Join(t.TempDir(), "landslides."+ending)
		require.NoError(t, os.WriteFile(path, body, 0o644))
		got := layer(t, path, options...)
		require.Equal(t, []float64{700, 800, 900}, got, format)
	}
}
