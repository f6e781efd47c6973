package export_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/export"
	"github.com/scarp-map/scarp/store/gpkg"
	"github.com/scarp-map/scarp/store/storetest"
)

func TestGeoJSON(t *testing.T) {
	clockwise := storetest.Landslide(orb.Polygon{
		{{137, 37}, {137, 38}, {138, 38}, {138, 37}, {137, 37}},
		{{137.2, 37.2}, {137.4, 37.2}, {137.4, 37.400000000001}, {137.2, 37.2}},
	})
	clockwise.ID, clockwise.Event, clockwise.Run = 7, "noto", "run"
	kept := clockwise.Geometry.Clone()
	unstored := storetest.Landslides(1)[0]
	unstored.DeltaNDVI = nil
	var out bytes.Buffer
	require.NoError(t, export.GeoJSON(&out, []store.Landslide{clockwise, unstored}))
	assert.Equal(t, kept, clockwise.Geometry, "the caller's rings stay as they were")

	collection, err := geojson.UnmarshalFeatureCollection(out.Bytes())
	require.NoError(t, err)
	require.Len(t, collection.Features, 2)
	first := collection.Features[0]
	assert.EqualValues(t, 7, first.ID)
	polygon := first.Geometry.(orb.Polygon)
	assert.Equal(t, orb.CCW, polygon[0].Orientation())
	assert.Equal(t, orb.CW, polygon[1].Orientation())
	assert.Contains(t, out.String(), "[137.4,37.4]")
	assert.Equal(t, "noto", first.Properties["event"])
	assert.Equal(t, 1234.5, first.Properties["area_m2"])
	assert.NotContains(t, first.Properties, "id")
	assert.Nil(t, collection.Features[1].ID)
	assert.Contains(t, collection.Features[1].Properties, "delta_ndvi_mean")
	assert.Nil(t, collection.Features[1].Properties["delta_ndvi_mean"])

	out.Reset()
	require.NoError(t, export.GeoJSON(&out, nil))
	assert.JSONEq(t, `{"type":"FeatureCollection","features":[]}`, out.String())
	assert.ErrorIs(t, export.GeoJSON(broken{}, nil), errBroken)
}

var errBroken = errors.New("pipe broken")

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestGeoPackage(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "out.gpkg")
	event, run := storetest.Event("noto"), storetest.NewRun("run", "noto", 1)
	require.NoError(t, os.WriteFile(path, []byte("an older result"), 0o600))
	require.NoError(t, export.GeoPackage(t.Context(), path, event, run, storetest.Landslides(12)))
	entries, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "one file, nothing beside it")

	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.NotContains(t, string(content), "pre.tif", "where the scenes lie is nobody's business")

	if _, err := exec.LookPath("ogrinfo"); err == nil {
		out, err := exec.CommandContext(t.Context(), "ogrinfo", "-ro", "-al", "-so", path).CombinedOutput()
		require.NoError(t, err, string(out))
		assert.Contains(t, string(out), "Feature Count: 12")
		assert.NotContains(t, string(out), "Warning")
	}
	s, err := gpkg.Open(t.Context(), path)
	require.NoError(t, err)
	page, err := s.Landslides(t.Context(), store.Query{Event: "noto"})
	require.NoError(t, err)
	assert.Equal(t, 12, page.Matched)
	require.FileExists(t, path+"-wal")
	assert.ErrorContains(t, export.GeoPackage(t.Context(), path, event, run, nil), "has the file open")
	require.NoError(t, s.Close())

	bad := storetest.Landslides(2)
	bad[1].Geometry = nil
	assert.ErrorIs(t, export.GeoPackage(t.Context(), path, event, run, bad), store.ErrInvalid)
	after, err := gpkg.Open(t.Context(), path)
	require.NoError(t, err, "a failed export leaves the old file")
	require.NoError(t, after.Close())
}

func TestFeatureRoundTripsThroughJSON(t *testing.T) {
	l := storetest.Landslides(1)[0]
	l.ID = 3
	text, err := json.Marshal(export.NewFeature(l))
	require.NoError(t, err)
	f, err := geojson.UnmarshalFeature(text)
	require.NoError(t, err)
	assert.Equal(t, orb.Geometry(l.Geometry), f.Geometry)
}
