package tiles

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/ogc/common"
	draw "github.com/scarp-map/scarp/tiles"
)

type stylesDoc struct {
	Default string        `json:"default"`
	Styles  []styleDoc    `json:"styles"`
	Links   []common.Link `json:"links"`
}

type styleDoc struct {
	ID          string        `json:"id"`
	Title       string        `json:"title"`
	Description string        `json:"description,omitempty"`
	Kind        string        `json:"kind"`
	Legend      []entryDoc    `json:"legend,omitempty"`
	Links       []common.Link `json:"links"`
}

type entryDoc struct {
	Label string  `json:"label"`
	Color string  `json:"color"` // #rrggbbaa
	Value float64 `json:"value,omitempty"`
}

// findStyle finds a layer's style; the empty id is the default.
func (a *API) findStyle(l draw.Layer, id string) (draw.StyleInfo, error) {
	all := a.Renderer.Styles(l)
	if id == "" && len(all) > 0 {
		return all[0], nil
	}
	if i := slices.IndexFunc(all, func(s draw.StyleInfo) bool { return s.ID == id }); i >= 0 {
		return all[i], nil
	}
	ids := make([]string, len(all))
	for i, s := range all {
		ids[i] = s.ID
	}
	return draw.StyleInfo{}, common.NotFound("layer %s has no style %s; it has %s", l, common.Quote(id), strings.Join(ids, ", "))
}

func (a *API) describeStyle(base string, col common.Collection, s draw.StyleInfo) styleDoc {
	self := base + "/collections/" + col.ID() + "/styles/" + s.ID
	d := styleDoc{ID: s.ID, Title: s.Title, Description: s.Description, Kind: s.Kind, Links: []common.Link{
		{Href: self, Rel: "self", Type: common.JSON.MediaType(), Title: s.Title},
		{Href: self + "/legend", Rel: common.RelLegend, Type: common.PNG.MediaType(), Title: "legend"},
		{Href: self + "/legend?f=json", Rel: common.RelLegend, Type: common.JSON.MediaType(), Title: "legend as data"},
		{Href: self + "/map/tiles", Rel: common.RelTilesetsMap, Type: common.JSON.MediaType(), Title: "map tiles in this style"},
		{Href: self + "/map?f=png", Rel: common.RelMap, Type: common.PNG.MediaType(), Title: "map in this style"},
	}}
	d.Legend = entries(s)
	return d
}

// entries lists what a style's colours mean.
func entries(s draw.StyleInfo) []entryDoc {
	list := []entryDoc{}
	for _, l := range s.Legend {
		list = append(list, entryDoc{l.Label, hex(l.Color.R, l.Color.G, l.Color.B, l.Color.A), l.Value})
	}
	return list
}

func hex(bytes ...uint8) string {
	const digits = "0123456789abcdef"
	s := []byte{'#'}
	for _, b := range bytes {
		s = append(s, digits[b>>4], digits[b&15])
	}
	return string(s)
}

func (a *API) styles(c echo.Context) error {
	f, err := common.Accepts(c, common.Document())
	if err != nil {
		return err
	}
	col, err := a.Catalog.Collection(c.Request().Context(), c.Param("collection"))
	if err != nil {
		return err
	}
	doc := stylesDoc{Links: a.Site.SelfLinks(c, f, common.Document())}
	for i, s := range a.Renderer.Styles(col.Layer) {
		if i == 0 {
			doc.Default = s.ID
		}
		doc.Styles = append(doc.Styles, a.describeStyle(a.Site.Base(c), col, s))
	}
	return a.Site.Write(c, f, doc, common.Page{Template: "styles", Title: "Styles", Crumbs: crumbs(col)})
}

func (a *API) style(c echo.Context) error {
	f, err := common.Accepts(c, common.Document())
	if err != nil {
		return err
	}
	col, err := a.Catalog.Collection(c.Request().Context(), c.Param("collection"))
	if err != nil {
		return err
	}
	s, err := a.findStyle(col.Layer, c.Param("style"))
	if err != nil {
		return err
	}
	doc := a.describeStyle(a.Site.Base(c), col, s)
	return a.Site.Write(c, f, doc, common.Page{Template: "styles", Title: s.Title, Crumbs: crumbs(col), Data: stylesDoc{Styles: []styleDoc{doc}}})
}

// legendDoc is a legend as data.
type legendDoc struct {
	Style   string        `json:"style"`
	Title   string        `json:"title"`
	Kind    string        `json:"kind"`
	Entries []entryDoc    `json:"entries"`
	Links   []common.Link `json:"links"`
}

// legend draws a style's legend, or lists it as JSON; width and height 0 mean as large as it needs to be.
func (a *API) legend(c echo.Context) error {
	f, err := common.Accepts(c, []common.Format{common.PNG, common.JSON}, "width", "height")
	if err != nil {
		return err
	}
	ref, err := common.ParseID(c.Param("collection"))
	if err != nil {
		return err
	}
	s, err := a.findStyle(ref.Layer, c.Param("style"))
	if err != nil {
		return err
	}
	if f == common.JSON {
		return a.Site.Write(c, f, legendDoc{s.ID, s.Title, s.Kind, entries(s), a.Site.SelfLinks(c, f, []common.Format{common.JSON, common.PNG})}, common.Page{})
	}
	width, err := common.Int(c.QueryParams(), "width", 0, 1, 2048)
	if err != nil {
		return err
	}
	height, err := common.Int(c.QueryParams(), "height", 0, 1, 2048)
	if err != nil {
		return err
	}
	png, err := a.Renderer.LegendImage(ref.Layer, s.ID, width, height)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", common.Fresh)
	return common.WriteBytes(c, http.StatusOK, common.PNG.MediaType(), png)
}
