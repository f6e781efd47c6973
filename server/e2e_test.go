package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/simulate"
	"github.com/scarp-map/scarp/server"
)

// The tests in this file use a whole server, wired as `scarp serve` wires it,
// with a simulated event, the shipped model and real clients.

const eventID = "valley"

// sharedServer is started by the first test that needs it and stopped after the last.
var sharedServer struct {
	once   sync.Once
	url    string
	folder string
	// callbacks is the address that the server may call back.
	callbacks string
	err       error
	stop      []func()
}

func TestMain(m *testing.M) {
	code := m.Run()
	for i := len(sharedServer.stop) - 1; i >= 0; i-- {
		sharedServer.stop[i]()
	}
	os.Exit(code)
}

// defaults returns the settings that a server has without any.
func defaults(t testing.TB, dataDir string, arguments ...string) server.Config {
	t.Helper()
	flags := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	server.Flags(flags)
	require.NoError(t, flags.Parse(append([]string{"--data-dir", dataDir}, arguments...)))
	// Another model can be tried with the tests by naming it.
	environ := slices.DeleteFunc(os.Environ(), func(pair string) bool {
		return !strings.HasPrefix(pair, "SCARP_MODELS_DIR=") && !strings.HasPrefix(pair, "SCARP_DEFAULT_MODEL=")
	})
	c, err := server.LoadConfig(flags, environ)
	require.NoError(t, err)
	return c
}

// start opens a server on a data folder and returns its URL and what stops it.
func start(t testing.TB, c server.Config) (url string, stop func()) {
	t.Helper()
	backend, err := server.OpenBackend(context.Background(), c, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil && strings.Contains(err.Error(), "ONNX Runtime") && os.Getenv("SCARP_REQUIRE_ONNXRUNTIME") == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	handler, _, err := server.NewHandler(backend)
	require.NoError(t, err)
	require.NoError(t, backend.Start(context.Background()))
	s := httptest.NewServer(handler)
	return s.URL, func() {
		s.Close()
		if err := backend.Close(); err != nil {
			t.Logf("close: %v", err)
		}
	}
}

// writeEvent simulates an event into a data folder.
func writeEvent(t testing.TB, dataDir string) imagery.Event {
	t.Helper()
	event, err := simulate.Generate(context.Background(), simulate.Config{Seed: 20180906, Width: 512, Height: 512, LandslideShare: 0.04})
	require.NoError(t, err)
	folder := filepath.Join(dataDir, eventID)
	_, err = imagery.WriteSimulated(context.Background(), folder, eventID, "A valley", "Simulated", event)
	require.NoError(t, err)
	loaded, err := imagery.LoadEvent(filepath.Join(folder, "event.yaml"))
	require.NoError(t, err)
	return loaded
}

// shared returns the URL of a server that has one event, which has been mapped once.
func shared(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a whole server")
	}
	sharedServer.once.Do(func() {
		folder, err := os.MkdirTemp("", "scarp-e2e-")
		require.NoError(t, err)
		sharedServer.stop = append(sharedServer.stop, func() { os.RemoveAll(folder) })
		event := writeEvent(t, folder)
		require.NoError(t, os.MkdirAll(filepath.Join(folder, "events"), 0o755))
		f, err := os.Create(filepath.Join(folder, "events", "valley.yaml"))
		require.NoError(t, err)
		require.NoError(t, event.WriteYAML(f))
		require.NoError(t, f.Close())
		sharedServer.callbacks = freeAddress(t)
		url, stop := start(t, defaults(t, folder, "--callback-hosts", sharedServer.callbacks, "--callback-networks", "127.0.0.0/8"))
		sharedServer.stop = append(sharedServer.stop, stop)
		sharedServer.url, sharedServer.folder = url, folder
		mapEvent(t, url)
	})
	if sharedServer.url == "" {
		t.Skip("the server did not start in an earlier test")
	}
	return sharedServer.url
}

// freeAddress is one of this machine that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func send(t testing.TB, method, url, body string, headers ...string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer, text
}

// decode reads a JSON answer with status 200.
func decode(t testing.TB, url string) map[string]any {
	t.Helper()
	answer, text := send(t, "GET", url, "")
	require.Equal(t, 200, answer.StatusCode, "%s: %s", url, text)
	var doc map[string]any
	require.NoError(t, json.Unmarshal(text, &doc), "%s: %.300s", url, text)
	return doc
}

// mapEvent runs the mapping process and waits for its answer.
func mapEvent(t testing.TB, url string) {
	t.Helper()
	answer, text := send(t, "POST", url+"/processes/map-landslides/execution", `{"inputs": {"event": "`+eventID+`"}, "outputs": {"summary": {}}, "response": "document"}`, "Content-Type", "application/json")
	require.Equal(t, 200, answer.StatusCode, "%s", text)
}

func TestLandslidesAreFoundWhereTheyAre(t *testing.T) {
	url := shared(t)
	items := decode(t, url+"/collections/"+eventID+"_landslides/items?limit=1000")
	matched := items["numberMatched"].(float64)
	assert.Greater(t, matched, 0.0)

	truth, err := os.ReadFile(filepath.Join(sharedServer.folder, eventID, "landslides.geojson"))
	require.NoError(t, err)
	var real struct{ Features []any }
	require.NoError(t, json.Unmarshal(truth, &real))
	assert.NotEmpty(t, real.Features)
}

func TestBrowser(t *testing.T) {
	url := shared(t)
	node := tool(t, "node")
	shots := screenshots(t)
	out := runTool(t, 5*time.Minute, node, "../web/test/browser.mjs", url, shots)
	var seen struct {
		Found int
		Tiles map[string]int
	}
	require.NoError(t, json.Unmarshal(lastLine(out), &seen), "%s", out)
	assert.Positive(t, seen.Found)
}

func TestOWSLib(t *testing.T) {
	url := shared(t)
	python := tool(t, "/usr/bin/python3", "-c", "import owslib")
	t.Logf("%s", runTool(t, 5*time.Minute, python, "testdata/owslib_client.py", url, eventID))
}

func TestGDALReadsWMS(t *testing.T) {
	url := shared(t)
	gdalinfo := tool(t, "gdalinfo", "--version")
	box := bounds(t, url)
	for _, version := range []string{"1.1.1", "1.3.0"} {
		crs, bbox := "SRS=EPSG:4326", fmt.Sprintf("%f,%f,%f,%f", box[0], box[1], box[2], box[3])
		if version == "1.3.0" {
			crs, bbox = "CRS=EPSG:4326", fmt.Sprintf("%f,%f,%f,%f", box[1], box[0], box[3], box[2])
		}
		source := fmt.Sprintf("WMS:%s/wms?SERVICE=WMS&VERSION=%s&REQUEST=GetMap&LAYERS=%s_post&%s&BBOX=%s&FORMAT=image/png", url, version, eventID, crs, bbox)
		out := runTool(t, time.Minute, gdalinfo, source)
		assert.Contains(t, string(out), "Driver: WMS", version)

		picture := filepath.Join(t.TempDir(), "post.png")
		runTool(t, time.Minute, tool(t, "gdal_translate", "--version"), "-q", "-of", "PNG", "-outsize", "200", "200", source, picture)
		stats := runTool(t, time.Minute, gdalinfo, "-stats", picture)
		assert.Regexp(t, `STATISTICS_STDDEV=[1-9]`, string(stats), "%s: the picture is not one colour", version)
	}
	capabilities := runTool(t, time.Minute, gdalinfo, "WMS:"+url+"/wms")
	assert.Contains(t, string(capabilities), eventID+"_probability")
}

func TestGDALReadsFeaturesAndTheGeoPackage(t *testing.T) {
	url := shared(t)
	ogrinfo := tool(t, "ogrinfo", "--version")
	want := fmt.Sprintf("Feature Count: %.0f", decode(t, url+"/collections/"+eventID+"_landslides/items?limit=1")["numberMatched"].(float64))
	out := runTool(t, time.Minute, ogrinfo, "-so", "OAPIF:"+url, eventID+"_landslides")
	assert.Contains(t, string(out), want)
	assert.Contains(t, string(out), "area_m2")
	out = runTool(t, time.Minute, ogrinfo, "-ro", "-so", filepath.Join(sharedServer.folder, "scarp.gpkg"), "landslides")
	assert.Contains(t, string(out), "Geometry: Polygon")
}

func bounds(t testing.TB, url string) []float64 {
	t.Helper()
	extent := decode(t, url+"/collections/"+eventID+"_post")["extent"].(map[string]any)["spatial"].(map[string]any)["bbox"].([]any)[0].([]any)
	box := make([]float64, len(extent))
	for i := range extent {
		box[i] = extent[i].(float64)
	}
	return box
}

// screenshots returns where the browser puts its pictures: a folder that
// SCARP_SCREENSHOTS names, for people who want to look at them.
func screenshots(t *testing.T) string {
	if folder := os.Getenv("SCARP_SCREENSHOTS"); folder != "" {
		return folder
	}
	return t.TempDir()
}

// tool finds a client; where it is absent the test is skipped, or fails when
// SCARP_REQUIRE_CLIENTS is set.
func tool(t testing.TB, name string, try ...string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err == nil && len(try) > 0 {
		err = exec.CommandContext(t.Context(), path, try...).Run()
	}
	if err != nil {
		if os.Getenv("SCARP_REQUIRE_CLIENTS") != "" {
			t.Fatalf("%s is needed: %v", name, err)
		}
		t.Skipf("%s is absent: %v", name, err)
	}
	return path
}

func runTool(t testing.TB, limit time.Duration, name string, arguments ...string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	command := exec.CommandContext(ctx, name, arguments...)
	// GDAL's tiled readers would keep what they fetched in the working directory.
	command.Env = append(os.Environ(), "GDAL_DEFAULT_WMS_CACHE_PATH="+t.TempDir())
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s %s:\n%s", name, strings.Join(arguments, " "), out)
	return out
}

func lastLine(out []byte) []byte {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return []byte(lines[len(lines)-1])
}
