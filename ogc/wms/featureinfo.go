package wms

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/ogc/pointinfo"
	"github.com/scarp-map/scarp/tiles"
)

func (a *API) getFeatureInfo(c echo.Context, p params, v version) error {
	ctx := c.Request().Context()
	names := p["QUERY_LAYERS"]
	if names == "" {
		return fault("LayerNotDefined", "QUERY_LAYERS is missing")
	}
	layers, err := a.parseLayers(ctx, names, "")
	if err != nil {
		return err
	}
	if p["LAYERS"] != "" {
		if _, err := a.parseLayers(ctx, p["LAYERS"], p["STYLES"]); err != nil {
			return err
		}
	}
	f, err := a.parseFrame(p, v, ownCRS(layers))
	if err != nil {
		return err
	}
	format, ok := pointinfo.Format(p["INFO_FORMAT"])
	if !ok {
		return fault("InvalidFormat", "INFO_FORMAT=%s is not offered; there are %s", common.Quote(p["INFO_FORMAT"]), strings.Join(pointinfo.Formats(), ", "))
	}
	i, err := parsePixel(p, "I", "X", f.width)
	if err != nil {
		return err
	}
	j, err := parsePixel(p, "J", "Y", f.height)
	if err != nil {
		return err
	}
	threshold, err := parseThreshold(p["THRESHOLD"])
	if err != nil {
		return err
	}
	x := f.box[0] + (float64(i)+0.5)/float64(f.width)*(f.box[2]-f.box[0])
	y := f.box[3] - (float64(j)+0.5)/float64(f.height)*(f.box[3]-f.box[1])
	lon, lat, err := a.Projector.ToLonLat(f.epsg, x, y)
	if err != nil {
		return err
	}
	var answers []pointinfo.Answer
	for _, l := range layers {
		during, err := chooseTime(c, p, l.col)
		if err != nil {
			return err
		}
		more, err := pointinfo.Ask(ctx, a.Renderer, a.Site.Base(c),
			pointinfo.Query{Lon: lon, Lat: lat, Model: p["MODEL"], Run: p["RUN"], Threshold: threshold, During: during, Limit: p.featureCount()}, l.col)
		if err != nil {
			return err
		}
		answers = append(answers, more...)
	}
	body, kind, err := pointinfo.Encode(format, answers)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	return common.Blob(c, http.StatusOK, kind, body)
}

// parsePixel reads a pixel's coordinate under the name of 1.3.0 or of 1.1.1.
func parsePixel(p params, name, old string, size int) (int, error) {
	s, ok := p[name]
	if !ok {
		s = p[old]
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n >= size {
		return 0, fault("InvalidPoint", "%s=%s must be an integer from 0 to %d", name, common.Quote(s), size-1)
	}
	return n, nil
}

// featureCount is how many features each layer tells of at most: those are the
// mapped landslides at the place. What is no positive integer is 1 (1.3.0, 7.4.3.7).
func (p params) featureCount() int {
	if n, err := strconv.Atoi(p["FEATURE_COUNT"]); err == nil && n > 0 {
		return n
	}
	return 1
}

// chooseTime reads the dimension time for a layer and tells the client, in the
// way of the standard (1.3.0, C.4), where another value than the one given is used.
func chooseTime(c echo.Context, p params, col common.Collection) (tiles.Span, error) {
	t, err := col.Time(p["TIME"])
	if err != nil {
		return t.During, fault("InvalidDimensionValue", "%s", err)
	}
	switch {
	case t.Used == "":
	case t.Nearest:
		c.Response().Header().Add("Warning", "99 Nearest value used: time="+t.Used+" ISO8601")
	case t.Default:
		c.Response().Header().Add("Warning", "99 Default value used: time="+t.Used+" ISO8601")
	}
	return t.During, nil
}
