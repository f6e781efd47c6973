package assess_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/airbusgeo/godal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference/assess"
)

// raster writes a GeoTIFF of w×h pixels in UTM zone 48N with its upper left at (500000+dx, 3700000).
func raster[T uint8 | float32](t *testing.T, kind godal.DataType, w, h int, pixel, dx float64, value func(x, y int) T, more func(*godal.Dataset)) string {
	t.Helper()
	require.NoError(t, imagery.Setup(0))
	path := filepath.Join(t.TempDir(), "map.tif")
	ds, err := godal.Create(godal.GTiff, path, 1, kind, w, h)
	require.NoError(t, err)
	srs, err := godal.NewSpatialRefFromEPSG(32648)
	require.NoError(t, err)
	defer srs.Close()
	require.NoError(t, ds.SetSpatialRef(srs))
	require.NoError(t, ds.SetGeoTransform([6]float64{500000 + dx, pixel, 0, 3700000, 0, -pixel}))
	pix := make([]T, w*h)
	for i := range pix {
		pix[i] = value(i%w, i/w)
	}
	require.NoError(t, ds.Bands()[0].Write(0, 0, pix, w, h))
	if more != nil {
		more(ds)
	}
	require.NoError(t, ds.Close())
	return path
}

// squareJSON is a polygon in UTM zone 48N that covers pixels [x, x+n)×[y, y+n) of the rasters.
func squareJSON(x, y, n int) string {
	l, top, r, b := 500000+10*x, 3700000-10*y, 500000+10*(x+n), 3700000-10*(y+n)
	return fmt.Sprintf(`{"type":"Feature","properties":{"n":%d},"geometry":{"type":"Polygon","coordinates":[[[%d,%d],[%d,%d],[%d,%d],[%d,%d],[%d,%d]]]}}`,
		n, l, top, r, top, r, b, l, b, l, top)
}

func polygons(t *testing.T, features ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "map.geojson")
	text := `{"type":"FeatureCollection","crs":{"type":"name","properties":{"name":"urn:ogc:def:crs:EPSG::32648"}},"features":[` + strings.Join(features, ",") + `]}`
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func compare(t *testing.T, mapped, truth assess.Map, o assess.Options) *assess.Report {
	t.Helper()
	if o.Rule.MinOverlap == 0 {
		o.Rule = assess.DefaultRule()
	}
	o.TempDir = t.TempDir()
	r, err := assess.Compare(context.Background(), mapped, truth, o)
	require.NoError(t, err)
	left, err := os.ReadDir(o.TempDir)
	require.NoError(t, err)
	assert.Empty(t, left, "temporary files are removed")
	return r
}

// in says whether a pixel lies in the square.
func in(x, y, left, top, n int) bool { return x >= left && x < left+n && y >= top && y < top+n }

func TestCompareProbabilityWithPolygons(t *testing.T) {
	probability := raster(t, godal.Byte, 60, 50, 10, 0, func(x, y int) uint8 {
		switch {
		case x >= 55:
			return 255 // cloud
		case in(x, y, 10, 10, 8):
			return 200
		case in(x, y, 30, 30, 4):
			return 160
		}
		return 0
	}, func(ds *godal.Dataset) {
		require.NoError(t, ds.Bands()[0].SetNoData(255))
		require.NoError(t, ds.Bands()[0].SetScaleOffset(0.004, 0))
		require.NoError(t, ds.SetMetadata("THRESHOLD", "0.7"))
	})
	truth := polygons(t, squareJSON(10, 10, 10), squareJSON(40, 10, 3), squareJSON(52, 40, 6))
	r := compare(t, assess.Map{Path: probability}, assess.Map{Path: truth}, assess.Options{})
	assert.Equal(t, [2]int{60, 50}, [2]int{r.Width, r.Height})
	assert.Equal(t, "EPSG:32648", r.CRS)
	assert.Equal(t, int64(55*50), r.Compared, "pixels without data are left out")
	// Of 100, 9 and 18 true pixels in sight, the 64 at 0.8 are mapped; those at 0.64 are under the file's threshold.
	assert.Equal(t, 0.7, r.Pixels.Threshold)
	assert.Equal(t, [4]int64{64, 0, 36 + 9 + 18, 55*50 - 127}, [4]int64{r.Pixels.TruePositive, r.Pixels.FalsePositive, r.Pixels.FalseNegative, r.Pixels.TrueNegative})
	all := r.Objects.Classes[len(r.Objects.Classes)-1]
	assert.Equal(t, [4]int{3, 1, 1, 1}, [4]int{all.True, all.Found, all.Mapped, all.Right})
	require.NotNil(t, r.ECE)
	assert.InDelta(t, (64*0.2+16*0.64+2670*63.0/2670)/2750, *r.ECE, 1e-9)

	lower := compare(t, assess.Map{Path: probability}, assess.Map{Path: truth}, assess.Options{Threshold: 0.5})
	assert.Equal(t, int64(16), lower.Pixels.FalsePositive)

	only := compare(t, assess.Map{Path: probability}, assess.Map{Path: truth, Where: "n = 3"}, assess.Options{Area: &assess.Map{Path: polygons(t, squareJSON(35, 5, 10))}})
	assert.Equal(t, int64(100), only.Compared)
	assert.Equal(t, int64(9), only.Pixels.FalseNegative)
}

// Maps of other projections, pixel sizes and types are brought together.
func TestCompareAcrossGrids(t *testing.T) {
	mask := raster(t, godal.Byte, 40, 40, 10, 0, func(x, y int) uint8 {
		if in(x, y, 8, 8, 16) {
			return 1
		}
		return 0
	}, nil)
	fine := raster(t, godal.Float32, 160, 160, 2.5, 0, func(x, y int) float32 {
		if in(x/4, y/4, 8, 8, 16) {
			return 0.9
		}
		return 0.1
	}, nil)
	r := compare(t, assess.Map{Path: fine}, assess.Map{Path: mask}, assess.Options{})
	assert.Equal(t, 1.0, r.Pixels.IoU)
	assert.Equal(t, int64(1600), r.Compared)

	// Longitude and latitude: resampled to the mask's grid, so edges may move by a pixel.
	degrees := filepath.Join(t.TempDir(), "degrees.tif")
	ds, err := godal.Open(mask)
	require.NoError(t, err)
	w, err := ds.Warp(degrees, []string{"-t_srs", "EPSG:4326", "-dstnodata", "255"})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, ds.Close())
	r = compare(t, assess.Map{Path: degrees}, assess.Map{Path: mask}, assess.Options{})
	assert.Greater(t, r.Pixels.IoU, 0.85)

	// Two files of polygons, one of them in longitude and latitude.
	shapes := polygons(t, squareJSON(8, 8, 16), squareJSON(30, 30, 5))
	ds, err = godal.Open(shapes, godal.VectorOnly())
	require.NoError(t, err)
	gpkg := filepath.Join(t.TempDir(), "degrees.gpkg")
	w, err = ds.VectorTranslate(gpkg, []string{"-f", "GPKG", "-t_srs", "EPSG:4326"})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, ds.Close())
	r = compare(t, assess.Map{Path: gpkg}, assess.Map{Path: shapes}, assess.Options{})
	assert.Greater(t, r.Pixels.IoU, 0.99)
	all := r.Objects.Classes[len(r.Objects.Classes)-1]
	assert.Equal(t, [2]int{2, 2}, [2]int{all.Found, all.Right})
	assert.Nil(t, r.ECE, "polygons have no probabilities")

	empty := compare(t, assess.Map{Path: polygons(t)}, assess.Map{Path: mask}, assess.Options{})
	assert.Equal(t, int64(256), empty.Pixels.FalseNegative)
}

func TestCompareRefuses(t *testing.T) {
	mask := raster(t, godal.Byte, 20, 20, 10, 0, func(int, int) uint8 { return 1 }, nil)
	far := raster(t, godal.Byte, 20, 20, 10, 90000, func(int, int) uint8 { return 1 }, nil)
	text := filepath.Join(t.TempDir(), "a.txt")
	require.NoError(t, os.WriteFile(text, []byte("no map"), 0o600))
	rule := assess.DefaultRule()
	for name, c := range map[string]struct {
		mapped, truth assess.Map
		o             assess.Options
		want          string
	}{
		"no file":       {assess.Map{Path: "nowhere.tif"}, assess.Map{Path: mask}, assess.Options{Rule: rule}, "nowhere.tif"},
		"no map":        {assess.Map{Path: text}, assess.Map{Path: mask}, assess.Options{Rule: rule}, "expected a GeoTIFF, GeoPackage"},
		"far apart":     {assess.Map{Path: mask}, assess.Map{Path: far}, assess.Options{Rule: rule}, "no ground in common"},
		"bad threshold": {assess.Map{Path: mask}, assess.Map{Path: mask}, assess.Options{Rule: rule, Threshold: 50}, "threshold 50"},
		"bad rule":      {assess.Map{Path: mask}, assess.Map{Path: mask}, assess.Options{}, "least overlap 0"},
		"bad layer":     {assess.Map{Path: polygons(t, squareJSON(0, 0, 2)), Layer: "x"}, assess.Map{Path: mask}, assess.Options{Rule: rule}, `no layer "x"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := assess.Compare(t.Context(), c.mapped, c.truth, c.o)
			require.ErrorContains(t, err, c.want)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := assess.Compare(ctx, assess.Map{Path: mask}, assess.Map{Path: mask}, assess.Options{Rule: rule})
	require.ErrorIs(t, err, context.Canceled)
}

func TestReport(t *testing.T) {
	probability := raster(t, godal.Float32, 40, 40, 10, 0, func(x, y int) float32 { return float32(x) / 40 }, nil)
	truth := polygons(t, squareJSON(20, 0, 20))
	r := compare(t, assess.Map{Path: probability}, assess.Map{Path: truth}, assess.Options{Picture: true})
	var text, html bytes.Buffer
	require.NoError(t, r.WriteText(&text))
	require.NoError(t, r.WriteHTML(&html))
	assert.Contains(t, text.String(), "probability ≥ 0.5")
	assert.Contains(t, text.String(), "2–10 ha")
	assert.Contains(t, html.String(), "data:image/png;base64,")
	assert.Contains(t, html.String(), `<polyline points="`)
	assert.NotContains(t, html.String(), "ZgotmplZ")
}
