package tiles

import (
	"embed"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/ogc/common"
	draw "github.com/scarp-map/scarp/tiles"
)

//go:embed templates
var templates embed.FS

// API serves tiles.
type API struct {
	Site     *common.Site
	Catalog  *common.Catalog
	Renderer draw.Renderer

	sets []draw.MatrixSet
}

// Conformance lists the classes that hold.
func Conformance() []string {
	const p = "http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/"
	return []string{p + "core", p + "tileset", p + "tilesets-list", p + "dataset-tilesets", p + "geodata-tilesets", p + "collections-selection", p + "datetime",
		p + "png", p + "jpeg", p + "tiff", p + "mvt", p + "geojson", p + "oas30",
		"http://www.opengis.net/spec/tms/2.0/conf/tilematrixset", "http://www.opengis.net/spec/tms/2.0/conf/json-tilematrixset"}
}

// Register adds the routes.
func (a *API) Register(e *echo.Echo) error {
	if err := a.Site.AddPages(templates); err != nil {
		return err
	}
	a.sets = a.Renderer.MatrixSets()
	h := a.Site.Handle
	get := func(path string, f func(echo.Context) error) {
		e.Add(http.MethodGet, path, h(f))
		e.Add(http.MethodHead, path, h(f))
	}
	get("/tileMatrixSets", a.matrixSets)
	get("/tileMatrixSets/:tms", a.matrixSet)
	get("/collections/:collection/styles", a.styles)
	get("/collections/:collection/styles/:style", a.style)
	get("/collections/:collection/styles/:style/legend", a.legend)
	get("/collections/:collection/legend", a.legend)
	get("/map/tiles", a.tilesets)
	get("/map/tiles/:tms", a.tileset)
	get("/map/tiles/:tms/:z/:row/:col", a.datasetTile)
	for _, prefix := range []string{"/collections/:collection/map/tiles", "/collections/:collection/styles/:style/map/tiles", "/collections/:collection/tiles"} {
		get(prefix, a.tilesets)
		get(prefix+"/:tms", a.tileset)
		tile := a.mapTile
		if strings.HasSuffix(prefix, ":collection/tiles") {
			tile = a.vectorTile
		}
		get(prefix+"/:tms/:z/:row/:col", tile)
	}
	return nil
}

// mapTile answers with a drawn tile.
func (a *API) mapTile(c echo.Context) error {
	ref, err := common.ParseID(c.Param("collection"))
	if err != nil {
		return err
	}
	t := draw.Tile{Event: ref.Event, Layer: ref.Layer, Style: c.Param("style"), MatrixSet: c.Param("tms"), Scale: 1, Format: common.PNG.MediaType()}
	if err := parseAddress(&t, c.Param("z"), c.Param("row"), c.Param("col")); err != nil {
		return err
	}
	f, err := mapFormat(c.Request())
	if err != nil {
		return err
	}
	t.Format = f.MediaType()
	var q query
	if c.Request().URL.RawQuery != "" {
		if q, err = parseQuery(c.QueryParams(), t); err != nil {
			return err
		}
		t.Model, t.Run, t.Scale, t.Threshold = q.model, q.run, q.scale, q.threshold
		if t.During, err = a.during(c, ref, q.datetime); err != nil {
			return err
		}
	}
	if !q.formatGiven {
		c.Response().Header()["Vary"] = vary
	}
	r, err := a.Renderer.Tile(c.Request().Context(), t)
	if err != nil {
		return err
	}
	return common.WritePicture(c, r, cacheRule(t.Layer, q))
}

// vary is shared by all answers: header values are replaced, never written to.
var vary = []string{"Accept"}

// vectorFormats are those of vector tiles, the default first.
func vectorFormats() []common.Format { return []common.Format{common.MVT, common.GeoJSON} }

// vectorTile answers with the landslides of a tile.
func (a *API) vectorTile(c echo.Context) error {
	ref, err := common.ParseID(c.Param("collection"))
	if err != nil {
		return err
	}
	if ref.Layer != draw.Landslides {
		return notVector(ref)
	}
	t := draw.Tile{Event: ref.Event, Layer: ref.Layer, MatrixSet: c.Param("tms"), Scale: 1}
	if err := parseAddress(&t, c.Param("z"), c.Param("row"), c.Param("col")); err != nil {
		return err
	}
	if t.Scale != 1 {
		return common.BadRequest("vector tiles have no @2x form: they are sharp at every scale")
	}
	f, err := common.Negotiate(c.Request(), vectorFormats()...)
	if err != nil {
		return err
	}
	t.Format = f.MediaType()
	var q query
	if c.Request().URL.RawQuery != "" {
		if err := common.CheckParams(c.QueryParams(), "run", "datetime", "v", "_"); err != nil {
			return err
		}
		t.Run, q.versioned, q.formatGiven = c.QueryParam("run"), c.QueryParams().Has("v"), c.QueryParams().Has("f")
		if t.During, err = a.during(c, ref, c.QueryParam("datetime")); err != nil {
			return err
		}
	}
	if !q.formatGiven {
		c.Response().Header()["Vary"] = vary
	}
	r, err := a.Renderer.Tile(c.Request().Context(), t)
	if err != nil {
		return err
	}
	return common.WritePicture(c, r, cacheRule(t.Layer, q))
}

func notVector(ref common.Ref) error {
	return common.NotFound("collection %s has no vector tiles; its map tiles are at /collections/%s/map/tiles", ref.ID(), ref.ID())
}

func cacheRule(l draw.Layer, q query) string {
	switch {
	case q.versioned:
		return common.Immutable
	case l == draw.Landslides:
		return common.Revalidate
	}
	return common.Fresh
}

// mapFormat negotiates; what most map libraries send does not need the full parser.
func mapFormat(r *http.Request) (common.Format, error) {
	if r.URL.RawQuery == "" {
		if a := r.Header["Accept"]; len(a) == 0 || len(a) == 1 && (a[0] == "*/*" || a[0] == "image/png" || strings.HasPrefix(a[0], "image/png,")) {
			return common.PNG, nil
		}
	}
	return common.Negotiate(r, common.Pictures()...)
}

// during reads the parameter datetime, which needs the collection's dates.
func (a *API) during(c echo.Context, ref common.Ref, datetime string) (draw.Span, error) {
	if datetime == "" {
		return draw.Span{}, nil
	}
	col, err := a.Catalog.Collection(c.Request().Context(), ref.ID())
	if err != nil {
		return draw.Span{}, err
	}
	return col.Datetime(datetime)
}

// set finds a tile matrix set. The error is a problem with status 404.
func (a *API) set(id string) (draw.MatrixSet, error) {
	i := slices.IndexFunc(a.sets, func(s draw.MatrixSet) bool { return s.ID == id })
	if i >= 0 {
		return a.sets[i], nil
	}
	ids := make([]string, len(a.sets))
	for i, s := range a.sets {
		ids[i] = s.ID
	}
	return draw.MatrixSet{}, common.NotFound("there is no tile matrix set %s; there are %s", common.Quote(id), strings.Join(ids, ", "))
}

// parseAddress reads matrix, row and column; the column may end in @2x for
// tiles of double density.
func parseAddress(t *draw.Tile, z, row, col string) error {
	if c, ok := strings.CutSuffix(col, "@2x"); ok {
		col, t.Scale = c, 2
	}
	for _, p := range []struct {
		name, s string
		into    *int
	}{{"tileMatrix", z, &t.Matrix}, {"tileRow", row, &t.Row}, {"tileCol", col, &t.Col}} {
		n, err := strconv.ParseUint(p.s, 10, 31)
		if err != nil {
			return common.BadRequest("%s %s is not a number from 0 up; tiles are at {tileMatrix}/{tileRow}/{tileCol}", p.name, common.Quote(p.s))
		}
		*p.into = int(n)
	}
	return nil
}
