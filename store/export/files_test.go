package export_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"iter"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/export"
	"github.com/scarp-map/scarp/store/gpkg"
	"github.com/scarp-map/scarp/store/storetest"
)

// stored are three landslides as a store gives them, the last without dates.
func stored() []store.Landslide {
	all := storetest.Landslides(3)
	for i := range all {
		all[i].ID, all[i].Event, all[i].Run, all[i].Model = int64(40+i), "noto", "run", "bbunet"
	}
	all[2].PreDate, all[2].PostDate, all[2].DeltaNDVI = time.Time{}, time.Time{}, nil
	return all
}

func sequence(all []store.Landslide, last error) iter.Seq2[store.Landslide, error] {
	return func(yield func(store.Landslide, error) bool) {
		for _, l := range all {
			if !yield(l, nil) {
				return
			}
		}
		if last != nil {
			yield(store.Landslide{}, last)
		}
	}
}

func TestCSV(t *testing.T) {
	fields := store.Fields()
	fields = fields[:len(fields)-1] // the geometry
	var out bytes.Buffer
	require.NoError(t, export.CSV(&out, fields, nil, sequence(stored(), nil)))
	rows, err := csv.NewReader(&out).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, 4)
	assert.Equal(t, "id", rows[0][0])
	assert.Equal(t, "40", rows[1][0])
	assert.Equal(t, "WKT", rows[0][len(rows[0])-1])
	assert.Equal(t, "POLYGON((137 37,137.005 37,137.005 37.005,137 37.005,137 37))", rows[1][len(rows[1])-1])
	for i, name := range rows[0] {
		switch name {
		case "delta_ndvi_mean", "post_date":
			assert.NotEmpty(t, rows[1][i])
			assert.Empty(t, rows[3][i])
		}
	}
	assert.ErrorIs(t, export.CSV(&out, fields, nil, sequence(stored(), errBroken)), errBroken)
}

func TestGeoParquet(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, export.GeoParquet(&out, sequence(stored(), nil)))
	f, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	text, ok := f.Lookup("geo")
	require.True(t, ok)
	var geo struct {
		Version, Primary_Column string
		Columns                 map[string]struct {
			Encoding string
			BBox     []float64
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &geo))
	assert.Equal(t, "1.1.0", geo.Version)
	assert.Equal(t, "WKB", geo.Columns["geometry"].Encoding)
	assert.InDeltaSlice(t, []float64{137, 37, 137.025, 37.005}, geo.Columns["geometry"].BBox, 1e-9)

	// Every field is a column under its name.
	columns := map[string]bool{}
	for _, c := range f.Root().Columns() {
		columns[c.Name()] = true
	}
	for _, field := range store.Fields() {
		assert.True(t, columns[field.Name], field.Name)
	}
	type row struct {
		ID       int64      `parquet:"id"`
		PostDate *time.Time `parquet:"post_date,optional,timestamp(millisecond)"`
		Geometry []byte     `parquet:"geometry"`
	}
	rows, err := parquet.Read[row](bytes.NewReader(out.Bytes()), int64(out.Len()))
	require.NoError(t, err)
	require.Len(t, rows, 3)
	want := stored()
	for i, r := range rows {
		g, err := wkb.Unmarshal(r.Geometry)
		require.NoError(t, err)
		assert.Equal(t, orb.Geometry(want[i].Geometry), g)
		assert.Equal(t, want[i].ID, r.ID)
	}
	assert.True(t, want[0].PostDate.Equal(*rows[0].PostDate))
	assert.Nil(t, rows[2].PostDate)
	out.Reset()
	require.NoError(t, export.GeoParquet(&out, sequence(nil, nil)), "none at all")
	assert.ErrorIs(t, export.GeoParquet(&out, sequence(stored(), errBroken)), errBroken)
}

func TestGeoPackageAndFlatGeobuf(t *testing.T) {
	folder := t.TempDir()
	geopackage, flat := filepath.Join(folder, "a.gpkg"), filepath.Join(folder, "a.fgb")
	event, run := storetest.Event("noto"), storetest.NewRun("run", "noto", 1)
	require.NoError(t, gpkg.Export(t.Context(), geopackage, event, run, sequence(stored(), nil)))
	require.NoError(t, export.FlatGeobuf(t.Context(), geopackage, flat))
	s, err := gpkg.Open(t.Context(), geopackage)
	require.NoError(t, err)
	page, err := s.Landslides(t.Context(), store.Query{Event: "noto"})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	assert.Equal(t, stored(), page.Landslides, "with their ids")
	if _, err := exec.LookPath("ogrinfo"); err != nil {
		t.Skip("ogrinfo is not installed")
	}
	out, err := exec.Command("ogrinfo", "-ro", "-so", "-al", flat).CombinedOutput()
	require.NoError(t, err, string(out))
	for _, want := range []string{"Feature Count: 3", "Geometry: Polygon", "Extent: (137.000000, 37.000000) - (137.025000, 37.005000)", "WGS 84", "id: Integer64", "area_m2: Real", "post_date: DateTime", "model: String"} {
		assert.Contains(t, string(out), want)
	}
	out, err = exec.Command("ogrinfo", "-ro", "-so", geopackage, "latest_landslides").CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "Feature Count: 3")
	assert.True(t, errors.Is(gpkg.Export(t.Context(), filepath.Join(folder, "b.gpkg"), event, run, sequence(stored(), errBroken)), errBroken))
}
