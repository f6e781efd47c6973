package features

import (
	"time"

	"github.com/paulmach/orb/geojson"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/store"
)

// JSON-FG (OGC 21-045): GeoJSON that says when, of what type, and in which CRS.

type fgCollectionDoc struct {
	Type         string        `json:"type"`
	ConformsTo   []string      `json:"conformsTo"`
	FeatureType  string        `json:"featureType"`
	GeometryDims int           `json:"geometryDimension"`
	CoordRefSys  string        `json:"coordRefSys,omitempty"`
	TimeStamp    string        `json:"timeStamp"`
	Matched      *int          `json:"numberMatched,omitempty"`
	Returned     int           `json:"numberReturned"`
	Links        []common.Link `json:"links"`
	Features     []fgDoc       `json:"features"`
}

type fgDoc struct {
	Type        string            `json:"type"`
	ConformsTo  []string          `json:"conformsTo,omitempty"`
	ID          int64             `json:"id"`
	FeatureType string            `json:"featureType,omitempty"`
	CoordRefSys string            `json:"coordRefSys,omitempty"`
	Time        *fgTime           `json:"time"`
	Place       *geojson.Geometry `json:"place"`    // in another CRS than CRS84
	Geometry    *geojson.Geometry `json:"geometry"` // in CRS84
	Properties  properties        `json:"properties"`
	Links       []common.Link     `json:"links,omitempty"`
}

// fgTime is when the landslide happened: between the images.
type fgTime struct {
	Interval [2]string `json:"interval"`
}

func fgClasses() []string {
	const p = "http://www.opengis.net/spec/json-fg-1/1.0/conf/"
	return []string{p + "core", p + "types-schemas"}
}

func fgCRS(p parsed) string {
	if p.crs == common.CRS84() {
		return ""
	}
	return p.crs.URI()
}

// fgFeature makes a feature of a collection; one that stands alone also says
// what it conforms to.
func (a *API) fgFeature(l store.Landslide, p parsed) (fgDoc, error) {
	doc := fgDoc{Type: "Feature", ID: l.ID, FeatureType: "landslide", CoordRefSys: fgCRS(p), Properties: properties{l, p.fields}}
	if p.crs == common.CRS84() {
		doc.Geometry = geojson.NewGeometry(l.Geometry)
	} else {
		outline, err := a.converter(p.crs)(l.Geometry)
		if err != nil {
			return doc, err
		}
		doc.Place = geojson.NewGeometry(outline)
	}
	if !l.PreDate.IsZero() || !l.PostDate.IsZero() {
		doc.Time = &fgTime{[2]string{fgInstant(l.PreDate), fgInstant(l.PostDate)}}
	}
	return doc, nil
}

func fgInstant(t time.Time) string {
	if t.IsZero() {
		return ".."
	}
	return t.UTC().Format(time.RFC3339)
}

func (a *API) fgCollection(p parsed, page store.Page, links []common.Link) (fgCollectionDoc, error) {
	doc := fgCollectionDoc{Type: "FeatureCollection", ConformsTo: fgClasses(), FeatureType: "landslide", GeometryDims: 2, CoordRefSys: fgCRS(p),
		TimeStamp: a.Now().UTC().Format(time.RFC3339), Returned: len(page.Landslides), Links: links, Features: make([]fgDoc, len(page.Landslides))}
	if page.Matched >= 0 {
		doc.Matched = &page.Matched
	}
	for i, l := range page.Landslides {
		f, err := a.fgFeature(l, p)
		if err != nil {
			return doc, err
		}
		f.FeatureType, f.CoordRefSys = "", ""
		doc.Features[i] = f
	}
	return doc, nil
}
