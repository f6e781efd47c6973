package imagery_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
)

func TestOnlyAllowedFilesReachGDAL(t *testing.T) {
	e := pair(t, 20, 20)
	allowed := filepath.Dir(e.DEM)
	secret := writeRaster(t, filepath.Join(t.TempDir(), "secret.tif"), utm(20, 20, "B04"), pattern(1))
	link := filepath.Join(allowed, "link.tif")
	require.NoError(t, os.Symlink(secret, link))
	folder := filepath.Join(allowed, "folder")
	require.NoError(t, os.Mkdir(folder, 0o755))
	require.NoError(t, os.Symlink(secret, filepath.Join(folder, "B04.tif")))
	vrt := filepath.Join(allowed, "vrt.tif")
	require.NoError(t, os.WriteFile(vrt, []byte(`<VRTDataset rasterXSize="20" rasterYSize="20"><VRTRasterBand dataType="UInt16" band="1"><Description>B04</Description>
		<SimpleSource><SourceFilename>`+secret+`</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>`), 0o644))

	for path, want := range map[string]string{
		secret:                                   "not in an allowed place",
		filepath.Join(allowed, "../../x.tif"):    "not in an allowed place",
		"/etc/passwd":                            "not in an allowed place",
		"/no/such/file":                          "not in an allowed place",
		link:                                     "not in an allowed place",
		folder:                                   "not in an allowed place",
		filepath.Join(allowed, "absent.tif"):     "no such file",
		"/vsicurl/https://example.org/a.tif":     "virtual file systems",
		"//vsizip/" + secret:                     "virtual file systems",
		"/./vsimem/x":                            "virtual file systems",
		"https://example.org/a.tif":              "not in an allowed place",
		"http://cogs.example/s2/a.tif":           "not in an allowed place",
		"https://cogs.example/other/a.tif":       "not in an allowed place",
		"https://cogs.example/s2/../other/a":     "not in an allowed place",
		"https://cogs.example/s2evil/a.tif":      "not in an allowed place",
		"https://cogs.example.evil/s2/a.tif":     "not in an allowed place",
		"https://u:p@cogs.example/s2/a.tif":      "user names",
		"https://cogs.example/s2/a.tif?x=1":      "user names, queries",
		"file:///etc/passwd":                     "not in an allowed place",
		"<VRTDataset></VRTDataset>":              "not XML",
		"NETCDF:\"" + secret + "\":x":            "not in an allowed place",
		"GTIFF_DIR:1:" + secret:                  "not in an allowed place",
		"a\x00b":                                 "zero byte",
		vrt:                                      "expected a raster",
		filepath.Join(allowed, "pre\\..\\x.tif"): "no such file",
	} {
		e := e
		e.Post = []imagery.Scene{{Path: path}}
		_, err := imagery.Open(t.Context(), e, imagery.Options{Allow: []string{allowed, "https://cogs.example/s2/"}})
		require.Error(t, err, path)
		assert.ErrorContains(t, err, want, path)
		assert.ErrorContains(t, err, "open event made-up: post scene 1:")
	}
}

func TestOpenTellsWhatIsWrong(t *testing.T) {
	good := pair(t, 20, 20)
	dir := filepath.Dir(good.DEM)
	raster := func(name string, s rasterSpec) string {
		return writeRaster(t, filepath.Join(dir, name), s, pattern(1))
	}
	elsewhere := utm(20, 20, "B04")
	elsewhere.left += 50000
	text := filepath.Join(dir, "text.tif")
	require.NoError(t, os.WriteFile(text, []byte("hello"), 0o644))
	empty := filepath.Join(dir, "empty")
	require.NoError(t, os.MkdirAll(empty, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(empty, "readme.txt"), nil, 0o644))
	twice := filepath.Join(dir, "twice")
	raster("twice/a_B04.tif", utm(20, 20, ""))
	raster("twice/b_B04.tif", utm(20, 20, ""))
	notZip := filepath.Join(dir, "not.zip")
	require.NoError(t, os.WriteFile(notZip, []byte("PK"), 0o644))

	for name, c := range map[string]struct {
		change func(e *imagery.Event)
		want   string
	}{
		"no names": {func(e *imagery.Event) { e.Post[0].Path = raster("plain.tif", utm(20, 20, "x", "")) }, `none of its 2 band descriptions ("x", "") names a Sentinel-2 band`},
		"reflectance to 1": {func(e *imagery.Event) {
			e.Post[0].Path = writeRaster(t, filepath.Join(dir, "real.tif"), utm(20, 20, "B04"), func(_, x, y int) float32 { return 0.3 })
		}, "expected reflectance × 10000"},
		"wrong number": {func(e *imagery.Event) { e.Post[0].Bands = []string{"B02", "B03"} }, "the event names 2 bands (B02, B03), the file has 12"},
		"not a raster": {func(e *imagery.Event) { e.Post[0].Path = text }, "expected a raster"},
		"no bands":     {func(e *imagery.Event) { e.Post[0].Path = empty }, "no file of a Sentinel-2 band found among its 1 files (readme.txt)"},
		"two files":    {func(e *imagery.Event) { e.Post[0].Path = twice }, "band B04 has two files, a_B04.tif and b_B04.tif"},
		"no zip":       {func(e *imagery.Event) { e.Post[0].Path = notZip }, "open zip"},
		"elsewhere":    {func(e *imagery.Event) { e.Pre[0].Path = raster("elsewhere.tif", elsewhere) }, "no pre scene overlaps"},
		"DEM elsewhere": {func(e *imagery.Event) {
			s := elsewhere
			s.bands = nil
			e.DEM = raster("dem_elsewhere.tif", s)
		}, "does not overlap the post scenes"},
		"DEM of many bands": {func(e *imagery.Event) { e.DEM = e.Post[0].Path }, "has 12 bands: expected one"},
		"levels mixed":      {func(e *imagery.Event) { e.Pre = append(e.Pre, imagery.Scene{Path: e.Post[0].Path, Level: "L1C"}) }, "are of different levels"},
		"SCL of two bands":  {func(e *imagery.Event) { e.Pre[0].SCL = raster("scl.tif", utm(20, 20, "a", "b")) }, "expected one band, or one that is described as SCL"},
		"invalid":           {func(e *imagery.Event) { e.Post = nil }, "post: missing"},
	} {
		t.Run(name, func(t *testing.T) {
			e := good
			e.Pre, e.Post = []imagery.Scene{good.Pre[0]}, []imagery.Scene{good.Post[0]}
			c.change(&e)
			_, err := imagery.Open(t.Context(), e, allowing(good))
			assert.ErrorContains(t, err, c.want)
		})
	}

	e := good
	e.Pre, e.Post, e.DEM = []imagery.Scene{{Path: empty}}, []imagery.Scene{{Path: text}}, filepath.Join(dir, "absent.tif")
	_, err := imagery.Open(t.Context(), e, allowing(good))
	for _, want := range []string{"pre scene 1", "post scene 1", "dem:"} {
		assert.ErrorContains(t, err, want, "all faults at once")
	}
}

func TestReadRefusesBadRequests(t *testing.T) {
	s := open(t, pair(t, 20, 20))
	ok := imagery.Rect{W: 10, H: 10}
	for want, r := range map[string]imagery.Request{
		"lie in the grid of 20×20": {Rect: imagery.Rect{X: 15, W: 10, H: 10}},
		"must have pixels":         {},
		"band \"B4\" is unknown":   {Rect: ok, Pre: []string{"B4"}},
		"\"tpi\" is unknown":       {Rect: ok, Terrain: []string{"tpi"}},
		"11×11 pixels":             {Rect: ok, Width: 11, Height: 11},
		"5×0 pixels":               {Rect: ok, Width: 5},
	} {
		_, err := s.Read(t.Context(), r)
		assert.ErrorContains(t, err, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Read(ctx, imagery.Request{Rect: ok, Pre: twelve})
	assert.ErrorIs(t, err, context.Canceled)

	require.NoError(t, s.Close())
	_, err = s.Read(t.Context(), imagery.Request{Rect: ok, Pre: twelve})
	assert.ErrorContains(t, err, "closed")
}

func TestReadErrorsNameEventFileAndBand(t *testing.T) {
	e := pair(t, 300, 300)
	s := open(t, e)
	info, err := os.Stat(e.Post[0].Path)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(e.Post[0].Path, info.Size()/3))
	_, err = s.Read(t.Context(), imagery.Request{Rect: s.Grid().Rect(), Post: []string{"B12"}})
	for _, want := range []string{"event made-up", "post", "band B12", "post_20180910.tif"} {
		assert.ErrorContains(t, err, want)
	}
}

func TestScenesAtAllowedURLs(t *testing.T) {
	e := pair(t, 40, 40)
	server := httptest.NewServer(http.FileServer(http.Dir(filepath.Dir(e.DEM))))
	defer server.Close()
	local := read(t, open(t, e), imagery.Request{Rect: imagery.Rect{W: 40, H: 40}, Post: twelve})
	e.Post = []imagery.Scene{{Path: server.URL + "/" + filepath.Base(e.Post[0].Path)}}
	s, err := imagery.Open(t.Context(), e, imagery.Options{Allow: []string{filepath.Dir(e.DEM), server.URL + "/"}})
	require.NoError(t, err)
	defer s.Close()
	assert.Equal(t, local, read(t, s, imagery.Request{Rect: imagery.Rect{W: 40, H: 40}, Post: twelve}))
}
