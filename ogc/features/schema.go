package features

import (
	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/filter"
)

// schemaDoc is a JSON Schema of attributes, as OGC API Features Part 3 and 5 have it.
type schemaDoc struct {
	Schema     string         `json:"$schema"`
	ID         string         `json:"$id"`
	Type       string         `json:"type"`
	Title      string         `json:"title"`
	Properties map[string]any `json:"properties"`
	Additional bool           `json:"additionalProperties"`
}

// queryables lists what items can be selected by: the properties of filters,
// which except for the outline and the run are parameters too.
func (a *API) queryables(c echo.Context) error {
	props := fieldSchemas()
	describe := func(name, text string) { props[name].(map[string]any)["description"] = text }
	describe(store.GeometryField, "Selected with filter or bbox.")
	describe("post_date", "Also selected with datetime.")
	describe("area_m2", "Also selected with min_area.")
	describe("run", "The parameter run chooses another than the latest run; it is not compared with each landslide.")
	return a.writeSchema(c, "Queryables of landslides", props)
}

// schema lists what every item carries.
func (a *API) schema(c echo.Context) error {
	props := fieldSchemas()
	role := func(name, role string) { props[name].(map[string]any)["x-ogc-role"] = role }
	role("id", "id")
	role(store.GeometryField, "primary-geometry")
	role("pre_date", "primary-interval-start")
	role("post_date", "primary-interval-end")
	return a.writeSchema(c, "Landslides", props)
}

func fieldSchemas() map[string]any {
	titles := common.LandslideFields()
	props := map[string]any{}
	for i, f := range store.Fields() {
		s := map[string]any{"x-ogc-propertySeq": i + 1}
		if title := titles[f.Name]; title != "" {
			s["title"] = title
		}
		switch f.Type {
		case filter.Number:
			s["type"] = "number"
		case filter.Text:
			s["type"] = "string"
		case filter.Time:
			s["type"], s["format"] = "string", "date-time"
		case filter.Bool:
			s["type"] = "boolean"
		case filter.Geometry:
			s["format"], s["title"] = "geometry-polygon", "Outline"
		}
		if f.Name == "id" {
			s["type"], s["title"] = "integer", "Number of the landslide"
		}
		if f.Optional && f.Type == filter.Number {
			s["type"] = []string{"number", "null"}
		}
		props[f.Name] = s
	}
	return props
}

func (a *API) writeSchema(c echo.Context, title string, props map[string]any) error {
	f, err := common.Accepts(c, []common.Format{common.Schema, common.HTML})
	if err != nil {
		return err
	}
	col, err := a.collection(c.Request().Context(), c.Param("collection"))
	if err != nil {
		return err
	}
	doc := schemaDoc{Schema: "https://json-schema.org/draft/2020-12/schema", ID: a.Site.Base(c) + c.Request().URL.EscapedPath(), Type: "object", Title: title, Properties: props}
	return a.Site.Write(c, f, doc, common.Page{Template: "schema", Title: title, Crumbs: crumbs(col)})
}
