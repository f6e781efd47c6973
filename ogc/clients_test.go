package ogc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/ogc"
)

// listen serves over HTTP, as programs of other people see it.
func listen(t *testing.T) string {
	t.Helper()
	s := newServer(t, func(d *ogc.Deps) {
		d.BaseURL = func(r *http.Request) string { return "http://" + r.Host }
		d.SyncTimeout = 10 * time.Second
	})
	s.jobs.Instant = true
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return web.URL
}

// absent skips the test for want of a program, unless every one must be there.
func absent(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("SCARP_REQUIRE_CLIENTS") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// program runs a program that must succeed.
func program(t *testing.T, name string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		absent(t, name+" is not installed")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append(os.Environ(), "CPL_DEBUG=OFF", "no_proxy=127.0.0.1", "NO_PROXY=127.0.0.1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s %v: %s", name, args, out)
	return string(out)
}

// python is a Python that has OWSLib and lxml.
func python() string {
	if p := os.Getenv("SCARP_TEST_PYTHON"); p != "" {
		return p
	}
	return "/usr/bin/python3" // Debian's have both
}

func TestGDALReadsWMS(t *testing.T) {
	url := listen(t)
	out := program(t, "gdalinfo", "WMS:"+url+"/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetCapabilities")
	require.Contains(t, out, "LAYERS=atsuma-2018_probability")
	require.Contains(t, out, "CRS=CRS:84&BBOX=141.9,42.65,142.1,42.8")
	tif := filepath.Join(t.TempDir(), "map.tif")
	for _, v := range []string{"VERSION=1.3.0&CRS=CRS:84", "VERSION=1.3.0&CRS=EPSG:4326", "VERSION=1.1.1&SRS=EPSG:4326"} {
		box := "141.9,42.65,142.1,42.8"
		if v == "VERSION=1.3.0&CRS=EPSG:4326" {
			box = "42.65,141.9,42.8,142.1"
		}
		program(t, "gdal_translate", "-q", "-outsize", "200", "150", "WMS:"+url+"/wms?SERVICE=WMS&REQUEST=GetMap&LAYERS=atsuma-2018_mask&STYLES=&FORMAT=image/png&BBOX="+box+"&"+v, tif)
		out = program(t, "gdalinfo", "-stats", tif)
		require.Contains(t, out, "Size is 200, 150")
		require.Contains(t, out, "141.9000000")
		require.Contains(t, out, "STATISTICS_MAXIMUM=255")
	}
}

func TestGDALReadsFeatures(t *testing.T) {
	url := listen(t)
	out := program(t, "ogrinfo", "-ro", "-so", "OAPIF:"+url, "atsuma-2018_landslides")
	require.Contains(t, out, "Feature Count: 5")
	require.Contains(t, out, "area_m2: ")
	json := filepath.Join(t.TempDir(), "all.geojson")
	program(t, "ogr2ogr", json, "OAPIF:"+url, "atsuma-2018_landslides", "-oo", "PAGE_SIZE=2", "-spat", "141.9", "42.6", "142.1", "42.8")
	require.Contains(t, program(t, "ogrinfo", "-ro", "-so", "-al", json), "Feature Count: 5")
}

// GDAL 3.6 reads maps; of tilesets it reads the documents, but it miscounts
// columns where a tileset has limits, so that pixels are left to the maps.
func TestGDALReadsOGCAPI(t *testing.T) {
	url := listen(t)
	collection := "OGCAPI:" + url + "/collections/atsuma-2018_mask"
	require.Contains(t, program(t, "gdalinfo", collection, "-oo", "API=TILES", "-oo", "CACHE=NO"), "Driver: OGCAPI")
	tif := filepath.Join(t.TempDir(), "map.tif")
	program(t, "gdal_translate", "-q", "-outsize", "64", "0", "-oo", "API=MAP", "-oo", "CACHE=NO", collection, tif)
	require.Contains(t, program(t, "gdalinfo", "-stats", tif), "STATISTICS_MAXIMUM=255")
}

// owslib drives the clients that QGIS's processing and many scripts use.
const owslib = `
import json, sys
try:
    from owslib.wms import WebMapService
    from owslib.ogcapi.features import Features
    from owslib.ogcapi.processes import Processes
except ImportError as e:
    print("missing", e); sys.exit(0)
url = sys.argv[1]
for version, axes in (("1.1.1", "EPSG:4326"), ("1.3.0", "EPSG:4326")):
    wms = WebMapService(url + "/wms", version=version)
    assert wms.identification.title == "Scarp"
    layer = wms["atsuma-2018_probability"]
    assert layer.queryable == 1, layer.queryable
    assert [round(v, 2) for v in layer.boundingBoxWGS84] == [141.9, 42.65, 142.1, 42.8], layer.boundingBoxWGS84
    assert "default" in layer.styles and layer.styles["default"]["legend"].endswith("/legend"), layer.styles
    image = wms.getmap(layers=["atsuma-2018_post", "atsuma-2018_probability"], styles=["", ""], srs=axes, bbox=layer.boundingBoxWGS84, size=(300, 200), format="image/png", transparent=True)
    assert image.read()[:4] == b"\x89PNG"
    info = wms.getfeatureinfo(layers=["atsuma-2018_probability"], srs=axes, bbox=layer.boundingBoxWGS84, size=(300, 200), format="image/png",
        query_layers=["atsuma-2018_probability"], info_format="application/json", xy=(150, 100))
    properties = json.loads(info.read())["features"][0]["properties"]
    assert properties["probability"] == 0.75, properties
    try:
        wms.getmap(layers=["nothing"], styles=[""], srs=axes, bbox=layer.boundingBoxWGS84, size=(30, 20), format="image/png")
        raise SystemExit("no exception")
    except Exception as e:
        assert "there is no layer" in str(e), repr(e)
f = Features(url)
assert "atsuma-2018_landslides" in f.collections()["collections"][4]["id"]
assert f.feature_collections() == ["atsuma-2018_landslides", "away_landslides"], f.feature_collections()
items = f.collection_items("atsuma-2018_landslides", limit=2, bbox=[141.9, 42.6, 142.1, 42.8])
assert items["numberMatched"] == 5 and items["numberReturned"] == 2, items
assert f.collection_item("atsuma-2018_landslides", "1")["properties"]["area_m2"] == 500
f.collection_queryables("atsuma-2018_landslides")
assert f.api()["openapi"].startswith("3.0")
p = Processes(url)
listed = p.processes()
listed = listed["processes"] if isinstance(listed, dict) else listed # old and new versions
assert [x["id"] for x in listed] == ["map-landslides", "assess-impact", "compare-inventory", "echo"]
assert "event" in p.process("map-landslides")["inputs"]
if hasattr(p, "execute"):
    out = p.execute("echo", {"message": "hello"}, response="document")
    assert out["message"] == "hello", out
    out = p.execute("map-landslides", {"event": "atsuma-2018"}, outputs={"summary": {}}, response="document")
    assert out["summary"]["value"]["landslides"] == 3, out
    out = p.execute("map-landslides", {"event": "atsuma-2018"}, outputs={"summary": {}}, async_=True)
    print("async", out)
try:
    from owslib.ogcapi.maps import Maps
    picture = Maps(url).map("atsuma-2018_mask", width=100, height=80, transparent=False, bbox=[141.9, 42.6, 142.1, 42.8]).read()
    assert picture[:4] == b"\x89PNG", picture[:80]
except ImportError:
    pass
print("done")
`

func TestOWSLib(t *testing.T) {
	url := listen(t)
	script := filepath.Join(t.TempDir(), "client.py")
	require.NoError(t, os.WriteFile(script, []byte(owslib), 0o644))
	out := program(t, python(), script, url)
	if len(out) > 7 && out[:7] == "missing" {
		absent(t, out)
	}
	require.Contains(t, out, "done")
}
