package server_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/paulmach/orb/maptile"
	"github.com/paulmach/orb/planar"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// landslidesOf reads all landslides of the event, or of an address with GeoJSON, by id.
func landslidesOf(t *testing.T, url string) map[int64]*geojson.Feature {
	t.Helper()
	answer, text := send(t, "GET", url, "")
	require.Equal(t, 200, answer.StatusCode, "%s", text)
	require.Equal(t, "application/geo+json", answer.Header.Get("Content-Type"))
	c, err := geojson.UnmarshalFeatureCollection(text)
	require.NoError(t, err)
	require.NotEmpty(t, c.Features)
	out := map[int64]*geojson.Feature{}
	for _, f := range c.Features {
		out[int64(f.ID.(float64))] = f
	}
	return out
}

// pyarrow, which shares no code with what writes the files, reads from GeoParquet
// the landslides that the server lists, and where they are from its metadata.
func TestPyArrowReadsTheGeoParquet(t *testing.T) {
	url := shared(t)
	python := tool(t, cmp.Or(os.Getenv("SCARP_TEST_PYTHON"), "/usr/bin/python3"), "-c", "import pyarrow.parquet")
	items := url + "/collections/" + eventID + "_landslides/items"
	answer, data := send(t, "GET", items+"?f=parquet", "")
	require.Equal(t, 200, answer.StatusCode, "%.300s", data)
	file := filepath.Join(t.TempDir(), "landslides.parquet")
	require.NoError(t, os.WriteFile(file, data, 0o644))
	var read struct {
		Geo struct {
			Version       string
			PrimaryColumn string `json:"primary_column"`
			Columns       map[string]struct {
				Encoding      string
				GeometryTypes []string `json:"geometry_types"`
				CRS           json.RawMessage
				BBox          [4]float64
				Covering      struct{ BBox map[string][]string }
			}
		}
		Rows     int
		Types    map[string]string
		Area     float64
		Models   []string
		Outlines map[string]orb.Polygon
	}
	require.NoError(t, json.Unmarshal(lastLine(runTool(t, time.Minute, python, "testdata/pyarrow_client.py", file)), &read))

	want := landslidesOf(t, items+"?limit=10000")
	assert.Equal(t, len(want), read.Rows)
	area, models, extent := 0.0, map[any]bool{}, orb.Bound{Min: orb.Point{180, 90}, Max: orb.Point{-180, -90}}
	for id, f := range want {
		area += f.Properties["area_m2"].(float64)
		models[f.Properties["model"]] = true
		extent = extent.Union(f.Geometry.Bound())
		assert.Equal(t, f.Geometry, read.Outlines[strconv.FormatInt(id, 10)], "landslide %d", id)
	}
	assert.InEpsilon(t, area, read.Area, 1e-9)
	assert.Len(t, read.Models, len(models))
	assert.Equal(t, "double", read.Types["area_m2"])
	assert.Equal(t, "bool", read.Types["cloud_adjacent"])
	assert.Contains(t, read.Types["post_date"], "timestamp[ms")

	geometry := read.Geo.Columns[read.Geo.PrimaryColumn]
	assert.Equal(t, "1.1.0", read.Geo.Version)
	assert.Equal(t, "WKB", geometry.Encoding)
	assert.Equal(t, []string{"Polygon"}, geometry.GeometryTypes)
	assert.Empty(t, geometry.CRS, "without a crs it is longitude and latitude")
	assert.Equal(t, [4]float64{extent.Min[0], extent.Min[1], extent.Max[0], extent.Max[1]}, geometry.BBox)
	assert.Equal(t, []string{"bbox", "xmin"}, geometry.Covering.BBox["xmin"])
}

// GDAL's MVT driver finds in a tile the landslides that the same tile has as
// GeoJSON, with their attributes and at their places.
func TestGDALReadsTheVectorTile(t *testing.T) {
	url := shared(t)
	ogrinfo := tool(t, "ogrinfo", "--version")
	z, row, col := tileOfAll(t, url)
	want, file := vectorTile(t, url, z, row, col)
	list := runTool(t, time.Minute, ogrinfo, "-ro", "-so", "-al", "MVT:"+file)
	assert.Contains(t, string(list), "Layer name: landslides")
	assert.Contains(t, string(list), fmt.Sprintf("Feature Count: %d\n", len(want)), "nothing is beside a tile that holds the whole event")

	// Close up, a Mapbox vector tile has some from beside it, and outlines end there.
	const near = 13
	row, col = middleOf(t, url, near)
	want, file = vectorTile(t, url, near, row, col)
	read := readVectorTile(t, file, near, row, col)
	t.Logf("%d landslides in tile %d/%d/%d", len(want), near, row, col)
	pixel := 360 / float64(int(256)<<near)
	tile := maptile.New(uint32(col), uint32(row), near).Bound()
	whole := 0
	for id, w := range want {
		got := read[id]
		require.NotNil(t, got, "landslide %d", id)
		for name, value := range w.Properties {
			if number, ok := value.(float64); ok { // ogr2ogr writes 15 digits
				assert.InEpsilon(t, number+1, got.Properties[name].(float64)+1, 1e-12, name)
				continue
			}
			assert.Equal(t, value, got.Properties[name], name)
		}
		if b := w.Geometry.Bound(); !tile.Contains(b.Min) || !tile.Contains(b.Max) {
			continue
		}
		whole++
		at, area := planar.CentroidArea(w.Geometry)
		there, same := planar.CentroidArea(got.Geometry)
		assert.InDelta(t, at[0], there[0], pixel/8)
		assert.InDelta(t, at[1], there[1], pixel/8)
		assert.InEpsilon(t, math.Abs(area), math.Abs(same), 0.1, "landslide %d", id)
	}
	assert.Positive(t, whole)
	for id, got := range read {
		if slices.ContainsFunc(got.Geometry.(orb.Polygon)[0], tile.Pad(-pixel/8).Contains) {
			assert.Contains(t, want, id, "it has a corner in the tile")
		}
	}
}

// vectorTile fetches a tile as GeoJSON and as a file of a Mapbox vector tile.
func vectorTile(t *testing.T, url string, z, row, col int) (landslides map[int64]*geojson.Feature, file string) {
	t.Helper()
	tile := fmt.Sprintf("%s/collections/%s_landslides/tiles/WebMercatorQuad/%d/%d/%d", url, eventID, z, row, col)
	answer, data := send(t, "GET", tile+"?f=mvt", "")
	require.Equal(t, 200, answer.StatusCode, "%.300s", data)
	file = filepath.Join(t.TempDir(), "tile.mvt")
	require.NoError(t, os.WriteFile(file, data, 0o644))
	return landslidesOf(t, tile+"?f=geojson"), file
}

// readVectorTile reads a Mapbox vector tile with GDAL, in degrees.
func readVectorTile(t *testing.T, file string, z, row, col int) map[int64]*geojson.Feature {
	t.Helper()
	ogr2ogr := tool(t, "ogr2ogr", "--version")
	converted := filepath.Join(t.TempDir(), "tile.geojson")
	runTool(t, time.Minute, ogr2ogr, "-oo", fmt.Sprintf("Z=%d", z), "-oo", fmt.Sprintf("Y=%d", row), "-oo", fmt.Sprintf("X=%d", col), "-oo", "CLIP=NO",
		"-f", "GeoJSON", "-t_srs", "OGC:CRS84", converted, "MVT:"+file, "landslides")
	text, err := os.ReadFile(converted)
	require.NoError(t, err)
	c, err := geojson.UnmarshalFeatureCollection(text)
	require.NoError(t, err)
	out := map[int64]*geojson.Feature{}
	for _, f := range c.Features {
		out[int64(f.Properties["id"].(float64))] = f
	}
	require.Len(t, out, len(c.Features))
	return out
}

// tileOfAll finds the finest WebMercatorQuad tile that holds the whole event.
func tileOfAll(t *testing.T, url string) (z, row, col int) {
	t.Helper()
	for _, l := range decode(t, url+"/collections/"+eventID+"_landslides/tiles/WebMercatorQuad")["tileMatrixSetLimits"].([]any) {
		limits := l.(map[string]any)
		if limits["minTileRow"] != limits["maxTileRow"] || limits["minTileCol"] != limits["maxTileCol"] {
			break
		}
		var err error
		z, err = strconv.Atoi(limits["tileMatrix"].(string))
		require.NoError(t, err)
		row, col = int(limits["minTileRow"].(float64)), int(limits["minTileCol"].(float64))
	}
	require.Positive(t, z)
	return z, row, col
}
