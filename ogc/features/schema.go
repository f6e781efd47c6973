package features

import (
	"github.com/labstack/echo/v4"

	"scarp/ogc/common"
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

// queryables lists what items can be selected by: the parameters of the items
// resource that name attributes.
func (a *API) queryables(c echo.Context) error {
	return a.writeSchema(c, "Queryables of landslides", map[string]any{
		"geometry":  map[string]any{"format": "geometry-polygon", "title": "Outline", "description": "Selected with bbox."},
		"post_date": map[string]any{"type": "string", "format": "date-time", "title": "Acquisition after the event", "description": "Selected with datetime."},
		"run":       map[string]any{"type": "string", "title": "Id of the mapping job", "description": "Selected with run; without it the latest run's landslides are listed."},
		"min_area":  map[string]any{"type": "number", "minimum": 0, "title": "Smallest geodesic area in m²", "description": "Selected with min_area."},
	})
}

// schema lists what every item carries.
func (a *API) schema(c echo.Context) error {
	props := map[string]any{
		"id":       map[string]any{"type": "integer", "x-ogc-role": "id"},
		"geometry": map[string]any{"format": "geometry-polygon", "x-ogc-role": "primary-geometry"},
	}
	for name, title := range common.LandslideFields() {
		kind := map[string]any{"type": "number", "title": title}
		switch name {
		case "event", "run", "model", "model_version":
			kind["type"] = "string"
		case "pre_date", "post_date":
			kind["type"], kind["format"] = "string", "date-time"
		case "cloud_adjacent":
			kind["type"] = "boolean"
		case "delta_ndvi_mean":
			kind["type"] = []string{"number", "null"}
		}
		props[name] = kind
	}
	return a.writeSchema(c, "Landslides", props)
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
