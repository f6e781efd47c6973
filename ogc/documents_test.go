package ogc_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"github.com/scarp-map/scarp/jobs"
)

var update = flag.Bool("update", false, "write the golden files anew")

// documents are the resources with a JSON and mostly an HTML form, and the name of their golden file.
func documents() map[string]string {
	return map[string]string{
		"/":                                    "landing",
		"/conformance":                         "conformance",
		"/collections":                         "collections",
		"/collections/atsuma-2018_landslides":  "collection-landslides",
		"/collections/atsuma-2018_probability": "collection-probability",
		"/collections/away_pre":                "collection-away",
		"/collections/atsuma-2018_landslides/items?limit=2": "items",
		"/collections/atsuma-2018_landslides/items/1":       "item",
		"/collections/atsuma-2018_landslides/queryables":    "queryables",
		"/collections/atsuma-2018_landslides/schema":        "schema",
		"/collections/atsuma-2018_mask/styles":              "styles",
		"/collections/atsuma-2018_mask/styles/plain":        "style",
		"/tileMatrixSets":                                        "matrixsets",
		"/tileMatrixSets/WebMercatorQuad":                        "matrixset-web",
		"/tileMatrixSets/WorldCRS84Quad":                         "matrixset-world",
		"/collections/atsuma-2018_mask/map/tiles":                "tilesets-map",
		"/collections/atsuma-2018_mask/map/tiles/WorldCRS84Quad": "tileset-map",
		"/collections/atsuma-2018_mask/styles/plain/map/tiles":   "tilesets-style",
		"/map/tiles":                                                "tilesets-dataset",
		"/map/tiles/WebMercatorQuad":                                "tileset-dataset",
		"/collections/atsuma-2018_landslides/tiles":                 "tilesets-vector",
		"/collections/atsuma-2018_landslides/tiles/WebMercatorQuad": "tileset-vector",
		"/processes":                "processes",
		"/processes/map-landslides": "process-map",
		"/processes/echo":           "process-echo",
		"/jobs":                     "jobs",
		"/jobs/job-1":               "job-running",
		"/jobs/job-2":               "job-successful",
		"/events":                   "events",
		"/events/atsuma-2018":       "event",
		"/models":                   "models",
		"/models/small":             "model",
	}
}

// withJobs adds a running job and a successful one.
func withJobs(t *testing.T, s *server) *server {
	t.Helper()
	for range 2 {
		_, err := s.jobs.Submit(context.Background(), jobs.Spec{Event: "atsuma-2018"}, nil)
		require.NoError(t, err)
	}
	s.jobs.Finish("job-2")
	return s
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the tests with -update to write it")
	require.Equal(t, string(want), string(got))
}

func TestDocuments(t *testing.T) {
	s := withJobs(t, newServer(t))
	for target, name := range documents() {
		t.Run(name, func(t *testing.T) {
			r := s.get(target)
			body := text(t, r)
			require.Equal(t, http.StatusOK, r.StatusCode, body)
			require.NotContains(t, body, "/secret/", "paths of the server must not show")
			var pretty bytes.Buffer
			require.NoError(t, json.Indent(&pretty, []byte(body), "", "  "))
			golden(t, name+".json", masked(pretty.Bytes()))
		})
	}
}

// Every link of every document is absolute under the public address, has a
// relation and a type, and leads somewhere.
func TestLinks(t *testing.T) {
	s := withJobs(t, newServer(t))
	seen := map[string]bool{}
	for target := range documents() {
		var doc any
		require.NoError(t, json.Unmarshal([]byte(text(t, s.get(target))), &doc))
		for _, l := range links(doc) {
			href, _ := l["href"].(string)
			require.NotEmpty(t, l["rel"], "%s: %s", target, href)
			require.NotEmpty(t, l["type"], "%s: %s", target, href)
			path, ok := strings.CutPrefix(href, base)
			require.True(t, ok, "%s: %s is not under the public address", target, href)
			if seen[path] || l["templated"] == true || l["rel"] == "http://www.opengis.net/def/rel/ogc/1.0/execute" || strings.Contains(path, "/away_") || strings.HasPrefix(path, "/wms") {
				continue
			}
			seen[path] = true
			r := s.get(path, "Accept", l["type"].(string))
			require.Equal(t, http.StatusOK, r.StatusCode, "%s links to %s: %s", target, href, text(t, r))
			require.True(t, strings.HasPrefix(r.Header.Get("Content-Type"), l["type"].(string)), "%s says that %s is %s, it is %s", target, href, l["type"], r.Header.Get("Content-Type"))
		}
	}
	require.Greater(t, len(seen), 60)
}

// links finds every object with href and rel in a document.
func links(v any) []map[string]any {
	var out []map[string]any
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			out = append(out, links(x)...)
		}
	case map[string]any:
		if _, ok := v["href"].(string); ok {
			return []map[string]any{v}
		}
		for _, x := range v {
			out = append(out, links(x)...)
		}
	}
	return out
}

func TestPages(t *testing.T) {
	s := withJobs(t, newServer(t))
	for target, name := range documents() {
		t.Run(name, func(t *testing.T) {
			r := s.get(target, "Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
			body := text(t, r)
			require.Equal(t, http.StatusOK, r.StatusCode, body)
			require.Equal(t, "text/html; charset=utf-8", r.Header.Get("Content-Type"))
			require.Contains(t, body, "</html>")
			require.NotContains(t, body, "ZgotmplZ", "a template put something where it is not safe")
			root, err := html.Parse(strings.NewReader(body))
			require.NoError(t, err)
			for n := range root.Descendants() {
				for _, a := range n.Attr {
					if n.Data != "a" && (a.Key == "src" || a.Key == "href") && !strings.HasPrefix(a.Val, "data:") {
						require.True(t, strings.HasPrefix(a.Val, base), "%s %s=%s comes from elsewhere", n.Data, a.Key, a.Val)
					}
				}
			}
		})
	}
}

// document loads the OpenAPI document as a client gets it, for a server at /.
func document(t *testing.T, s *server) *openapi3.T {
	t.Helper()
	r := s.get("/api")
	require.Equal(t, "application/vnd.oai.openapi+json;version=3.0", r.Header.Get("Content-Type"))
	doc, err := openapi3.NewLoader().LoadFromData([]byte(text(t, r)))
	require.NoError(t, err)
	require.NoError(t, doc.Validate(context.Background(), openapi3.EnableExamplesValidation()))
	require.Equal(t, base, doc.Servers[0].URL)
	doc.Servers = openapi3.Servers{{URL: "http://example.com"}}
	return doc
}

// Answers are what the OpenAPI document says.
func TestAnswersFollowTheOpenAPIDocument(t *testing.T) {
	s := withJobs(t, newServer(t))
	router, err := legacy.NewRouter(document(t, s))
	require.NoError(t, err)
	for _, kind := range []string{"application/geo+json", "application/vnd.ogc.fg+json", "application/schema+json", "application/vnd.mapbox.tile+json", "application/vnd.oai.openapi+json"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.JSONBodyDecoder)
	}
	for _, kind := range []string{"application/geo+json-seq", "text/csv", "text/html", "application/geopackage+sqlite3", "application/flatgeobuf", "application/vnd.apache.parquet",
		"image/tiff", "image/png", "application/vnd.mapbox-vector-tile", "text/xml", "application/xml", "application/vnd.ogc.wms_xml", "application/vnd.ogc.se_xml"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.FileBodyDecoder)
	}
	targets := []string{
		"/collections/atsuma-2018_landslides/items?bbox=141.9,42.6,142.1,42.8&datetime=2018-09-01/..&min_area=600&limit=1",
		"/collections/atsuma-2018_landslides/items?filter=area_m2%3E500&filter-lang=cql2-text&filter-crs=http://www.opengis.net/def/crs/EPSG/0/3857&sortby=-area_m2,model&properties=run,area_m2",
		"/collections/atsuma-2018_landslides/items?area_m2=500&cloud_adjacent=false&post_date=2018-09-10&f=jsonfg", "/collections/atsuma-2018_landslides/items/1?f=jsonfg&properties=run",
		"/collections/atsuma-2018_landslides/items?f=csv", "/collections/atsuma-2018_landslides/items?f=geojsonseq", "/collections/atsuma-2018_landslides/items?f=gpkg",
		"/collections/atsuma-2018_landslides/items?f=fgb", "/collections/atsuma-2018_landslides/items?f=parquet", "/collections/atsuma-2018_landslides/items?filter=wrong",
		"/collections/atsuma-2018_mask/map/tiles/WebMercatorQuad?f=tilejson",
		"/collections/atsuma-2018_mask/map/tiles/WebMercatorQuad/0/0/0",
		"/collections/atsuma-2018_mask/map/tiles/WebMercatorQuad/0/0/0?threshold=0.7&scale=2",
		"/collections/atsuma-2018_mask/styles/plain/map/tiles/WebMercatorQuad/0/0/0",
		"/collections/atsuma-2018_landslides/tiles/WebMercatorQuad/0/0/0", "/collections/atsuma-2018_landslides/tiles/WebMercatorQuad/0/0/0?f=geojson",
		"/collections/atsuma-2018_mask/map?width=100&bgcolor=white",
		"/collections/atsuma-2018_mask/map?f=html", "/collections/atsuma-2018_mask/styles/plain/map?f=html&width=100", "/map?f=html",
		"/collections/atsuma-2018_mask/map?center=142,42.7&width=50&height=50&scale-denominator=50000",
		"/collections/atsuma-2018_mask/info?point=142,42.7",
		"/collections/atsuma-2018_mask/coverage?scale-factor=10&values=byte",
		"/collections/atsuma-2018_mask/coverage?f=geotiff&width=6&height=7", "/collections/atsuma-2018_mask/coverage?scaleSize=Lat(6),Long(7)",
		"/collections/atsuma-2018_mask/legend?f=json",
		"/map?width=50&collections=atsuma-2018_pre,atsuma-2018_mask",
		"/map/tiles/WebMercatorQuad/0/0/0", "/map/tiles/WebMercatorQuad/1/0/1?collections=atsuma-2018_pre",
		"/wmts/1.0.0/atsuma-2018_mask/default/WebMercatorQuad/0/0/0.png",
		"/collections/atsuma-2018_mask/legend",
		"/collections/nothing_mask", "/collections/atsuma-2018_mask/items", "/jobs/none", "/processes/none",
		"/jobs/job-1/results", "/jobs/job-2/results", "/jobs/job-2/results/mask", "/api",
		"/collections/atsuma-2018_mask/styles/plain/map?width=50", "/collections/atsuma-2018_mask/styles/plain/legend", "/collections/atsuma-2018_mask/styles/plain/map/tiles/WebMercatorQuad",
		"/wms?service=WMS&request=GetCapabilities",
		"/wms?version=1.3.0&request=GetMap&layers=atsuma-2018_mask&styles=&crs=CRS:84&bbox=141.9,42.6,142,42.7&width=64&height=64&format=image/png",
		"/wms?version=1.3.0&request=GetMap&layers=none", "/wmts?service=WMTS&request=GetCapabilities", "/wmts?service=WMTS&request=GetTile&layer=none",
		"/wmts?service=WMTS&version=1.0.0&request=GetTile&layer=atsuma-2018_mask&style=default&format=image/png&tilematrixset=WebMercatorQuad&tilematrix=0&tilerow=0&tilecol=0",
		"/wmts/1.0.0/WMTSCapabilities.xml", "/wmts/1.0.0/atsuma-2018_mask/default/WebMercatorQuad/0/0/0/128/128.json", "/wmts/1.0.0/none/default/WebMercatorQuad/0/0/0.png",
		"/wmts/1.0.0/atsuma-2018_mask/default/current/WebMercatorQuad/0/0/0.png", "/wmts/1.0.0/atsuma-2018_mask/default/current/WebMercatorQuad/0/0/0/128/128.json",
	}
	for target := range documents() {
		targets = append(targets, target)
	}
	visited := map[string]bool{}
	follow := func(method, target, body string) {
		t.Helper()
		req := httptest.NewRequest(method, "http://example.com"+target, strings.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		route, params, err := router.FindRoute(req)
		require.NoError(t, err, target)
		visited[route.Method+" "+route.Path] = true
		in := &openapi3filter.RequestValidationInput{Request: req, PathParams: params, Route: route}
		require.NoError(t, openapi3filter.ValidateRequest(context.Background(), in), target)
		r := s.ask(method, target, body, "Content-Type", "application/json")
		err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: r.StatusCode, Header: r.Header, Body: r.Body})
		require.NoError(t, err, target)
	}
	for _, target := range targets {
		follow(http.MethodGet, target, "")
	}
	const event = `"title": "New", "trigger": {"time": "2024-01-01T00:00:00Z", "type": "earthquake"}, "pre": [{"path": "pre.tif"}], "post": [{"path": "post.tif"}], "dem": "dem.tif"`
	for _, write := range [][3]string{
		{http.MethodPost, "/processes/echo/execution", `{"inputs": {"message": "a"}}`},
		{http.MethodPost, "/processes/echo/execution", `{"inputs": {"message": "a"}, "outputs": {"message": {}}, "response": "raw"}`},
		{http.MethodPost, "/processes/map-landslides/execution", `{"inputs": {"event": "none"}}`},
		{http.MethodPost, "/events", `{"id": "new", ` + event + `}`}, {http.MethodPost, "/events", `{"id": "new", ` + event + `}`},
		{http.MethodPut, "/events/new", `{"id": "new", ` + event + `}`}, {http.MethodPut, "/events/other", `{"id": "other", ` + event + `}`},
		{http.MethodDelete, "/events/new", ""}, {http.MethodDelete, "/events/new", ""},
		{http.MethodDelete, "/jobs/job-1", ""}, {http.MethodDelete, "/jobs/none", ""},
	} {
		follow(write[0], write[1], write[2])
	}
	for path, item := range document(t, s).Paths.Map() {
		for method := range item.Operations() {
			assert.True(t, visited[method+" "+path], "%s %s: no answer of it was looked at", method, path)
		}
	}
}

// Every parameter and every request shows what may be given, every error what it looks like.
func TestOpenAPIDocumentHasExamples(t *testing.T) {
	shown := func(c *openapi3.MediaType) bool { return c.Example != nil || len(c.Examples) > 0 }
	for path, item := range document(t, newServer(t)).Paths.Map() {
		for method, op := range item.Operations() {
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				schema := p.Value.Schema.Value
				told := schema.Default != nil || len(schema.Enum) > 0 || schema.Type.Is("boolean")
				assert.True(t, told || p.Value.Example != nil || len(p.Value.Examples) > 0, "%s %s: %s", method, path, p.Value.Name)
			}
			if op.RequestBody != nil {
				assert.True(t, shown(op.RequestBody.Value.Content.Get("application/json")), "%s %s", method, path)
			}
			failure := op.Responses.Default()
			assert.NotNil(t, failure, "%s %s does not say how it fails", method, path)
			assert.True(t, slices.ContainsFunc(slices.Collect(maps.Values(failure.Value.Content)), shown), "%s %s", method, path)
		}
	}
}

// Every route is in the OpenAPI document and the other way round.
func TestOpenAPIDocumentIsComplete(t *testing.T) {
	s := newServer(t)
	described := map[string]bool{}
	for path, item := range document(t, s).Paths.Map() {
		for method := range item.Operations() {
			described[method+" "+anonymous(path)] = true
		}
	}
	routed := map[string]bool{}
	for _, r := range s.Routes() {
		if r.Method == http.MethodHead || r.Method == echo.RouteNotFound || strings.HasPrefix(r.Path, "/ogc/") || r.Path == "/api.html" {
			continue
		}
		routed[r.Method+" "+anonymous(r.Path)] = true
	}
	require.Equal(t, routed, described)
}

// anonymous drops the names of path parameters.
func anonymous(path string) string {
	parts := strings.Split(path, "/")
	for i, p := range parts {
		if strings.HasPrefix(p, ":") || strings.HasPrefix(p, "{") {
			parts[i] = "*"
		}
	}
	return strings.Join(parts, "/")
}

// Every query parameter that a route takes is in the OpenAPI document, and the other way round.
func TestOpenAPIDocumentHasEveryParameter(t *testing.T) {
	s := withJobs(t, newServer(t))
	known := regexp.MustCompile(`known here: ([^"]*)`)
	asked := 0
	for path, item := range document(t, s).Paths.Map() {
		if strings.HasPrefix(path, "/wms") || strings.HasPrefix(path, "/wmts") { // WMS and WMTS leave alone what they don't know
			continue
		}
		for method, op := range item.Operations() {
			target, described := pathFor(path), map[string]bool{"f": true}
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				if p.Value.In == "query" {
					described[p.Value.Name] = true
				}
			}
			taken, told := map[string]bool{}, false
			for _, layer := range []string{"mask", "landslides"} { // what a route takes may depend on the layer
				r := s.ask(method, strings.Replace(target, "_mask/", "_"+layer+"/", 1)+"?zzz=1", "{}", "Content-Type", "application/json")
				if found := known.FindStringSubmatch(text(t, r)); found != nil {
					told = true
					for name := range strings.SplitSeq(found[1], ", ") {
						taken[name] = true
					}
				}
			}
			if !assert.True(t, told, "%s %s does not refuse what it doesn't know", method, target) {
				continue
			}
			delete(taken, "_") // what some clients send against caches says nothing
			assert.Equal(t, taken, described, "%s %s", method, target)
			asked++
		}
	}
	assert.Greater(t, asked, 40)
}

// pathFor puts what the tests' server has into a path of the OpenAPI document.
func pathFor(path string) string {
	layer := "mask"
	for _, of := range []string{"/items", "/schema", "/queryables", "/collections/{collectionId}/tiles"} {
		if strings.Contains(path, of) {
			layer = "landslides"
		}
	}
	return strings.NewReplacer("{collectionId}", "atsuma-2018_"+layer, "{eventId}", "atsuma-2018", "{styleId}", "plain", "{tileMatrixSetId}", "WebMercatorQuad",
		"{tileMatrix}", "0", "{tileRow}", "0", "{tileCol}", "0", "{featureId}", "1", "{processId}", "echo", "{jobId}", "job-2", "{outputId}", "mask",
		"{runId}", "run-2", "{name}", "small").Replace(path)
}
