package maps

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/ogc/pointinfo"
)

// infoFormats maps the formats of the parameter f to those of the answer.
func infoFormats() map[common.Format]string {
	return map[common.Format]string{common.GeoJSON: "application/json", common.HTML: "text/html", common.Text: "text/plain"}
}

// info says what is at a place of a collection: the parameter point, in
// longitude and latitude. No standard has this; it is what GetFeatureInfo says
// without the detour of a picture and its pixels.
func (a *API) info(c echo.Context) error {
	f, err := common.Accepts(c, []common.Format{common.GeoJSON, common.HTML, common.Text}, "point", "datetime", "model", "threshold", "run")
	if err != nil {
		return err
	}
	q := c.QueryParams()
	if q.Get("point") == "" {
		return common.BadRequest("point is missing; give longitude and latitude, such as point=141.95,42.74")
	}
	p, err := common.ParsePoint("point", q.Get("point"))
	if err != nil {
		return err
	}
	if err := common.CheckLonLat([4]float64{p[0], p[1], p[0], p[1]}); err != nil {
		return common.BadRequest("point=%s is not on the globe: give longitude, then latitude", common.Quote(q.Get("point")))
	}
	ctx := c.Request().Context()
	col, err := a.Catalog.Collection(ctx, c.Param("collection"))
	if err != nil {
		return err
	}
	ask := pointinfo.Query{Lon: p[0], Lat: p[1], Model: q.Get("model"), Run: q.Get("run")}
	if ask.Threshold, err = common.Threshold(q); err != nil {
		return err
	}
	if ask.During, err = col.Datetime(q.Get("datetime")); err != nil {
		return err
	}
	answers, err := pointinfo.Ask(ctx, a.Renderer, a.Site.Base(c), ask, col)
	if err != nil {
		return err
	}
	body, kind, err := pointinfo.Encode(infoFormats()[f], answers)
	if err != nil {
		return err
	}
	if f == common.GeoJSON {
		kind = f.MediaType()
	}
	c.Response().Header().Add("Vary", "Accept")
	c.Response().Header().Set("Cache-Control", "no-cache")
	return common.Blob(c, http.StatusOK, kind, body)
}
