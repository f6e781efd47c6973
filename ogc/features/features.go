// Package features serves OGC API Features over the landslides of each event:
// Part 1 with keyset paging, Part 2 (CRSs), Part 3 (filters in CQL2), sorting
// and the choice of attributes; as GeoJSON, JSON-FG and tables by the page, and
// as files of any length.
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

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/store"
)

//go:embed templates
var templates embed.FS

// API serves features.
type API struct {
	Site    *common.Site
	Catalog *common.Catalog
	Store   store.Store
	// CRS lists EPSG codes that features are served in beside 4326 and 3857;
	// Projector and LatLon are as in package common, nil for the usual ones.
	CRS       []int
	Projector common.Projector
	LatLon    func(epsg int) bool
	// DefaultLimit and MaxLimit bound pages. A limit above MaxLimit gets MaxLimit, as the standard has it.
	DefaultLimit, MaxLimit int
	// Downloads bounds how many files are written at once; 0 is 4.
	Downloads int
	// Now is the clock; nil is time.Now.
	Now func() time.Time

	downloads chan struct{}
}

// Conformance lists the classes that hold.
func Conformance() []string {
	const (
		features = "http://www.opengis.net/spec/ogcapi-features-"
		cql2     = "http://www.opengis.net/spec/cql2/1.0/conf/"
	)
	return []string{
		features + "1/1.0/conf/core", features + "1/1.0/conf/geojson", features + "1/1.0/conf/html", features + "1/1.0/conf/oas30",
		features + "2/1.0/conf/crs",
		features + "3/1.0/conf/queryables", features + "3/1.0/conf/queryables-query-parameters", features + "3/1.0/conf/filter", features + "3/1.0/conf/features-filter",
		cql2 + "cql2-text", cql2 + "cql2-json", cql2 + "basic-cql2", cql2 + "advanced-comparison-operators",
		cql2 + "case-insensitive-comparison", cql2 + "accent-insensitive-comparison", cql2 + "basic-spatial-functions",
		cql2 + "basic-spatial-functions-plus", cql2 + "spatial-functions", cql2 + "temporal-functions",
		cql2 + "property-property", cql2 + "arithmetic",
	}
}

// Register adds the routes.
func (a *API) Register(e *echo.Echo) error {
	if err := a.Site.AddPages(templates); err != nil {
		return err
	}
	if a.Now == nil {
		a.Now = time.Now
	}
	if a.Downloads == 0 {
		a.Downloads = 4
	}
	a.downloads = make(chan struct{}, a.Downloads)
	for _, m := range []string{http.MethodGet, http.MethodHead} {
		e.Add(m, "/collections/:collection/items", a.Site.Handle(a.items))
		e.Add(m, "/collections/:collection/items/:item", a.Site.Handle(a.item))
		e.Add(m, "/collections/:collection/queryables", a.Site.Handle(a.queryables))
		e.Add(m, "/collections/:collection/schema", a.Site.Handle(a.schema))
	}
	return nil
}

// pages are the formats of pages and single features: GeoJSON for programs, a
// table for people.
func pages() []common.Format { return []common.Format{common.GeoJSON, common.HTML, common.JSONFG} }

// files are the formats in which all that is selected comes at once.
func files() []common.Format {
	return []common.Format{common.GeoJSONSeq, common.CSV, common.GPKG, common.FlatGeobuf, common.Parquet}
}

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
	f, err := common.Accepts(c, append(pages(), files()...), parameters()...)
	if err != nil {
		return err
	}
	p, err := a.parse(c.QueryParams())
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	col, err := a.collection(ctx, c.Param("collection"))
	if err != nil {
		return err
	}
	p.query.Event = col.Event
	secret, err := a.Store.Secret(ctx)
	if err != nil {
		return err
	}
	if p.token != "" || c.QueryParams().Has("after") {
		if err := resume(secret, &p.query, p.token); err != nil {
			return err
		}
	}
	h := c.Response().Header()
	h.Set("Content-Crs", "<"+p.crs.URI()+">")
	h.Set("Cache-Control", common.Revalidate)
	if f != common.GeoJSON && f != common.HTML && f != common.JSONFG {
		return a.download(c, f, p, col)
	}
	page, err := a.Store.Landslides(ctx, p.query)
	if err != nil {
		return wrongQuery(err)
	}
	links, err := a.pageLinks(c, f, p, page, secret)
	if err != nil {
		return err
	}
	if f == common.JSONFG {
		doc, err := a.fgCollection(p, page, links)
		if err != nil {
			return err
		}
		return a.Site.Write(c, f, doc, common.Page{})
	}
	doc := collectionDoc{Type: "FeatureCollection", TimeStamp: a.Now().UTC().Format(time.RFC3339), Returned: len(page.Landslides),
		Links: links, Features: make([]featureDoc, len(page.Landslides))}
	if page.Matched >= 0 {
		doc.Matched = &page.Matched
	}
	convert := a.converter(p.crs)
	for i, l := range page.Landslides {
		if doc.Features[i], err = feature(l, p, convert); err != nil {
			return err
		}
	}
	return a.Site.Write(c, f, doc, common.Page{Template: "items", Title: col.Title, Crumbs: crumbs(col),
		Data: itemsPage{doc, columns(), a.files(c), col.ID(), nextHref(doc.Links)}})
}

// wrongQuery makes problems of what a store refuses to look for.
func wrongQuery(err error) error {
	if errors.Is(err, store.ErrInvalid) {
		return common.BadRequest("%s", err)
	}
	return err
}

// pageLinks lead to the page in other forms, to what is selected as a file, and
// to the next page. That names its run, so that a run published meanwhile does
// not mix into the pages that follow.
func (a *API) pageLinks(c echo.Context, f common.Format, p parsed, page store.Page, secret []byte) ([]common.Link, error) {
	links := append(a.Site.SelfLinks(c, f, pages()), a.fileLinks(c)...)
	if page.Next != 0 {
		p.query.Run = page.Landslides[len(page.Landslides)-1].Run
		after, err := token(secret, p.query, page)
		if err != nil {
			return nil, err
		}
		self := a.Site.Base(c) + c.Request().URL.EscapedPath()
		links = append(links, common.Link{Href: common.WithQuery(self, c.QueryParams(), "run", p.query.Run, "after", after), Rel: "next", Type: f.MediaType(), Title: "next page"})
	}
	return append(links, a.collectionLink(c)), nil
}

// fileLinks lead to all that is selected, as files.
func (a *API) fileLinks(c echo.Context) []common.Link {
	all := url.Values{}
	for k, v := range c.QueryParams() {
		if k != "limit" && k != "after" {
			all[k] = v
		}
	}
	var links []common.Link
	for _, f := range files() {
		q := all
		if fixed(f) && (q.Has("crs") || q.Has("properties")) {
			q = url.Values{}
			for k, v := range all {
				if k != "crs" && k != "properties" {
					q[k] = v
				}
			}
		}
		links = append(links, common.Link{Href: common.WithQuery(a.Site.Base(c)+c.Request().URL.EscapedPath(), q, "f", string(f)), Rel: "alternate",
			Type: f.MediaType(), Title: "all that is selected as " + f.Title()})
	}
	return links
}

func (a *API) files(c echo.Context) []file {
	var out []file
	for i, l := range a.fileLinks(c) {
		out = append(out, file{files()[i].Title(), l.Href})
	}
	return out
}

func (a *API) collectionLink(c echo.Context) common.Link {
	return common.Link{Href: a.Site.Base(c) + "/collections/" + c.Param("collection"), Rel: "collection", Type: common.JSON.MediaType(), Title: "the collection"}
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
	f, err := common.Accepts(c, pages(), "crs", "properties")
	if err != nil {
		return err
	}
	p := parsed{}
	if p.crs, err = a.featureCRS(c.QueryParams(), "crs"); err != nil {
		return err
	}
	if p.fields, err = parseProperties(c.QueryParams()); err != nil {
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
	links := append(a.Site.SelfLinks(c, f, pages()), a.collectionLink(c))
	h := c.Response().Header()
	h.Set("Content-Crs", "<"+p.crs.URI()+">")
	h.Set("Cache-Control", common.Revalidate)
	if f == common.JSONFG {
		doc, err := a.fgFeature(l, p)
		if err != nil {
			return err
		}
		doc.ConformsTo, doc.Links = fgClasses(), links
		return a.Site.Write(c, f, doc, common.Page{})
	}
	doc, err := feature(l, p, a.converter(p.crs))
	if err != nil {
		return err
	}
	doc.Links = links
	return a.Site.Write(c, f, doc, common.Page{Template: "item", Title: "Landslide " + strconv.FormatInt(id, 10),
		Crumbs: append(crumbs(col), common.Crumb{Title: "Landslides", Path: "/collections/" + col.ID() + "/items?f=html"}),
		Data:   itemPage{doc, rows(l)}})
}
