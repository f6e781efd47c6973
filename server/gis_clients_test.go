package server_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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

// window is what of a raster is read and compared: the second block of its
// first row, which GDAL asks for in one request.
const window = 256

// ogcapiWindow opens a collection with GDAL's OGCAPI driver. It returns how to
// read the window, and the window's box in longitude and latitude.
func ogcapiWindow(t *testing.T, url, collection string, options ...string) (arguments []string, box string) {
	t.Helper()
	source := "OGCAPI:" + url + "/collections/" + collection
	arguments = []string{"-oo", "CACHE=NO"}
	for _, o := range options {
		arguments = append(arguments, "-oo", o)
	}
	var info struct{ Size [2]int }
	require.NoError(t, json.Unmarshal(runTool(t, time.Minute, tool(t, "gdalinfo", "--version"), append([]string{"-json", source}, arguments...)...), &info))
	b := bounds(t, url)
	dx, dy := (b[2]-b[0])/float64(info.Size[0]), (b[3]-b[1])/float64(info.Size[1])
	metres := dy * 111319.49
	require.InDelta(t, 10, metres, 0.5, "a pixel is about one of the imagery")
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	box = number(b[0]+window*dx) + "," + number(b[3]-window*dy) + "," + number(b[0]+2*window*dx) + "," + number(b[3])
	side := strconv.Itoa(window)
	return append(arguments, "-srcwin", side, "0", side, side, source), box
}

// GDAL's OGCAPI driver reads the pixels of the map that the server draws.
func TestGDALReadsTheSameMapThroughOGCAPI(t *testing.T) {
	url := shared(t)
	arguments, box := ogcapiWindow(t, url, eventID+"_post", "API=MAP")
	picture := filepath.Join(t.TempDir(), "map.png")
	runTool(t, 2*time.Minute, tool(t, "gdal_translate", "--version"), append(append([]string{"-q", "-of", "PNG"}, arguments...), picture)...)
	got, err := os.ReadFile(picture)
	require.NoError(t, err)
	answer, want := send(t, "GET", fmt.Sprintf("%s/collections/%s_post/map?f=png&bbox=%s&width=%d&height=%[4]d", url, eventID, box, window), "")
	require.Equal(t, 200, answer.StatusCode, "%s", want)
	assertSameColours(t, readPNG(t, want), readPNG(t, got))
}

// GDAL's OGCAPI driver takes the coverage where there is one, and reads the
// numbers that the server answers with.
func TestGDALReadsTheSameCoverageThroughOGCAPI(t *testing.T) {
	url := shared(t)
	for _, layer := range []string{"probability", "mask"} {
		for _, options := range [][]string{{"API=COVERAGE"}, nil} {
			arguments, box := ogcapiWindow(t, url, eventID+"_"+layer, options...)
			answer, want := send(t, "GET", fmt.Sprintf("%s/collections/%s_%s/coverage?crs=OGC:CRS84&bbox=%s&width=%d&height=%[5]d", url, eventID, layer, box, window), "")
			require.Equal(t, 200, answer.StatusCode, "%s", want)
			require.Empty(t, answer.Header.Get("Scarp-Complete"))
			file := filepath.Join(t.TempDir(), "window.tif")
			require.NoError(t, os.WriteFile(file, want, 0o644))
			assertSamePixels(t, pixels(t, file), pixels(t, arguments[len(arguments)-1], arguments[:len(arguments)-1]...))
		}
	}
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
