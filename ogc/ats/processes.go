package ats

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

// The exceptions of OGC API Processes Part 1.
const (
	exception      = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/"
	relExecute     = rel + "execute"
	relResults     = rel + "results"
	echoExecution  = "/processes/echo/execution"
	processPath    = "/processes/{processId}"
	executionPath  = processPath + "/execution"
	deferredAnswer = "respond-async"
)

// processesClasses are those of OGC API Processes Part 1 (18-062r2), tried
// with the process echo: a message that comes back, after a pause.
func processesClasses() []class {
	const p = "ogcapi-processes-1/1.0/conf/"
	return []class{
		{p + "core", processesCore()},
		{p + "ogc-process-description", []assertion{{"schema", func(s *session) {
			for _, summary := range list(s.document("/processes"), "processes") {
				doc := s.document("/processes/" + summary.(object)["id"].(string))
				require.NotEmpty(s.T, doc["id"])
				require.NotEmpty(s.T, doc["version"])
				for _, direction := range []string{"inputs", "outputs"} {
					values, ok := doc[direction].(object)
					require.True(s.T, ok, "%v has no %s", doc["id"], direction)
					for name, v := range values {
						schema := v.(object)["schema"]
						require.NotEmpty(s.T, schema, "%v: %s %s", doc["id"], direction, name)
						for _, bound := range members(schema, "exclusiveMinimum", "exclusiveMaximum") {
							require.IsType(s.T, true, bound, "%v: %s %s: its schema is in OpenAPI 3.0's dialect", doc["id"], direction, name)
						}
						if direction == "inputs" {
							require.LessOrEqual(s.T, number(v.(object)["minOccurs"]), 1.0)
						}
					}
				}
			}
		}}}},
		{p + "json", []assertion{{"definition", func(s *session) {
			for _, target := range []string{"/processes", "/processes/echo", "/jobs"} {
				s.expectKind(jsonType, target)
				s.expectKind(jsonType, target, "Accept", jsonType)
			}
		}}}},
		{p + "html", []assertion{{"definition", func(s *session) {
			for _, target := range []string{"/processes", "/processes/echo", "/jobs"} {
				s.expectKind(htmlType, target, "Accept", htmlType)
			}
		}}}},
		{p + "oas30", append(oas30("/processes", processPath, "/jobs", "/jobs/{jobId}", "/jobs/{jobId}/results"), assertion{"execute", func(s *session) {
			op := s.operation(http.MethodPost, executionPath)
			require.NotNil(s.T, op.RequestBody)
			require.NotNil(s.T, op.Responses.Value("201"))
		}})},
		{p + "job-list", []assertion{
			{"job-list-op", func(s *session) { s.expectKind(jsonType, s.linked(s.document("/"), rel+"job-list")) }},
			{"job-list-success", func(s *session) {
				job := s.start(0)
				doc := s.document("/jobs?limit=10000")
				s.complete(doc)
				found := false
				for _, j := range list(doc, "jobs") {
					s.requireStatus(j.(object))
					found = found || j.(object)["jobID"] == job["jobID"]
				}
				require.True(s.T, found, "a job that was made is listed")
			}},
			{"limit", func(s *session) {
				s.start(0)
				s.start(0)
				doc := s.document("/jobs?limit=1")
				require.Len(s.T, list(doc, "jobs"), 1)
				s.expect(http.StatusOK, s.linked(doc, "next"))
				s.badRequest("/jobs?limit=0")
			}},
			{"type", func(s *session) {
				require.NotEmpty(s.T, list(s.document("/jobs?type=process"), "jobs"))
				s.badRequest("/jobs?type=no-such-type")
			}},
			{"processID", func(s *session) {
				for _, j := range list(s.document("/jobs?processID=echo"), "jobs") {
					require.Equal(s.T, "echo", j.(object)["processID"])
				}
			}},
			{"status", func(s *session) {
				for _, j := range list(s.document("/jobs?status=successful,failed"), "jobs") {
					require.Contains(s.T, []any{"successful", "failed"}, j.(object)["status"])
				}
				s.badRequest("/jobs?status=no-such-status")
			}},
			{"datetime", func(s *session) {
				require.Empty(s.T, list(s.document("/jobs?datetime=1900-01-01T00:00:00Z"), "jobs"))
				s.badRequest("/jobs?datetime=yesterday")
			}},
			{"duration", func(s *session) {
				require.Empty(s.T, list(s.document("/jobs?minDuration=86400"), "jobs"))
				s.badRequest("/jobs?minDuration=long")
			}},
		}},
		{p + "callback", []assertion{
			{"job-callback", func(s *session) {
				called := s.receiver()
				body := fmt.Sprintf(`{"inputs":{"message":"some text"},"subscriber":{"successUri":"http://%[1]s/success","inProgressUri":"http://%[1]s/progress","failedUri":"http://%[1]s/failed"}}`, s.callbacks)
				job := s.decode(s.execute(body, "Prefer", deferredAnswer))
				s.requireStatus(job)
				for {
					select {
					case call := <-called:
						require.NotEqual(s.T, "/failed", call.path)
						if call.path == "/success" {
							require.Equal(s.T, "some text", call.body["message"])
							return
						}
						s.requireStatus(call.body)
						require.Equal(s.T, job["jobID"], call.body["jobID"])
					case <-time.After(patience):
						require.Fail(s.T, "the job called nobody back")
					}
				}
			}},
			{"not-allowed", func(s *session) {
				// The server must say so before it starts a job, instead of calling anybody.
				a := s.execute(`{"inputs":{"message":"x"},"subscriber":{"successUri":"http://192.0.2.1/never"}}`, "Prefer", deferredAnswer)
				require.Contains(s.T, []int{http.StatusBadRequest, http.StatusForbidden}, a.StatusCode, "%s", a.body)
				require.Equal(s.T, problemType, a.kind())
			}},
		}},
		{p + "dismiss", []assertion{
			{"job-dismiss-op", func(s *session) {
				job := s.start(30)
				a := s.send(http.MethodDelete, "/jobs/"+job["jobID"].(string), "")
				require.Equal(s.T, http.StatusOK, a.StatusCode, "%s", a.body)
			}},
			{"job-dismiss-success", func(s *session) {
				job := s.start(30)
				doc := s.decode(s.send(http.MethodDelete, "/jobs/"+job["jobID"].(string), ""))
				s.requireStatus(doc)
				require.Equal(s.T, "dismissed", doc["status"])
				a := s.get("/jobs/" + job["jobID"].(string) + "/results")
				require.Contains(s.T, []int{http.StatusNotFound, http.StatusGone}, a.StatusCode)
				require.Equal(s.T, problemType, a.kind())
			}},
			{"no-such-job", func(s *session) {
				require.Equal(s.T, http.StatusNotFound, s.send(http.MethodDelete, "/jobs/no-such-job", "").StatusCode)
			}},
		}},
	}
}

func processesCore() []assertion {
	return []assertion{
		{"landingpage-success", func(s *session) { s.linked(s.document("/"), rel+"processes") }},
		{"process-list", func(s *session) { s.expectKind(jsonType, s.linked(s.document("/"), rel+"processes")) }},
		{"process-list-success", func(s *session) {
			doc := s.document("/processes")
			s.complete(doc)
			s.linked(doc, "self")
			for _, p := range list(doc, "processes") {
				for _, member := range []string{"id", "version", "jobControlOptions", "outputTransmission"} {
					require.NotEmpty(s.T, p.(object)[member], "%v", p)
				}
				s.expect(http.StatusOK, s.linked(p.(object), "self"))
			}
		}},
		{"pl-limit-definition", func(s *session) {
			schema := s.parameter("/processes", "limit").Schema.Value
			require.True(s.T, schema.Type.Is("integer"))
			require.NotNil(s.T, schema.Min)
			require.NotNil(s.T, schema.Default)
		}},
		{"pl-limit-response", func(s *session) {
			doc := s.document("/processes?limit=1")
			require.Len(s.T, list(doc, "processes"), 1)
			s.badRequest("/processes?limit=0")
		}},
		{"pl-links", func(s *session) {
			next := s.document(s.linked(s.document("/processes?limit=1"), "next"))
			require.Len(s.T, list(next, "processes"), 1)
			s.linked(next, "prev")
		}},
		{"process", func(s *session) { s.expectKind(jsonType, "/processes/echo") }},
		{"process-success", func(s *session) {
			doc := s.document("/processes/echo")
			s.complete(doc)
			require.Equal(s.T, s.base+echoExecution, s.linked(doc, relExecute))
			require.Contains(s.T, list(doc, "jobControlOptions"), "sync-execute")
			require.Contains(s.T, list(doc, "jobControlOptions"), "async-execute")
		}},
		{"process-exception/no-such-process", func(s *session) {
			s.requireException(s.get("/processes/no-such-process"), http.StatusNotFound, "no-such-process")
			s.requireException(s.send(http.MethodPost, "/processes/no-such-process/execution", `{"inputs":{}}`), http.StatusNotFound, "no-such-process")
		}},
		{"job-creation-op", func(s *session) { s.start(0) }},
		{"job-creation-auto-execution-mode", func(s *session) {
			require.Contains(s.T, []int{http.StatusOK, http.StatusCreated}, s.execute(`{"inputs":{"message":"x"}}`).StatusCode)
		}},
		{"job-creation-default-execution-mode", func(s *session) {
			// Without a preference a process that can do both answers at once.
			a := s.execute(`{"inputs":{"message":"x"}}`)
			require.Equal(s.T, http.StatusOK, a.StatusCode)
			require.Empty(s.T, a.Header.Get("Link"))
		}},
		{"job-creation-input-inline", func(s *session) {
			require.Equal(s.T, http.StatusOK, s.execute(`{"inputs":{"message":"x"}}`).StatusCode)
			for _, wrong := range []string{`{"inputs":{"message":7}}`, `{"inputs":{"message":"x","pause":"long"}}`, `{"inputs":{}}`, `{"inputs":{"message":"x","other":1}}`, `{"inputs":[]}`, `{`, `[]`} {
				a := s.execute(wrong)
				require.Equal(s.T, http.StatusBadRequest, a.StatusCode, wrong)
				require.Equal(s.T, problemType, a.kind())
			}
		}},
		{"job-creation-input-inline-object", func(s *session) {
			a := s.execute(`{"inputs":{"message":{"value":"x"}},"response":"document"}`)
			require.Equal(s.T, http.StatusOK, a.StatusCode, "a qualified value: %s", a.body)
			require.Equal(s.T, "x", s.decode(a)["message"])
		}},
		{"job-creation-input-validation", func(s *session) {
			require.Equal(s.T, http.StatusBadRequest, s.execute(`{"inputs":{"message":"x","pause":-1}}`).StatusCode)
		}},
		{"job-creation-default-outputs", func(s *session) {
			require.Equal(s.T, "x", s.decode(s.execute(`{"inputs":{"message":"x"},"response":"document"}`))["message"])
		}},
		{"job-creation-request", func(s *session) {
			op := s.operation(http.MethodPost, executionPath)
			require.NotNil(s.T, op.RequestBody.Value.Content.Get(jsonType))
		}},
		{"job-creation-sync-raw-value-one", func(s *session) {
			a := s.execute(`{"inputs":{"message":"some text"},"outputs":{"message":{"transmissionMode":"value"}},"response":"raw"}`)
			require.Equal(s.T, http.StatusOK, a.StatusCode)
			require.Contains(s.T, string(a.body), "some text")
		}},
		{"job-creation-sync-raw-ref", func(s *session) {
			a := s.execute(`{"inputs":{"message":"x"},"outputs":{"message":{"transmissionMode":"reference"}},"response":"raw"}`)
			require.Equal(s.T, http.StatusNoContent, a.StatusCode, "%s", a.body)
			require.Contains(s.T, a.Header.Get("Link"), s.base)
			require.Empty(s.T, a.body)
		}},
		{"job-creation-sync-document", func(s *session) {
			a := s.execute(`{"inputs":{"message":"x"},"outputs":{"message":{}},"response":"document"}`)
			require.Equal(s.T, http.StatusOK, a.StatusCode)
			require.Equal(s.T, jsonType, a.kind())
			require.Equal(s.T, "x", s.decode(a)["message"])
			a = s.execute(`{"inputs":{"message":"x"},"outputs":{"message":{"transmissionMode":"reference"}},"response":"document"}`)
			href := s.decode(a)["message"].(object)["href"].(string)
			s.expect(http.StatusOK, href)
		}},
		{"job-creation-success-async", func(s *session) {
			a := s.execute(`{"inputs":{"message":"x"}}`, "Prefer", deferredAnswer)
			require.Equal(s.T, http.StatusCreated, a.StatusCode)
			require.Equal(s.T, deferredAnswer, a.Header.Get("Preference-Applied"))
			location := a.Header.Get("Location")
			require.True(s.T, strings.HasPrefix(location, s.base+"/jobs/"), location)
			doc := s.decode(a)
			s.requireStatus(doc)
			require.Equal(s.T, doc["jobID"], s.document(location)["jobID"], "the job is there when the answer is")
		}},
		{"job-op", func(s *session) { s.expectKind(jsonType, "/jobs/"+s.start(0)["jobID"].(string)) }},
		{"job-success", func(s *session) {
			doc := s.finish(s.start(0))
			s.requireStatus(doc)
			s.complete(doc)
			s.linked(doc, relResults)
			running := s.document("/jobs/" + s.start(30)["jobID"].(string))
			require.Nil(s.T, link(running, relResults), "no results before there are any")
			s.send(http.MethodDelete, "/jobs/"+running["jobID"].(string), "")
		}},
		{"job-exception-no-such-job", func(s *session) {
			s.requireException(s.get("/jobs/no-such-job"), http.StatusNotFound, "no-such-job")
		}},
		{"job-results", func(s *session) { s.expect(http.StatusOK, s.linked(s.finish(s.start(0)), relResults)) }},
		{"job-results-async-document", func(s *session) {
			a := s.execute(`{"inputs":{"message":"x"},"outputs":{"message":{}},"response":"document"}`, "Prefer", deferredAnswer)
			doc := s.decode(s.expectKind(jsonType, s.linked(s.finish(s.decode(a)), relResults)))
			require.Equal(s.T, "x", doc["message"])
		}},
		{"job-results-async-raw-value-one", func(s *session) {
			a := s.execute(`{"inputs":{"message":"some text"},"outputs":{"message":{}},"response":"raw"}`, "Prefer", deferredAnswer)
			require.Contains(s.T, string(s.expect(http.StatusOK, s.linked(s.finish(s.decode(a)), relResults)).body), "some text")
		}},
		{"job-results-exception/no-such-job", func(s *session) {
			s.requireException(s.get("/jobs/no-such-job/results"), http.StatusNotFound, "no-such-job")
		}},
		{"job-results-exception/results-not-ready", func(s *session) {
			id := s.start(30)["jobID"].(string)
			s.requireException(s.get("/jobs/"+id+"/results"), http.StatusNotFound, "result-not-ready")
			s.send(http.MethodDelete, "/jobs/"+id, "")
		}},
	}
}

// call is what a server told a subscriber.
type call struct {
	path string
	body object
}

// receiver listens for callbacks until the assertion ends, and gives those that come.
func (s *session) receiver() <-chan call {
	s.Helper()
	require.NotEmpty(s.T, s.callbacks, "the server declares callbacks: name an address that it may call")
	listener, err := net.Listen("tcp", s.callbacks)
	require.NoError(s.T, err)
	calls, done := make(chan call), make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := call{path: r.URL.Path}
		if err := json.NewDecoder(r.Body).Decode(&c.body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		select {
		case calls <- c:
		case <-done:
		}
	}))
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	s.Cleanup(func() { close(done); server.Close() })
	return calls
}

func (s *session) execute(body string, headers ...string) answer {
	s.Helper()
	return s.send(http.MethodPost, echoExecution, body, headers...)
}

// start makes an echo job that takes some seconds.
func (s *session) start(pause float64) object {
	s.Helper()
	body, err := json.Marshal(object{"inputs": object{"message": "hello", "pause": pause}})
	require.NoError(s.T, err)
	a := s.execute(string(body), "Prefer", deferredAnswer)
	require.Equal(s.T, http.StatusCreated, a.StatusCode, "%s", a.body)
	return s.decode(a)
}

// finish polls a job until it has ended, as clients do.
func (s *session) finish(job object) object {
	s.Helper()
	for until := time.Now().Add(patience); time.Now().Before(until); {
		doc := s.document("/jobs/" + job["jobID"].(string))
		if doc["status"] != "accepted" && doc["status"] != "running" {
			return doc
		}
		select {
		case <-s.Context().Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
	require.Fail(s.T, "the job does not end")
	return nil
}

// requireStatus checks a statusInfo document.
func (s *session) requireStatus(doc object) {
	s.Helper()
	require.NotEmpty(s.T, doc["jobID"])
	require.Equal(s.T, "process", doc["type"])
	require.Contains(s.T, []any{"accepted", "running", "successful", "failed", "dismissed"}, doc["status"])
}

func (s *session) requireException(a answer, status int, name string) {
	s.Helper()
	require.Equal(s.T, status, a.StatusCode, "%s", a.body)
	require.Equal(s.T, problemType, a.Header.Get("Content-Type"), "without a charset")
	require.Equal(s.T, exception+name, s.decode(a)["type"])
}

// members are the values of members with one of the names, anywhere in a document.
func members(document any, names ...string) (found []any) {
	switch d := document.(type) {
	case object:
		for name, v := range d {
			if slices.Contains(names, name) {
				found = append(found, v)
			}
			found = append(found, members(v, names...)...)
		}
	case []any:
		for _, v := range d {
			found = append(found, members(v, names...)...)
		}
	}
	return found
}
