// Package coverages serves predictions as numbers: the probability or the mask
// of an event as cloud-optimised GeoTIFF. Addresses and parameters are those of
// the draft of OGC API Coverages; no class of it is claimed, as it is not final.
package coverages

import (
	"math"
	"net/http"
	"net/url"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/tiles"
)

// API serves coverages.
type API struct {
	Site      *common.Site
	Catalog   *common.Catalog
	Renderer  tiles.Renderer
	Projector common.Projector
	// LatLon says whether a code's axis order is northing first.
	LatLon func(epsg int) bool
	// CRS lists the EPSG codes that may be asked for, beside the event's own.
	CRS []int
	// MaxWidth and MaxHeight bound coverages in pixels.
	MaxWidth, MaxHeight int
}

// style is the style of numbers, which both layers have.
const style = "values"

// Register adds the route.
func (a *API) Register(e *echo.Echo) {
	for _, m := range []string{http.MethodGet, http.MethodHead} {
		e.Add(m, "/collections/:collection/coverage", a.Site.Handle(a.get))
	}
}

func (a *API) get(c echo.Context) error {
	params := append(common.FrameParams(), "width", "height", "scale-factor", "scale-size", "scaleSize", "values", "model", "threshold")
	f, err := common.Accepts(c, []common.Format{common.TIFF}, params...)
	if err != nil {
		return err
	}
	col, err := a.Catalog.Collection(c.Request().Context(), c.Param("collection"))
	if err != nil {
		return err
	}
	if col.Layer != tiles.Probability && col.Layer != tiles.Mask {
		return common.NotFound("collection %s has no coverage; %s and %s have", col.ID(), common.Ref{Event: col.Event, Layer: tiles.Probability}.ID(), common.Ref{Event: col.Event, Layer: tiles.Mask}.ID())
	}
	v, crs, err := a.view(c.QueryParams(), col)
	if err != nil {
		return err
	}
	// Kept, since clients read a coverage in ranges of bytes.
	v.Format, v.Keep = f.MediaType(), true
	r, err := a.Renderer.Render(c.Request().Context(), v)
	if err != nil {
		return err
	}
	r.ContentType = common.GeoTIFFType
	h := c.Response().Header()
	h.Set("Content-Crs", "<"+crs.URI()+">")
	h.Set("Content-Bbox", common.FormatBBox(v.BBox, crs.LatLon))
	h.Set("Content-Disposition", `inline; filename="`+col.ID()+`.tif"`)
	return common.WriteFile(c, r, common.Fresh)
}

// view turns the parameters into a view. Without any it is the event's own
// grid, so that pixels are the predicted ones, coarser where that is too large.
func (a *API) view(q url.Values, col common.Collection) (tiles.View, common.CRS, error) {
	v := tiles.View{Event: col.Event, Layer: col.Layer, Style: style, Model: q.Get("model"), Transparent: true}
	frames := common.Frames{Projector: a.Projector, LatLon: a.LatLon, CRS: a.CRS}
	native := common.CRS84()
	if col.EPSG != 0 {
		native = common.CRS{EPSG: col.EPSG, LatLon: a.LatLon(col.EPSG)}
	}
	sizes, err := readScaleSize(q)
	if err != nil {
		return v, native, err
	}
	if sizes.degrees {
		native = common.CRS84()
	}
	crs, err := frames.ReadCRS(q, "crs", col, native)
	if err != nil {
		return v, crs, err
	}
	switch q.Get("values") {
	case "", "float":
	case "byte":
		v.Bytes = true
	default:
		return v, crs, common.BadRequest("values=%s must be float or byte", common.Quote(q.Get("values")))
	}
	if v.Threshold, err = common.Threshold(q); err != nil {
		return v, crs, err
	}
	area, err := frames.Area(q, col, crs)
	if err != nil {
		return v, crs, err
	}
	v.EPSG, v.During, v.BBox = crs.EPSG, area.During, area.Box
	own := crs.EPSG == col.EPSG && col.Known
	if own {
		v.BBox = onGrid(v.BBox, col.Grid, area.Given)
	}
	err = a.size(q, sizes, &v, own)
	return v, crs, err
}

// onGrid widens a box to whole pixels of the event's grid, and keeps it to the
// grid where the client did not name it.
func onGrid(b [4]float64, g imagery.Grid, given bool) [4]float64 {
	if !given {
		x0, y0, x1, y1 := g.Bounds()
		return [4]float64{x0, y0, x1, y1}
	}
	const hair = 1e-6
	down := func(v, origin float64) float64 {
		return origin + math.Floor((v-origin)/imagery.PixelSize+hair)*imagery.PixelSize
	}
	up := func(v, origin float64) float64 {
		return origin + math.Ceil((v-origin)/imagery.PixelSize-hair)*imagery.PixelSize
	}
	return [4]float64{down(b[0], g.OriginX), down(b[1], g.OriginY), up(b[2], g.OriginX), up(b[3], g.OriginY)}
}

// metresPerDegree is at the equator.
const metresPerDegree = 111319.49079327358

// size settles the pixels: those that are asked for, else about 10 m, made
// larger by a whole factor where there would be too many. own says that the box
// is one of the event's grid.
func (a *API) size(q url.Values, sizes scaleSize, v *tiles.View, own bool) (err error) {
	pixel := float64(imagery.PixelSize)
	if common.Geographic(v.EPSG) {
		pixel /= metresPerDegree
	}
	w, h := (v.BBox[2]-v.BBox[0])/pixel, (v.BBox[3]-v.BBox[1])/pixel
	ways := 0
	for _, given := range []bool{q.Has("width") || q.Has("height"), q.Has("scale-factor"), sizes.name != ""} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		return common.BadRequest("give the size in one way: as width and height, as scale-size, or as scale-factor")
	}
	switch {
	case sizes.name != "":
		return sizes.apply(v, [2]int{a.MaxWidth, a.MaxHeight})
	case q.Has("width") || q.Has("height"):
		if v.Width, err = common.Int(q, "width", 0, 1, a.MaxWidth); err != nil {
			return err
		}
		if v.Height, err = common.Int(q, "height", 0, 1, a.MaxHeight); err != nil {
			return err
		}
		if v.Width == 0 {
			v.Width = clamp(float64(v.Height)*w/h, a.MaxWidth)
		}
		if v.Height == 0 {
			v.Height = clamp(float64(v.Width)*h/w, a.MaxHeight)
		}
		return nil
	case q.Has("scale-factor"):
		factor, err := common.Float(q, "scale-factor", 1, 0.1, 100000)
		if err != nil {
			return err
		}
		w, h = math.Round(w/factor), math.Round(h/factor)
		if w > float64(a.MaxWidth) || h > float64(a.MaxHeight) {
			return common.BadRequest("scale-factor=%g gives a coverage of %.0f×%.0f pixels; at most %d×%d can be had", factor, w, h, a.MaxWidth, a.MaxHeight)
		}
		v.Width, v.Height = clamp(w, a.MaxWidth), clamp(h, a.MaxHeight)
		return nil
	}
	factor := math.Ceil(max(1, w/float64(a.MaxWidth)-1e-9, h/float64(a.MaxHeight)-1e-9))
	v.Width, v.Height = clamp(math.Ceil(w/factor-1e-6), a.MaxWidth), clamp(math.Ceil(h/factor-1e-6), a.MaxHeight)
	if own { // whole pixels, from the upper left corner on
		v.BBox[2], v.BBox[1] = v.BBox[0]+float64(v.Width)*factor*pixel, v.BBox[3]-float64(v.Height)*factor*pixel
	}
	return nil
}

func clamp(v float64, limit int) int { return int(min(max(math.Round(v), 1), float64(limit))) }
