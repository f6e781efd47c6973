// Package openapi serves the OpenAPI document of the whole server, and a page
// to read it that needs nothing from elsewhere.
package openapi

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/ogc/common"
)

//go:embed openapi.yaml
var source []byte

//go:embed templates
var templates embed.FS

// API serves the document.
type API struct {
	Site *common.Site
	// The server's limits, which the document states.
	MaxWidth, MaxHeight, DefaultLimit, MaxLimit int

	doc  *openapi3.T
	body []byte // with placeholder for the server's address
}

// placeholder stands for the server's address in the prepared document.
const placeholder = "https://base.invalid"

// Register adds the routes. It fails where the document is not valid OpenAPI.
func (a *API) Register(e *echo.Echo) error {
	if err := a.Site.AddPages(templates); err != nil {
		return err
	}
	doc, err := a.Document()
	if err != nil {
		return err
	}
	a.doc = doc
	if a.body, err = json.Marshal(doc); err != nil {
		return fmt.Errorf("encode the OpenAPI document: %w", err)
	}
	for _, m := range []string{http.MethodGet, http.MethodHead} {
		e.Add(m, "/api", a.Site.Handle(a.get))
		e.Add(m, "/api.html", a.Site.Handle(a.page))
	}
	return nil
}

// Document returns the document with the server's name and limits. Its address
// is a placeholder, since it depends on the request.
func (a *API) Document() (*openapi3.T, error) {
	doc, err := openapi3.NewLoader().LoadFromData(source)
	if err != nil {
		return nil, fmt.Errorf("load the OpenAPI document: %w", err)
	}
	doc.Info.Title, doc.Info.Description = a.Site.Title, a.Site.Description
	if c := a.Site.Contact; c != (common.Contact{}) {
		doc.Info.Contact = &openapi3.Contact{Name: c.Name, URL: c.URL, Email: c.Email}
	}
	limit := func(name string, highest int) *openapi3.Schema {
		p := doc.Components.Parameters[name].Value
		v := float64(highest)
		p.Schema.Value.Max = &v
		if example, ok := p.Example.(float64); ok {
			p.Example = min(example, v)
		}
		return p.Schema.Value
	}
	limit("width", a.MaxWidth)
	limit("height", a.MaxHeight)
	limit("limit", a.MaxLimit).Default = a.DefaultLimit
	if err := doc.Validate(context.Background()); err != nil {
		return nil, fmt.Errorf("validate the OpenAPI document: %w", err)
	}
	return doc, nil
}

func (a *API) get(c echo.Context) error {
	f, err := common.Accepts(c, []common.Format{common.OpenAPI, common.HTML})
	if err != nil {
		return err
	}
	if f == common.HTML {
		return a.page(c)
	}
	base, err := json.Marshal(a.Site.Base(c))
	if err != nil {
		return fmt.Errorf("encode the base URL: %w", err)
	}
	c.Response().Header().Add("Vary", "Accept")
	return common.WriteBytes(c, http.StatusOK, f.MediaType(), bytes.ReplaceAll(a.body, []byte(`"`+placeholder+`"`), base))
}

// group is the operations of one tag.
type group struct {
	Name, Description string
	Operations        []operation
}

type operation struct {
	Method, Path, ID, Summary, Description string
	Parameters                             []parameter
	Body                                   string // an example or the schema, as JSON
	Responses                              []response
}

type parameter struct{ Name, In, Description, Schema string }

type response struct{ Status, Description, Types string }

func (a *API) page(c echo.Context) error {
	return a.Site.Write(c, common.HTML, nil, common.Page{Template: "api", Title: "API", Data: groups(a.doc)})
}

// groups arranges the document for reading, in the order of its tags.
func groups(doc *openapi3.T) []group {
	var out []group
	for _, t := range doc.Tags {
		g := group{Name: t.Name, Description: t.Description}
		for _, path := range doc.Paths.InMatchingOrder() {
			item := doc.Paths.Value(path)
			for method, op := range item.Operations() {
				if slices.Contains(op.Tags, t.Name) {
					g.Operations = append(g.Operations, describe(method, path, item, op))
				}
			}
		}
		slices.SortFunc(g.Operations, func(x, y operation) int {
			return strings.Compare(x.Path+" "+x.Method, y.Path+" "+y.Method)
		})
		out = append(out, g)
	}
	return out
}

func describe(method, path string, item *openapi3.PathItem, op *openapi3.Operation) operation {
	o := operation{Method: method, Path: path, ID: op.OperationID, Summary: op.Summary, Description: op.Description}
	for _, p := range slices.Concat(item.Parameters, op.Parameters) {
		v := p.Value
		o.Parameters = append(o.Parameters, parameter{v.Name, v.In, v.Description, compact(v.Schema)})
	}
	if op.RequestBody != nil {
		if m := op.RequestBody.Value.Content.Get("application/json"); m != nil {
			o.Body = compact(m.Schema)
		}
	}
	for status, r := range op.Responses.Map() {
		var types []string
		for t := range r.Value.Content {
			types = append(types, t)
		}
		slices.Sort(types)
		text := ""
		if r.Value.Description != nil {
			text = *r.Value.Description
		}
		o.Responses = append(o.Responses, response{status, text, strings.Join(types, ", ")})
	}
	slices.SortFunc(o.Responses, func(x, y response) int { return strings.Compare(x.Status, y.Status) })
	return o
}

// compact writes a schema itself rather than its reference.
func compact(s *openapi3.SchemaRef) string {
	if s == nil || s.Value == nil {
		return ""
	}
	b, err := json.MarshalIndent(s.Value, "", "  ")
	if err != nil {
		return ""
	}
	return string(b)
}
