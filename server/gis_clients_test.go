package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// GDAL's OAPIF driver reads, page by page, the polygons that the server's
// store holds, which GDAL's GeoPackage driver reads from the file itself.
func TestGDALReadsTheSameFeaturesAsTheStore(t *testing.T) {
	url := shared(t)
	ogr2ogr := tool(t, "ogr2ogr", "--version")
	type landslides struct {
		Features []struct {
			Geometry   json.RawMessage
			Properties map[string]any
		}
	}
	read := func(source, layer string, options ...string) (map[string]string, int) {
		name := filepath.Join(t.TempDir(), "out.geojson")
		runTool(t, 2*time.Minute, ogr2ogr, append([]string{"-f", "GeoJSON", "-t_srs", "OGC:CRS84", "-lco", "COORDINATE_PRECISION=6", name, source, layer}, options...)...)
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		var doc landslides
		require.NoError(t, json.Unmarshal(text, &doc))
		out := map[string]string{}
		for _, f := range doc.Features {
			out[fmt.Sprintf("%.3f %.6f", f.Properties["area_m2"], f.Properties["probability_max"])] = string(f.Geometry)
		}
		return out, len(doc.Features)
	}
	served, count := read("OAPIF:"+url, eventID+"_landslides", "-oo", "PAGE_SIZE=7")
	stored, _ := read(filepath.Join(sharedServer.folder, "scarp.gpkg"), "landslides", "-where", "event = '"+eventID+"'")
	var all struct{ NumberMatched int }
	_, text := send(t, "GET", url+"/collections/"+eventID+"_landslides/items?limit=1", "")
	require.NoError(t, json.Unmarshal(text, &all))
	require.Positive(t, all.NumberMatched)
	require.Equal(t, all.NumberMatched, count, "all pages were read")
	for key, geometry := range served {
		assert.JSONEq(t, stored[key], geometry, key)
	}
}

// GDAL's OGCAPI driver reads the pixels of the map that the server draws.
func TestGDALReadsTheSameMapThroughOGCAPI(t *testing.T) {
	url := shared(t)
	gdalinfo, translate := tool(t, "gdalinfo", "--version"), tool(t, "gdal_translate", "--version")
	mean := func(source string, options ...string) float64 {
		name := filepath.Join(t.TempDir(), "map.tif")
		runTool(t, 2*time.Minute, translate, append(append([]string{"-q", "-b", "1"}, options...), source, name)...)
		found := regexp.MustCompile(`STATISTICS_MEAN=([0-9.]+)`).FindSubmatch(runTool(t, time.Minute, gdalinfo, "-stats", name))
		require.NotNil(t, found)
		v, err := strconv.ParseFloat(string(found[1]), 64)
		require.NoError(t, err)
		return v
	}
	collection := url + "/collections/" + eventID + "_post"
	drawn := filepath.Join(t.TempDir(), "drawn.png")
	_, picture := send(t, "GET", collection+"/map?f=png&width=256&height=256", "")
	require.NoError(t, os.WriteFile(drawn, picture, 0o644))
	got := mean("OGCAPI:"+collection, "-outsize", "256", "256", "-oo", "API=MAP", "-oo", "CACHE=NO")
	assert.InDelta(t, mean(drawn), got, 2, "mean of the first band, of 255")
}

// QGIS itself, where it is installed: it is too large to install for a test.
func TestQGIS(t *testing.T) {
	url := shared(t)
	const python = "/usr/bin/python3"
	if err := exec.CommandContext(t.Context(), python, "-c", "import qgis.core").Run(); err != nil {
		t.Skip("QGIS's Python module is not installed (python3-qgis)")
	}
	t.Setenv("QT_QPA_PLATFORM", "offscreen")
	t.Setenv("HOME", t.TempDir())
	t.Logf("%s", runTool(t, 5*time.Minute, python, "testdata/qgis_client.py", url, eventID))
}
