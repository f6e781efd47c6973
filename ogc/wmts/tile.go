package wmts

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/ogc/pointinfo"
	"github.com/scarp-map/scarp/tiles"
)

// params holds a request's key-value pairs under upper-case names.
type params map[string]string

// need returns a parameter that must be there. It may be empty only for style.
func (p params) need(name string) (string, error) {
	s, ok := p[strings.ToUpper(name)]
	if !ok || s == "" && name != "style" {
		return "", fault("MissingParameterValue", name, "%s is missing", name)
	}
	return s, nil
}

// address names a tile: what key-value pairs and resources have in common.
type address struct {
	layer, style, format, set, matrix, row, col string
	time, model, run, threshold                 string
}

// tile is an address whose names have been resolved.
type tile struct {
	tiles.Tile
	set *tiles.MatrixSet
	col common.Collection
}

// pictures lists the formats of tiles.
func pictures() []common.Format { return []common.Format{common.PNG, common.JPEG, common.WebP} }

func (a *API) getTile(c echo.Context, p params) error {
	at, err := p.address()
	if err != nil {
		return err
	}
	return a.writeTile(c, at)
}

// address reads the parameters of a tile.
func (p params) address() (address, error) {
	var at address
	v, err := p.need("version")
	if err != nil {
		return at, err
	}
	if v != version {
		return at, invalid("version", "version=%s is not spoken here; there is %s", common.Quote(v), version)
	}
	for _, f := range []struct {
		name string
		into *string
	}{{"layer", &at.layer}, {"style", &at.style}, {"format", &at.format}, {"TileMatrixSet", &at.set}, {"TileMatrix", &at.matrix}, {"TileRow", &at.row}, {"TileCol", &at.col}} {
		if *f.into, err = p.need(f.name); err != nil {
			return at, err
		}
	}
	at.time, at.model, at.run, at.threshold = p["TIME"], p["MODEL"], p["RUN"], p["THRESHOLD"]
	return at, nil
}

// resourceTile answers for an address in the path; the column ends in the format.
func (a *API) resourceTile(c echo.Context) error {
	at, err := pathAddress(c)
	if err != nil {
		return err
	}
	col, extension, _ := strings.Cut(at.col, ".")
	at.col, at.format = col, mediaType(extension)
	if at.format == "" {
		return invalid("format", "tiles end in .png, .jpg or .webp, not in %s", common.Quote("."+extension))
	}
	return a.writeTile(c, at)
}

// pathAddress reads an address in the path. A style that is left empty there is
// missing: the default one has the name default.
func pathAddress(c echo.Context) (address, error) {
	q := params(common.ParseKVP(c.Request().URL.RawQuery))
	at := address{layer: param(c, "layer"), style: param(c, "style"), set: param(c, "tms"), matrix: param(c, "matrix"), row: param(c, "row"), col: param(c, "col"),
		time: param(c, "time"), model: q["MODEL"], run: q["RUN"], threshold: q["THRESHOLD"]}
	if at.style == "" {
		return at, invalid("style", "the address has no style; write default for the usual one")
	}
	return at, nil
}

// param returns a part of the path. Clients escape what need not be (OpenLayers
// the colons of dates), and Echo leaves it so.
func param(c echo.Context, name string) string {
	s, err := url.PathUnescape(c.Param(name))
	if err != nil {
		return c.Param(name)
	}
	return s
}

// mediaType is that of a file's extension, empty where tiles have none such.
func mediaType(extension string) string {
	switch strings.ToLower(extension) {
	case "png":
		return common.PNG.MediaType()
	case "jpg", "jpeg":
		return common.JPEG.MediaType()
	case "webp":
		return common.WebP.MediaType()
	}
	return ""
}

func (a *API) writeTile(c echo.Context, at address) error {
	t, err := a.resolve(c.Request().Context(), at)
	if err != nil {
		return err
	}
	r, err := a.Renderer.Tile(c.Request().Context(), t.Tile)
	if err != nil {
		return err
	}
	rule := common.Fresh
	if t.Layer == tiles.Landslides {
		rule = common.Revalidate
	}
	return common.WritePicture(c, r, rule)
}

// resolve finds what an address names, in the order in which the standard lists it.
func (a *API) resolve(ctx context.Context, at address) (tile, error) {
	col, err := a.Catalog.Collection(ctx, at.layer)
	if err != nil {
		if common.AsProblem(err).Status == http.StatusNotFound {
			return tile{}, invalid("layer", "there is no layer %s; the capabilities list the layers", common.Quote(at.layer))
		}
		return tile{}, err
	}
	t := tile{Tile: tiles.Tile{Event: col.Event, Layer: col.Layer, Model: at.model, Run: at.run, MatrixSet: at.set, Scale: 1}, col: col}
	styles := a.Renderer.Styles(col.Layer)
	if !strings.EqualFold(at.style, "default") {
		t.Style = at.style
	}
	if t.Style != "" && !slices.ContainsFunc(styles, func(s tiles.StyleInfo) bool { return s.ID == t.Style }) {
		return t, invalid("style", "layer %s has no style %s; the capabilities list the styles", col.ID(), common.Quote(at.style))
	}
	name, _, _ := strings.Cut(strings.ToLower(at.format), ";")
	if !slices.ContainsFunc(pictures(), func(f common.Format) bool { return f.MediaType() == name }) {
		return t, invalid("format", "format=%s is not offered; there are image/png, image/jpeg and image/webp", common.Quote(at.format))
	}
	t.Format = name
	if err := a.place(&t, at); err != nil {
		return t, err
	}
	chosen, err := col.Time(at.time)
	if err != nil {
		return t, invalid("Time", "%s", err)
	}
	t.During = chosen.During
	if at.threshold != "" {
		if t.Threshold, err = strconv.ParseFloat(at.threshold, 64); err != nil || !(t.Threshold > 0 && t.Threshold < 1) {
			return t, invalid("threshold", "threshold=%s must be a probability above 0 and below 1", common.Quote(at.threshold))
		}
	}
	return t, nil
}

// place reads matrix set, matrix, row and column, which must be within the limits of the layer.
func (a *API) place(t *tile, at address) error {
	i := slices.IndexFunc(a.sets, func(s tiles.MatrixSet) bool { return s.ID == at.set })
	if i < 0 {
		return invalid("TileMatrixSet", "there is no tile matrix set %s; the capabilities list them", common.Quote(at.set))
	}
	t.set = &a.sets[i]
	t.Matrix = slices.IndexFunc(t.set.Matrices, func(m tiles.Matrix) bool { return m.ID == at.matrix })
	if t.Matrix < 0 {
		return invalid("TileMatrix", "tile matrix set %s has no matrix %s; it has 0 to %d", at.set, common.Quote(at.matrix), len(t.set.Matrices)-1)
	}
	row, rowErr := strconv.ParseUint(at.row, 10, 31)
	col, colErr := strconv.ParseUint(at.col, 10, 31)
	if rowErr != nil {
		return invalid("TileRow", "TileRow %s is not a number from 0 up", common.Quote(at.row))
	}
	if colErr != nil {
		return invalid("TileCol", "TileCol %s is not a number from 0 up", common.Quote(at.col))
	}
	t.Row, t.Col = int(row), int(col)
	if !t.col.Known {
		return nil // drawing says why
	}
	l := a.Renderer.Limits(*t.set, t.Matrix, t.col.Bounds)
	if t.Row < l.MinRow || t.Row > l.MaxRow {
		return fault("TileOutOfRange", "TileRow", "TileRow %d is outside of the layer: rows %d to %d show it", t.Row, l.MinRow, l.MaxRow)
	}
	if t.Col < l.MinCol || t.Col > l.MaxCol {
		return fault("TileOutOfRange", "TileCol", "TileCol %d is outside of the layer: columns %d to %d show it", t.Col, l.MinCol, l.MaxCol)
	}
	return nil
}

func (a *API) getFeatureInfo(c echo.Context, p params) error {
	at, err := p.address()
	if err != nil {
		return err
	}
	var given [3]string
	for i, name := range []string{"J", "I", "InfoFormat"} {
		if given[i], err = p.need(name); err != nil {
			return err
		}
	}
	return a.writeInfo(c, at, given[0], given[1], given[2])
}

// resourceInfo answers for an address in the path; the pixel's column ends in the format.
func (a *API) resourceInfo(c echo.Context) error {
	at, err := pathAddress(c)
	if err != nil {
		return err
	}
	at.format = common.PNG.MediaType()
	i, extension, _ := strings.Cut(c.Param("i"), ".")
	format := map[string]string{"txt": "text/plain", "json": "application/json", "geojson": "application/json", "html": "text/html", "xml": "text/xml", "gml": "application/vnd.ogc.gml"}[strings.ToLower(extension)]
	if format == "" {
		return invalid("InfoFormat", "answers end in .txt, .json, .html, .xml or .gml, not in %s", common.Quote("."+extension))
	}
	return a.writeInfo(c, at, c.Param("j"), i, format)
}

// writeInfo says what is under pixel i (column), j (row) of a tile.
func (a *API) writeInfo(c echo.Context, at address, j, i, infoFormat string) error {
	t, err := a.resolve(c.Request().Context(), at)
	if err != nil {
		return err
	}
	format, ok := pointinfo.Format(infoFormat)
	if !ok {
		return invalid("InfoFormat", "InfoFormat=%s is not offered; there are %s", common.Quote(infoFormat), strings.Join(pointinfo.Formats(), ", "))
	}
	m := t.set.Matrices[t.Matrix]
	var pixel [2]int
	for k, p := range [2]struct{ name, s string }{{"J", j}, {"I", i}} {
		n, err := strconv.Atoi(p.s)
		if err != nil {
			return invalid(p.name, "%s=%s must be an integer from 0 to %d", p.name, common.Quote(p.s), m.TileSize-1)
		}
		if n < 0 || n >= m.TileSize {
			return fault("PointIJOutOfRange", p.name, "%s=%d must be from 0 to %d", p.name, n, m.TileSize-1)
		}
		pixel[k] = n
	}
	x := m.OriginX + (float64(t.Tile.Col*m.TileSize+pixel[1])+0.5)*m.CellSize
	y := m.OriginY - (float64(t.Row*m.TileSize+pixel[0])+0.5)*m.CellSize
	lon, lat, err := a.Projector.ToLonLat(t.set.EPSG, x, y)
	if err != nil {
		return err
	}
	q := pointinfo.Query{Lon: lon, Lat: lat, Model: t.Model, Run: t.Run, Threshold: t.Threshold, During: t.During}
	answers, err := pointinfo.Ask(c.Request().Context(), a.Renderer, a.Site.Base(c), q, t.col)
	if err != nil {
		return err
	}
	body, kind, err := pointinfo.Encode(format, answers)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	return common.Blob(c, http.StatusOK, kind, body)
}
