// Package maps serves OGC API Maps: a collection, or several, drawn as one
// picture, for any box in any of the configured CRSs; and what is at a place.
package maps

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/tiles"
)

// API serves maps.
type API struct {
	Site      *common.Site
	Catalog   *common.Catalog
	Renderer  tiles.Renderer
	Projector common.Projector
	// LatLon says whether a code's axis order is northing first.
	LatLon func(epsg int) bool
	// CRS lists the EPSG codes that may be asked for.
	CRS []int
	// MaxWidth and MaxHeight bound pictures in pixels.
	MaxWidth, MaxHeight int
}

// Conformance lists the classes that hold.
func Conformance() []string {
	const p = "http://www.opengis.net/spec/ogcapi-maps-1/1.0/conf/"
	return []string{p + "core", p + "dataset-map", p + "collection-map", p + "styled-map", p + "background", p + "collections-selection", p + "scaling",
		p + "spatial-subsetting", p + "general-subsetting", p + "datetime", p + "crs", p + "png", p + "jpeg", p + "tiff", p + "html", p + "cors", p + "api-operations"}
}

// defaultSide is the longer side of a map without width and height.
const defaultSide = 1024

// Register adds the routes.
func (a *API) Register(e *echo.Echo) error {
	if err := a.Site.AddPages(templates); err != nil {
		return err
	}
	for _, m := range []string{http.MethodGet, http.MethodHead} {
		e.Add(m, "/map", a.Site.Handle(a.dataset))
		e.Add(m, "/collections/:collection/map", a.Site.Handle(a.get))
		e.Add(m, "/collections/:collection/info", a.Site.Handle(a.info))
		e.Add(m, "/collections/:collection/styles/:style/map", a.Site.Handle(a.get))
	}
	return nil
}

// params lists what maps can be asked with.
func params(more ...string) []string {
	return append(append(common.FrameParams(), "center", "center-crs", "width", "height", "scale-denominator", "mm-per-pixel", "bgcolor", "transparent"), more...)
}

func (a *API) frames() common.Frames {
	return common.Frames{Projector: a.Projector, LatLon: a.LatLon, CRS: a.CRS}
}

func (a *API) get(c echo.Context) error {
	col, err := a.Catalog.Collection(c.Request().Context(), c.Param("collection"))
	if err != nil {
		return err
	}
	more := []string{"model", "threshold"}
	if col.Layer == tiles.Landslides {
		more = []string{"run"}
	}
	pictures := common.Pictures()
	f, err := common.Accepts(c, offered(c.Request(), pictures), params(more...)...)
	if err != nil {
		return err
	}
	v, crs, err := a.parse(c.QueryParams(), col, f)
	if err != nil {
		return err
	}
	v.Style = c.Param("style")
	if f == common.HTML {
		return a.page(c, shown{col: col, layers: []common.Collection{col}, view: v, crs: crs, formats: pictures})
	}
	r, err := a.Renderer.Render(c.Request().Context(), v)
	if err != nil {
		return err
	}
	return write(c, r, v, crs, common.Fresh)
}

func write(c echo.Context, r tiles.Rendered, v tiles.View, crs common.CRS, rule string) error {
	c.Response().Header().Add("Vary", "Accept")
	tell(c, v, crs)
	return common.WritePicture(c, r, rule)
}

// tell says in the header where a map is.
func tell(c echo.Context, v tiles.View, crs common.CRS) {
	h := c.Response().Header()
	h.Set("Content-Crs", "<"+crs.URI()+">")
	h.Set("Content-Bbox", common.FormatBBox(v.BBox, crs.LatLon))
}

// dataset draws several collections over each other: those that are named, or
// the landslides of every event.
func (a *API) dataset(c echo.Context) error {
	pictures := []common.Format{common.PNG, common.JPEG}
	f, err := common.Accepts(c, offered(c.Request(), pictures), params("collections")...)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	all, err := a.Catalog.Collections(ctx)
	if err != nil {
		return err
	}
	q := c.QueryParams()
	chosen, spans, err := common.ChooseCollections(all, q.Get("collections"), q.Get("datetime"))
	if err != nil {
		return err
	}
	whole := common.Dataset(a.Site.Title, all)
	if !whole.Known { // there is no event yet: an empty picture of the world
		whole.Bounds, whole.Known = [4]float64{-180, -85, 180, 85}, true
	}
	v, crs, err := a.parse(q, whole, f)
	if err != nil {
		return err
	}
	if f == common.HTML {
		return a.page(c, shown{col: whole, layers: chosen[:min(len(chosen), common.MaxLayers)], view: v, crs: crs, formats: pictures})
	}
	var layers []tiles.View
	for i, col := range chosen {
		b, err := common.ProjectBounds(a.Projector, v.EPSG, col.Bounds)
		if err != nil || !col.Known || b[0] > v.BBox[2] || b[2] < v.BBox[0] || b[1] > v.BBox[3] || b[3] < v.BBox[1] {
			continue
		}
		l := v
		l.Event, l.Layer, l.During, l.Format, l.Transparent = col.Event, col.Layer, spans[i], common.PNG.MediaType(), true
		layers = append(layers, l)
	}
	layers = layers[:min(len(layers), common.MaxLayers)]
	slices.Reverse(layers)
	r, err := common.Compose(len(layers)+1, f, func(i int) (tiles.Rendered, error) {
		if i > 0 {
			return a.Renderer.Render(ctx, layers[i-1])
		}
		img := image.NewNRGBA(image.Rect(0, 0, v.Width, v.Height))
		if !v.Transparent {
			var ground color.Color = color.White
			if v.Background != nil {
				ground = v.Background
			}
			draw.Draw(img, img.Rect, image.NewUniform(ground), image.Point{}, draw.Src)
		}
		body, err := tiles.EncodePNG(img)
		return tiles.Rendered{Bytes: body, ETag: fmt.Sprint(v.Transparent, v.Background, v.BBox, v.EPSG, v.Width, v.Height), Complete: true}, err
	})
	if err != nil {
		return err
	}
	return write(c, r, v, crs, common.Revalidate)
}

// parse turns the parameters into a view; the CRS is that of the picture. A
// page shows a PNG.
func (a *API) parse(q url.Values, col common.Collection, f common.Format) (tiles.View, common.CRS, error) {
	if f == common.HTML {
		f = common.PNG
	}
	v := tiles.View{Event: col.Event, Layer: col.Layer, Model: q.Get("model"), Run: q.Get("run"), Format: f.MediaType()}
	crs, err := a.frames().ReadCRS(q, "crs", col, common.CRS84())
	if err != nil {
		return v, crs, err
	}
	area, err := a.frames().Area(q, col, crs)
	if err != nil {
		return v, crs, err
	}
	v.EPSG, v.BBox, v.During = crs.EPSG, area.Box, area.During
	if err := a.scale(q, &v, area); err != nil {
		return v, crs, err
	}
	if v.Threshold, err = common.Threshold(q); err != nil {
		return v, crs, err
	}
	v.Transparent, v.Background, err = background(q, f)
	return v, crs, err
}

// scale settles size and box: a scale stands for the size where there is a
// box, and for the box where there is only a centre.
func (a *API) scale(q url.Values, v *tiles.View, area common.Area) (err error) {
	pixel := 0.28
	if pixel, err = common.Float(q, "mm-per-pixel", pixel, 0.01, 10); err != nil {
		return err
	}
	denominator, err := common.Float(q, "scale-denominator", 0, 1, 1e9)
	if err != nil {
		return err
	}
	resolution := denominator * pixel / 1000 // units of the CRS a pixel
	if common.Geographic(v.EPSG) {
		resolution /= metresPerDegree
	}
	if area.Center != nil {
		if v.Width, err = common.Int(q, "width", defaultSide, 1, a.MaxWidth); err != nil {
			return err
		}
		if v.Height, err = common.Int(q, "height", defaultSide, 1, a.MaxHeight); err != nil {
			return err
		}
		if resolution == 0 {
			resolution = nativePixel
			if common.Geographic(v.EPSG) {
				resolution /= metresPerDegree
			}
		}
		w, h := float64(v.Width)*resolution/2, float64(v.Height)*resolution/2
		v.BBox = [4]float64{area.Center[0] - w, area.Center[1] - h, area.Center[0] + w, area.Center[1] + h}
		return nil
	}
	if resolution > 0 {
		if q.Has("width") || q.Has("height") {
			return common.BadRequest("give scale-denominator, or width and height, not both (with center both)")
		}
		w, h := math.Round((v.BBox[2]-v.BBox[0])/resolution), math.Round((v.BBox[3]-v.BBox[1])/resolution)
		if !(w >= 1 && h >= 1 && w <= float64(a.MaxWidth) && h <= float64(a.MaxHeight)) {
			return common.BadRequest("scale-denominator=%g gives a map of %.0f×%.0f pixels; from 1×1 to %d×%d can be had", denominator, w, h, a.MaxWidth, a.MaxHeight)
		}
		v.Width, v.Height = int(w), int(h)
		return nil
	}
	v.Width, v.Height, err = a.size(q, v.BBox)
	return err
}

const (
	nativePixel     = 10.0 // metres
	metresPerDegree = 111319.49079327358
)

// size keeps pixels square where a side is left out.
func (a *API) size(q url.Values, b [4]float64) (width, height int, err error) {
	if width, err = common.Int(q, "width", 0, 1, a.MaxWidth); err != nil {
		return 0, 0, err
	}
	if height, err = common.Int(q, "height", 0, 1, a.MaxHeight); err != nil {
		return 0, 0, err
	}
	aspect := (b[2] - b[0]) / (b[3] - b[1])
	fit := func(v float64, limit int) int { return int(math.Round(max(1, min(v, float64(limit))))) }
	switch {
	case width == 0 && height == 0 && aspect >= 1:
		width = min(defaultSide, a.MaxWidth)
		height = fit(float64(width)/aspect, a.MaxHeight)
	case width == 0 && height == 0:
		height = min(defaultSide, a.MaxHeight)
		width = fit(float64(height)*aspect, a.MaxWidth)
	case width == 0:
		width = fit(float64(height)*aspect, a.MaxWidth)
	case height == 0:
		height = fit(float64(width)/aspect, a.MaxHeight)
	}
	return width, height, nil
}

// background: a map is transparent where there is no data unless it has a
// background colour or the format has no transparency.
func background(q url.Values, f common.Format) (bool, color.Color, error) {
	s := q.Get("bgcolor")
	transparent := f != common.JPEG && s == ""
	switch t := q.Get("transparent"); strings.ToLower(t) {
	case "":
	case "true":
		transparent = f != common.JPEG
	case "false":
		transparent = false
	default:
		return false, nil, common.BadRequest("transparent=%s must be true or false", common.Quote(t))
	}
	if s == "" {
		return transparent, nil, nil
	}
	bg, err := common.ParseColor(s)
	if err != nil {
		return false, nil, err
	}
	return transparent, bg, nil
}
