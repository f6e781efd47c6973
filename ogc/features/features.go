// Package features serves OGC API Features over the landslides of each event:
// GeoJSON with keyset paging, in WGS 84 or Web Mercator, and as tables.
package features

import (
	"context"
	"embed"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"scarp/ogc/common"
	"scarp/store"
)

//go:embed templates
var templates embed.FS

// API serves features.
type API struct {
	Site    *common.Site
	Catalog *common.Catalog
	Store   store.Store
	// DefaultLimit and MaxLimit bound pages. A limit above MaxLimit gets MaxLimit, as the standard has it.
	DefaultLimit, MaxLimit int
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Conformance lists the classes that hold.
func Conformance() []string {
	const p = "http://www.opengis.net/spec/ogcapi-features-"
	return []string{p + "1/1.0/conf/core", p + "1/1.0/conf/geojson", p + "1/1.0/conf/html", p + "1/1.0/conf/oas30", p + "2/1.0/conf/crs"}
}

// Register adds the routes.
func (a *API) Register(e *echo.Echo) error {
	if err := a.Site.AddPages(templates); err != nil {
		return err
	}
	if a.Now == nil {
		a.Now = time.Now
	}
	for _, m := range []string{http.MethodGet, http.MethodHead} {
		e.Add(m, "/collections/:collection/items", a.Site.Handle(a.items))
		e.Add(m, "/collections/:collection/items/:item", a.Site.Handle(a.item))
		e.Add(m, "/collections/:collection/queryables", a.Site.Handle(a.queryables))
		e.Add(m, "/collections/:collection/schema", a.Site.Handle(a.schema))
	}
	return nil
}

// offered: GeoJSON for programs, a table for people.
func offered() []common.Format { return []common.Format{common.GeoJSON, common.HTML} }

// collection finds a collection with features.
func (a *API) collection(ctx context.Context, id string) (common.Collection, error) {
	col, err := a.Catalog.Collection(ctx, id)
	if err != nil {
		return col, err
	}
	if !col.Vector() {
		return col, common.NotFound("collection %s has no features; landslides are in %s_landslides", common.Quote(id), col.Event)
	}
	return col, nil
}

func (a *API) items(c echo.Context) error {
	f, err := common.Accepts(c, offered(), parameters()...)
	if err != nil {
		return err
	}
	p, err := a.parse(c.QueryParams())
	if err != nil {
		return err
	}
	col, err := a.collection(c.Request().Context(), c.Param("collection"))
	if err != nil {
		return err
	}
	p.query.Event = col.Event
	// A page of a list that goes on names its run, so that a run published
	// meanwhile does not mix into the pages that follow.
	page, err := a.Store.Landslides(c.Request().Context(), p.query)
	if err != nil {
		return wrongQuery(err)
	}
	doc := collectionDoc{Type: "FeatureCollection", TimeStamp: a.Now().UTC().Format(time.RFC3339), Matched: page.Matched, Returned: len(page.Landslides),
		Links: a.pageLinks(c, f, p, page), Features: make([]featureDoc, len(page.Landslides))}
	for i, l := range page.Landslides {
		doc.Features[i] = feature(l, p.crs)
	}
	h := c.Response().Header()
	h.Set("Content-Crs", "<"+p.crs.URI()+">")
	h.Set("Cache-Control", common.Revalidate)
	return a.Site.Write(c, f, doc, common.Page{Template: "items", Title: col.Title, Crumbs: crumbs(col),
		Data: itemsPage{doc, columns(), col.ID(), nextHref(doc.Links)}})
}

// wrongQuery makes problems of what a store refuses to look for.
func wrongQuery(err error) error {
	if errors.Is(err, store.ErrInvalid) {
		return common.BadRequest("%s", err)
	}
	return err
}

func (a *API) pageLinks(c echo.Context, f common.Format, p parsed, page store.Page) []common.Link {
	links := a.Site.SelfLinks(c, f, offered())
	self := a.Site.Base(c) + c.Request().URL.EscapedPath()
	if page.Next != 0 {
		q := url.Values{}
		for k, v := range c.QueryParams() {
			q[k] = v
		}
		if p.query.Run == "" && len(page.Landslides) > 0 {
			q.Set("run", page.Landslides[len(page.Landslides)-1].Run)
		}
		links = append(links, common.Link{Href: common.WithQuery(self, q, "after", cursor(page.Next)), Rel: "next", Type: f.MediaType(), Title: "next page"})
	}
	return append(links, common.Link{Href: a.Site.Base(c) + "/collections/" + c.Param("collection"), Rel: "collection", Type: common.JSON.MediaType(), Title: "the collection"})
}

func nextHref(links []common.Link) string {
	for _, l := range links {
		if l.Rel == "next" {
			return l.Href
		}
	}
	return ""
}

func crumbs(col common.Collection) []common.Crumb {
	return []common.Crumb{{Title: "Collections", Path: "/collections?f=html"}, {Title: col.Title, Path: "/collections/" + col.ID() + "?f=html"}}
}

func (a *API) item(c echo.Context) error {
	f, err := common.Accepts(c, offered(), "crs")
	if err != nil {
		return err
	}
	crs, err := featureCRS(c.QueryParams(), "crs")
	if err != nil {
		return err
	}
	col, err := a.collection(c.Request().Context(), c.Param("collection"))
	if err != nil {
		return err
	}
	missing := common.NotFound("collection %s has no item %s", col.ID(), common.Quote(c.Param("item")))
	id, err := strconv.ParseInt(c.Param("item"), 10, 64)
	if err != nil || id < 1 {
		return missing
	}
	l, err := a.Store.Landslide(c.Request().Context(), col.Event, id)
	if errors.Is(err, store.ErrNotFound) {
		return missing
	}
	if err != nil {
		return err
	}
	doc := feature(l, crs)
	doc.Links = append(a.Site.SelfLinks(c, f, offered()),
		common.Link{Href: a.Site.Base(c) + "/collections/" + col.ID(), Rel: "collection", Type: common.JSON.MediaType(), Title: "the collection"})
	h := c.Response().Header()
	h.Set("Content-Crs", "<"+crs.URI()+">")
	h.Set("Cache-Control", common.Revalidate)
	return a.Site.Write(c, f, doc, common.Page{Template: "item", Title: "Landslide " + strconv.FormatInt(id, 10),
		Crumbs: append(crumbs(col), common.Crumb{Title: "Landslides", Path: "/collections/" + col.ID() + "/items?f=html"}),
		Data:   itemPage{doc, rows(l)}})
}
