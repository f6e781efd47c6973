package ogc_test

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/ogc"
)

// patient is a server that waits for processes that are really carried out.
func patient(t *testing.T, change ...func(*ogc.Deps)) *server {
	t.Helper()
	return newServer(t, append(change, func(d *ogc.Deps) { d.SyncTimeout = time.Minute })...)
}

// everything is an execute request of echo with an input of every kind.
const everything = `"message":"teststring","count":7,"ratio":0.5,"flag":true,"colour":"green","numbers":[1,2,3],
	"box":{"bbox":[51.9,7,52,7.1],"crs":"http://www.opengis.net/def/crs/OGC/1.3/CRS84"},"document":{"href":"note.txt","type":"text/plain"},
	"mixed":{"value":{"any":["thing"]},"mediaType":"application/json"},"place":{"type":"Point","coordinates":[7.6,51.95]}`

func TestEchoOfEveryKindOfInput(t *testing.T) {
	s := patient(t)
	require.NoError(t, os.WriteFile(filepath.Join(s.files, "note.txt"), []byte("a\nnote"), 0o600))
	got := text(t, s.execute("echo", `{"inputs":{`+everything+`},"response":"document"}`))
	require.JSONEq(t, `{"message":"teststring","count":7,"ratio":0.5,"flag":true,"colour":"green","numbers":[1,2,3],
		"box":{"bbox":[51.9,7,52,7.1],"crs":"http://www.opengis.net/def/crs/OGC/1.3/CRS84"},"document":"a\nnote",
		"mixed":{"mediaType":"application/json","value":{"any":["thing"]}},"place":{"mediaType":"application/json","value":{"type":"Point","coordinates":[7.6,51.95]}}}`, got)

	// Text of a mixed input is text; a value may be qualified; numbers keep their digits.
	require.JSONEq(t, `{"mixed":{"mediaType":"text/plain; charset=utf-8","value":"<b>"},"count":100}`,
		text(t, s.execute("echo", `{"inputs":{"mixed":{"value":"<b>"},"count":{"value":100}},"response":"document"}`)))
	r := s.execute("echo", `{"inputs":{"numbers":[{"value":1},12345678901234567890]},"response":"raw"}`)
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	require.Equal(t, "[1,12345678901234567890]", text(t, r))
}

func TestRawOfSeveralOutputs(t *testing.T) {
	s := patient(t)
	r := s.execute("echo", `{"inputs":{"message":"teststring","count":7,"flag":true},"outputs":{"message":{"transmissionMode":"value"},"count":{"transmissionMode":"reference"}},"response":"raw"}`)
	require.Equal(t, http.StatusOK, r.StatusCode)
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/related", kind)
	parts := map[string]string{}
	m := multipart.NewReader(r.Body, params["boundary"])
	for {
		p, err := m.NextPart()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		b, err := io.ReadAll(p)
		require.NoError(t, err)
		parts[p.Header.Get("Content-Id")] = p.Header.Get("Content-Type") + "|" + p.Header.Get("Content-Location") + "|" + string(b)
	}
	require.Equal(t, map[string]string{"message": "text/plain; charset=utf-8||teststring", "count": "application/json|" + base + "/jobs/job-1/results/count|"}, parts)
	require.Equal(t, "7", text(t, s.get("/jobs/job-1/results/count")))
	require.Equal(t, http.StatusNotFound, s.get("/jobs/job-1/results/ratio").StatusCode, "it was not given")
}

// suite posts what the OGC's test suite for Processes 1.0 sends for the
// process echo, as its sources build it from the description.
type suite struct {
	*server
	t    *testing.T
	desc struct {
		JobControlOptions []string
		Inputs, Outputs   json.RawMessage
	}
	order []string // of inputs
}

func newSuite(t *testing.T) *suite {
	s := &suite{server: patient(t), t: t}
	require.NoError(t, json.Unmarshal([]byte(text(t, s.get("/processes/echo", "Accept", "application/json"))), &s.desc))
	d := json.NewDecoder(strings.NewReader(string(s.desc.Inputs)))
	_, err := d.Token()
	require.NoError(t, err)
	for d.More() {
		key, err := d.Token()
		require.NoError(t, err)
		s.order = append(s.order, key.(string))
		var skip json.RawMessage
		require.NoError(t, d.Decode(&skip))
	}
	return s
}

type schema struct {
	Type, ContentMediaType string
	OneOf                  []schema
	AllOf                  []struct{ Format string }
	Items                  *struct{ Type string }
}

// types are those that the suite sees in an input, the items' before the array's.
func (s schema) types() []string {
	var out []string
	for _, one := range append([]schema{s}, s.OneOf...) {
		if one.Items != nil {
			out = append(out, one.Items.Type)
		}
		if one.Type != "" {
			out = append(out, one.Type)
		}
	}
	return out
}

func (s *suite) schemas() map[string]schema {
	var in map[string]struct{ Schema schema }
	require.NoError(s.t, json.Unmarshal(s.desc.Inputs, &in))
	out := map[string]schema{}
	for id, v := range in {
		out[id] = v.Schema
	}
	return out
}

// inputs are what the suite sends: its test string wherever a string is
// accepted, and where object is set also as the value of the first object.
func (s *suite) inputs(object bool) map[string]any {
	out := map[string]any{}
	schemas := s.schemas()
	for _, id := range s.order {
		for _, kind := range schemas[id].types() {
			switch {
			case kind == "string":
				out[id] = "teststring"
			case kind == "object" && object:
				out[id], object = map[string]any{"value": "teststring"}, false
			}
		}
	}
	return out
}

func (s *suite) outputs() map[string]any {
	var all map[string]any
	require.NoError(s.t, json.Unmarshal(s.desc.Outputs, &all))
	out := map[string]any{}
	for id := range all {
		out[id] = map[string]any{"transmissionMode": "value"}
	}
	return out
}

func (s *suite) post(async bool, members ...any) *http.Response {
	body := map[string]any{}
	for i := 0; i < len(members); i += 2 {
		body[members[i].(string)] = members[i+1]
	}
	b, err := json.Marshal(body)
	require.NoError(s.t, err)
	headers := []string{"Accept", "application/json", "Content-Type", "application/json; charset=UTF-8"}
	if async {
		headers = append(headers, "Prefer", "respond-async ")
	}
	return s.ask(http.MethodPost, "/processes/echo/execution", string(b), headers...)
}

// The assertions of ets-ogcapi-processes10 1.3 (class Jobs), under their names there.
func TestSuiteAssertions(t *testing.T) {
	const exceptions = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/"
	s := newSuite(t)
	require.Contains(t, s.desc.JobControlOptions, "sync-execute")
	require.Contains(t, s.desc.JobControlOptions, "async-execute")
	inputs, outputs := s.inputs(false), s.outputs()
	first := s.order[0]
	one := []any{"inputs", map[string]any{first: "teststring"}, "outputs", map[string]any{first: outputs[first]}, "response", "raw"}
	ok := func(name string, r *http.Response) {
		t.Run(name, func(t *testing.T) { require.Equal(t, 200, r.StatusCode, text(t, r)) })
	}
	ok("testJobCreationDefaultExecutionMode", s.post(false, "inputs", inputs, "outputs", outputs))
	ok("testJobCreationDefaultOutputs", s.post(false, "inputs", inputs))
	ok("testJobCreationInputArray", s.post(false, "inputs", map[string]any{"numbers": []int{1, 2, 3}}, "outputs", map[string]any{"numbers": outputs["numbers"]}))
	ok("testJobCreationInputInlineBbox", s.post(false, "inputs", map[string]any{"box": map[string]any{"bbox": []float64{51.9, 7, 52, 7.1}, "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84"}},
		"outputs", map[string]any{"box": outputs["box"]}))
	for _, name := range []string{"testJobCreationInputInlineBinary", "testJobCreationInputInlineMixed", "testJobCreationInputInlineObject", "testJobCreationInputRef"} {
		ok(name, s.post(false, "inputs", s.inputs(true), "outputs", outputs))
	}
	for _, name := range []string{"testJobCreationInputInline", "testJobCreationInputs", "testJobOp"} {
		ok(name, s.post(false, "inputs", inputs, "outputs", outputs))
	}
	ok("testJobCreationSyncDocument", s.post(false, "inputs", inputs, "outputs", outputs, "response", "document"))
	for _, name := range []string{"testJobCreationSyncRawMixedMulti", "testJobCreationSyncRawRef", "testJobCreationSyncRawValueMulti"} {
		ok(name, s.post(false, "inputs", inputs, "outputs", outputs, "response", "raw"))
	}
	t.Run("testJobCreationSyncRawValueOne", func(t *testing.T) {
		r := s.post(false, one...)
		require.Equal(t, 200, r.StatusCode)
		require.Contains(t, text(t, r), "teststring")
	})
	t.Run("testJobResultsSync", func(t *testing.T) {
		r := s.post(false, "inputs", inputs, "outputs", outputs)
		require.Equal(t, 200, r.StatusCode)
		require.Empty(t, r.Header.Values("Link"), "a link would have to be rel=monitor")
	})
	for name, body := range map[string][]any{
		"testJobCreationAutoExecutionMode": {"inputs", inputs, "outputs", outputs}, "testJobCreationOp": {"inputs", inputs, "outputs", outputs},
		"testJobCreationRequest": {"inputs", inputs, "outputs", outputs}, "testJobCreationSuccessAsync": {"inputs", inputs, "outputs", outputs},
		"testJobResults": {"inputs", inputs, "outputs", outputs}, "testJobSuccess": {"inputs", inputs, "outputs", outputs},
		"testJobResultsAsyncDocument":      {"inputs", inputs, "outputs", outputs, "response", "document"},
		"testJobResultsAsyncRawMixedMulti": {"inputs", s.inputs(true), "outputs", outputs}, "testJobResultsAsyncRawRef": {"inputs", s.inputs(true), "outputs", outputs},
		"testJobResultsAsyncRawValueMulti": {"inputs", s.inputs(true), "outputs", outputs}, "testJobResultsAsyncRawValueOne": one,
	} {
		t.Run(name, func(t *testing.T) {
			r := s.post(true, body...)
			require.Equal(t, 201, r.StatusCode)
			require.True(t, strings.HasPrefix(r.Header.Get("Location"), base+"/jobs/"))
			at := strings.TrimPrefix(r.Header.Get("Location"), base)
			status := s.get(at, "Accept", "application/json")
			require.Equal(t, 200, status.StatusCode)
			info := decode[statusInfo](t, status)
			require.NotEmpty(t, info.JobID)
			require.Contains(t, []string{"accepted", "running", "successful"}, info.Status)
			_, err := s.jobs.Wait(t.Context(), info.JobID, func(jobs.Job) {})
			require.NoError(t, err)
			require.True(t, decode[statusInfo](t, s.get(at)).has(resultsRel))
			require.Contains(t, text(t, s.get(at+"/results", "Accept", "application/json")), "teststring")
		})
	}
	exception := func(t *testing.T, r *http.Response, status int, kind string) {
		require.Equal(t, status, r.StatusCode)
		require.Equal(t, "application/json", r.Header.Get("Content-Type"), "what was asked for")
		p := decode[struct{ Type, Title, Detail string }](t, r)
		require.Equal(t, kind, p.Type)
		require.NotEmpty(t, p.Title)
	}
	t.Run("testJobCreationInputValidation", func(t *testing.T) {
		wrong := map[string]any{}
		for id, sc := range s.schemas() {
			for _, one := range append([]schema{sc}, sc.OneOf...) {
				if one.ContentMediaType != "" {
					wrong[id] = map[string]any{"type": "wrong/type_1"}
				}
			}
		}
		require.NotEmpty(t, wrong, "the suite needs an input with a media type")
		exception(t, s.post(false, "inputs", wrong, "outputs", outputs), 400, exceptions+"invalid-parameter-value")
	})
	t.Run("testJobResultsFailed", func(t *testing.T) {
		exception(t, s.post(false, "invalid-execute-request", "true)"), 400, exceptions+"invalid-parameter-value")
	})
	t.Run("testJobResultsExceptionResultsNotReady", func(t *testing.T) {
		r := s.post(true, "inputs", map[string]any{first: "teststring", "pause": 5}, "outputs", map[string]any{first: outputs[first]}, "response", "raw")
		at := strings.TrimPrefix(r.Header.Get("Location"), base)
		exception(t, s.get(at+"/results", "Accept", "application/json"), 404, exceptions+"result-not-ready")
		require.Equal(t, 200, s.ask(http.MethodDelete, at, "").StatusCode)
	})
	t.Run("testJobExceptionNoSuchJob", func(t *testing.T) {
		exception(t, s.get("/jobs/invalid-job-1", "Accept", "application/json"), 404, exceptions+"no-such-job")
	})
	t.Run("testJobResultsNoSuchJob", func(t *testing.T) {
		exception(t, s.get("/jobs/invalid-job-1/results", "Accept", "application/json"), 404, exceptions+"no-such-job")
	})
	t.Run("testProcessExceptionNoSuchProcess", func(t *testing.T) {
		exception(t, s.get("/processes/invalid-process-1", "Accept", "application/json"), 404, exceptions+"no-such-process")
	})
}

// shapes are what the tests of the analyses send.
const (
	roads = `{"type":"FeatureCollection","features":[{"type":"Feature","id":"road 1","properties":{"name":"Main street"},
		"geometry":{"type":"LineString","coordinates":[[141.9,42.7001],[142,42.7001]]}}]}`
	oneSlide = `{"type":"Polygon","coordinates":[[[141.95,42.7],[141.9503,42.7],[141.9503,42.7003],[141.95,42.7003],[141.95,42.7]]]}`
)

func TestAssessImpactOfACollection(t *testing.T) {
	s := patient(t)
	r := s.execute("assess-impact", `{"inputs":{"landslides":{"collection":"atsuma-2018_landslides"},"exposed":`+roads+`},"response":"document"}`)
	require.Equal(t, 200, r.StatusCode)
	doc := decode[struct {
		Summary struct {
			Value struct {
				Lines struct {
					Hit, Blocked_segments int
					Blocked_length_m      float64
				}
			}
		}
		Hit struct {
			MediaType string
			Value     struct {
				Features []struct {
					ID         string
					Properties map[string]any
				}
			}
		}
		Table struct{ MediaType, Value string }
	}](t, r)
	require.Equal(t, 1, doc.Summary.Value.Lines.Hit)
	require.Equal(t, 5, doc.Summary.Value.Lines.Blocked_segments)
	require.InDelta(t, 131.2, doc.Summary.Value.Lines.Blocked_length_m, 0.5, "five landslides of 0.0003 to 0.00034 degrees")
	require.Equal(t, "road 1", doc.Hit.Value.Features[0].ID)
	require.Equal(t, "Main street", doc.Hit.Value.Features[0].Properties["name"])
	require.Contains(t, doc.Table.Value, "everywhere,5,")

	r = s.execute("assess-impact", `{"inputs":{"landslides":`+oneSlide+`,"exposed":{"value":`+roads+`,"mediaType":"application/geo+json"}},"outputs":{"table":{}}}`)
	require.Equal(t, "text/csv; charset=utf-8", r.Header.Get("Content-Type"))
	require.Contains(t, text(t, r), "everywhere,1,")
}

func TestCompareInventoryWithACollection(t *testing.T) {
	s := patient(t)
	r := s.execute("compare-inventory", `{"inputs":{"mapped":{"collection":"atsuma-2018_landslides"},"reference":`+oneSlide+`},"outputs":{"summary":{}}}`)
	require.Equal(t, 200, r.StatusCode)
	got := decode[struct {
		By_object struct{ Matched, False, Found, Missed int }
	}](t, r)
	require.Equal(t, 1, got.By_object.Found)
	require.Equal(t, 1, got.By_object.Matched)
	require.Equal(t, 4, got.By_object.False)
}

// A job that fails for what its inputs hold says so as a client's fault.
func TestInputsThatFailLater(t *testing.T) {
	s := patient(t)
	r := s.execute("assess-impact", `{"inputs":{"landslides":{"type":"Point","coordinates":[1,2]},"exposed":`+roads+`}}`, "Prefer", "respond-async")
	require.Equal(t, http.StatusCreated, r.StatusCode)
	id := decode[statusInfo](t, r).JobID
	job, err := s.jobs.Wait(t.Context(), id, func(jobs.Job) {})
	require.NoError(t, err)
	require.Equal(t, jobs.Failed, job.Status)
	r = s.get("/jobs/" + id + "/results")
	require.Equal(t, 400, r.StatusCode)
	require.Contains(t, text(t, r), "polygons are needed")
}

func TestCallbackNews(t *testing.T) {
	s := patient(t)
	const hooks = `"subscriber":{"successUri":"https://hooks.test/s","inProgressUri":"https://hooks.test/p","failedUri":"https://hooks.test/f"}`
	r := s.execute("echo", `{"inputs":{"message":"told","count":3},`+hooks+`}`, "Prefer", "respond-async")
	require.Equal(t, http.StatusCreated, r.StatusCode)
	id := decode[statusInfo](t, r).JobID
	require.Equal(t, jobs.Subscriber{Success: "https://hooks.test/s", InProgress: "https://hooks.test/p", Failed: "https://hooks.test/f"}, s.jobs.Subscriber(id))
	_, err := s.jobs.Wait(t.Context(), id, func(jobs.Job) {})
	require.NoError(t, err)
	news, err := s.jobs.News(t.Context(), id)
	require.NoError(t, err)
	require.JSONEq(t, `{"message":"told","count":3}`, string(news.Body))

	_, err = s.jobs.Submit(t.Context(), jobs.Spec{Event: "atsuma-2018"}, json.RawMessage(`{"base":"`+base+`"}`))
	require.NoError(t, err)
	news, err = s.jobs.News(t.Context(), "job-2")
	require.NoError(t, err)
	require.Contains(t, string(news.Body), `"status":"running"`)
	require.Contains(t, string(news.Body), base+"/jobs/job-2")
	s.jobs.Finish("job-2")
	news, err = s.jobs.News(t.Context(), "job-2")
	require.NoError(t, err)
	require.Contains(t, string(news.Body), base+"/jobs/job-2/results/geopackage", "files are told by reference")
}

// What is wrong with an execute request is said before there is a job, and
// every answer is a problem of the standard that no cache keeps.
func TestBadProcessRequests(t *testing.T) {
	s := withJobs(t, patient(t))
	const exceptions = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/"
	const bad = exceptions + "invalid-parameter-value"
	_, jobsBefore, err := s.jobs.Jobs(t.Context(), jobs.Filter{})
	require.NoError(t, err)
	vector := func(_, name, value string) string {
		other := map[string]string{"landslides": "exposed", "exposed": "landslides", "mapped": "reference", "reference": "mapped"}[name]
		return fmt.Sprintf(`{"inputs":{%q:%s,%q:%s}}`, name, value, other, oneSlide)
	}
	for name, tt := range map[string]struct {
		method, target, body string
		status               int
		kind, says           string
	}{
		"count":               {"POST", "echo", `{"inputs":{"count":101}}`, 400, bad, "count: "},
		"count is text":       {"POST", "echo", `{"inputs":{"count":"7"}}`, 400, bad, "count: "},
		"ratio":               {"POST", "echo", `{"inputs":{"ratio":1}}`, 400, bad, "ratio: "},
		"flag":                {"POST", "echo", `{"inputs":{"flag":"yes"}}`, 400, bad, "flag: "},
		"colour":              {"POST", "echo", `{"inputs":{"colour":"mauve"}}`, 400, bad, "colour: "},
		"numbers":             {"POST", "echo", `{"inputs":{"numbers":[1,"b"]}}`, 400, bad, "numbers/1: "},
		"numbers empty":       {"POST", "echo", `{"inputs":{"numbers":[]}}`, 400, bad, "numbers: "},
		"box":                 {"POST", "echo", `{"inputs":{"box":{"bbox":[1,2,3]}}}`, 400, bad, "box/bbox: "},
		"box crs":             {"POST", "echo", `{"inputs":{"box":{"bbox":[1,2,3,4],"crs":"EPSG:31467"}}}`, 400, bad, "box/crs: "},
		"place":               {"POST", "echo", `{"inputs":{"place":{"type":"Polygon","coordinates":[]}}}`, 400, bad, "place/"},
		"document":            {"POST", "echo", `{"inputs":{"document":{"type":"wrong/type"}}}`, 400, bad, "document"},
		"document forbidden":  {"POST", "echo", `{"inputs":{"document":{"href":"/etc/passwd"}}}`, 400, bad, "not in an allowed place"},
		"document absent":     {"POST", "echo", `{"inputs":{"document":{"href":"absent.txt"}}}`, 400, bad, "no such file"},
		"pause":               {"POST", "echo", `{"inputs":{"message":"a","pause":61}}`, 400, bad, "pause: "},
		"only a pause":        {"POST", "echo", `{"inputs":{"pause":1}}`, 400, bad, "nothing to echo"},
		"unknown input":       {"POST", "echo", `{"inputs":{"massage":"a"}}`, 400, bad, "massage"},
		"too large":           {"POST", "echo", `{"inputs":{"mixed":"` + strings.Repeat("x", 3<<20) + `"}}`, 400, bad, "at most 2097152"},
		"inputs is a list":    {"POST", "echo", `{"inputs":["a"]}`, 400, "about:blank", "not an execute request"},
		"outputs is a list":   {"POST", "echo", `{"inputs":{"message":"a"},"outputs":["message"]}`, 400, "about:blank", "not an execute request"},
		"transmission":        {"POST", "echo", `{"inputs":{"message":"a"},"outputs":{"message":{"transmissionMode":"none"}}}`, 400, bad, "value or reference"},
		"format":              {"POST", "assess-impact", `{"inputs":{},"outputs":{"hit":{"format":{"mediaType":"text/html"}}}}`, 400, bad, "comes as application/geo+json"},
		"subscriber":          {"POST", "echo", `{"inputs":{"message":"a"},"subscriber":{}}`, 400, bad, "successUri is missing"},
		"subscriber is text":  {"POST", "echo", `{"inputs":{"message":"a"},"subscriber":"https://hooks.test/"}`, 400, "about:blank", "not an execute request"},
		"subscriber host":     {"POST", "echo", `{"inputs":{"message":"a"},"subscriber":{"successUri":"https://hooks.test/","failedUri":"https://elsewhere.test/"}}`, 400, bad, "https://elsewhere.test/"},
		"impact of nothing":   {"POST", "assess-impact", `{"inputs":{}}`, 400, bad, "landslides"},
		"landslides is text":  {"POST", "assess-impact", vector("", "landslides", `"atsuma-2018_landslides"`), 400, bad, "landslides: "},
		"no such collection":  {"POST", "assess-impact", vector("", "landslides", `{"collection":"nowhere_landslides"}`), 400, bad, "there is no collection"},
		"collection of masks": {"POST", "assess-impact", vector("", "landslides", `{"collection":"atsuma-2018_mask"}`), 400, bad, "landslides/collection: "},
		"no such run":         {"POST", "assess-impact", vector("", "landslides", `{"collection":"atsuma-2018_landslides","run":"none"}`), 400, bad, "has no run"},
		"exposed forbidden":   {"POST", "assess-impact", vector("", "exposed", `{"href":"https://example.org/roads.gpkg"}`), 400, bad, "not in an allowed place"},
		"exposed virtual":     {"POST", "assess-impact", vector("", "exposed", `{"href":"/vsimem/x.gpkg"}`), 400, bad, "virtual file systems"},
		"exposed kind":        {"POST", "assess-impact", vector("", "exposed", `{"type":"Sphere"}`), 400, bad, "exposed"},
		"exposed degrees":     {"POST", "assess-impact", vector("", "exposed", `{"type":"Point","coordinates":[500000,4500000]}`), 400, bad, "no longitudes and latitudes"},
		"unit name":           {"POST", "assess-impact", `{"inputs":{"landslides":` + oneSlide + `,"exposed":` + roads + `,"adminUnitName":""}}`, 400, bad, "adminUnitName: "},
		"overlap":             {"POST", "compare-inventory", `{"inputs":{"mapped":` + oneSlide + `,"reference":` + oneSlide + `,"minOverlap":0}}`, 400, bad, "minOverlap: "},
		"lines as inventory":  {"POST", "compare-inventory", vector("", "mapped", roads), 400, bad, "polygons are needed"},
		"area of points":      {"POST", "compare-inventory", `{"inputs":{"mapped":` + oneSlide + `,"reference":` + oneSlide + `,"area":{"type":"Point","coordinates":[1,2]}}}`, 400, bad, "polygons are needed"},
		"query":               {"POST", "echo/execution?x=1", `{"inputs":{"message":"a"}}`, 400, "about:blank", "unknown query parameter"},

		"process":           {"GET", "/processes/none", "", 404, exceptions + "no-such-process", "map-landslides, assess-impact, compare-inventory, echo"},
		"process parameter": {"GET", "/processes/echo?x=1", "", 400, "about:blank", "unknown query parameter"},
		"process f":         {"GET", "/processes/echo?f=xml", "", 400, "about:blank", "json, html"},
		"list limit":        {"GET", "/processes?limit=0", "", 400, "about:blank", "limit"},
		"list offset":       {"GET", "/processes?offset=-1", "", 400, "about:blank", "offset"},
		"jobs limit":        {"GET", "/jobs?limit=none", "", 400, "about:blank", "limit"},
		"jobs offset":       {"GET", "/jobs?offset=x", "", 400, "about:blank", "offset"},
		"jobs datetime":     {"GET", "/jobs?datetime=today", "", 400, "about:blank", "RFC 3339"},
		"jobs minDuration":  {"GET", "/jobs?minDuration=-1", "", 400, "about:blank", "minDuration"},
		"jobs maxDuration":  {"GET", "/jobs?maxDuration=long", "", 400, "about:blank", "maxDuration"},
		"jobs parameter":    {"GET", "/jobs?state=failed", "", 400, "about:blank", "unknown query parameter"},
		"job":               {"GET", "/jobs/none", "", 404, exceptions + "no-such-job", "none"},
		"job f":             {"GET", "/jobs/job-1?f=xml", "", 400, "about:blank", "json, html"},
		"results f":         {"GET", "/jobs/job-2/results?f=xml", "", 400, "about:blank", "json, html"},
		"results not ready": {"GET", "/jobs/job-1/results", "", 404, exceptions + "result-not-ready", "40 %"},
		"output of no job":  {"GET", "/jobs/none/results/mask", "", 404, exceptions + "no-such-job", "none"},
		"output parameter":  {"GET", "/jobs/job-2/results/mask?x=1", "", 400, "about:blank", "unknown query parameter"},
		"dismiss parameter": {"DELETE", "/jobs/job-1?force=true", "", 400, "about:blank", "unknown query parameter"},
	} {
		t.Run(name, func(t *testing.T) {
			target := tt.target
			if tt.method == "POST" {
				target = "/processes/" + target
				if !strings.Contains(target, "/execution") {
					target += "/execution"
				}
			}
			r := s.ask(tt.method, target, tt.body, "Content-Type", "application/json")
			body := text(t, r)
			require.Equal(t, tt.status, r.StatusCode, body)
			require.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
			require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
			var p struct {
				Type, Title, Detail string
				Status              int
			}
			require.NoError(t, json.Unmarshal([]byte(body), &p))
			require.Equal(t, tt.kind, p.Type)
			require.Contains(t, p.Detail, tt.says)
			require.Equal(t, tt.status, p.Status)
		})
	}
	_, after, err := s.jobs.Jobs(t.Context(), jobs.Filter{Processes: []string{"echo"}})
	require.NoError(t, err)
	require.Zero(t, after, "nothing of echo was accepted")
	require.Positive(t, jobsBefore)
}

// A form can be made of every input: the page has a field for each.
func TestFormsOfEveryProcess(t *testing.T) {
	s := patient(t)
	for _, id := range []string{"map-landslides", "echo", "assess-impact", "compare-inventory"} {
		page := text(t, s.get("/processes/"+id, "Accept", "text/html"))
		var d struct {
			Inputs map[string]struct {
				Title  string
				Schema map[string]any
			}
		}
		require.NoError(t, json.Unmarshal([]byte(text(t, s.get("/processes/"+id))), &d))
		for name, in := range d.Inputs {
			require.NotEmpty(t, in.Title, name)
			require.NotEmpty(t, in.Schema, name)
			require.Contains(t, page, `name="`+name+`"`, id)
		}
	}
}
