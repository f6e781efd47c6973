// Package events serves Scarp's own small API beside the standards: the events,
// to be read and written, and the models.
package events

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/store"
)

//go:embed templates
var templates embed.FS

// API serves events and models.
type API struct {
	Site    *common.Site
	Catalog *common.Catalog
	Models  inference.Predictor
	// Put checks and stores an event; Delete removes one with its runs. What
	// is the client's fault comes as a [common.Problem] or store.ErrNotFound.
	Put    func(context.Context, imagery.Event) error
	Delete func(ctx context.Context, id string) error
	// Guard is put before routes that change something.
	Guard echo.MiddlewareFunc
}

// maxBody bounds an event's JSON in bytes.
const maxBody = 1 << 20

// Register adds the routes.
func (a *API) Register(e *echo.Echo) error {
	if err := a.Site.AddPages(templates); err != nil {
		return err
	}
	guard := a.Guard
	if guard == nil {
		guard = func(next echo.HandlerFunc) echo.HandlerFunc { return next }
	}
	h := a.Site.Handle
	for _, m := range []string{http.MethodGet, http.MethodHead} {
		e.Add(m, "/events", h(a.list))
		e.Add(m, "/events/:event", h(a.get))
		e.Add(m, "/models", h(a.models))
		e.Add(m, "/models/:model", h(a.model))
	}
	e.POST("/events", h(guard(a.create)))
	e.PUT("/events/:event", h(guard(a.replace)))
	e.DELETE("/events/:event", h(guard(a.remove)))
	return nil
}

type eventDoc struct {
	imagery.Event
	// BBox is west, south, east, north; nil where the images can't be opened now.
	BBox *[4]float64 `json:"bbox,omitempty"`
	// Models says how each model suits the event, Runs what was mapped, the newest first; both in the document of one event only.
	Models []fitDoc      `json:"models,omitempty"`
	Runs   []runDoc      `json:"runs,omitempty"`
	Links  []common.Link `json:"links"`
}

type listDoc struct {
	Events []eventDoc    `json:"events"`
	Links  []common.Link `json:"links"`
}

func (a *API) document(base string, e imagery.Event) eventDoc {
	self := base + "/events/" + e.ID
	d := eventDoc{Event: e, Links: []common.Link{
		{Href: self, Rel: "self", Type: common.JSON.MediaType(), Title: e.Title},
		{Href: self + "?f=html", Rel: "alternate", Type: common.HTML.MediaType(), Title: e.Title}}}
	for _, l := range []struct{ layer, title string }{{"pre", "before"}, {"post", "after"}, {"probability", "probability"}, {"mask", "mask"}, {"landslides", "landslides"}} {
		d.Links = append(d.Links, common.Link{Href: base + "/collections/" + e.ID + "_" + l.layer, Rel: "collection", Type: common.JSON.MediaType(), Title: l.title})
	}
	return d
}

func (a *API) list(c echo.Context) error {
	f, err := common.Accepts(c, common.Document())
	if err != nil {
		return err
	}
	all, err := a.Catalog.Events(c.Request().Context())
	if err != nil {
		return err
	}
	doc := listDoc{Events: []eventDoc{}, Links: a.Site.SelfLinks(c, f, common.Document())}
	for _, e := range all {
		doc.Events = append(doc.Events, a.document(a.Site.Base(c), e))
	}
	return a.Site.Write(c, f, doc, common.Page{Template: "events", Title: "Events"})
}

func (a *API) get(c echo.Context) error {
	f, err := common.Accepts(c, common.Document())
	if err != nil {
		return err
	}
	e, err := a.Catalog.Event(c.Request().Context(), c.Param("event"))
	if err != nil {
		return err
	}
	doc := a.document(a.Site.Base(c), e)
	if col, err := a.Catalog.Collection(c.Request().Context(), e.ID+"_post"); err == nil && col.Known {
		doc.BBox = &col.Bounds
		doc.Models = a.fits(c.Request().Context(), e)
	}
	if doc.Runs, err = a.runs(c.Request().Context(), e); err != nil {
		return err
	}
	title := e.Title
	if title == "" {
		title = e.ID
	}
	return a.Site.Write(c, f, doc, common.Page{Template: "event", Title: title, Crumbs: []common.Crumb{{Title: "Events", Path: "/events?f=html"}}})
}

// read decodes the body; unknown members are refused, since a misspelt one would be lost in silence.
func read(c echo.Context) (imagery.Event, error) {
	var e imagery.Event
	if err := common.CheckParams(c.QueryParams()); err != nil {
		return e, err
	}
	dec := json.NewDecoder(http.MaxBytesReader(c.Response(), c.Request().Body, maxBody))
	dec.DisallowUnknownFields()
	err := dec.Decode(&e)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return e, err
	case errors.Is(err, io.EOF):
		return e, common.BadRequest("the body is empty; send an event as JSON")
	case err != nil:
		return e, common.BadRequest("the body is not an event in JSON: %s", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return e, common.BadRequest("the body has something behind the event")
	}
	return e, nil
}

func (a *API) create(c echo.Context) error {
	e, err := read(c)
	if err != nil {
		return err
	}
	if !validID(e.ID) {
		return common.BadRequest("id %s must be 1 to 64 of a-z, 0-9 and hyphen", common.Quote(e.ID))
	}
	_, err = a.Catalog.Event(c.Request().Context(), e.ID)
	switch p := common.AsProblem(err); {
	case err == nil:
		return &common.Problem{Status: http.StatusConflict, Detail: fmt.Sprintf("there is an event %s already; replace it with PUT", e.ID)}
	case p.Status != http.StatusNotFound:
		return err
	}
	return a.put(c, e, http.StatusCreated)
}

func (a *API) replace(c echo.Context) error {
	e, err := read(c)
	if err != nil {
		return err
	}
	id := c.Param("event")
	if e.ID == "" {
		e.ID = id
	}
	if !validID(id) || e.ID != id {
		return common.BadRequest("the event's id %s and the address' %s must be the same, 1 to 64 of a-z, 0-9 and hyphen", common.Quote(e.ID), common.Quote(id))
	}
	status := http.StatusOK
	if _, err := a.Catalog.Event(c.Request().Context(), id); err != nil {
		if common.AsProblem(err).Status != http.StatusNotFound {
			return err
		}
		status = http.StatusCreated
	}
	return a.put(c, e, status)
}

func (a *API) put(c echo.Context, e imagery.Event, status int) error {
	if err := a.Put(c.Request().Context(), e); err != nil {
		return fmt.Errorf("register event %s: %w", e.ID, err)
	}
	h := c.Response().Header()
	h.Set("Location", a.Site.Base(c)+"/events/"+e.ID)
	h.Set("Cache-Control", "no-store")
	return a.Site.WriteStatus(c, status, common.JSON, a.document(a.Site.Base(c), e), common.Page{})
}

func (a *API) remove(c echo.Context) error {
	if err := common.CheckParams(c.QueryParams()); err != nil {
		return err
	}
	id := c.Param("event")
	err := a.Delete(c.Request().Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return common.NotFound("there is no event %s", common.Quote(id))
	}
	if err != nil {
		return fmt.Errorf("delete event %s: %w", id, err)
	}
	return c.NoContent(http.StatusNoContent)
}

// validID is the rule that keeps collection ids unambiguous.
func validID(id string) bool {
	if len(id) < 1 || len(id) > 64 {
		return false
	}
	for _, r := range id {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return true
}
