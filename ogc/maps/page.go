package maps

import (
	"cmp"
	"embed"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/tiles"
)

//go:embed templates
var templates embed.FS

// offered lists the formats of a map: pictures, and the page with the picture.
// A browser that opens an address wants a page, but names some formats of
// pictures with the same weight; what tells it from programs that take anything
// is that it knows XHTML. Then the page comes first.
func offered(r *http.Request, pictures []common.Format) []common.Format {
	page := []common.Format{common.HTML}
	if strings.Contains(strings.Join(r.Header.Values("Accept"), ","), "application/xhtml+xml") {
		return slices.Concat(page, pictures)
	}
	return slices.Concat(pictures, page)
}

// shown is a map that a page is about.
type shown struct {
	col common.Collection
	// layers are the collections in the picture, the topmost first.
	layers  []common.Collection
	view    tiles.View
	crs     common.CRS
	formats []common.Format
}

// pageData is what the template shows.
type pageData struct {
	Description   string
	Picture       string
	Width, Height int
	BBox, CRS     string
	Moves         []common.Link // the same map of another area
	Layers        []layerData
	Styles        []common.Link // the same map in the collection's other styles
	Formats       []common.Link
	Links         []common.Link
}

// layerData is a collection in the picture, in a style.
type layerData struct {
	Title, Href   string
	Style         tiles.StyleInfo
	Legend        string
	Width, Height int
}

// page answers with a page around a picture, which the browser asks for with
// the page's own parameters. What it would be refused for is refused here.
func (a *API) page(c echo.Context, s shown) error {
	single := s.col.Event != ""
	if single {
		if err := a.Renderer.Check(c.Request().Context(), s.view); err != nil {
			return err
		}
	}
	base, q := a.Site.Base(c), c.QueryParams()
	self := base + c.Request().URL.EscapedPath()
	data := pageData{
		Description: s.col.Description, Width: s.view.Width, Height: s.view.Height,
		Picture: common.WithQuery(self, q, "f", string(common.PNG)),
		BBox:    strings.ReplaceAll(common.FormatBBox(s.view.BBox, s.crs.LatLon), ",", ", "), CRS: s.crs.URI(),
	}
	for _, l := range s.layers {
		data.Layers = append(data.Layers, a.layer(base, l, s.view.Style))
	}
	for _, f := range s.formats {
		data.Formats = append(data.Formats, common.Link{Href: common.WithQuery(self, q, "f", string(f)), Rel: "alternate", Type: f.MediaType(), Title: f.Title()})
	}
	data.Moves = moves(self, q, s.view, s.crs)
	page := common.Page{Template: "map", Title: "Map of " + s.col.Title, NoJSON: true}
	if single {
		collection := base + "/collections/" + s.col.ID()
		for _, style := range a.Renderer.Styles(s.col.Layer) {
			if style.ID == data.Layers[0].Style.ID {
				continue
			}
			data.Styles = append(data.Styles, common.Link{Href: common.WithQuery(collection+"/styles/"+style.ID+"/map", q, "f", string(common.HTML)),
				Rel: common.RelMap, Type: common.HTML.MediaType(), Title: style.Title})
		}
		data.Links = []common.Link{
			{Href: collection + "?f=html", Rel: common.RelGeodata, Type: common.HTML.MediaType(), Title: "The collection"},
			{Href: collection + "/styles?f=html", Rel: common.RelStyles, Type: common.HTML.MediaType(), Title: "Its styles"},
			{Href: collection + "/map/tiles?f=html", Rel: common.RelTilesetsMap, Type: common.HTML.MediaType(), Title: "Its map tiles"},
		}
		page.Crumbs = []common.Crumb{{Title: "Collections", Path: "/collections?f=html"}, {Title: s.col.Title, Path: "/collections/" + s.col.ID() + "?f=html"}}
	} else {
		data.Links = []common.Link{{Href: base + "/map/tiles?f=html", Rel: common.RelTilesetsMap, Type: common.HTML.MediaType(), Title: "Map tiles of the same"}}
	}
	page.Data = data
	tell(c, s.view, s.crs)
	return a.Site.Write(c, common.HTML, nil, page)
}

// moves links to pages of other areas, so that one can look around without
// scripts; programs that follow links would not come to an end. There are none where a subset chose the area, along with other things.
func moves(self string, q url.Values, v tiles.View, crs common.CRS) []common.Link {
	if q.Has("subset") {
		return nil
	}
	q = maps.Clone(q)
	for _, name := range []string{"center", "center-crs", "scale-denominator"} {
		q.Del(name)
	}
	b := v.BBox
	w, h := b[2]-b[0], b[3]-b[1]
	var links []common.Link
	for _, to := range []struct {
		title string
		bbox  [4]float64
	}{
		{"Zoom in", [4]float64{b[0] + w/4, b[1] + h/4, b[2] - w/4, b[3] - h/4}},
		{"Zoom out", [4]float64{b[0] - w/2, b[1] - h/2, b[2] + w/2, b[3] + h/2}},
		{"West", [4]float64{b[0] - w/2, b[1], b[2] - w/2, b[3]}},
		{"East", [4]float64{b[0] + w/2, b[1], b[2] + w/2, b[3]}},
		{"North", [4]float64{b[0], b[1] + h/2, b[2], b[3] + h/2}},
		{"South", [4]float64{b[0], b[1] - h/2, b[2], b[3] - h/2}},
	} {
		if common.Geographic(v.EPSG) && common.CheckLonLat(to.bbox) != nil {
			continue
		}
		links = append(links, common.Link{Title: to.title, Href: common.WithQuery(self, q, "f", string(common.HTML),
			"bbox", common.FormatBBox(to.bbox, crs.LatLon), "bbox-crs", crs.URI(), "width", strconv.Itoa(v.Width), "height", strconv.Itoa(v.Height))})
	}
	return links
}

// layer describes a collection in a style, the default where none is named.
func (a *API) layer(base string, col common.Collection, style string) layerData {
	self := base + "/collections/" + col.ID()
	l := layerData{Title: col.Title, Href: self + "?f=html"}
	for i, s := range a.Renderer.Styles(col.Layer) {
		if s.ID == style || style == "" && i == 0 {
			l.Style = s
		}
	}
	l.Legend = self + "/styles/" + l.Style.ID + "/legend"
	l.Width, l.Height = cmp.Or(l.Style.LegendSize.X, 1), cmp.Or(l.Style.LegendSize.Y, 1)
	return l
}
