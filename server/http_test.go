package server_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// middleTile returns the path of a tile in the middle of the event, at a zoom
// where a tile has about as many pixels as a block.
func middleTile(t *testing.T, url, layer string) string {
	t.Helper()
	limits := decode(t, url+"/collections/"+eventID+"_"+layer+"/map/tiles/WebMercatorQuad")["tileMatrixSetLimits"].([]any)
	for _, l := range limits {
		limit := l.(map[string]any)
		if fmt.Sprint(limit["tileMatrix"]) == "14" {
			row := (limit["minTileRow"].(float64) + limit["maxTileRow"].(float64)) / 2
			column := (limit["minTileCol"].(float64) + limit["maxTileCol"].(float64)) / 2
			return fmt.Sprintf("%s/collections/%s_%s/map/tiles/WebMercatorQuad/14/%d/%d", url, eventID, layer, int(row), int(column))
		}
	}
	require.Fail(t, "no limits for zoom 14")
	return ""
}

func TestTilesCanBeCached(t *testing.T) {
	tile := middleTile(t, shared(t), "probability")
	first, picture := send(t, "GET", tile, "", "Accept", "image/png")
	require.Equal(t, 200, first.StatusCode, "%s", picture)
	assert.Equal(t, "image/png", first.Header.Get("Content-Type"))
	assert.Contains(t, first.Header.Get("Cache-Control"), "max-age")
	require.NotEmpty(t, first.Header.Get("ETag"))
	require.NotEmpty(t, first.Header.Get("Last-Modified"))

	again, body := send(t, "GET", tile, "", "If-None-Match", first.Header.Get("ETag"))
	assert.Equal(t, http.StatusNotModified, again.StatusCode)
	assert.Empty(t, body)
	again, _ = send(t, "GET", tile, "", "If-Modified-Since", first.Header.Get("Last-Modified"))
	assert.Equal(t, http.StatusNotModified, again.StatusCode)

	head, body := send(t, "HEAD", tile, "")
	assert.Equal(t, 200, head.StatusCode)
	assert.Empty(t, body)
	assert.Equal(t, first.Header.Get("ETag"), head.Header.Get("ETag"))
	assert.EqualValues(t, len(picture), head.ContentLength)
}

func TestTextIsCompressedAndPicturesAreNot(t *testing.T) {
	url := shared(t)
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	ask := func(target string) *http.Response {
		request, err := http.NewRequestWithContext(t.Context(), "GET", target, nil)
		require.NoError(t, err)
		request.Header.Set("Accept-Encoding", "gzip")
		answer, err := client.Do(request)
		require.NoError(t, err)
		t.Cleanup(func() { answer.Body.Close() })
		return answer
	}
	document := ask(url + "/collections")
	require.Equal(t, "gzip", document.Header.Get("Content-Encoding"))
	unzipped, err := gzip.NewReader(document.Body)
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(unzipped).Decode(&map[string]any{}))
	assert.Empty(t, ask(middleTile(t, url, "post")).Header.Get("Content-Encoding"))
}

func TestPagesOfOtherSitesMayRead(t *testing.T) {
	url := shared(t)
	answer, _ := send(t, "GET", url+"/collections", "", "Origin", "https://example.org")
	assert.Equal(t, "*", answer.Header.Get("Access-Control-Allow-Origin"))
	preflight, _ := send(t, "OPTIONS", url+"/processes/map-landslides/execution", "", "Origin", "https://example.org",
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,prefer")
	assert.Equal(t, http.StatusNoContent, preflight.StatusCode)
	assert.Contains(t, preflight.Header.Get("Access-Control-Allow-Methods"), "POST")

	for _, name := range []string{"Accept-Ranges", "Content-Range", "Content-Crs", "Content-Bbox", "Content-Disposition", "Scarp-Complete", "Warning"} {
		assert.Contains(t, strings.Split(answer.Header.Get("Access-Control-Expose-Headers"), ","), name)
	}
	ranges, _ := send(t, "OPTIONS", url+"/collections/"+eventID+"_probability/coverage", "", "Origin", "https://example.org",
		"Access-Control-Request-Method", "GET", "Access-Control-Request-Headers", "if-range,range")
	assert.Subset(t, strings.Split(ranges.Header.Get("Access-Control-Allow-Headers"), ","), []string{"Range", "If-Range"})

	refused, text := send(t, "POST", url+"/processes/echo/execution", `{}`, "Origin", "https://example.org", "Content-Type", "application/json")
	assert.Equal(t, http.StatusForbidden, refused.StatusCode, "%s", text)
}

func TestErrorsAreProblemsThatNobodyKeeps(t *testing.T) {
	url := shared(t)
	for _, test := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"GET", "/nowhere", "", 404, ""},
		{"GET", "/collections/other_post", "", 404, "other"},
		{"GET", "/collections/" + eventID + "_post/map/tiles/WebMercatorQuad/14/0/0", "", 404, ""},
		{"GET", "/collections/" + eventID + "_post/map/tiles/Nope/14/0/0", "", 404, "Nope"},
		{"GET", "/collections/" + eventID + "_landslides/items?bbox=1,2,3", "", 400, "bbox"},
		{"GET", "/collections/" + eventID + "_landslides/items?colour=red", "", 400, "colour"},
		{"GET", "/jobs/nope", "", 404, "nope"},
		{"DELETE", "/collections", "", 405, ""},
		{"POST", "/processes/map-landslides/execution", `{"inputs": {"event": "` + eventID + `", "threshold": 7}}`, 400, "threshold"},
		{"POST", "/processes/map-landslides/execution", `{"inputs": {"event": "no-such"}}`, 400, "no-such"},
		{"POST", "/processes/map-landslides/execution", `{`, 400, ""},
		{"POST", "/processes/map-landslides/execution", `{"inputs": {"pre": "/etc/passwd", "post": "/etc/passwd", "dem": "/etc/passwd"}}`, 400, "/etc/passwd"},
	} {
		answer, text := send(t, test.method, url+test.path, test.body, "Content-Type", "application/json")
		if !assert.Equal(t, test.status, answer.StatusCode, "%s %s: %s", test.method, test.path, text) {
			continue
		}
		assert.Equal(t, "application/problem+json", answer.Header.Get("Content-Type"), test.path)
		assert.Equal(t, "no-store", answer.Header.Get("Cache-Control"), test.path)
		var problem struct {
			Title  string
			Status int
			Detail string
		}
		require.NoError(t, json.Unmarshal(text, &problem))
		assert.Equal(t, test.status, problem.Status)
		assert.Contains(t, string(text), test.says)
	}
}

func TestHealthAndMetrics(t *testing.T) {
	url := shared(t)
	answer, text := send(t, "GET", url+"/healthz", "")
	assert.Equal(t, 200, answer.StatusCode, "%s", text)
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		answer, _ := send(t, "HEAD", url+path, "")
		assert.Equal(t, 200, answer.StatusCode, path)
	}
	ready := decode(t, url+"/readyz")
	assert.Equal(t, true, ready["ready"], "%v", ready)

	_, _ = send(t, "GET", middleTile(t, url, "probability"), "")
	_, text = send(t, "GET", url+"/metrics", "")
	for _, name := range []string{
		`scarp_http_requests_total{method="GET",route="/healthz",status="200"}`, `scarp_tile_seconds_count{tier="memory"}`,
		"scarp_inference_queue", "scarp_inference_seconds_count", "scarp_cache_bytes", `scarp_jobs{status="successful"}`,
	} {
		assert.Contains(t, string(text), name)
	}
	assert.NotContains(t, string(text), "NaN")
}

func TestBrowsersGetTheMapAndProgramsTheLandingPage(t *testing.T) {
	url := shared(t)
	page, text := send(t, "GET", url+"/", "", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	assert.Contains(t, page.Header.Get("Content-Type"), "text/html")
	assert.Contains(t, string(text), `id="map"`, "the page is built: make build")
	assert.Contains(t, decode(t, url+"/"), "links")
	landing, text := send(t, "GET", url+"/?f=html", "", "Accept", "*/*")
	assert.Contains(t, landing.Header.Get("Content-Type"), "text/html")
	assert.NotContains(t, string(text), `id="map"`)
}

func TestKeysGuardWriting(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a whole server")
	}
	folder := t.TempDir()
	event := writeEvent(t, folder)
	url, stop := start(t, defaults(t, folder, "--api-keys", "0123456789abcdef"))
	defer stop()
	body, err := json.Marshal(event)
	require.NoError(t, err)

	answer, text := send(t, "POST", url+"/events", string(body), "Content-Type", "application/json")
	assert.Equal(t, http.StatusUnauthorized, answer.StatusCode, "%s", text)
	assert.NotContains(t, string(text), "0123456789abcdef")
	answer, text = send(t, "POST", url+"/events", string(body), "Content-Type", "application/json", "X-API-Key", "0123456789abcdef")
	require.Less(t, answer.StatusCode, 300, "%s", text)
	assert.Equal(t, 200, first(send(t, "GET", url+"/collections/"+eventID+"_post", "")).StatusCode, "reading needs no key")

	outside := strings.Replace(string(body), filepath.Join(folder, eventID), "/etc", 1)
	answer, text = send(t, "PUT", url+"/events/"+eventID, outside, "Content-Type", "application/json", "X-API-Key", "0123456789abcdef")
	assert.Equal(t, http.StatusBadRequest, answer.StatusCode, "%s", text)
	assert.Contains(t, string(text), "allowed")

	answer, _ = send(t, "DELETE", url+"/events/"+eventID, "", "X-API-Key", "0123456789abcdef")
	assert.Less(t, answer.StatusCode, 300)
	assert.Equal(t, 404, first(send(t, "GET", url+"/collections/"+eventID+"_post", "")).StatusCode)
}

func first(answer *http.Response, _ []byte) *http.Response { return answer }

func TestOversizedBodyIsRefused(t *testing.T) {
	url := shared(t)
	answer, _ := send(t, "POST", url+"/processes/echo/execution", `{"inputs": {"message": "`+strings.Repeat("x", 17<<20)+`"}}`, "Content-Type", "application/json")
	assert.Equal(t, http.StatusRequestEntityTooLarge, answer.StatusCode)
	_, _ = io.Copy(io.Discard, answer.Body)
}

func TestOverlongAddressAndHeaderAreRefusedAsProblems(t *testing.T) {
	url := shared(t)
	filter := "event+IN+(%27" + strings.Repeat("a", 60<<10) + "%27)"
	answer, text := send(t, "GET", url+"/collections/"+eventID+"_landslides/items?filter="+filter, "")
	assert.Equal(t, http.StatusOK, answer.StatusCode, "a filter as long as filters may be: %.200s", text)

	answer, text = send(t, "GET", url+"/collections?bbox="+strings.Repeat("%20", 100<<10), "")
	assert.Equal(t, http.StatusRequestURITooLong, answer.StatusCode)
	assert.Equal(t, "application/problem+json", answer.Header.Get("Content-Type"))
	assert.Contains(t, string(text), "262144 are allowed")

	answer, text = send(t, "GET", url+"/collections", "", "X-Much", strings.Repeat("a", 100<<10))
	assert.Equal(t, http.StatusRequestHeaderFieldsTooLarge, answer.StatusCode)
	assert.Equal(t, "application/problem+json", answer.Header.Get("Content-Type"))
	assert.Contains(t, string(text), "65536 are allowed")
}
