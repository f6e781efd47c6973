package wmts

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/ogc/pointinfo"
	"github.com/scarp-map/scarp/tiles"
)

// allSections lists the parts of the capabilities document that can be asked for.
func allSections() []string {
	return []string{"ServiceIdentification", "ServiceProvider", "OperationsMetadata", "Contents", "Themes"}
}

// getCapabilities reads the parameters of OWS Common 1.1, 7.2.
func (a *API) getCapabilities(c echo.Context, p params) error {
	if s := p["ACCEPTVERSIONS"]; s != "" && !slices.Contains(strings.Split(s, ","), version) {
		return fault("VersionNegotiationFailed", "", "AcceptVersions=%s: none of these is spoken here; there is %s", common.Quote(s), version)
	}
	sections := allSections()
	if s := p["SECTIONS"]; s != "" && !strings.EqualFold(s, "All") {
		sections = nil
		for name := range strings.SplitSeq(s, ",") {
			i := slices.IndexFunc(allSections(), func(known string) bool { return strings.EqualFold(known, name) })
			switch {
			case strings.EqualFold(name, "All"):
				sections = allSections()
			case i < 0:
				return invalid("Sections", "there is no section %s; there are %s and All", common.Quote(name), strings.Join(allSections(), ", "))
			default:
				sections = append(sections, allSections()[i])
			}
		}
	}
	return a.capabilities(c, sections, p["UPDATESEQUENCE"])
}

// capabilities describes the service. A client that has the present state gets
// a document without sections.
func (a *API) capabilities(c echo.Context, sections []string, have ...string) error {
	all, err := a.Catalog.Collections(c.Request().Context())
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(slices.Clone(all), func(col common.Collection) bool { return !col.Known })
	number, err := a.sequence.Number(all, time.Now())
	if err != nil {
		return err
	}
	if len(have) > 0 && have[0] != "" {
		n, err := strconv.ParseInt(have[0], 10, 64)
		switch {
		case err != nil || n > number:
			return fault("InvalidUpdateSequence", "", "UpdateSequence=%s is above the current %d", common.Quote(have[0]), number)
		case n == number:
			sections = nil
		}
	}
	base := a.Site.Base(c)
	d := capabilitiesDoc{Namespace: wmts, OWS: ows, XLink: xlink, Instance: xsi, Version: version, UpdateSequence: strconv.FormatInt(number, 10),
		Schema: wmts + " http://schemas.opengis.net/wmts/1.0/wmtsGetCapabilities_response.xsd"}
	for _, s := range sections {
		switch s {
		case "ServiceIdentification":
			d.Identification = &serviceDoc{a.Site.Title, a.Site.Description, []string{"landslide", "Sentinel-2"}, "OGC WMTS", version, "none", "none"}
		case "ServiceProvider":
			d.Provider = a.provider(base)
		case "OperationsMetadata":
			d.Operations = &struct {
				Operations []operationDoc `xml:"ows:Operation"`
			}{operations(base)}
		case "Contents":
			d.Contents = a.contents(base, all)
		case "Themes":
			d.Themes = &struct {
				Themes []themeDoc `xml:"Theme"`
			}{themes(all)}
		}
	}
	if len(sections) == len(allSections()) {
		d.MetadataURL = &hrefDoc{base + "/wmts/1.0.0/WMTSCapabilities.xml"}
	}
	body, err := xml.MarshalIndent(d, "", " ")
	if err != nil {
		return fmt.Errorf("encode capabilities: %w", err)
	}
	return common.WriteBytes(c, http.StatusOK, "application/xml", append([]byte(xml.Header), append(body, '\n')...))
}

func (a *API) provider(base string) *providerDoc {
	p := &providerDoc{Name: a.Site.Title, Site: &hrefDoc{base + "/"}}
	if n := a.Site.Contact.Name; n != "" {
		p.Name = n
	}
	if u := a.Site.Contact.URL; u != "" {
		p.Site.Href = u
	}
	p.Contact.Mail = a.Site.Contact.Email
	return p
}

func operations(base string) []operationDoc {
	encoding := func(href, how string) getDoc { return getDoc{href, constraintDoc{"GetEncoding", how}} }
	rest := base + "/wmts/1.0.0/"
	var list []operationDoc
	for name, href := range map[string]string{"GetCapabilities": rest + "WMTSCapabilities.xml", "GetTile": rest, "GetFeatureInfo": rest} {
		list = append(list, operationDoc{name, []getDoc{encoding(base+"/wmts?", "KVP"), encoding(href, "RESTful")}})
	}
	slices.SortFunc(list, func(x, y operationDoc) int { return strings.Compare(x.Name, y.Name) })
	return list
}

func (a *API) contents(base string, all []common.Collection) *contentsDoc {
	d := &contentsDoc{}
	for _, col := range all {
		d.Layers = append(d.Layers, a.layer(base, col))
	}
	for _, s := range a.sets {
		d.Sets = append(d.Sets, set(s))
	}
	return d
}

func (a *API) layer(base string, col common.Collection) layerDoc {
	b := col.Bounds
	l := layerDoc{Title: col.Title, Abstract: col.Description, ID: col.ID(), Box: boxDoc{corner(b[0], b[1]), corner(b[2], b[3])}, InfoFormats: pointinfo.Formats()}
	for i, s := range a.Renderer.Styles(col.Layer) {
		legend := legendDoc{common.PNG.MediaType(), base + "/collections/" + col.ID() + "/styles/" + s.ID + "/legend", s.LegendSize.X, s.LegendSize.Y}
		l.Styles = append(l.Styles, styleDoc{i == 0, s.Title, s.Description, s.ID, legend})
	}
	template := base + "/wmts/1.0.0/" + col.ID() + "/{style}"
	if l.Dimension = dimension(col); l.Dimension != nil {
		template += "/{Time}"
	}
	template += "/{TileMatrixSet}/{TileMatrix}/{TileRow}/{TileCol}"
	for _, f := range pictures() {
		l.Formats = append(l.Formats, f.MediaType())
		l.Resources = append(l.Resources, resourceDoc{f.MediaType(), "tile", template + "." + string(f)})
	}
	for _, f := range [][2]string{{"text/plain", "txt"}, {"application/json", "json"}, {"text/html", "html"}, {"text/xml", "xml"}, {"application/vnd.ogc.gml", "gml"}} {
		l.Resources = append(l.Resources, resourceDoc{f[0], "FeatureInfo", template + "/{J}/{I}." + f[1]})
	}
	for _, s := range a.sets {
		link := linkDoc{Set: s.ID}
		for i, m := range s.Matrices {
			if coarse(s, m, b) {
				continue
			}
			limits := a.Renderer.Limits(s, i, b)
			link.Limits = append(link.Limits, limitsDoc{m.ID, limits.MinRow, limits.MaxRow, limits.MinCol, limits.MaxCol})
			if metres(s, m) <= finest {
				break
			}
		}
		l.Links = append(l.Links, link)
	}
	return l
}

// dimension declares the dates of a layer's images; nil where there are none.
func dimension(col common.Collection) *dimensionDoc {
	if len(col.Dates) == 0 {
		return nil
	}
	d := &dimensionDoc{ID: "Time", Unit: "ISO8601", Current: true}
	if len(col.Dates) > 1 {
		d.Default = common.AllTimes // an interval would put a slash into addresses
		d.Values = append(d.Values, d.Default)
	}
	for _, t := range col.Dates {
		d.Values = append(d.Values, common.Instant(t))
	}
	if d.Default == "" {
		d.Default = d.Values[0]
	}
	return d
}

// finest is the pixel, in metres at the equator, beyond which tiles show
// nothing more: half of the imagery's. Clients enlarge from there on.
const finest = 5.0

// metres is the size of a matrix's pixel at the equator.
func metres(s tiles.MatrixSet, m tiles.Matrix) float64 {
	if s.EPSG == 3857 {
		return m.CellSize
	}
	return m.CellSize * 111319.49
}

// coarse says whether the bounds are less than a pixel wide or high.
func coarse(s tiles.MatrixSet, m tiles.Matrix, b [4]float64) bool {
	cell := metres(s, m) / 111319.49
	return b[2]-b[0] < cell || b[3]-b[1] < cell
}

func set(s tiles.MatrixSet) setDoc {
	d := setDoc{Title: s.Title, ID: s.ID, CRS: urn(s.CRS)}
	switch s.ID {
	case "WebMercatorQuad":
		d.Scales = "urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible"
	case "WorldCRS84Quad":
		d.Scales = "urn:ogc:def:wkss:OGC:1.0:GoogleCRS84Quad"
	}
	point := func(x, y float64) string {
		if s.LatLon {
			return corner(y, x)
		}
		return corner(x, y)
	}
	for i, m := range s.Matrices {
		if i == 0 {
			side := m.CellSize * float64(m.TileSize)
			d.Box = &crsBoxDoc{d.CRS, point(m.OriginX, m.OriginY-float64(m.Height)*side), point(m.OriginX+float64(m.Width)*side, m.OriginY)}
		}
		d.Matrices = append(d.Matrices, matrixDoc{m.ID, strconv.FormatFloat(m.ScaleDenominator, 'f', -1, 64), point(m.OriginX, m.OriginY), m.TileSize, m.TileSize, m.Width, m.Height})
	}
	return d
}

// urn turns the URI of a CRS into the form that WMTS clients look for.
func urn(uri string) string {
	parts := strings.Split(strings.TrimPrefix(uri, "http://www.opengis.net/def/crs/"), "/")
	if len(parts) != 3 {
		return uri
	}
	if parts[1] == "0" {
		parts[1] = ""
	}
	return "urn:ogc:def:crs:" + strings.Join(parts, ":")
}

func corner(x, y float64) string {
	return strconv.FormatFloat(x, 'f', -1, 64) + " " + strconv.FormatFloat(y, 'f', -1, 64)
}

// themes groups the layers by event.
func themes(all []common.Collection) []themeDoc {
	var list []themeDoc
	for _, col := range all {
		if n := len(list); n == 0 || list[n-1].ID != col.Event {
			title := col.Of.Title
			if title == "" {
				title = col.Event
			}
			list = append(list, themeDoc{Title: title, ID: col.Event})
		}
		t := &list[len(list)-1]
		t.Layers = append(t.Layers, col.ID())
	}
	return list
}
