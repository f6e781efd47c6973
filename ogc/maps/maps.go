// Package maps serves OGC API Maps: a collection drawn as one picture, for any
// box in any of the configured CRSs.
package maps

import (
	"image/color"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"scarp/ogc/common"
	"scarp/tiles"
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
	return []string{p + "core", p + "collection-map", p + "styled-map", p + "background", p + "png", p + "jpeg", p + "tiff"}
}

// defaultSide is the longer side of a map without width and height.
const defaultSide = 1024

// Register adds the routes.
func (a *API) Register(e *echo.Echo) {
	for _, m := range []string{http.MethodGet, http.MethodHead} {
		e.Add(m, "/collections/:collection/map", a.Site.Handle(a.get))
		e.Add(m, "/collections/:collection/styles/:style/map", a.Site.Handle(a.get))
	}
}

func (a *API) get(c echo.Context) error {
	f, err := common.Accepts(c, common.Pictures(), "bbox", "bbox-crs", "crs", "width", "height", "bgcolor", "transparent", "datetime", "model", "threshold", "run")
	if err != nil {
		return err
	}
	col, err := a.Catalog.Collection(c.Request().Context(), c.Param("collection"))
	if err != nil {
		return err
	}
	v, box, err := a.parse(c.QueryParams(), col, f)
	if err != nil {
		return err
	}
	v.Style = c.Param("style")
	r, err := a.Renderer.Render(c.Request().Context(), v)
	if err != nil {
		return err
	}
	h := c.Response().Header()
	h.Add("Vary", "Accept")
	h.Set("Content-Crs", "<"+box.URI()+">")
	h.Set("Content-Bbox", formatBBox(v.BBox, box.LatLon))
	return common.WritePicture(c, r, common.Fresh)
}

// parse turns the parameters into a view; the CRS is that of the picture.
func (a *API) parse(q url.Values, col common.Collection, f common.Format) (tiles.View, common.CRS, error) {
	v := tiles.View{Event: col.Event, Layer: col.Layer, Model: q.Get("model"), Run: q.Get("run"), Format: f.MediaType()}
	crs := common.CRS84()
	var err error
	if crs, err = a.crs(q, "crs", crs); err != nil {
		return v, crs, err
	}
	boxCRS, err := a.crs(q, "bbox-crs", common.CRS84())
	if err != nil {
		return v, crs, err
	}
	if s := q.Get("datetime"); s != "" {
		if _, _, err := common.ParseDatetime(s); err != nil {
			return v, crs, err
		}
	}
	v.EPSG = crs.EPSG
	if v.BBox, err = a.box(q, col, boxCRS, crs); err != nil {
		return v, crs, err
	}
	if v.Width, v.Height, err = a.size(q, v.BBox); err != nil {
		return v, crs, err
	}
	if v.Threshold, err = common.Threshold(q); err != nil {
		return v, crs, err
	}
	v.Transparent, v.Background, err = background(q, f)
	return v, crs, err
}

func (a *API) crs(q url.Values, name string, def common.CRS) (common.CRS, error) {
	s := q.Get(name)
	if s == "" {
		return def, nil
	}
	crs, err := common.ParseCRS(s, a.LatLon)
	if err != nil {
		return crs, err
	}
	if crs.EPSG != 4326 && !slices.Contains(a.CRS, crs.EPSG) {
		return crs, common.BadRequest("%s=%s is not offered; the collection's document lists what is", name, common.Quote(s))
	}
	return crs, nil
}

// box returns the box to draw in the picture's CRS, x before y.
func (a *API) box(q url.Values, col common.Collection, from, to common.CRS) ([4]float64, error) {
	s := q.Get("bbox")
	if s == "" {
		if !col.Known {
			return [4]float64{}, &common.Problem{Status: http.StatusServiceUnavailable, Detail: "the images of this event can't be opened now", RetryAfter: 60}
		}
		return common.ProjectBounds(a.Projector, to.EPSG, col.Bounds)
	}
	b, err := common.ParseBBox(s)
	if err != nil {
		return b, err
	}
	if from.LatLon {
		b = [4]float64{b[1], b[0], b[3], b[2]}
	}
	if b[0] >= b[2] || b[1] >= b[3] {
		return b, common.BadRequest("bbox=%s is empty: its minimum must be below its maximum", common.Quote(s))
	}
	if from.EPSG == to.EPSG {
		return b, nil
	}
	ll, err := common.UnprojectBounds(a.Projector, from.EPSG, b)
	if err != nil {
		return b, err
	}
	return common.ProjectBounds(a.Projector, to.EPSG, ll)
}

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

func formatBBox(b [4]float64, latLon bool) string {
	if latLon {
		b = [4]float64{b[1], b[0], b[3], b[2]}
	}
	parts := make([]string, 4)
	for i, v := range b {
		parts[i] = strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strings.Join(parts, ",")
}
