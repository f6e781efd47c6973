package tiles

import (
	"fmt"
	"math"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/ogc/common"
	draw "github.com/scarp-map/scarp/tiles"
)

// The documents of OGC 17-083r4 (tile matrix sets, tileset metadata).
type (
	matrixSetsDoc struct {
		TileMatrixSets []matrixSetItem `json:"tileMatrixSets"`
		Links          []common.Link   `json:"links"`
	}
	matrixSetItem struct {
		ID    string        `json:"id"`
		Title string        `json:"title"`
		URI   string        `json:"uri"`
		CRS   string        `json:"crs"`
		Links []common.Link `json:"links"`
	}
	matrixSetDoc struct {
		ID                string        `json:"id"`
		Title             string        `json:"title"`
		URI               string        `json:"uri"`
		CRS               string        `json:"crs"`
		OrderedAxes       []string      `json:"orderedAxes"`
		WellKnownScaleSet string        `json:"wellKnownScaleSet,omitempty"`
		TileMatrices      []matrixDoc   `json:"tileMatrices"`
		Links             []common.Link `json:"links"`
		// GDAL before 3.8 (Debian 12, Ubuntu 24.04) reads only the names of the
		// standard's version 1; version 2 allows members of one's own.
		Type         string `json:"type"`
		Identifier   string `json:"identifier"`
		SupportedCRS string `json:"supportedCRS"`
	}
	matrixDoc struct {
		ID               string     `json:"id"`
		ScaleDenominator float64    `json:"scaleDenominator"`
		CellSize         float64    `json:"cellSize"`
		CornerOfOrigin   string     `json:"cornerOfOrigin"`
		PointOfOrigin    [2]float64 `json:"pointOfOrigin"`
		TileWidth        int        `json:"tileWidth"`
		TileHeight       int        `json:"tileHeight"`
		MatrixWidth      int        `json:"matrixWidth"`
		MatrixHeight     int        `json:"matrixHeight"`
		// As above, version 1's names of ID and PointOfOrigin.
		Identifier    string     `json:"identifier"`
		TopLeftCorner [2]float64 `json:"topLeftCorner"`
	}
	tilesetsDoc struct {
		Links    []common.Link `json:"links"`
		Tilesets []tilesetItem `json:"tilesets"`
	}
	tilesetItem struct {
		Title            string        `json:"title"`
		DataType         string        `json:"dataType"`
		CRS              string        `json:"crs"`
		TileMatrixSetURI string        `json:"tileMatrixSetURI"`
		Links            []common.Link `json:"links"`
	}
	tilesetDoc struct {
		Title               string        `json:"title"`
		Description         string        `json:"description,omitempty"`
		DataType            string        `json:"dataType"`
		CRS                 string        `json:"crs"`
		TileMatrixSetURI    string        `json:"tileMatrixSetURI"`
		Attribution         string        `json:"attribution"`
		TileMatrixSetLimits []limitsDoc   `json:"tileMatrixSetLimits,omitempty"`
		BoundingBox         *boundingBox  `json:"boundingBox,omitempty"`
		CenterPoint         *centerPoint  `json:"centerPoint,omitempty"`
		Style               *styleRef     `json:"style,omitempty"`
		Layers              []layerDoc    `json:"layers,omitempty"`
		Links               []common.Link `json:"links"`
	}
	limitsDoc struct {
		TileMatrix string `json:"tileMatrix"`
		MinTileRow int    `json:"minTileRow"`
		MaxTileRow int    `json:"maxTileRow"`
		MinTileCol int    `json:"minTileCol"`
		MaxTileCol int    `json:"maxTileCol"`
	}
	boundingBox struct {
		LowerLeft  [2]float64 `json:"lowerLeft"`
		UpperRight [2]float64 `json:"upperRight"`
		CRS        string     `json:"crs"`
	}
	centerPoint struct {
		Coordinates [2]float64 `json:"coordinates"`
		CRS         string     `json:"crs"`
		TileMatrix  string     `json:"tileMatrix"`
	}
	styleRef struct {
		ID    string        `json:"id"`
		Title string        `json:"title"`
		Links []common.Link `json:"links,omitempty"`
	}
	layerDoc struct {
		ID           string `json:"id"`
		DataType     string `json:"dataType"`
		GeometryType int    `json:"geometryDimension"`
	}
)

func (a *API) matrixSets(c echo.Context) error {
	f, err := common.Accepts(c, common.Document())
	if err != nil {
		return err
	}
	doc := matrixSetsDoc{Links: a.Site.SelfLinks(c, f, common.Document())}
	for _, s := range a.sets {
		self := a.Site.Base(c) + "/tileMatrixSets/" + s.ID
		doc.TileMatrixSets = append(doc.TileMatrixSets, matrixSetItem{s.ID, s.Title, s.URI, s.CRS, []common.Link{
			{Href: self, Rel: "self", Type: common.JSON.MediaType(), Title: s.Title},
			{Href: self + "?f=html", Rel: "alternate", Type: common.HTML.MediaType(), Title: s.Title}}})
	}
	return a.Site.Write(c, f, doc, common.Page{Template: "matrixsets", Title: "Tile matrix sets"})
}

func (a *API) matrixSet(c echo.Context) error {
	f, err := common.Accepts(c, common.Document())
	if err != nil {
		return err
	}
	s, err := a.set(c.Param("tms"))
	if err != nil {
		return err
	}
	doc := describeSet(s)
	doc.Links = a.Site.SelfLinks(c, f, common.Document())
	return a.Site.Write(c, f, doc, common.Page{Template: "matrixset", Title: s.Title,
		Crumbs: []common.Crumb{{Title: "Tile matrix sets", Path: "/tileMatrixSets?f=html"}}})
}

// describeSet writes a set as the standard has it: points of origin are in the CRS's axis order.
func describeSet(s draw.MatrixSet) matrixSetDoc {
	d := matrixSetDoc{ID: s.ID, Title: s.Title, URI: s.URI, CRS: s.CRS, OrderedAxes: []string{"E", "N"},
		Type: "TileMatrixSetType", Identifier: s.ID, SupportedCRS: s.CRS}
	switch {
	case s.LatLon:
		d.OrderedAxes = []string{"Lat", "Lon"}
	case s.EPSG == 4326:
		d.OrderedAxes = []string{"Lon", "Lat"}
	case s.EPSG == 3857:
		d.OrderedAxes = []string{"X", "Y"}
	}
	switch s.ID {
	case "WebMercatorQuad":
		d.WellKnownScaleSet = "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible"
	case "WorldCRS84Quad":
		d.WellKnownScaleSet = "http://www.opengis.net/def/wkss/OGC/1.0/GoogleCRS84Quad"
	}
	for _, m := range s.Matrices {
		origin := [2]float64{m.OriginX, m.OriginY}
		if s.LatLon {
			origin = [2]float64{m.OriginY, m.OriginX}
		}
		d.TileMatrices = append(d.TileMatrices, matrixDoc{m.ID, m.ScaleDenominator, m.CellSize, "topLeft", origin, m.TileSize, m.TileSize, m.Width, m.Height, m.ID, origin})
	}
	return d
}

// target is what a tileset address names: a collection, a style where the
// address has one, and whether tiles are vector tiles.
type target struct {
	col    common.Collection
	style  draw.StyleInfo
	styled bool
	vector bool
	whole  bool   // all collections together
	path   string // of the tilesets list, without the base
}

func (a *API) target(c echo.Context) (target, error) {
	if isDataset(c) {
		col, err := a.dataset(c.Request().Context())
		return target{col: col, whole: true, path: "/map/tiles"}, err
	}
	col, err := a.Catalog.Collection(c.Request().Context(), c.Param("collection"))
	if err != nil {
		return target{}, err
	}
	t := target{col: col, path: "/collections/" + col.ID()}
	t.vector = strings.HasPrefix(c.Path(), "/collections/:collection/tiles")
	if t.vector {
		if !col.Vector() {
			return t, notVector(col.Ref)
		}
		t.path += "/tiles"
		return t, nil
	}
	if t.style, err = a.findStyle(col.Layer, c.Param("style")); err != nil {
		return t, err
	}
	if c.Param("style") != "" {
		t.styled = true
		t.path += "/styles/" + t.style.ID
	}
	t.path += "/map/tiles"
	return t, nil
}

func (t target) dataType() string {
	if t.vector {
		return "vector"
	}
	return "map"
}

func (t target) title(s draw.MatrixSet) string {
	title := t.col.Title + " in " + s.ID
	if t.styled {
		title += ", style " + t.style.Title
	}
	return title
}

func (a *API) tilesets(c echo.Context) error {
	f, err := common.Accepts(c, common.Document())
	if err != nil {
		return err
	}
	t, err := a.target(c)
	if err != nil {
		return err
	}
	doc := tilesetsDoc{Links: a.Site.SelfLinks(c, f, common.Document())}
	for _, s := range a.sets {
		self := a.Site.Base(c) + t.path + "/" + s.ID
		// Pages and the templates of tiles are in the tileset alone: who follows every link of a list expects JSON.
		doc.Tilesets = append(doc.Tilesets, tilesetItem{t.title(s), t.dataType(), s.CRS, s.URI, []common.Link{
			{Href: self, Rel: "self", Type: common.JSON.MediaType(), Title: "tileset " + s.ID},
			a.schemeLink(c, s)}})
	}
	what := "Map tiles"
	if t.vector {
		what = "Vector tiles"
	}
	return a.Site.Write(c, f, doc, common.Page{Template: "tilesets", Title: what, Crumbs: crumbs(t.col)})
}

func crumbs(col common.Collection) []common.Crumb {
	if col.Event == "" {
		return nil
	}
	return []common.Crumb{{Title: "Collections", Path: "/collections?f=html"}, {Title: col.Title, Path: "/collections/" + col.ID() + "?f=html"}}
}

func (a *API) schemeLink(c echo.Context, s draw.MatrixSet) common.Link {
	return common.Link{Href: a.Site.Base(c) + "/tileMatrixSets/" + s.ID, Rel: common.RelTilingScheme, Type: common.JSON.MediaType(), Title: s.Title}
}

// itemLinks returns the templates of tile addresses, one a format.
func itemLinks(self string, t target) []common.Link {
	formats := common.Pictures()
	switch {
	case t.vector:
		formats = vectorFormats()
	case t.whole:
		formats = []common.Format{common.PNG, common.JPEG}
	}
	var links []common.Link
	for _, f := range formats {
		links = append(links, common.Link{Href: self + "/{tileMatrix}/{tileRow}/{tileCol}?f=" + string(f), Rel: "item", Type: f.MediaType(),
			Title: "tiles as " + string(f), Templated: true})
	}
	return links
}

func (a *API) tileset(c echo.Context) error {
	s, err := a.set(c.Param("tms"))
	if err != nil {
		return err
	}
	offered := common.Document()
	if s.ID == "WebMercatorQuad" {
		offered = append(offered, common.TileJSON)
	}
	f, err := common.Accepts(c, offered)
	if err != nil {
		return err
	}
	t, err := a.target(c)
	if err != nil {
		return err
	}
	if f == common.TileJSON {
		return a.Site.Write(c, f, a.tileJSON(a.Site.Base(c), s, t), common.Page{})
	}
	self := a.Site.Base(c) + t.path + "/" + s.ID
	doc := tilesetDoc{Title: t.title(s), Description: t.col.Description, DataType: t.dataType(), CRS: s.CRS, TileMatrixSetURI: s.URI, Attribution: attribution,
		Links: append(a.Site.SelfLinks(c, f, offered), a.schemeLink(c, s))}
	doc.Links = append(doc.Links, itemLinks(self, t)...)
	geodata := common.Link{Href: a.Site.Base(c) + "/collections", Rel: common.RelGeodata, Type: common.JSON.MediaType(), Title: "collections"}
	if !t.whole {
		geodata.Href, geodata.Title = geodata.Href+"/"+t.col.ID(), t.col.Title
	}
	doc.Links = append(doc.Links, geodata)
	if b := t.col.Bounds; t.col.Known {
		doc.BoundingBox = &boundingBox{[2]float64{b[0], b[1]}, [2]float64{b[2], b[3]}, common.CRS84URI}
		doc.CenterPoint = &centerPoint{center(b), common.CRS84URI, s.Matrices[fitting(s, b)].ID}
		for i, m := range s.Matrices {
			if !visible(s, m, b) {
				continue
			}
			l := a.Renderer.Limits(s, i, b)
			doc.TileMatrixSetLimits = append(doc.TileMatrixSetLimits, limitsDoc{m.ID, l.MinRow, l.MaxRow, l.MinCol, l.MaxCol})
		}
	}
	switch {
	case t.vector:
		doc.Layers = []layerDoc{{string(draw.Landslides), "vector", 2}}
	case !t.whole:
		doc.Style = &styleRef{ID: t.style.ID, Title: t.style.Title}
	}
	return a.Site.Write(c, f, doc, common.Page{Template: "tileset", Title: doc.Title,
		Crumbs: append(crumbs(t.col), common.Crumb{Title: "Tiles", Path: t.path + "?f=html"})})
}

// visible says whether the bounds are at least a pixel wide and high in the
// matrix. Coarser ones are not listed: their tiles would show nothing, and GDAL
// gives up on them.
func visible(s draw.MatrixSet, m draw.Matrix, b [4]float64) bool {
	x, y, err := common.WebProjector{}.FromLonLat(s.EPSG, b[0], b[1])
	if err != nil {
		return true
	}
	east, north, err := common.WebProjector{}.FromLonLat(s.EPSG, b[2], b[3])
	return err != nil || east-x >= m.CellSize && north-y >= m.CellSize
}

func center(b [4]float64) [2]float64 { return [2]float64{(b[0] + b[2]) / 2, (b[1] + b[3]) / 2} }

// fitting returns the matrix in which the bounds are about two tiles wide.
func fitting(s draw.MatrixSet, b [4]float64) int {
	z := int(math.Round(math.Log2(2 * 360 / max(b[2]-b[0], 1e-6))))
	if s.EPSG == 4326 && s.Matrices[0].Width == 2 {
		z--
	}
	return max(0, min(z, len(s.Matrices)-1))
}

const attribution = "Contains modified Copernicus Sentinel data"

// tileJSONDoc is TileJSON 3.0.0.
type tileJSONDoc struct {
	TileJSON     string        `json:"tilejson"`
	Name         string        `json:"name"`
	Description  string        `json:"description,omitempty"`
	Attribution  string        `json:"attribution,omitempty"`
	Scheme       string        `json:"scheme"`
	Tiles        []string      `json:"tiles"`
	MinZoom      int           `json:"minzoom"`
	MaxZoom      int           `json:"maxzoom"`
	Bounds       *[4]float64   `json:"bounds,omitempty"`
	Center       *[3]float64   `json:"center,omitempty"`
	VectorLayers []vectorLayer `json:"vector_layers,omitempty"`
}

type vectorLayer struct {
	ID     string            `json:"id"`
	Fields map[string]string `json:"fields"`
}

// finestCell is where TileJSON's zoom levels end: half a pixel of the imagery,
// in metres. Clients enlarge from there on.
const finestCell = 5.0

func (a *API) tileJSON(base string, s draw.MatrixSet, t target) tileJSONDoc {
	d := tileJSONDoc{TileJSON: "3.0.0", Name: t.title(s), Description: t.col.Description, Scheme: "xyz",
		Attribution: attribution}
	for i, m := range s.Matrices {
		d.MaxZoom = i
		if m.CellSize <= finestCell {
			break
		}
	}
	format := common.PNG
	if t.vector {
		format = common.MVT
		d.VectorLayers = []vectorLayer{{string(draw.Landslides), common.LandslideFields()}}
	}
	d.Tiles = []string{fmt.Sprintf("%s%s/%s/{z}/{y}/{x}?f=%s", base, t.path, s.ID, format)}
	if b := t.col.Bounds; t.col.Known {
		at := center(b)
		d.Bounds, d.Center = &b, &[3]float64{at[0], at[1], float64(fitting(s, b))}
	}
	return d
}
