package wms

import (
	"context"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/tiles"
)

// layer is a layer of a map with its style; the empty style is the default.
type layer struct {
	col   common.Collection
	style string
}

// parseLayers finds the layers and their styles.
func (a *API) parseLayers(ctx context.Context, names, styles string) ([]layer, error) {
	if names == "" {
		return nil, fault("LayerNotDefined", "LAYERS is missing; the capabilities list the layers")
	}
	list := strings.Split(names, ",")
	if len(list) > common.MaxLayers {
		return nil, fault("", "LAYERS has %d layers; at most %d are drawn at once", len(list), common.MaxLayers)
	}
	wanted := strings.Split(styles, ",")
	if styles == "" {
		wanted = make([]string, len(list))
	}
	if len(wanted) != len(list) {
		return nil, fault("StyleNotDefined", "STYLES has %d entries and LAYERS %d; give one each (it may be empty), or none at all", len(wanted), len(list))
	}
	out := make([]layer, len(list))
	for i, name := range list {
		col, err := a.findLayer(ctx, name)
		if err != nil {
			return nil, err
		}
		style, err := a.findStyle(col.Layer, wanted[i])
		if err != nil {
			return nil, err
		}
		out[i] = layer{col, style}
	}
	return out, nil
}

func (a *API) findLayer(ctx context.Context, name string) (common.Collection, error) {
	col, err := a.Catalog.Collection(ctx, name)
	if err != nil && common.AsProblem(err).Status == http.StatusNotFound {
		return col, fault("LayerNotDefined", "there is no layer %s; the capabilities list the layers", common.Quote(name))
	}
	return col, err
}

// findStyle checks a style; nothing and "default" are the layer's first.
func (a *API) findStyle(l tiles.Layer, name string) (string, error) {
	if name == "" {
		return "", nil
	}
	var ids []string
	for _, s := range a.Renderer.Styles(l) {
		if s.ID == name {
			return name, nil
		}
		ids = append(ids, s.ID)
	}
	if strings.EqualFold(name, "default") {
		return "", nil
	}
	return "", fault("StyleNotDefined", "layer %s has no style %s; it has %s", l, common.Quote(name), strings.Join(ids, ", "))
}

// ownCRS lists the CRSs of the layers' grids: maps can be had in them too.
func ownCRS(layers []layer) []int {
	var own []int
	for _, l := range layers {
		if l.col.EPSG != 0 {
			own = append(own, l.col.EPSG)
		}
	}
	return own
}

func (a *API) getMap(c echo.Context, p params, v version) error {
	ctx := c.Request().Context()
	layers, err := a.parseLayers(ctx, p["LAYERS"], p["STYLES"])
	if err != nil {
		return err
	}
	f, err := a.parseFrame(p, v, ownCRS(layers))
	if err != nil {
		return err
	}
	format, err := parseFormat(p["FORMAT"])
	if err != nil {
		return err
	}
	transparent, bg, err := p.background()
	if err != nil {
		return err
	}
	threshold, err := parseThreshold(p["THRESHOLD"])
	if err != nil {
		return err
	}
	views := make([]tiles.View, len(layers))
	for i, l := range layers {
		during, err := chooseTime(c, p, l.col)
		if err != nil {
			return err
		}
		views[i] = tiles.View{During: during, Event: l.col.Event, Layer: l.col.Layer, Style: l.style, Model: p["MODEL"], Run: p["RUN"], EPSG: f.epsg, BBox: f.box,
			Width: f.width, Height: f.height, Format: format.MediaType(), Transparent: transparent && format != common.JPEG, Background: bg, Threshold: threshold}
	}
	var r tiles.Rendered
	if len(views) == 1 {
		r, err = a.Renderer.Render(ctx, views[0])
	} else {
		r, err = a.compose(ctx, views, format)
	}
	if err != nil {
		return err
	}
	return common.WritePicture(c, r, common.Fresh)
}

func parseThreshold(s string) (float64, error) {
	if s == "" {
		return 0, nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v > 0 && v < 1) {
		return 0, fault("", "THRESHOLD=%s must be a probability above 0 and below 1", common.Quote(s))
	}
	return v, nil
}

// compose draws several layers over each other, the first at the bottom.
func (a *API) compose(ctx context.Context, views []tiles.View, format common.Format) (tiles.Rendered, error) {
	if format != common.PNG && format != common.JPEG {
		return tiles.Rendered{}, fault("InvalidFormat", "FORMAT=%s is for one layer at a time; several come as image/png or image/jpeg", format.MediaType())
	}
	return common.Compose(len(views), format, func(i int) (tiles.Rendered, error) {
		v := views[i]
		v.Transparent, v.Format = v.Transparent || i > 0, common.PNG.MediaType()
		return a.Renderer.Render(ctx, v)
	})
}

func (a *API) getLegendGraphic(c echo.Context, p params) error {
	if f := p["FORMAT"]; f != "" && !strings.HasPrefix(strings.ToLower(f), "image/png") {
		return fault("InvalidFormat", "FORMAT=%s is not offered; legends come as image/png", common.Quote(f))
	}
	name := p["LAYER"]
	if name == "" {
		name = p["LAYERS"]
	}
	col, err := a.findLayer(c.Request().Context(), name)
	if err != nil {
		return err
	}
	style, err := a.findStyle(col.Layer, p["STYLE"])
	if err != nil {
		return err
	}
	size := [2]int{}
	for i, key := range []string{"WIDTH", "HEIGHT"} {
		if p[key] != "" {
			if size[i], err = parseSize(p, key, 2048); err != nil {
				return err
			}
		}
	}
	body, err := a.Renderer.LegendImage(col.Layer, style, size[0], size[1])
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", common.Fresh)
	return common.WriteBytes(c, http.StatusOK, common.PNG.MediaType(), body)
}
