package imagery_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/airbusgeo/godal"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
)

var twelve = []string{"B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"}

// rasterSpec describes a made-up raster.
type rasterSpec struct {
	epsg          int
	left, top     float64
	pixel         float64
	width, height int
	bands         []string // descriptions
	tags          map[string]string
	nodata        float64
	options       []string
	driver        godal.DriverName
	overviews     []int
}

// utm returns a raster of 10 m pixels in UTM 54N.
func utm(width, height int, bands ...string) rasterSpec {
	return rasterSpec{epsg: 32654, left: 400000, top: 4800000, pixel: 10, width: width, height: height, bands: bands}
}

// number is any pixel type used here.
type number interface {
	uint8 | uint16 | int16 | float32
}

// writeRaster writes a raster whose pixels value gives.
func writeRaster[T number](t testing.TB, path string, s rasterSpec, value func(band, x, y int) T) string {
	t.Helper()
	require.NoError(t, imagery.Setup(0))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	dtype := map[string]godal.DataType{"uint8": godal.Byte, "uint16": godal.UInt16, "int16": godal.Int16, "float32": godal.Float32}[fmt.Sprintf("%T", T(0))]
	options := s.options
	if options == nil {
		options = []string{"TILED=YES", "BLOCKXSIZE=256", "BLOCKYSIZE=256", "COMPRESS=DEFLATE", "ZLEVEL=1"}
	}
	ds, err := godal.Create(godal.GTiff, path, max(len(s.bands), 1), dtype, s.width, s.height, godal.CreationOption(options...))
	require.NoError(t, err)
	require.NoError(t, ds.SetGeoTransform([6]float64{s.left, s.pixel, 0, s.top, 0, -s.pixel}))
	sr, err := godal.NewSpatialRefFromEPSG(s.epsg)
	require.NoError(t, err)
	defer sr.Close()
	require.NoError(t, ds.SetSpatialRef(sr))
	for k, v := range s.tags {
		require.NoError(t, ds.SetMetadata(k, v))
	}
	if s.nodata != 0 {
		require.NoError(t, ds.SetNoData(s.nodata))
	}
	buf := make([]T, s.width*s.height)
	for b, band := range ds.Bands() {
		for i := range buf {
			buf[i] = value(b, i%s.width, i/s.width)
		}
		require.NoError(t, band.Write(0, 0, buf, s.width, s.height))
		if b < len(s.bands) {
			require.NoError(t, band.SetDescription(s.bands[b]))
		}
	}
	if len(s.overviews) > 0 {
		require.NoError(t, ds.BuildOverviews(godal.Levels(s.overviews...), godal.Resampling(godal.Average)))
	}
	require.NoError(t, ds.Close())
	return path
}

// pattern gives every pixel of every band a value of its own kind, never 0.
func pattern(seed int) func(band, x, y int) uint16 {
	return func(band, x, y int) uint16 {
		return uint16(500 + (seed*977+band*1231+x*37+y*91+(x*y)%53)%8000)
	}
}

// hills is an elevation of rolling hills.
func hills(_, x, y int) float32 { return float32(300 + (x%97)*2 + (y%61)*3) }

// pair writes an event of two stacks and a DEM into a folder.
func pair(t testing.TB, width, height int) imagery.Event {
	dir := t.TempDir()
	demSpec := utm(width/3+20, height/3+20)
	demSpec.pixel, demSpec.left, demSpec.top = 30, 399900, 4800100
	return imagery.Event{
		ID: "made-up", Title: "Made-up event",
		Trigger: imagery.Trigger{Time: time.Date(2018, 9, 5, 18, 8, 0, 0, time.UTC), Type: "earthquake"},
		Pre:     []imagery.Scene{{Path: writeRaster(t, filepath.Join(dir, "pre_20180801.tif"), utm(width, height, twelve...), pattern(1))}},
		Post:    []imagery.Scene{{Path: writeRaster(t, filepath.Join(dir, "post_20180910.tif"), utm(width, height, twelve...), pattern(2))}},
		DEM:     writeRaster(t, filepath.Join(dir, "dem.tif"), demSpec, hills),
	}
}

func open(t testing.TB, e imagery.Event) imagery.Source {
	t.Helper()
	s, err := imagery.Open(t.Context(), e, allowing(e))
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// allowing allows the folder that the event's files lie in.
func allowing(e imagery.Event) imagery.Options {
	return imagery.Options{Allow: []string{filepath.Dir(e.DEM), os.TempDir()}}
}

func read(t testing.TB, s imagery.Source, r imagery.Request) *imagery.Window {
	t.Helper()
	w, err := s.Read(t.Context(), r)
	require.NoError(t, err)
	return w
}

// realData returns a path under the folder of real data, and skips the test where there is none.
func realData(t testing.TB, path string) string {
	t.Helper()
	root := os.Getenv("SCARP_TEST_DATA")
	if root == "" {
		root = "../../shared/data"
	}
	root, err := filepath.Abs(root)
	require.NoError(t, err)
	full := filepath.Join(root, path)
	if _, err := os.Stat(full); err != nil {
		t.Skipf("no real data: %v", err)
	}
	return full
}
