package common

import (
	"bytes"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/tiles"
)

// Resources serves OGC API Common: landing page, conformance, collections.
type Resources struct {
	Site    *Site
	Catalog *Catalog
	// App answers browsers at / where it is not nil.
	App http.Handler
	// Conformance lists the URIs of the conformance classes that hold.
	Conformance []string
	// MapCRS lists the EPSG codes in which maps and features can be asked for.
	MapCRS []int
	// LatLon says whether an EPSG code's axis order is northing first; nil is right for the usual ones.
	LatLon func(epsg int) bool
}

// Register adds the routes.
func (r *Resources) Register(e *echo.Echo) error {
	if err := r.Site.AddPages(files); err != nil {
		return err
	}
	h := r.Site.Handle
	for _, m := range []string{http.MethodGet, http.MethodHead} {
		e.Add(m, "/", h(r.landing))
		e.Add(m, "/conformance", h(r.conformance))
		e.Add(m, "/collections", h(r.collections))
		e.Add(m, "/collections/:collection", h(r.collection))
		e.Add(m, "/ogc/ogc.css", h(r.asset("assets/ogc.css")))
	}
	return nil
}

// asset serves an embedded file; it changes only with the program.
func (r *Resources) asset(name string) func(echo.Context) error {
	return Asset(files, name)
}

// Asset serves an embedded file of a building block.
func Asset(fsys fs.FS, name string) func(echo.Context) error {
	return func(c echo.Context) error {
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		kind := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}[path.Ext(name)]
		c.Response().Header().Set("Cache-Control", "public, max-age=300")
		return WriteBytes(c, http.StatusOK, kind, bytes.Clone(b))
	}
}

type landingDoc struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	Links       []Link `json:"links"`
}

func (r *Resources) landing(c echo.Context) error {
	if r.App != nil && !c.QueryParams().Has("f") && wantsHTML(c.Request()) {
		c.Response().Header().Add("Vary", "Accept")
		r.App.ServeHTTP(c.Response(), c.Request())
		return nil
	}
	f, err := Accepts(c, Document())
	if err != nil {
		return err
	}
	b := r.Site.Base(c)
	js, html := JSON.MediaType(), HTML.MediaType()
	// GDAL and QGIS take the first link of a relation, so JSON comes first.
	links := append(landingSelf(b, f),
		Link{Href: b + "/api", Rel: "service-desc", Type: OpenAPI.MediaType(), Title: "API definition"},
		Link{Href: b + "/api.html", Rel: "service-doc", Type: html, Title: "API documentation"},
		Link{Href: b + "/conformance", Rel: "conformance", Type: js, Title: "Conformance classes"},
		Link{Href: b + "/conformance", Rel: RelConformance, Type: js, Title: "Conformance classes"},
		Link{Href: b + "/collections", Rel: "data", Type: js, Title: "Collections"},
		Link{Href: b + "/collections", Rel: RelData, Type: js, Title: "Collections"},
		Link{Href: b + "/collections?f=html", Rel: "data", Type: html, Title: "Collections"},
		Link{Href: b + "/tileMatrixSets", Rel: RelTilingSchemes, Type: js, Title: "Tile matrix sets"},
		Link{Href: b + "/map/tiles", Rel: RelTilesetsMap, Type: js, Title: "Map tiles of the landslides of all events"},
		Link{Href: b + "/map?f=png", Rel: RelMap, Type: PNG.MediaType(), Title: "Map of the landslides of all events"},
		Link{Href: b + "/processes", Rel: RelProcesses, Type: js, Title: "Processes"},
		Link{Href: b + "/jobs", Rel: RelJobList, Type: js, Title: "Jobs"},
		Link{Href: b + "/events", Rel: "related", Type: js, Title: "Events"},
		Link{Href: b + "/models", Rel: "related", Type: js, Title: "Models"},
		Link{Href: b + "/wms?service=WMS&request=GetCapabilities", Rel: "related", Type: "text/xml", Title: "Web Map Service (WMS)"},
		Link{Href: b + "/wmts/1.0.0/WMTSCapabilities.xml", Rel: "related", Type: "application/xml", Title: "Web Map Tile Service (WMTS)"},
	)
	doc := landingDoc{r.Site.Title, r.Site.Description, links}
	return r.Site.Write(c, f, doc, Page{Template: "landing", Title: r.Site.Title})
}

// landingSelf is written by hand: the landing page's address ends in a slash.
func landingSelf(base string, f Format) []Link {
	self := Link{Href: base + "/", Rel: "self", Type: JSON.MediaType(), Title: "this document as JSON"}
	other := Link{Href: base + "/?f=html", Rel: "alternate", Type: HTML.MediaType(), Title: "this document as HTML"}
	if f == HTML {
		self.Href, self.Rel, other.Rel = base+"/?f=json", "alternate", "self"
		return []Link{other, self}
	}
	return []Link{self, other}
}

type conformanceDoc struct {
	ConformsTo []string `json:"conformsTo"`
	Links      []Link   `json:"links"`
}

func (r *Resources) conformance(c echo.Context) error {
	f, err := Accepts(c, Document())
	if err != nil {
		return err
	}
	doc := conformanceDoc{r.Conformance, r.Site.SelfLinks(c, f, Document())}
	return r.Site.Write(c, f, doc, Page{Template: "conformance", Title: "Conformance"})
}

// CollectionDoc is a collection as OGC API Common Part 2, Features, Tiles and
// Maps together describe it.
type CollectionDoc struct {
	ID          string   `json:"id"`
	Title       string   `json:"title"`
	Description string   `json:"description,omitempty"`
	Extent      *Extent  `json:"extent,omitempty"`
	ItemType    string   `json:"itemType,omitempty"`
	DataType    string   `json:"dataType"`
	CRS         []string `json:"crs"`
	StorageCRS  string   `json:"storageCrs,omitempty"`
	// ScaleDenominator is that of the pixels. The standards have no such member;
	// GDAL's OGCAPI driver takes the size of its raster from it, and a hundred
	// millionth of a degree without.
	ScaleDenominator float64 `json:"scaleDenominator,omitempty"`
	Links            []Link  `json:"links"`
}

// scaleDenominator is the scale at which a pixel of the imagery is one of a
// display as the OGC defines it, 0.28 mm wide.
const scaleDenominator = imagery.PixelSize / 0.28e-3

// Extent is where and when a collection is.
type Extent struct {
	Spatial  *Spatial  `json:"spatial,omitempty"`
	Temporal *Temporal `json:"temporal,omitempty"`
}

// Spatial holds boxes in longitude, latitude: west, south, east, north.
type Spatial struct {
	BBox [][4]float64 `json:"bbox"`
	CRS  string       `json:"crs"`
}

// Temporal holds intervals; nil is open.
type Temporal struct {
	Interval [][2]*string `json:"interval"`
	TRS      string       `json:"trs"`
}

type collectionsDoc struct {
	Links       []Link          `json:"links"`
	Collections []CollectionDoc `json:"collections"`
	Matched     int             `json:"numberMatched"`
	Returned    int             `json:"numberReturned"`
}

func (r *Resources) collections(c echo.Context) error {
	f, err := Accepts(c, Document())
	if err != nil {
		return err
	}
	all, err := r.Catalog.Collections(c.Request().Context())
	if err != nil {
		return err
	}
	docs := make([]CollectionDoc, len(all))
	for i, col := range all {
		docs[i] = r.document(r.Site.Base(c), col)
	}
	doc := collectionsDoc{r.Site.SelfLinks(c, f, Document()), docs, len(docs), len(docs)}
	return r.Site.Write(c, f, doc, Page{Template: "collections", Title: "Collections"})
}

func (r *Resources) collection(c echo.Context) error {
	f, err := Accepts(c, Document())
	if err != nil {
		return err
	}
	col, err := r.Catalog.Collection(c.Request().Context(), c.Param("collection"))
	if err != nil {
		return err
	}
	doc := r.document(r.Site.Base(c), col)
	page := struct {
		CollectionDoc
		Preview, MapPage string
	}{CollectionDoc: doc, MapPage: mapPage(r.Site.Base(c), col)}
	if col.Known {
		page.Preview = r.Site.Base(c) + "/collections/" + col.ID() + "/map?f=png&width=640&height=400"
	}
	return r.Site.Write(c, f, doc, Page{Template: "collection", Title: col.Title,
		Crumbs: []Crumb{{"Collections", "/collections?f=html"}}, Data: page})
}

// mapPage is the browser application's address for a collection.
func mapPage(base string, col Collection) string {
	return base + "/?event=" + col.Event + "&layer=" + string(col.Layer)
}

func (r *Resources) document(base string, col Collection) CollectionDoc {
	self := base + "/collections/" + col.ID()
	js, html := JSON.MediaType(), HTML.MediaType()
	d := CollectionDoc{ID: col.ID(), Title: col.Title, Description: col.Description, DataType: "map", Extent: ExtentOf(col), ScaleDenominator: scaleDenominator}
	d.Links = []Link{
		{Href: self, Rel: "self", Type: js, Title: "this collection as JSON"},
		{Href: self + "?f=html", Rel: "alternate", Type: html, Title: "this collection as HTML"},
	}
	if col.Vector() {
		d.ItemType, d.DataType, d.StorageCRS = "feature", "vector", CRS84URI
		latLon := r.LatLon
		if latLon == nil {
			latLon = Geographic
		}
		for _, crs := range FeatureCRS(r.MapCRS, latLon) {
			d.CRS = append(d.CRS, crs.URI())
		}
		d.Links = append(d.Links,
			Link{Href: self + "/items", Rel: "items", Type: GeoJSON.MediaType(), Title: "landslides as GeoJSON"},
			Link{Href: self + "/items?f=html", Rel: "items", Type: html, Title: "landslides as a table"},
			Link{Href: self + "/items?f=jsonfg", Rel: "items", Type: JSONFG.MediaType(), Title: "landslides as JSON-FG"},
			Link{Href: self + "/items?f=geojsonseq", Rel: "items", Type: GeoJSONSeq.MediaType(), Title: "all landslides as a GeoJSON text sequence"},
			Link{Href: self + "/items?f=csv", Rel: "items", Type: CSV.MediaType(), Title: "all landslides as CSV"},
			Link{Href: self + "/items?f=gpkg", Rel: "items", Type: GPKG.MediaType(), Title: "all landslides as GeoPackage"},
			Link{Href: self + "/items?f=fgb", Rel: "items", Type: FlatGeobuf.MediaType(), Title: "all landslides as FlatGeobuf"},
			Link{Href: self + "/items?f=parquet", Rel: "items", Type: Parquet.MediaType(), Title: "all landslides as GeoParquet"},
			Link{Href: self + "/queryables", Rel: RelQueryables, Type: "application/schema+json", Title: "attributes to select by"},
			Link{Href: self + "/schema", Rel: RelSchema, Type: "application/schema+json", Title: "attributes of the landslides"},
			Link{Href: self + "/tiles", Rel: RelTilesetsVec, Type: js, Title: "vector tiles"},
		)
	} else {
		d.CRS = []string{CRS84URI}
		for _, code := range r.MapCRS {
			d.CRS = append(d.CRS, EPSGURI(code))
		}
		if slices.Contains(r.MapCRS, col.EPSG) { // Features Part 2: it is one of crs
			d.StorageCRS = EPSGURI(col.EPSG)
		}
	}
	if col.Layer == tiles.Probability || col.Layer == tiles.Mask {
		d.Links = append(d.Links, Link{Href: self + "/coverage", Rel: RelCoverage, Type: GeoTIFFType, Title: "numbers as cloud-optimised GeoTIFF"})
	}
	d.Links = append(d.Links,
		Link{Href: self + "/map/tiles", Rel: RelTilesetsMap, Type: js, Title: "map tiles"},
		Link{Href: self + "/map?f=png", Rel: RelMap, Type: PNG.MediaType(), Title: "map as PNG"},
		Link{Href: self + "/map?f=jpeg", Rel: RelMap, Type: JPEG.MediaType(), Title: "map as JPEG"},
		Link{Href: self + "/map?f=webp", Rel: RelMap, Type: WebP.MediaType(), Title: "map as WebP"},
		Link{Href: self + "/map?f=html", Rel: RelMap, Type: html, Title: "map as a page"},
		Link{Href: self + "/styles", Rel: RelStyles, Type: js, Title: "styles"},
		Link{Href: self + "/legend", Rel: RelLegend, Type: PNG.MediaType(), Title: "legend"},
		Link{Href: base + "/events/" + col.Event, Rel: "related", Type: js, Title: "the event and its images"},
	)
	return d
}

// ExtentOf returns the collection's extent, nil where nothing is known of it.
func ExtentOf(col Collection) *Extent {
	if !col.Known {
		return nil
	}
	x := &Extent{Spatial: &Spatial{BBox: [][4]float64{col.Bounds}, CRS: CRS84URI}}
	if !col.From.IsZero() {
		from, to := stamp(col.From), stamp(col.To)
		x.Temporal = &Temporal{Interval: [][2]*string{{&from, &to}}, TRS: "http://www.opengis.net/def/uom/ISO-8601/0/Gregorian"}
	}
	return x
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
