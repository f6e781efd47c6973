package wms

import (
	"encoding/xml"
	"strconv"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/ogc/pointinfo"
)

// The capabilities documents of both versions. They differ in the root's name,
// in CRS and SRS, and in how the box in longitude and latitude is written;
// what a version does not have stays empty and is left out.
type (
	capabilitiesDoc struct {
		XMLName        xml.Name
		Version        version    `xml:"version,attr"`
		UpdateSequence string     `xml:"updateSequence,attr,omitempty"`
		Namespace      string     `xml:"xmlns,attr,omitempty"`
		XLink          string     `xml:"xmlns:xlink,attr,omitempty"`
		Instance       string     `xml:"xmlns:xsi,attr,omitempty"`
		Schema         string     `xml:"xsi:schemaLocation,attr,omitempty"`
		Service        serviceDoc `xml:"Service"`
		Capability     struct {
			Request   requestDoc `xml:"Request"`
			Exception struct {
				Format []string `xml:"Format"`
			} `xml:"Exception"`
			Layer layerDoc `xml:"Layer"`
		} `xml:"Capability"`
	}
	serviceDoc struct {
		Name        string      `xml:"Name"`
		Title       string      `xml:"Title"`
		Abstract    string      `xml:"Abstract,omitempty"`
		Keywords    *keywords   `xml:"KeywordList,omitempty"`
		Online      onlineDoc   `xml:"OnlineResource"`
		Contact     *contactDoc `xml:"ContactInformation,omitempty"`
		Fees        string      `xml:"Fees"`
		Constraints string      `xml:"AccessConstraints"`
		LayerLimit  int         `xml:"LayerLimit,omitempty"`
		MaxWidth    int         `xml:"MaxWidth,omitempty"`
		MaxHeight   int         `xml:"MaxHeight,omitempty"`
	}
	keywords struct {
		Keyword []string `xml:"Keyword"`
	}
	contactDoc struct {
		Primary *contactPrimary `xml:"ContactPersonPrimary,omitempty"`
		Email   string          `xml:"ContactElectronicMailAddress,omitempty"`
	}
	contactPrimary struct {
		Person       string `xml:"ContactPerson"`
		Organization string `xml:"ContactOrganization"`
	}
	onlineDoc struct {
		XLink string `xml:"xmlns:xlink,attr"`
		Type  string `xml:"xlink:type,attr"`
		Href  string `xml:"xlink:href,attr"`
	}
	requestDoc struct {
		Capabilities operationDoc `xml:"GetCapabilities"`
		Map          operationDoc `xml:"GetMap"`
		Info         operationDoc `xml:"GetFeatureInfo"`
	}
	operationDoc struct {
		Format []string  `xml:"Format"`
		Get    onlineDoc `xml:"DCPType>HTTP>Get>OnlineResource"`
	}
	layerDoc struct {
		Queryable  *int           `xml:"queryable,attr,omitempty"`
		Name       string         `xml:"Name,omitempty"`
		Title      string         `xml:"Title"`
		Abstract   string         `xml:"Abstract,omitempty"`
		CRS        []string       `xml:"CRS,omitempty"`
		SRS        []string       `xml:"SRS,omitempty"`
		Geographic *geographicBox `xml:"EX_GeographicBoundingBox,omitempty"`
		LatLon     *latLonBox     `xml:"LatLonBoundingBox,omitempty"`
		Boxes      []boxDoc       `xml:"BoundingBox,omitempty"`
		Dimension  *dimensionDoc  `xml:"Dimension,omitempty"`
		Extent     *extentDoc     `xml:"Extent,omitempty"`
		Styles     []styleDoc     `xml:"Style,omitempty"`
		Layers     []layerDoc     `xml:"Layer,omitempty"`
	}
	geographicBox struct {
		West  decimal `xml:"westBoundLongitude"`
		East  decimal `xml:"eastBoundLongitude"`
		South decimal `xml:"southBoundLatitude"`
		North decimal `xml:"northBoundLatitude"`
	}
	latLonBox struct {
		MinX decimal `xml:"minx,attr"`
		MinY decimal `xml:"miny,attr"`
		MaxX decimal `xml:"maxx,attr"`
		MaxY decimal `xml:"maxy,attr"`
	}
	boxDoc struct {
		CRS  string  `xml:"CRS,attr,omitempty"`
		SRS  string  `xml:"SRS,attr,omitempty"`
		MinX decimal `xml:"minx,attr"`
		MinY decimal `xml:"miny,attr"`
		MaxX decimal `xml:"maxx,attr"`
		MaxY decimal `xml:"maxy,attr"`
	}
	// In 1.1.1 a dimension's values stand in an Extent of their own.
	dimensionDoc struct {
		Name     string `xml:"name,attr"`
		Units    string `xml:"units,attr"`
		Default  string `xml:"default,attr,omitempty"`
		Multiple string `xml:"multipleValues,attr,omitempty"`
		Nearest  string `xml:"nearestValue,attr,omitempty"`
		Current  string `xml:"current,attr,omitempty"`
		Values   string `xml:",chardata"`
	}
	extentDoc struct {
		Name     string `xml:"name,attr"`
		Default  string `xml:"default,attr,omitempty"`
		Multiple string `xml:"multipleValues,attr,omitempty"`
		Nearest  string `xml:"nearestValue,attr,omitempty"`
		Current  string `xml:"current,attr,omitempty"`
		Values   string `xml:",chardata"`
	}
	styleDoc struct {
		Name     string     `xml:"Name"`
		Title    string     `xml:"Title"`
		Abstract string     `xml:"Abstract,omitempty"`
		Legend   *legendDoc `xml:"LegendURL,omitempty"`
	}
	legendDoc struct {
		Width  int       `xml:"width,attr"`
		Height int       `xml:"height,attr"`
		Format string    `xml:"Format"`
		Online onlineDoc `xml:"OnlineResource"`
	}
)

// decimal is a number without an exponent: clients copy boxes into addresses as
// they are, where the + of one would be a blank.
type decimal float64

func (d decimal) MarshalText() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(d), 'f', -1, 64), nil
}

func decimals(b [4]float64) [4]decimal {
	return [4]decimal{decimal(b[0]), decimal(b[1]), decimal(b[2]), decimal(b[3])}
}

const xlink = "http://www.w3.org/1999/xlink"

func link(href string) onlineDoc { return onlineDoc{XLink: xlink, Type: "simple", Href: href} }

func newCapabilities(v version) capabilitiesDoc {
	d := capabilitiesDoc{Version: v}
	if v == v111 {
		d.XMLName.Local = "WMT_MS_Capabilities"
		return d
	}
	d.XMLName.Local = "WMS_Capabilities"
	d.Namespace, d.XLink, d.Instance = "http://www.opengis.net/wms", xlink, "http://www.w3.org/2001/XMLSchema-instance"
	d.Schema = "http://www.opengis.net/wms http://schemas.opengis.net/wms/1.3.0/capabilities_1_3_0.xsd"
	return d
}

func (a *API) service(v version, base string) serviceDoc {
	s := serviceDoc{Name: "WMS", Title: a.Site.Title, Abstract: a.Site.Description, Keywords: &keywords{[]string{"landslide", "Sentinel-2"}},
		Online: link(base + "/"), Fees: "none", Constraints: "none"}
	if c := a.Site.Contact; c != (common.Contact{}) {
		s.Contact = &contactDoc{Email: c.Email}
		if c.Name != "" {
			s.Contact.Primary = &contactPrimary{Organization: c.Name}
		}
	}
	if v == v111 {
		s.Name = "OGC:WMS"
		return s
	}
	s.LayerLimit, s.MaxWidth, s.MaxHeight = common.MaxLayers, a.MaxWidth, a.MaxHeight
	return s
}

func requests(v version, url string) requestDoc {
	capabilities := "text/xml"
	if v == v111 {
		capabilities = "application/vnd.ogc.wms_xml"
	}
	var pictures []string
	for _, f := range common.Pictures() {
		pictures = append(pictures, f.MediaType())
	}
	return requestDoc{
		Capabilities: operationDoc{[]string{capabilities}, link(url)},
		Map:          operationDoc{pictures, link(url)},
		Info:         operationDoc{pointinfo.Formats(), link(url)},
	}
}
