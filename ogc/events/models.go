package events

import (
	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/ogc/common"
)

// modelDoc is what the world may know of a model: its manifest, without the weights.
type modelDoc struct {
	inference.Manifest
	Default bool          `json:"default"`
	Digest  string        `json:"digest"`
	Links   []common.Link `json:"links"`
}

type modelsDoc struct {
	Models []modelDoc    `json:"models"`
	Links  []common.Link `json:"links"`
}

func describeModel(base string, m *inference.Model, first bool) modelDoc {
	self := base + "/models/" + m.Name()
	return modelDoc{Manifest: m.Manifest, Default: first, Digest: m.Digest, Links: []common.Link{
		{Href: self, Rel: "self", Type: common.JSON.MediaType(), Title: m.Manifest.Title},
		{Href: self + "?f=html", Rel: "alternate", Type: common.HTML.MediaType(), Title: m.Manifest.Title}}}
}

func (a *API) models(c echo.Context) error {
	f, err := common.Accepts(c, common.Document())
	if err != nil {
		return err
	}
	doc := modelsDoc{Models: []modelDoc{}, Links: a.Site.SelfLinks(c, f, common.Document())}
	for i, m := range a.Models.Models() {
		doc.Models = append(doc.Models, describeModel(a.Site.Base(c), m, i == 0))
	}
	return a.Site.Write(c, f, doc, common.Page{Template: "models", Title: "Models"})
}

func (a *API) model(c echo.Context) error {
	f, err := common.Accepts(c, common.Document())
	if err != nil {
		return err
	}
	for i, m := range a.Models.Models() {
		if m.Name() == c.Param("model") {
			doc := describeModel(a.Site.Base(c), m, i == 0)
			title := m.Manifest.Title
			if title == "" {
				title = m.Name()
			}
			return a.Site.Write(c, f, doc, common.Page{Template: "model", Title: title, Crumbs: []common.Crumb{{Title: "Models", Path: "/models?f=html"}}})
		}
	}
	return common.NotFound("there is no model %s", common.Quote(c.Param("model")))
}
