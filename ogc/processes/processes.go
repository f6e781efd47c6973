// Package processes serves OGC API Processes: map-landslides, what can be asked
// about landslides that are mapped (assess-impact, compare-inventory), and echo,
// which shows how processes work without computing anything. The job engine
// carries them out; this package describes them and speaks the standard.
package processes

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/ogc/common"
)

//go:embed templates assets
var files embed.FS

// API serves processes and jobs.
type API struct {
	Site    *common.Site
	Catalog *common.Catalog
	Jobs    jobs.Service
	Models  inference.Predictor
	// RegisterEvent checks and stores the event that a request's own pre, post
	// and dem make. What is the client's fault comes as a [common.Problem].
	RegisterEvent func(context.Context, imagery.Event) error
	// Guard is put before routes that change something.
	Guard echo.MiddlewareFunc
	// SyncTimeout bounds how long a synchronous execution waits.
	SyncTimeout time.Duration

	processes []*process
}

// Conformance lists the classes that hold, where jobs may call subscribers back or not.
func Conformance(callbacks bool) []string {
	const p = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf/"
	classes := []string{p + "core", p + "ogc-process-description", p + "json", p + "html", p + "oas30", p + "job-list", p + "dismiss"}
	if callbacks {
		classes = append(classes, p+"callback")
	}
	return classes
}

// process is a description with what executes it.
type process struct {
	description
	inputs *jsonschema.Schema
	// submit records a job. request is kept with it.
	submit func(ctx context.Context, o order, request json.RawMessage) (jobs.Job, error)
}

// Register adds the routes.
func (a *API) Register(e *echo.Echo) error {
	if err := a.Site.AddPages(files); err != nil {
		return err
	}
	a.processes = []*process{{description: mapLandslides(a.Models.Models()), submit: a.submitMapping}}
	for _, d := range byEngine() {
		a.processes = append(a.processes, &process{description: d, submit: a.submitTo(d.ID)})
	}
	a.Jobs.Tell(a.news)
	for _, p := range a.processes {
		s, err := compileInputs(p.ID, p.Inputs)
		if err != nil {
			return fmt.Errorf("compile the input schemas of process %s: %w", p.ID, err)
		}
		p.inputs = s
	}
	h := a.Site.Handle
	guard := a.Guard
	if guard == nil {
		guard = func(next echo.HandlerFunc) echo.HandlerFunc { return next }
	}
	for _, m := range []string{http.MethodGet, http.MethodHead} {
		e.Add(m, "/processes", h(a.list))
		e.Add(m, "/processes/:process", h(a.describe))
		e.Add(m, "/jobs", h(a.jobList))
		e.Add(m, "/jobs/:job", h(a.status))
		e.Add(m, "/jobs/:job/results", h(a.results))
		e.Add(m, "/jobs/:job/results/:output", h(a.output))
		e.Add(m, "/ogc/processes.js", h(common.Asset(files, "assets/processes.js")))
	}
	e.POST("/processes/:process/execution", h(guard(a.execute)))
	e.DELETE("/jobs/:job", h(guard(a.dismiss)))
	return nil
}

// The exception types of the standard.
const (
	exceptionBase  = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/"
	noSuchProcess  = exceptionBase + "no-such-process"
	noSuchJob      = exceptionBase + "no-such-job"
	resultNotReady = exceptionBase + "result-not-ready"
)

func (a *API) process(id string) (*process, error) {
	i := slices.IndexFunc(a.processes, func(p *process) bool { return p.ID == id })
	if i >= 0 {
		return a.processes[i], nil
	}
	ids := make([]string, len(a.processes))
	for i, p := range a.processes {
		ids[i] = p.ID
	}
	return nil, &common.Problem{Status: http.StatusNotFound, Type: noSuchProcess, Title: "No such process",
		Detail: fmt.Sprintf("there is no process %s; there are %s", common.Quote(id), strings.Join(ids, ", "))}
}

type listDoc struct {
	Processes []summaryDoc  `json:"processes"`
	Links     []common.Link `json:"links"`
}

func (a *API) list(c echo.Context) error {
	f, err := common.Accepts(c, common.Document(), "limit", "offset")
	if err != nil {
		return err
	}
	limit, err := common.Int(c.QueryParams(), "limit", 100, 1, 10000)
	if err != nil {
		return err
	}
	offset, err := common.Int(c.QueryParams(), "offset", 0, 0, 1<<31-1)
	if err != nil {
		return err
	}
	doc := listDoc{Processes: []summaryDoc{}, Links: a.Site.SelfLinks(c, f, common.Document())}
	first := min(offset, len(a.processes))
	last := min(first+limit, len(a.processes))
	for _, p := range a.processes[first:last] {
		s := p.summaryDoc
		self := a.Site.Base(c) + "/processes/" + p.ID
		s.Links = []common.Link{{Href: self, Rel: "self", Type: common.JSON.MediaType(), Title: p.Title},
			{Href: self + "?f=html", Rel: "alternate", Type: common.HTML.MediaType(), Title: p.Title}}
		doc.Processes = append(doc.Processes, s)
	}
	doc.Links = append(doc.Links, pageLinks(a.Site, c, f, limit, offset, len(a.processes))...)
	return a.Site.Write(c, f, doc, common.Page{Template: "processes", Title: "Processes"})
}

// pageLinks returns next and prev where there are such pages.
func pageLinks(s *common.Site, c echo.Context, f common.Format, limit, offset, matched int) []common.Link {
	self := s.Base(c) + c.Request().URL.EscapedPath()
	var links []common.Link
	at := func(rel, title string, offset int) {
		links = append(links, common.Link{Rel: rel, Type: f.MediaType(), Title: title,
			Href: common.WithQuery(self, c.QueryParams(), "limit", fmt.Sprint(limit), "offset", fmt.Sprint(offset))})
	}
	if offset+limit < matched {
		at("next", "next page", offset+limit)
	}
	if offset > 0 {
		at("prev", "previous page", max(0, offset-limit))
	}
	return links
}

func (a *API) describe(c echo.Context) error {
	f, err := common.Accepts(c, common.Document())
	if err != nil {
		return err
	}
	p, err := a.process(c.Param("process"))
	if err != nil {
		return err
	}
	d := p.description
	d.Links = append(a.Site.SelfLinks(c, f, common.Document()),
		common.Link{Href: a.Site.Base(c) + "/processes/" + p.ID + "/execution", Rel: common.RelExecute, Type: common.JSON.MediaType(), Title: "execute (POST)"},
		common.Link{Href: a.Site.Base(c) + "/jobs?processID=" + p.ID, Rel: common.RelJobList, Type: common.JSON.MediaType(), Title: "jobs of this process"})
	page := common.Page{Template: "process", Title: p.Title, Crumbs: []common.Crumb{{Title: "Processes", Path: "/processes?f=html"}}}
	if f == common.HTML {
		data := processPage{description: d, Fields: fields(d.Inputs)}
		if p.ID == mapID {
			if data.Events, err = a.Catalog.Events(c.Request().Context()); err != nil {
				return err
			}
			data.Models = a.Models.Models()
		}
		page.Data = data
	}
	return a.Site.Write(c, f, d, page)
}

type processPage struct {
	description
	Fields []field
	Events []imagery.Event
	Models []*inference.Model
}
