package tiles

import (
	"context"
	"image"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/cache"
	"github.com/scarp-map/scarp/ogc/common"
	draw "github.com/scarp-map/scarp/tiles"
)

// The tiles of the whole dataset show several collections over each other: those
// that the parameter collections names, else the landslides of every event.

// dataset describes all collections as one.
func (a *API) dataset(ctx context.Context) (common.Collection, error) {
	all, err := a.Catalog.Collections(ctx)
	if err != nil {
		return common.Collection{}, err
	}
	return common.Dataset(a.Site.Title, all), nil
}

// datasetTile draws a tile of the whole dataset.
func (a *API) datasetTile(c echo.Context) error {
	ctx := c.Request().Context()
	set, err := a.set(c.Param("tms"))
	if err != nil {
		return err
	}
	t := draw.Tile{MatrixSet: set.ID, Scale: 1, Format: common.PNG.MediaType()}
	if err := parseAddress(&t, c.Param("z"), c.Param("row"), c.Param("col")); err != nil {
		return err
	}
	if t.Matrix >= len(set.Matrices) {
		return common.NotFound("tile matrix set %s has the matrices 0 to %d", set.ID, len(set.Matrices)-1)
	}
	f, err := common.Accepts(c, []common.Format{common.PNG, common.JPEG}, "collections", "datetime", "scale", "v", "_")
	if err != nil {
		return err
	}
	if t.Scale, err = common.Int(c.QueryParams(), "scale", t.Scale, 1, 2); err != nil {
		return err
	}
	all, err := a.Catalog.Collections(ctx)
	if err != nil {
		return err
	}
	whole := common.Dataset(a.Site.Title, all)
	if l := a.Renderer.Limits(set, t.Matrix, whole.Bounds); !whole.Known || outside(l, t) {
		return common.NotFound("tile %d/%d/%d is outside the limits: rows %d to %d, columns %d to %d", t.Matrix, t.Row, t.Col, l.MinRow, l.MaxRow, l.MinCol, l.MaxCol)
	}
	chosen, spans, err := common.ChooseCollections(all, c.QueryParam("collections"), c.QueryParam("datetime"))
	if err != nil {
		return err
	}
	var layers []draw.Tile
	for i, col := range chosen {
		l := t
		l.Event, l.Layer, l.During = col.Event, col.Layer, spans[i]
		if col.Known && !outside(a.Renderer.Limits(set, t.Matrix, col.Bounds), t) {
			layers = append(layers, l)
		}
	}
	// The newest are on top, and shown first where there are more than can be.
	layers = layers[:min(len(layers), common.MaxLayers)]
	slices.Reverse(layers)
	r, err := a.compose(ctx, layers, set.Matrices[t.Matrix].TileSize*t.Scale, f)
	if err != nil {
		return err
	}
	return common.WritePicture(c, r, common.Revalidate)
}

func outside(l draw.Limits, t draw.Tile) bool {
	return t.Row < l.MinRow || t.Row > l.MaxRow || t.Col < l.MinCol || t.Col > l.MaxCol
}

func (a *API) compose(ctx context.Context, layers []draw.Tile, side int, f common.Format) (draw.Rendered, error) {
	return common.Compose(max(len(layers), 1), f, func(i int) (draw.Rendered, error) {
		if len(layers) == 0 {
			body, err := draw.EncodePNG(image.NewNRGBA(image.Rect(0, 0, side, side)))
			return draw.Rendered{Bytes: body, ETag: `"empty"`, Complete: true, Tier: cache.Miss}, err
		}
		return a.Renderer.Tile(ctx, layers[i])
	})
}

// isDataset says whether a route is one of the whole dataset.
func isDataset(c echo.Context) bool { return strings.HasPrefix(c.Path(), "/map/tiles") }
