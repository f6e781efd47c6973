package analysis_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/airbusgeo/godal"
	"github.com/paulmach/orb"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/jobs/analysis"
	"github.com/scarp-map/scarp/jobs/geodesic"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/gpkg"
)

// sources has an event whose run has one landslide, and files in a folder that clients may name.
func sources(t *testing.T) (analysis.Sources, string) {
	t.Helper()
	dir := t.TempDir()
	db, err := gpkg.Open(t.Context(), filepath.Join(t.TempDir(), "scarp.gpkg"))
	require.NoError(t, err)
	t.Cleanup(func() { db.Close() })
	for _, id := range []string{"quake", "unmapped"} {
		require.NoError(t, db.PutEvent(t.Context(), imagery.Event{ID: id, Trigger: imagery.Trigger{Time: time.Unix(1e9, 0), Type: "earthquake"},
			Pre: []imagery.Scene{{Path: "a.tif"}}, Post: []imagery.Scene{{Path: "b.tif"}}, DEM: "d.tif"}))
	}
	require.NoError(t, db.Publish(t.Context(), store.Run{ID: "run-1", Event: "quake", Published: time.Unix(1e9, 0)}, []store.Landslide{{Geometry: square(10, 45, 0.01), Area: 1}}))
	o := imagery.Options{Base: dir, Allow: []string{dir}}
	return analysis.Sources{Store: db, Locate: o.Locate}, dir
}

func square(lon, lat, side float64) orb.Polygon {
	return orb.Polygon{{{lon, lat}, {lon + side, lat}, {lon + side, lat + side}, {lon, lat + side}, {lon, lat}}}
}

// collection makes GeoJSON of geometries, with their position as id and name.
func collection(geometries ...string) string {
	var features []string
	for i, g := range geometries {
		features = append(features, fmt.Sprintf(`{"type":"Feature","id":%d,"properties":{"name":"n%d"},"geometry":%s}`, i+1, i+1, g))
	}
	return `{"type":"FeatureCollection","features":[` + strings.Join(features, ",") + `]}`
}

func box(w, s, e, n float64) string {
	return fmt.Sprintf(`{"type":"Polygon","coordinates":[[[%g,%g],[%g,%g],[%g,%g],[%g,%g],[%g,%g]]]}`, w, s, e, s, e, n, w, n, w, s)
}

func line(coordinates string) string {
	return `{"type":"LineString","coordinates":[` + coordinates + `]}`
}

// do carries a process out and returns its outputs.
func do(t *testing.T, p jobs.Process, inputs string) (map[jobs.Output]string, error) {
	t.Helper()
	if err := p.Check(t.Context(), json.RawMessage(inputs)); err != nil {
		return nil, err
	}
	out := map[jobs.Output]string{}
	w := &jobs.Work{Job: "job", Inputs: json.RawMessage(inputs), Dir: t.TempDir(), Step: func(ctx context.Context, _ int, _ string) error { return ctx.Err() },
		Create: func(_ context.Context, k jobs.Kept) (io.WriteCloser, error) { return &output{id: k.ID, to: out}, nil }}
	err := p.Run(t.Context(), w)
	return out, err
}

type output struct {
	bytes.Buffer
	id jobs.Output
	to map[jobs.Output]string
}

func (o *output) Close() error { o.to[o.id] = o.String(); return nil }

func read[T any](t *testing.T, text string) (v T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &v), text)
	return v
}

type features struct {
	Features []struct {
		ID         any
		Geometry   struct{ Type string }
		Properties map[string]any
	}
}

func TestImpact(t *testing.T) {
	s, _ := sources(t)
	exposed := collection(
		line(`[9.99,45.005],[10.03,45.005]`), // crosses both landslides
		line(`[9.9,44.9],[9.95,44.9]`),       // misses
		box(10.008, 45.008, 10.012, 45.012),  // a quarter is hit
		`{"type":"Point","coordinates":[10.005,45.005]}`,
		`{"type":"Point","coordinates":[10.015,45.005]}`,
		`null`,
		line(`[10.01,45.02],[10.01,45.0],[10.01,44.9]`), // runs along an edge
	)
	landslides := collection(box(10, 45, 10.01, 45.01), box(10.02, 45, 10.025, 45.01))
	units := collection(box(9, 44, 10.005, 46), box(10.005, 44, 11, 46))
	out, err := do(t, analysis.Impact(s), `{"landslides":`+landslides+`,"exposed":`+exposed+`,"adminUnits":`+units+`}`)
	require.NoError(t, err)
	r := read[analysis.ImpactResult](t, out[analysis.ImpactSummary])
	require.Equal(t, 2, r.Landslides)
	require.Equal(t, 7, r.Exposed)
	require.Equal(t, 1, r.WithoutShape)
	along := geodesic.Length(orb.LineString{{10, 45.005}, {10.01, 45.005}}) * 1.5
	edge := geodesic.Length(orb.LineString{{10.01, 45.01}, {10.01, 45}})
	require.Equal(t, 3, r.Lines.Features)
	require.Equal(t, 2, r.Lines.Hit)
	require.Equal(t, 3, r.Lines.Segments)
	require.InDelta(t, along+edge, r.Lines.BlockedLength, 0.05)
	require.Equal(t, 1, r.Polygons.Hit)
	quarter := geodesic.Area(square(10.008, 45.008, 0.002))
	require.InDelta(t, quarter, r.Polygons.HitArea, 0.05)
	require.Equal(t, analysis.PointImpact{Features: 2, Hit: 1}, r.Points)

	// The parts of the units add up to the whole.
	require.Len(t, r.Units, 2)
	require.Equal(t, "n1", r.Units[0].Name)
	require.InDelta(t, r.Lines.BlockedLength, r.Units[0].BlockedLength+r.Units[1].BlockedLength, 0.05)
	require.InDelta(t, r.LandslideArea, r.Units[0].LandslideArea+r.Units[1].LandslideArea, 0.5)
	require.Equal(t, 1, r.Units[0].Landslides)
	require.Equal(t, 2, r.Units[1].Landslides)
	require.Equal(t, 0, r.OutsideOfUnits.LinesHit)
	require.Equal(t, 3, len(strings.Split(strings.TrimSpace(out[analysis.ImpactTable]), "\n"))-1, "two units and what is outside")

	hit := read[features](t, out[analysis.ImpactHit])
	require.Len(t, hit.Features, 4)
	require.Equal(t, "MultiLineString", hit.Features[0].Geometry.Type)
	require.Equal(t, "n1", hit.Features[0].Properties["name"])
	require.Equal(t, []any{1.0, 2.0}, hit.Features[0].Properties["impact_landslides"])
	require.InDelta(t, 0.25, hit.Features[1].Properties["impact_hit_share"], 0.01)
}

// Where landslides overlap, what they hit counts once.
func TestOverlapsCountOnce(t *testing.T) {
	s, _ := sources(t)
	out, err := do(t, analysis.Impact(s), `{"landslides":`+collection(box(10, 45, 10.02, 45.01), box(10.01, 45, 10.03, 45.01))+
		`,"exposed":`+collection(line(`[9.99,45.005],[10.04,45.005]`), box(10, 45, 10.03, 45.01))+`}`)
	require.NoError(t, err)
	r := read[analysis.ImpactResult](t, out[analysis.ImpactSummary])
	require.InDelta(t, geodesic.Length(orb.LineString{{10, 45.005}, {10.03, 45.005}}), r.Lines.BlockedLength, 0.05)
	require.Equal(t, 1, r.Lines.Segments)
	require.InDelta(t, r.Polygons.Area, r.Polygons.HitArea, 1)
	require.Contains(t, out[analysis.ImpactTable], "everywhere,2,")
}

// What runs along the border of two units counts in one of them.
func TestBordersCountOnce(t *testing.T) {
	s, _ := sources(t)
	out, err := do(t, analysis.Impact(s), `{"landslides":`+collection(box(10, 45, 10.02, 45.02))+`,"exposed":`+collection(line(`[10.01,44.99],[10.01,45.03]`), `{"type":"Point","coordinates":[10.01,45.01]}`)+
		`,"adminUnits":`+collection(box(10, 44, 10.01, 45.01), box(10.01, 44, 11, 45.01))+`}`)
	require.NoError(t, err)
	r := read[analysis.ImpactResult](t, out[analysis.ImpactSummary])
	require.InDelta(t, r.Lines.BlockedLength/2, r.Units[0].BlockedLength, 0.5)
	require.Zero(t, r.Units[1].BlockedLength)
	require.InDelta(t, r.Lines.BlockedLength/2, r.OutsideOfUnits.BlockedLength, 0.5)
	require.Equal(t, 1, r.Units[0].PointsHit+r.Units[1].PointsHit+r.OutsideOfUnits.PointsHit)
}

// Collections, files and GeoJSON give the same, whatever the format and CRS.
func TestSources(t *testing.T) {
	s, dir := sources(t)
	roads := collection(line(`[9.99,45.005],[10.03,45.005]`))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "roads.geojson"), []byte(roads), 0o600))
	require.NoError(t, godal.RegisterVector(godal.GeoJSON, godal.GeoPackage, godal.Shapefile, "FlatGeobuf"))
	ds, err := godal.Open(filepath.Join(dir, "roads.geojson"), godal.VectorOnly())
	require.NoError(t, err)
	defer ds.Close()
	for name, switches := range map[string][]string{
		"roads.gpkg": {"-f", "GPKG", "-t_srs", "EPSG:32632", "-dim", "XYZ"},
		"roads.fgb":  {"-f", "FlatGeobuf"},
		"roads.shp":  {"-f", "ESRI Shapefile", "-t_srs", "EPSG:3857"},
	} {
		made, err := ds.VectorTranslate(filepath.Join(dir, name), switches)
		require.NoError(t, err, name)
		require.NoError(t, made.Close())
	}
	want := geodesic.Length(orb.LineString{{10, 45.005}, {10.01, 45.005}})
	for _, exposed := range []string{roads, `{"href":"roads.geojson"}`, `{"href":"roads.gpkg","layer":"roads"}`, `{"href":"roads.fgb"}`, `{"href":"roads.shp"}`,
		`{"type":"Feature","properties":null,"geometry":` + line(`[9.99,45.005],[10.03,45.005]`) + `}`, line(`[9.99,45.005],[10.03,45.005]`)} {
		for _, landslides := range []string{`{"collection":"quake_landslides"}`, `{"collection":"quake_landslides","run":"run-1"}`} {
			out, err := do(t, analysis.Impact(s), `{"landslides":`+landslides+`,"exposed":`+exposed+`}`)
			require.NoError(t, err, exposed)
			require.InDelta(t, want, read[analysis.ImpactResult](t, out[analysis.ImpactSummary]).Lines.BlockedLength, 0.05, exposed)
		}
	}
}

func TestBadInputs(t *testing.T) {
	s, dir := sources(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "broken.gpkg"), []byte("no database"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vrt.vrt"), []byte(`<OGRVRTDataSource><OGRVRTLayer name="x"><SrcDataSource>/etc/passwd</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>`), 0o600))
	good := collection(box(10, 45, 10.01, 45.01))
	for name, tt := range map[string]struct{ landslides, exposed, says string }{
		"no form":            {`{}`, good, "landslides: expected GeoJSON"},
		"no such collection": {`{"collection":"nowhere_landslides"}`, good, `no collection "nowhere_landslides"`},
		"raster collection":  {`{"collection":"quake_mask"}`, good, "no landslides"},
		"no such run":        {`{"collection":"quake_landslides","run":"run-9"}`, good, `no run "run-9"`},
		"run of another":     {`{"collection":"unmapped_landslides","run":"run-1"}`, good, "no run"},
		"not mapped":         {`{"collection":"unmapped_landslides"}`, good, "has not been mapped yet"},
		"forbidden":          {good, `{"href":"/etc/passwd"}`, "not in an allowed place"},
		"virtual":            {good, `{"href":"/vsicurl/http://169.254.169.254/x.gpkg"}`, "virtual file systems"},
		"forbidden URL":      {good, `{"href":"https://elsewhere.test/x.geojson"}`, "not in an allowed place"},
		"absent":             {good, `{"href":"absent.gpkg"}`, "no such file"},
		"broken":             {good, `{"href":"broken.gpkg"}`, "expected GeoJSON, a GeoPackage"},
		"virtual format":     {good, `{"href":"vrt.vrt"}`, "expected GeoJSON, a GeoPackage"},
		"lines as slides":    {collection(line(`[1,2],[2,3]`)), good, "polygons are needed"},
		"open ring":          {`{"type":"Polygon","coordinates":[[[1,2],[2,2],[2,3],[1,3]]]}`, good, "not closed"},
		"not degrees":        {good, collection(line(`[500000,4500000],[500010,4500000]`)), "no longitudes and latitudes"},
		"crs fetched":        {good, `{"type":"FeatureCollection","crs":{"type":"link","properties":{"href":"http://169.254.169.254/","type":"proj4"}},"features":[]}`, "crs of its own"},
		"crs named":          {good, `{"type":"FeatureCollection","features":[],"crs":{"type":"name","properties":{"name":"EPSG:32632"}}}`, "reproject"},
		"no features":        {good, `{"type":"FeatureCollection"}`, "without features"},
		"features are not":   {good, `{"type":"FeatureCollection","features":{}}`, "must be an array"},
		"no feature":         {good, `{"type":"FeatureCollection","features":[{"type":"Point","coordinates":[1,2]}]}`, "instead of Feature"},
		"no geometry":        {good, `{"type":"Sphere"}`, "not GeoJSON"},
		"geometries":         {good, `{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2]}]}`, "can be assessed"},
		"layer":              {good, `{"href":"broken.gpkg","layer":"x"}`, "broken.gpkg"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := do(t, analysis.Impact(s), `{"landslides":`+tt.landslides+`,"exposed":`+tt.exposed+`}`)
			require.ErrorIs(t, err, jobs.ErrBadSpec)
			require.ErrorContains(t, err, tt.says)
		})
	}
}

func TestCompare(t *testing.T) {
	s, _ := sources(t)
	mapped := collection(box(10, 45, 10.01, 45.01), box(10.1, 45, 10.11, 45.01), box(10.2, 45, 10.21, 45.01))
	reference := collection(box(10, 45, 10.01, 45.008), box(10.109, 45, 10.12, 45.01), box(10.3, 45, 10.31, 45.01))
	out, err := do(t, analysis.Compare(s), `{"mapped":`+mapped+`,"reference":`+reference+`}`)
	require.NoError(t, err)
	r := read[analysis.CompareResult](t, out[analysis.CompareSummary])
	require.Contains(t, r.Rule, "at least 50 % of its area")
	require.Equal(t, 1, r.Objects.Matched)
	require.Equal(t, 2, r.Objects.False)
	require.Equal(t, 1, r.Objects.Found)
	require.Equal(t, 2, r.Objects.Missed)
	require.InDelta(t, 1.0/3, *r.Objects.F1, 1e-9)
	require.InDelta(t, 3*geodesic.Area(square(10, 45, 0.01)), r.ByArea.Mapped, 5, "areas are true")
	require.InDelta(t, 0.9/3, *r.ByArea.Precision, 1e-3)
	require.InDelta(t, 0.9/(0.8+1.1+1), *r.ByArea.Recall, 1e-3)
	for id, want := range map[jobs.Output]int{analysis.CompareMatched: 1, analysis.CompareFalse: 2, analysis.CompareFound: 1, analysis.CompareMissed: 2} {
		require.Len(t, read[features](t, out[id]).Features, want, id)
	}
	wrong := read[features](t, out[analysis.CompareFalse]).Features[0]
	require.Equal(t, []any{2.0}, wrong.Properties["compare_partners"], "it overlaps, but too little")

	// A stricter and a looser rule, and an area that leaves out the rest.
	out, err = do(t, analysis.Compare(s), `{"mapped":`+mapped+`,"reference":`+reference+`,"minOverlap":0.05,"area":`+box(9, 44, 10.15, 46)+`}`)
	require.NoError(t, err)
	r = read[analysis.CompareResult](t, out[analysis.CompareSummary])
	require.Equal(t, 1.0, *r.Objects.F1)
	require.Equal(t, 2, r.Objects.Reference)

	empty := `{"type":"FeatureCollection","features":[]}`
	out, err = do(t, analysis.Compare(s), `{"mapped":`+empty+`,"reference":`+reference+`}`)
	require.NoError(t, err)
	r = read[analysis.CompareResult](t, out[analysis.CompareSummary])
	require.Nil(t, r.ByArea.Precision, "of nothing")
	require.Zero(t, *r.ByArea.Recall)

	_, err = do(t, analysis.Compare(s), `{"mapped":`+mapped+`,"reference":`+reference+`,"minOverlap":2}`)
	require.ErrorContains(t, err, "minOverlap: 2 must be above 0")
}

// An inventory of experts against itself, moved by a little.
func TestRealInventory(t *testing.T) {
	data := os.Getenv("SCARP_TEST_DATA")
	if data == "" {
		data = "../../../shared/data"
	}
	if _, err := os.Stat(filepath.Join(data, "inventories", "colombia_landslides.gpkg")); errors.Is(err, os.ErrNotExist) {
		t.Skip("no test data")
	}
	s, _ := sources(t)
	s.Locate = imagery.Options{Base: data, Allow: []string{data}}.Locate
	ref := `{"href":"inventories/colombia_landslides.gpkg"}`
	out, err := do(t, analysis.Compare(s), `{"mapped":`+ref+`,"reference":`+ref+`}`)
	require.NoError(t, err)
	r := read[analysis.CompareResult](t, out[analysis.CompareSummary])
	require.InDelta(t, 1, *r.ByArea.F1, 1e-6)
	require.InDelta(t, 1, *r.Objects.F1, 1e-9)
	require.GreaterOrEqual(t, r.Objects.Reference, 838)
}

// Whatever is sent as GeoJSON, it is read or refused with a reason.
func FuzzGeoJSON(f *testing.F) {
	for _, seed := range []string{collection(box(1, 2, 3, 4)), line(`[1,2],[3,4]`), `{"type":"FeatureCollection","features":[{"type":"Feature","geometry":{"type":"Polygon","coordinates":[]}}]}`,
		`{"type":"MultiPolygon","coordinates":[[[[0,0],[1,1],[1,0],[0,1],[0,0]]]]}`, `{"type":"Point","coordinates":[1e999,2]}`, `{"type":"GeometryCollection","geometries":[]}`} {
		f.Add(seed)
	}
	p := analysis.Impact(analysis.Sources{})
	f.Fuzz(func(t *testing.T, text string) {
		if !json.Valid([]byte(text)) {
			return
		}
		inputs, err := json.Marshal(map[string]json.RawMessage{"landslides": json.RawMessage(collection(box(0, 0, 1, 1))), "exposed": json.RawMessage(text)})
		if err != nil {
			return
		}
		w := &jobs.Work{Inputs: inputs, Dir: t.TempDir(), Step: func(context.Context, int, string) error { return nil },
			Create: func(_ context.Context, k jobs.Kept) (io.WriteCloser, error) {
				return &output{id: k.ID, to: map[jobs.Output]string{}}, nil
			}}
		if strings.Contains(text, "href") || strings.Contains(text, "ollection\"") {
			return // those look into a store and files
		}
		if err := p.Run(t.Context(), w); err != nil {
			require.ErrorIs(t, err, jobs.ErrBadSpec)
		}
	})
}
