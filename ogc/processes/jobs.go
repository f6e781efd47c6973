package processes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/store"
)

// statusDoc is the standard's statusInfo with Scarp's own members at the end.
type statusDoc struct {
	ProcessID string         `json:"processID"`
	Type      string         `json:"type"`
	JobID     string         `json:"jobID"`
	Status    jobs.Status    `json:"status"`
	Message   string         `json:"message,omitempty"`
	Created   *time.Time     `json:"created,omitempty"`
	Started   *time.Time     `json:"started,omitempty"`
	Finished  *time.Time     `json:"finished,omitempty"`
	Updated   *time.Time     `json:"updated,omitempty"`
	Progress  int            `json:"progress"`
	Links     []common.Link  `json:"links"`
	Event     string         `json:"event,omitempty"`
	Log       []jobs.LogLine `json:"log,omitempty"`
	Summary   *store.Summary `json:"summary,omitempty"`
}

// statusDoc describes a job; the log is left out of lists.
func (a *API) statusDoc(base string, j jobs.Job, log bool) statusDoc {
	at := func(t time.Time) *time.Time {
		if t.IsZero() {
			return nil
		}
		t = t.UTC()
		return &t
	}
	self := base + "/jobs/" + j.ID
	d := statusDoc{ProcessID: j.Process, Type: "process", JobID: j.ID, Status: j.Status, Message: j.Message, Progress: j.Progress, Event: j.Spec.Event, Summary: j.Summary,
		Created: at(j.Created), Started: at(j.Started), Finished: at(j.Finished), Updated: at(j.Updated)}
	d.Links = []common.Link{{Href: self, Rel: "self", Type: common.JSON.MediaType(), Title: "status"},
		{Href: self + "?f=html", Rel: "alternate", Type: common.HTML.MediaType(), Title: "status"},
		{Href: base + "/jobs", Rel: "up", Type: common.JSON.MediaType(), Title: "jobs"}}
	switch j.Status {
	case jobs.Successful:
		d.Links = append(d.Links, common.Link{Href: self + "/results", Rel: common.RelResults, Type: common.JSON.MediaType(), Title: "results"})
		if j.Process == mapID {
			d.Links = append(d.Links, common.Link{Href: base + "/collections/" + j.Spec.Event + "_landslides/items?run=" + url.QueryEscape(j.ID), Rel: "related", Type: common.GeoJSON.MediaType(), Title: "the published landslides"})
		}
	case jobs.Accepted, jobs.Running:
		d.Links = append(d.Links, common.Link{Href: self, Rel: "monitor", Type: common.JSON.MediaType(), Title: "status"})
	}
	if log {
		d.Log = j.Log
	}
	return d
}

// job finds a job and the process that it belongs to.
func (a *API) job(ctx context.Context, id string) (*process, jobs.Job, error) {
	j, err := a.Jobs.Job(ctx, id)
	if errors.Is(err, jobs.ErrNotFound) {
		return nil, j, unknownJob(id)
	}
	if err != nil {
		return nil, j, fmt.Errorf("find job %s: %w", id, err)
	}
	i := slices.IndexFunc(a.processes, func(p *process) bool { return p.ID == j.Process })
	if i < 0 {
		return nil, j, unknownJob(id) // of a process that is no longer offered
	}
	return a.processes[i], j, nil
}

func unknownJob(id string) error {
	return &common.Problem{Status: http.StatusNotFound, Type: noSuchJob, Title: "No such job", Detail: "there is no job " + common.Quote(id)}
}

func (a *API) status(c echo.Context) error {
	f, err := common.Accepts(c, common.Document())
	if err != nil {
		return err
	}
	p, j, err := a.job(c.Request().Context(), c.Param("job"))
	if err != nil {
		return err
	}
	doc := a.statusDoc(a.Site.Base(c), j, true)
	// Caches that keep a status would hide the progress.
	c.Response().Header().Set("Cache-Control", "no-store")
	return a.Site.Write(c, f, doc, common.Page{Template: "job", Title: p.Title, Crumbs: []common.Crumb{{Title: "Jobs", Path: "/jobs?f=html"}},
		Data: jobPage{doc, p.outputs(a.Site.Base(c), j)}})
}

type jobPage struct {
	statusDoc
	Outputs []common.Link
}

// outputs links to every result of a successful job.
func (p *process) outputs(base string, j jobs.Job) []common.Link {
	if j.Status != jobs.Successful {
		return nil
	}
	var links []common.Link
	for _, id := range p.outputIDs() {
		if !keeps(j, id) {
			continue
		}
		links = append(links, common.Link{Href: base + "/jobs/" + j.ID + "/results/" + id, Rel: id, Type: p.Outputs[id].mediaType, Title: p.Outputs[id].Title})
	}
	return links
}

// keeps says whether a successful job has an output: mapping has all, other
// processes list what they kept.
func keeps(j jobs.Job, output string) bool {
	return j.Process == mapID || slices.ContainsFunc(j.Outputs, func(k jobs.Kept) bool { return string(k.ID) == output })
}

func (a *API) dismiss(c echo.Context) error {
	if err := common.CheckParams(c.QueryParams()); err != nil {
		return err
	}
	ctx := c.Request().Context()
	_, j, err := a.job(ctx, c.Param("job"))
	if err != nil {
		return err
	}
	gone, err := a.Jobs.Dismiss(ctx, j.ID)
	if errors.Is(err, jobs.ErrNotFound) {
		return unknownJob(j.ID)
	}
	if err != nil {
		return fmt.Errorf("dismiss job %s: %w", j.ID, err)
	}
	doc := a.statusDoc(a.Site.Base(c), gone, true)
	doc.Status = jobs.Dismissed
	doc.Links = []common.Link{{Href: a.Site.Base(c) + "/jobs", Rel: "up", Type: common.JSON.MediaType(), Title: "jobs"}}
	c.Response().Header().Set("Cache-Control", "no-store")
	return a.Site.WriteStatus(c, http.StatusOK, common.JSON, doc, common.Page{})
}

// listQuery is what a job list is asked for.
type listQuery struct {
	status        []jobs.Status
	processes     []string
	limit, offset int
	from, to      time.Time // bound Created
	// shortest and longest bound the time from start to finish (or until now); zero is open.
	shortest, longest time.Duration
}

// scanned bounds how many jobs a list looks at where it selects by time.
const scanned = 10000

func parseList(q url.Values) (listQuery, error) {
	var l listQuery
	for s := range listed(q, "type") {
		if s != "process" {
			return l, common.BadRequest("type=%s must be process: all jobs here are of processes", common.Quote(s))
		}
	}
	for s := range listed(q, "status") {
		if !slices.Contains([]jobs.Status{jobs.Accepted, jobs.Running, jobs.Successful, jobs.Failed, jobs.Dismissed}, jobs.Status(s)) {
			return l, common.BadRequest("status=%s must be one of accepted, running, successful, failed, dismissed", common.Quote(s))
		}
		l.status = append(l.status, jobs.Status(s))
	}
	for s := range listed(q, "processID") {
		l.processes = append(l.processes, s)
	}
	var err error
	if l.limit, err = common.Int(q, "limit", 100, 1, 1<<31-1); err != nil {
		return l, err
	}
	l.limit = min(l.limit, 1000)
	if l.offset, err = common.Int(q, "offset", 0, 0, scanned); err != nil {
		return l, err
	}
	if s := q.Get("datetime"); s != "" {
		if l.from, l.to, err = common.ParseDatetime(s); err != nil {
			return l, err
		}
	}
	for name, into := range map[string]*time.Duration{"minDuration": &l.shortest, "maxDuration": &l.longest} {
		seconds, err := common.Float(q, name, 0, 0, 1e9)
		if err != nil {
			return l, err
		}
		*into = time.Duration(seconds * float64(time.Second))
	}
	return l, nil
}

// listed yields the parts of a parameter with commas.
func listed(q url.Values, name string) func(func(string) bool) {
	return func(yield func(string) bool) {
		if s := q.Get(name); s != "" {
			for part := range strings.SplitSeq(s, ",") {
				if !yield(strings.TrimSpace(part)) {
					return
				}
			}
		}
	}
}

func (l listQuery) byTime() bool {
	return !l.from.IsZero() || !l.to.IsZero() || l.shortest > 0 || l.longest > 0
}

func (l listQuery) matches(j jobs.Job, now time.Time) bool {
	if !l.from.IsZero() && j.Created.Before(l.from) || !l.to.IsZero() && j.Created.After(l.to) {
		return false
	}
	if l.shortest == 0 && l.longest == 0 {
		return true
	}
	if j.Started.IsZero() {
		return false
	}
	end := j.Finished
	if end.IsZero() {
		end = now
	}
	d := end.Sub(j.Started)
	return (l.shortest == 0 || d > l.shortest) && (l.longest == 0 || d < l.longest)
}

type jobListDoc struct {
	Jobs    []statusDoc   `json:"jobs"`
	Links   []common.Link `json:"links"`
	Matched int           `json:"numberMatched"`
}

func (a *API) jobList(c echo.Context) error {
	f, err := common.Accepts(c, common.Document(), "type", "processID", "status", "datetime", "minDuration", "maxDuration", "limit", "offset")
	if err != nil {
		return err
	}
	l, err := parseList(c.QueryParams())
	if err != nil {
		return err
	}
	list, matched, err := a.selectJobs(c.Request().Context(), l)
	if err != nil {
		return err
	}
	doc := jobListDoc{Jobs: []statusDoc{}, Links: a.Site.SelfLinks(c, f, common.Document()), Matched: matched}
	for _, j := range list {
		doc.Jobs = append(doc.Jobs, a.statusDoc(a.Site.Base(c), j, false))
	}
	doc.Links = append(doc.Links, pageLinks(a.Site, c, f, l.limit, l.offset, matched)...)
	c.Response().Header().Set("Cache-Control", "no-store")
	return a.Site.Write(c, f, doc, common.Page{Template: "jobs", Title: "Jobs"})
}

// selectJobs returns a page of jobs, newest first, and how many there are.
func (a *API) selectJobs(ctx context.Context, l listQuery) ([]jobs.Job, int, error) {
	filter := jobs.Filter{Status: l.status, Processes: l.processes, Limit: l.limit, Offset: l.offset}
	if !l.byTime() {
		list, matched, err := a.Jobs.Jobs(ctx, filter)
		if err != nil {
			return nil, 0, fmt.Errorf("list jobs: %w", err)
		}
		return list, matched, nil
	}
	var all []jobs.Job
	now := time.Now()
	for filter.Offset, filter.Limit = 0, 1000; filter.Offset < scanned; filter.Offset += filter.Limit {
		some, matched, err := a.Jobs.Jobs(ctx, filter)
		if err != nil {
			return nil, 0, fmt.Errorf("list jobs: %w", err)
		}
		for _, j := range some {
			if l.matches(j, now) {
				all = append(all, j)
			}
		}
		if filter.Offset+len(some) >= matched || len(some) == 0 {
			break
		}
	}
	first := min(l.offset, len(all))
	return all[first:min(first+l.limit, len(all))], len(all), nil
}

// wishesOf reads back what the client of a job asked for.
func wishesOf(j jobs.Job) (wishes, error) {
	var w wishes
	if len(j.Request) == 0 {
		return w, nil
	}
	if err := json.Unmarshal(j.Request, &w); err != nil {
		return w, fmt.Errorf("read the request of job %s: %w", j.ID, err)
	}
	return w, nil
}

// etag names a finished job's output: results never change.
func etag(j jobs.Job, output string) string { return strconv.Quote(j.ID + "." + output) }
