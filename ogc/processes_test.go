package ogc_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/ogc"
)

func (s *server) execute(process, body string, headers ...string) *http.Response {
	return s.ask(http.MethodPost, "/processes/"+process+"/execution", body, append([]string{"Content-Type", "application/json"}, headers...)...)
}

type statusInfo struct {
	JobID, ProcessID, Status, Message string
	Progress                          int
	Links                             []struct{ Rel, Href string }
}

func (i statusInfo) has(rel string) bool {
	for _, l := range i.Links {
		if l.Rel == rel {
			return true
		}
	}
	return false
}

func decode[T any](t *testing.T, r *http.Response) T {
	t.Helper()
	var v T
	body := text(t, r)
	require.NoError(t, json.Unmarshal([]byte(body), &v), body)
	return v
}

const resultsRel = "http://www.opengis.net/def/rel/ogc/1.0/results"

func TestEchoInEveryForm(t *testing.T) {
	s := patient(t)
	r := s.execute("echo", `{"inputs":{"message":"hello <you>"},"response":"document"}`)
	require.Equal(t, http.StatusOK, r.StatusCode)
	require.Empty(t, r.Header.Values("Link"))
	require.Equal(t, map[string]string{"message": "hello <you>"}, decode[map[string]string](t, r))

	r = s.execute("echo", `{"inputs":{"message":{"value":"qualified"}},"outputs":{"message":{"transmissionMode":"value"}},"response":"raw"}`)
	require.Equal(t, "text/plain; charset=utf-8", r.Header.Get("Content-Type"))
	require.Equal(t, "qualified", text(t, r))

	r = s.execute("echo", `{"inputs":{"message":"by reference"},"outputs":{"message":{"transmissionMode":"reference"}},"response":"raw"}`)
	require.Equal(t, http.StatusNoContent, r.StatusCode)
	href, _, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Link"), "<"+base), ">")
	require.Equal(t, "by reference", text(t, s.get(href)))

	r = s.execute("echo", `{"inputs":{"message":"linked"},"outputs":{"message":{"transmissionMode":"reference"}},"response":"document"}`)
	link := decode[map[string]struct{ Href string }](t, r)["message"]
	require.Equal(t, "linked", text(t, s.get(strings.TrimPrefix(link.Href, base))))
}

func TestJobIsFollowedAndDismissed(t *testing.T) {
	s := newServer(t)
	r := s.execute("echo", `{"inputs":{"message":"later","pause":50},"response":"document"}`, "Prefer", "wait=1, respond-async")
	require.Equal(t, http.StatusCreated, r.StatusCode)
	require.Equal(t, "respond-async", r.Header.Get("Preference-Applied"))
	info := decode[statusInfo](t, r)
	require.Equal(t, base+"/jobs/"+info.JobID, r.Header.Get("Location"))
	path := "/jobs/" + info.JobID
	info = decode[statusInfo](t, s.get(path))
	require.Equal(t, "running", info.Status)
	require.True(t, info.has("monitor"))
	require.False(t, info.has(resultsRel))
	require.Equal(t, http.StatusNotFound, s.get(path+"/results").StatusCode)

	require.Equal(t, "dismissed", decode[statusInfo](t, s.ask(http.MethodDelete, path, "")).Status)
	require.Equal(t, "dismissed", decode[statusInfo](t, s.get(path)).Status)
	require.Equal(t, http.StatusGone, s.get(path+"/results").StatusCode)
	require.Equal(t, "dismissed", decode[statusInfo](t, s.ask(http.MethodDelete, path, "")).Status)
	require.Equal(t, http.StatusNotFound, s.get(path).StatusCode)

	info = decode[statusInfo](t, s.execute("echo", `{"inputs":{"message":"now"}}`, "Prefer", "respond-async"))
	_, err := s.jobs.Wait(t.Context(), info.JobID, func(jobs.Job) {})
	require.NoError(t, err)
	info = decode[statusInfo](t, s.get("/jobs/"+info.JobID))
	require.Equal(t, "successful", info.Status)
	require.True(t, info.has(resultsRel))
}

func TestMappingInEveryForm(t *testing.T) {
	s := newServer(t)
	s.jobs.Instant = true
	r := s.execute("map-landslides", `{"inputs":{"event":"atsuma-2018","model":"small","threshold":0.4,"minimumArea":900,"aoi":{"bbox":[141.9,42.6,142,42.7]}},"response":"document"}`)
	doc := decode[map[string]map[string]any](t, r)
	require.Equal(t, "application/geo+json", doc["landslides"]["mediaType"])
	require.Equal(t, "FeatureCollection", doc["landslides"]["value"].(map[string]any)["type"])
	require.Equal(t, 3.0, doc["summary"]["value"].(map[string]any)["landslides"])
	require.Equal(t, base+"/jobs/job-1/results/geopackage", doc["geopackage"]["href"], "files are large: they come by reference")
	job, err := s.jobs.Job(t.Context(), "job-1")
	require.NoError(t, err)
	require.Equal(t, "small", job.Spec.Model)
	require.Equal(t, 0.4, job.Spec.Threshold)
	require.Equal(t, 900.0, *job.Spec.MinArea)
	require.Equal(t, "Polygon", job.Spec.AOI.Type)
	require.JSONEq(t, string(must(json.Marshal(doc))), text(t, s.get("/jobs/job-1/results")), "the same later")

	r = s.execute("map-landslides", `{"inputs":{"event":"atsuma-2018"},"outputs":{"mask":{"transmissionMode":"value"}},"response":"document"}`)
	mask := decode[map[string]map[string]string](t, r)["mask"]
	require.Equal(t, "base64", mask["encoding"])
	tif, err := base64.StdEncoding.DecodeString(mask["value"])
	require.NoError(t, err)
	require.Equal(t, "II*", string(tif[:3]))

	r = s.execute("map-landslides", `{"inputs":{"event":"atsuma-2018"},"outputs":{"mask":{"transmissionMode":"value"}},"response":"raw"}`)
	require.Equal(t, "image/tiff; application=geotiff; profile=cloud-optimized", r.Header.Get("Content-Type"))

	r = s.execute("map-landslides", `{"inputs":{"event":"atsuma-2018"},"response":"raw"}`)
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/related", kind)
	parts := map[string]string{}
	for m := multipart.NewReader(r.Body, params["boundary"]); ; {
		p, err := m.NextPart()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		parts[p.Header.Get("Content-Id")] = p.Header.Get("Content-Location") + string(must(io.ReadAll(p)))
	}
	require.Len(t, parts, 5)
	require.Equal(t, base+"/jobs/job-4/results/mask", parts["mask"])
	require.Contains(t, parts["summary"], "landslides")
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestOwnImagesBecomeAnEvent(t *testing.T) {
	s := newServer(t)
	s.jobs.Instant = true
	body := `{"inputs":{"pre":["a/20180801.tif",{"href":"a/20180806.tif"}],"post":{"href":"a/20180910.tif","type":"image/tiff"},"dem":"dem.tif","triggerTime":"2018-09-05T18:07:59Z"},"outputs":{"summary":{}}}`
	require.Equal(t, http.StatusOK, s.execute("map-landslides", body).StatusCode)
	require.Equal(t, http.StatusOK, s.execute("map-landslides", body).StatusCode)
	first, err := s.jobs.Job(t.Context(), "job-1")
	require.NoError(t, err)
	second, err := s.jobs.Job(t.Context(), "job-2")
	require.NoError(t, err)
	require.Equal(t, first.Spec.Event, second.Spec.Event, "the same images are the same event")
	e, err := s.store.Event(t.Context(), first.Spec.Event)
	require.NoError(t, err)
	require.Equal(t, "a/20180910.tif", e.Post[0].Path)
	require.Len(t, e.Pre, 2)
	require.Equal(t, "2018-09-05", e.Trigger.Time.Format(time.DateOnly))
}

func TestFailedJobSaysWhy(t *testing.T) {
	s := newServer(t, func(d *ogc.Deps) { d.SyncTimeout = time.Minute })
	_, err := s.jobs.Submit(t.Context(), jobs.Spec{Event: "atsuma-2018"}, nil)
	require.NoError(t, err)
	s.jobs.Fail("job-1", "pre.tif has no band B04")
	r := s.get("/jobs/job-1/results")
	require.Equal(t, http.StatusInternalServerError, r.StatusCode)
	require.Contains(t, text(t, r), "pre.tif has no band B04")
}

func TestWaitEndsWithTheServersPatience(t *testing.T) {
	s := newServer(t)
	r := s.execute("map-landslides", `{"inputs":{"event":"atsuma-2018"}}`)
	require.Equal(t, http.StatusGatewayTimeout, r.StatusCode)
	require.Equal(t, base+"/jobs/job-1", r.Header.Get("Location"))
	job, err := s.jobs.Job(t.Context(), "job-1")
	require.NoError(t, err)
	require.Equal(t, jobs.Running, job.Status, "the job goes on")
}

// Nobody knows of the job of a client that left before its answer.
func TestJobOfAClientThatLeftIsDismissed(t *testing.T) {
	s := newServer(t, func(d *ogc.Deps) { d.SyncTimeout = time.Minute })
	ctx, leave := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, "/processes/map-landslides/execution", strings.NewReader(`{"inputs":{"event":"atsuma-2018"}}`))
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.ServeHTTP(httptest.NewRecorder(), r)
	}()
	require.Eventually(t, func() bool { _, n, _ := s.jobs.Jobs(context.Background(), jobs.Filter{}); return n == 1 }, time.Minute, time.Millisecond)
	leave()
	<-done
	job, err := s.jobs.Job(t.Context(), "job-1")
	require.NoError(t, err)
	require.Equal(t, jobs.Dismissed, job.Status)
}

func TestJobListIsSelectedAndPaged(t *testing.T) {
	s := withJobs(t, newServer(t))
	last := decode[statusInfo](t, s.execute("echo", `{"inputs":{"message":"a"}}`, "Prefer", "respond-async"))
	_, err := s.jobs.Wait(t.Context(), last.JobID, func(jobs.Job) {})
	require.NoError(t, err)
	type list struct {
		Jobs          []statusInfo
		NumberMatched int
		Links         []struct{ Rel, Href string }
	}
	for query, want := range map[string]int{"": 3, "?status=successful": 2, "?status=running,failed": 1, "?processID=echo": 1, "?processID=map-landslides,echo": 3, "?processID=none": 0,
		"?type=process": 3, "?limit=1": 3, "?datetime=2018-09-06/2018-09-07": 3, "?minDuration=30&maxDuration=90": 2, "?datetime=..%2F2018-09-06T03:30:00Z": 1} {
		l := decode[list](t, s.get("/jobs"+query))
		require.Equal(t, want, l.NumberMatched, query)
	}
	var ids []string
	for target := "/jobs?limit=1"; target != ""; {
		l := decode[list](t, s.get(target))
		require.Len(t, l.Jobs, 1)
		ids = append(ids, l.Jobs[0].JobID)
		target = ""
		for _, link := range l.Links {
			if link.Rel == "next" {
				target = strings.TrimPrefix(link.Href, base)
			}
		}
	}
	require.Len(t, ids, 3)
	require.Equal(t, []string{"job-3", "job-2", "job-1"}, ids, "newest first")
	processes := decode[struct {
		Processes []struct{ ID string }
		Links     []struct{ Rel, Href string }
	}](t, s.get("/processes?limit=1"))
	require.Len(t, processes.Processes, 1)
	require.Equal(t, "next", processes.Links[len(processes.Links)-1].Rel)
}

func TestOutputIsAFile(t *testing.T) {
	s := withJobs(t, newServer(t))
	r := s.get("/jobs/job-2/results/summary")
	require.Equal(t, "application/json", r.Header.Get("Content-Type"))
	require.Equal(t, `attachment; filename=summary.json`, r.Header.Get("Content-Disposition"))
	body := text(t, r)
	part := s.get("/jobs/job-2/results/summary", "Range", "bytes=0-3")
	require.Equal(t, http.StatusPartialContent, part.StatusCode)
	require.Equal(t, body[:4], text(t, part))
	beyond := s.get("/jobs/job-2/results/summary", "Range", "bytes=999999-")
	require.Equal(t, http.StatusRequestedRangeNotSatisfiable, beyond.StatusCode)
	require.Equal(t, []string{"application/problem+json", "no-store"}, []string{beyond.Header.Get("Content-Type"), beyond.Header.Get("Cache-Control")})
	require.Equal(t, http.StatusNotModified, s.get("/jobs/job-2/results/summary", "If-None-Match", r.Header.Get("ETag")).StatusCode)
	require.Equal(t, http.StatusOK, s.ask(http.MethodHead, "/jobs/job-2/results/geopackage", "").StatusCode)
}

// What changes something is behind the guard, what reads is not.
func TestGuard(t *testing.T) {
	s := withJobs(t, newServer(t, func(d *ogc.Deps) {
		d.WriteGuard = func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(c echo.Context) error { return echo.NewHTTPError(http.StatusUnauthorized, "a key is needed") }
		}
	}))
	for _, route := range s.Routes() {
		if route.Method == echo.RouteNotFound {
			continue // refuses by itself
		}
		target := strings.NewReplacer(":collection", "atsuma-2018_mask", ":process", "echo", ":job", "job-2", ":event", "atsuma-2018", ":model", "small",
			":style", "plain", ":tms", "WebMercatorQuad", ":z", "0", ":row", "0", ":col", "0", ":item", "1", ":output", "summary").Replace(route.Path)
		status := s.ask(route.Method, target, "").StatusCode
		if route.Method == http.MethodGet || route.Method == http.MethodHead {
			require.NotEqual(t, http.StatusUnauthorized, status, target)
		} else {
			require.Equal(t, http.StatusUnauthorized, status, "%s %s", route.Method, target)
		}
	}
}
