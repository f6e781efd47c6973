package ogc_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/ogc"
	"github.com/scarp-map/scarp/ogc/ogctest"
	"github.com/scarp-map/scarp/tiles"
)

// The names of the cases below are those of the tests of the OGC's suite for WMS
// 1.3.0 (opengeospatial/ets-wms13): its packages basic_elements, getcapabilities,
// getmap, getfeatureinfo and dims, as far as they do not need the suite's own data
// set. What stands behind a blank says which of several requests of a test it is.
// The documents' validity is in TestXMLIsValidByTheOGCsSchemas.

// wmsDoc is what the tests read of the capabilities of either version.
type (
	wmsDoc struct {
		XMLName        xml.Name
		Version        string `xml:"version,attr"`
		UpdateSequence string `xml:"updateSequence,attr"`
		Service        struct {
			Name, Fees, AccessConstraints   string
			LayerLimit, MaxWidth, MaxHeight int
		}
		Capability struct {
			Request   struct{ GetCapabilities, GetMap, GetFeatureInfo wmsOperation }
			Exception struct{ Format []string }
			Layer     wmsLayer
		}
	}
	wmsOperation struct {
		Format []string
		Get    struct {
			Href string `xml:"http://www.w3.org/1999/xlink href,attr"`
		} `xml:"DCPType>HTTP>Get>OnlineResource"`
	}
	wmsLayer struct {
		Queryable  bool `xml:"queryable,attr"`
		Opaque     bool `xml:"opaque,attr"`
		Name       string
		Title      string
		CRS, SRS   []string
		Geographic *struct {
			West  decimal `xml:"westBoundLongitude"`
			East  decimal `xml:"eastBoundLongitude"`
			South decimal `xml:"southBoundLatitude"`
			North decimal `xml:"northBoundLatitude"`
		} `xml:"EX_GeographicBoundingBox"`
		LatLon      *wmsBox `xml:"LatLonBoundingBox"`
		BoundingBox []wmsBox
		Dimension   []struct {
			Name    string `xml:"name,attr"`
			Units   string `xml:"units,attr"`
			Default string `xml:"default,attr"`
		}
		Extent []struct {
			Name    string `xml:"name,attr"`
			Default string `xml:"default,attr"`
		}
		Style []struct {
			Name      string
			LegendURL struct {
				Width          int `xml:"width,attr"`
				Height         int `xml:"height,attr"`
				Format         string
				OnlineResource struct {
					Href string `xml:"http://www.w3.org/1999/xlink href,attr"`
				}
			}
		}
		Layer []wmsLayer
	}
	wmsBox struct {
		CRS  string  `xml:"CRS,attr"`
		SRS  string  `xml:"SRS,attr"`
		MinX decimal `xml:"minx,attr"`
		MinY decimal `xml:"miny,attr"`
		MaxX decimal `xml:"maxx,attr"`
		MaxY decimal `xml:"maxy,attr"`
	}
)

// decimal is a number as the document has it, since that is how clients pass it on.
type decimal string

func (d decimal) number(t *testing.T) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(string(d), 64)
	require.NoError(t, err)
	return v
}

// requireArea requires a box that is not empty, in the order of its numbers.
func requireArea(t *testing.T, minX, minY, maxX, maxY decimal) {
	t.Helper()
	require.Less(t, minX.number(t), maxX.number(t))
	require.Less(t, minY.number(t), maxY.number(t))
}

// nested is a layer with those around it, the outermost first and itself last.
type nested struct {
	wmsLayer
	line []wmsLayer
}

// layers lists all layers of the capabilities, the root first.
func (d wmsDoc) layers() []nested {
	var all []nested
	var add func(l wmsLayer, around []wmsLayer)
	add = func(l wmsLayer, around []wmsLayer) {
		line := append(slices.Clone(around), l)
		all = append(all, nested{l, line})
		for _, inner := range l.Layer {
			add(inner, line)
		}
	}
	add(d.Capability.Layer, nil)
	return all
}

// requireAddresses checks the address of every operation.
func (d wmsDoc) requireAddresses(t *testing.T) {
	t.Helper()
	r := d.Capability.Request
	for _, o := range []wmsOperation{r.GetCapabilities, r.GetMap, r.GetFeatureInfo} {
		require.Equal(t, base+"/wms?", o.Get.Href)
	}
}

// named lists the layers that can be asked for.
func (d wmsDoc) named() []nested {
	return slices.DeleteFunc(d.layers(), func(l nested) bool { return l.Name == "" })
}

// first returns the first named layer of a kind.
func (d wmsDoc) first(t *testing.T, is func(nested) bool) nested {
	t.Helper()
	named := d.named()
	i := slices.IndexFunc(named, is)
	require.GreaterOrEqual(t, i, 0, "there is no such layer to try with")
	return named[i]
}

// crs lists the CRSs of a layer, the inherited ones too.
func (l nested) crs() []string {
	var all []string
	for _, layer := range l.line {
		all = append(all, slices.Concat(layer.CRS, layer.SRS)...)
	}
	return all
}

// box is the layer's box in a CRS, or the one that it inherits.
func (l nested) box(crs string) (box wmsBox, own, ok bool) {
	for i := len(l.line) - 1; i >= 0; i-- {
		for _, b := range l.line[i].BoundingBox {
			if b.CRS+b.SRS == crs {
				return b, i == len(l.line)-1, true
			}
		}
	}
	return box, false, false
}

func (b wmsBox) String() string { return fmt.Sprintf("%s,%s,%s,%s", b.MinX, b.MinY, b.MaxX, b.MaxY) }

// getMap asks for a layer in its box, with the names of parameters in mixed case
// and out of order as the suites write them.
func (d wmsDoc) getMap(t *testing.T, l nested, crs string) string {
	t.Helper()
	box, _, ok := l.box(crs)
	require.True(t, ok, "layer %s has no box in %s", l.Name, crs)
	name := map[string]string{"1.3.0": "CrS", "1.1.1": "SrS"}[d.Version]
	return fmt.Sprintf("/wms?LaYeRs=%s&BbOx=%s&WiDtH=100&%s=%s&ReQuEsT=GetMap&VeRsIoN=%s&HeIgHt=80&StYlEs=&FoRmAt=image/png", l.Name, box, name, crs, d.Version)
}

// getFeatureInfo asks for what is in the middle of that map.
func (d wmsDoc) getFeatureInfo(t *testing.T, l nested, crs string) string {
	t.Helper()
	at := map[string]string{"1.3.0": "&I=50&J=40", "1.1.1": "&X=50&Y=40"}[d.Version]
	return replaced(d.getMap(t, l, crs), "GetMap", "GetFeatureInfo") + at + "&QuErY_LaYeRs=" + l.Name + "&InFo_fOrMaT=text/plain"
}

func wmsCapabilities(t *testing.T, s *server, version string) (doc wmsDoc, body string) {
	t.Helper()
	body = text(t, s.get("/wms?ReQuEsT=GetCapabilities&VeRsIoN="+version+"&SeRvIcE=WMS"))
	require.NoError(t, xml.Unmarshal([]byte(body), &doc), body)
	require.Equal(t, version, doc.Version)
	return doc, body
}

// requireAnswered asks for what a WMS must answer in a format.
func requireAnswered(t *testing.T, s *server, target, mediaType string) []byte {
	t.Helper()
	r := s.get(target)
	body := text(t, r)
	require.Equal(t, http.StatusOK, r.StatusCode, body)
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	require.Equal(t, mediaType, kind, "%s: %s", target, body)
	return []byte(body)
}

// requireSize asks for a picture of a size.
func requireSize(t *testing.T, s *server, target, mediaType string, width, height int) image.Image {
	t.Helper()
	img, _, err := image.Decode(bytes.NewReader(requireAnswered(t, s, target, mediaType)))
	require.NoError(t, err, target)
	require.Equal(t, image.Pt(width, height), img.Bounds().Size(), target)
	return img
}

// serviceException is the exception report that a WMS answers with.
type serviceException struct {
	XMLName   xml.Name `xml:"ServiceExceptionReport"`
	Version   string   `xml:"version,attr"`
	Exception struct {
		Code string `xml:"code,attr"`
		Text string `xml:",chardata"`
	} `xml:"ServiceException"`
}

// requireException asks for what a WMS must refuse with a code, in a media type.
func requireException(t *testing.T, s *server, target, mediaType, code string) serviceException {
	t.Helper()
	r := s.get(target)
	body := text(t, r)
	require.Equal(t, mediaType, r.Header.Get("Content-Type"), body)
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	var doc serviceException
	require.NoError(t, xml.Unmarshal([]byte(body), &doc), body)
	require.Equal(t, code, doc.Exception.Code)
	require.NotEmpty(t, doc.Exception.Text)
	return doc
}

// Requests for capabilities: which version is answered, and in which format.
func TestWMSSuiteGetCapabilities(t *testing.T) {
	s := newServer(t)
	doc, _ := wmsCapabilities(t, s, "1.3.0")
	require.NotEmpty(t, doc.UpdateSequence)
	const request = "/wms?ReQuEsT=GetCapabilities&SeRvIcE=WMS"
	for name, tt := range map[string]struct{ target, version string }{
		"basic_elements:negotiate-no-version":             {request, "1.3.0"},
		"basic_elements:negotiate-basic_elements-version": {request + "&VeRsIoN=1.3.0", "1.3.0"},
		"basic_elements:negotiate-higher-version":         {request + "&VeRsIoN=100.0.0", "1.3.0"},
		"basic_elements:negotiate-lower-version":          {request + "&VeRsIoN=0.0.0", "1.1.1"},
		"basic_elements:escaped-chars":                    {"/wms?ReQuEsT=%47%65%74%43%61%70%61%62%69%6C%69%74%69%65%73&VeRsIoN=1.3.0&SeRvIcE=WMS", "1.3.0"},
		"basic_elements:extra-GetCapabilities-param":      {request + "&VeRsIoN=1.3.0&BoGuS=ignored", "1.3.0"},
		"getcapabilities:each-format text/xml":            {request + "&VeRsIoN=1.3.0&FoRmAt=text/xml", "1.3.0"},
		"getcapabilities:no-format":                       {request + "&VeRsIoN=1.3.0", "1.3.0"},
		"getcapabilities:invalid-format":                  {request + "&VeRsIoN=1.3.0&FoRmAt=invalid", "1.3.0"},
		"getcapabilities:updatesequence-lower":            {request + "&VeRsIoN=1.3.0&UpDaTeSeQuEnCe=0", "1.3.0"},
	} {
		t.Run(name, func(t *testing.T) {
			kind, root := "text/xml", xml.Name{Space: "http://www.opengis.net/wms", Local: "WMS_Capabilities"}
			if tt.version == "1.1.1" {
				kind, root = "application/vnd.ogc.wms_xml", xml.Name{Local: "WMT_MS_Capabilities"}
			}
			var answer wmsDoc
			require.NoError(t, xml.Unmarshal(requireAnswered(t, s, tt.target, kind), &answer))
			require.Equal(t, []any{tt.version, root}, []any{answer.Version, answer.XMLName})
		})
	}
	for name, tt := range map[string]struct{ sequence, code string }{
		"getcapabilities:updatesequence-current": {doc.UpdateSequence, "CurrentUpdateSequence"},
		"getcapabilities:updatesequence-higher":  {doc.UpdateSequence + "0", "InvalidUpdateSequence"},
	} {
		t.Run(name, func(t *testing.T) {
			requireException(t, s, request+"&VeRsIoN=1.3.0&UpDaTeSeQuEnCe="+tt.sequence, "text/xml; charset=utf-8", tt.code)
		})
	}
	require.Equal(t, []string{"text/xml"}, doc.Capability.Request.GetCapabilities.Format, "each-format tries them all")
}

// What the capabilities say of operations, layers and dimensions.
func TestWMSSuiteCapabilities(t *testing.T) {
	s := newServer(t)
	series(t, s)
	doc, body := wmsCapabilities(t, s, "1.3.0")
	each := func(check func(*testing.T, nested)) func(*testing.T) {
		return func(t *testing.T) {
			for _, l := range doc.layers() {
				check(t, l)
			}
		}
	}
	eachNamed := func(check func(*testing.T, nested)) func(*testing.T) {
		return func(t *testing.T) {
			for _, l := range doc.named() {
				check(t, l)
			}
		}
	}
	require.Len(t, doc.named(), 15)
	for name, check := range map[string]func(*testing.T){
		"getcapabilities:capability-onlineresource": func(t *testing.T) { doc.requireAddresses(t) },
		"getcapabilities:capability-xml-getcapabilities-format": func(t *testing.T) {
			require.Contains(t, doc.Capability.Request.GetCapabilities.Format, "text/xml")
		},
		"getcapabilities:capability-xml-exception-format": func(t *testing.T) { require.Contains(t, doc.Capability.Exception.Format, "XML") },
		"getcapabilities:bbox-crs-advertised": each(func(t *testing.T, l nested) {
			for _, b := range l.BoundingBox {
				require.Contains(t, l.crs(), b.CRS, l.Title)
			}
		}),
		"getcapabilities:bbox-present": eachNamed(func(t *testing.T, l nested) {
			_, _, ok := l.box("CRS:84")
			require.True(t, ok, l.Name)
		}),
		"getcapabilities:bbox-distinct-crs": each(func(t *testing.T, l nested) {
			seen := map[string]bool{}
			for _, b := range l.BoundingBox {
				require.False(t, seen[b.CRS], "%s %s", l.Title, b.CRS)
				seen[b.CRS] = true
			}
		}),
		"getcapabilities:crs-present": eachNamed(func(t *testing.T, l nested) { require.NotEmpty(t, l.crs(), l.Name) }),
		"getcapabilities:crs-for-all-layers": func(t *testing.T) {
			root := doc.Capability.Layer.CRS
			require.Subset(t, root, []string{"CRS:84", "EPSG:4326", "EPSG:3857", "EPSG:32654"})
			for _, l := range doc.layers() {
				require.Subset(t, root, l.CRS, l.Title)
			}
		},
		"getcapabilities:ex_geobbox-present": eachNamed(func(t *testing.T, l nested) {
			require.True(t, slices.ContainsFunc(l.line, func(l wmsLayer) bool { return l.Geographic != nil }), l.Name)
		}),
		"getcapabilities:ex_geobbox-coordinates": each(func(t *testing.T, l nested) {
			if g := l.Geographic; g != nil {
				requireArea(t, g.West, g.South, g.East, g.North)
			}
		}),
		"getcapabilities:layer-extents": each(func(t *testing.T, l nested) {
			for _, b := range l.BoundingBox {
				requireArea(t, b.MinX, b.MinY, b.MaxX, b.MaxY)
				switch g := l.Geographic; b.CRS {
				case "CRS:84":
					require.Equal(t, wmsBox{CRS: b.CRS, MinX: g.West, MinY: g.South, MaxX: g.East, MaxY: g.North}, b, l.Title)
				case "EPSG:4326":
					require.Equal(t, wmsBox{CRS: b.CRS, MinX: g.South, MinY: g.West, MaxX: g.North, MaxY: g.East}, b, l.Title)
				}
			}
		}),
		"getcapabilities:style-unique": each(func(t *testing.T, l nested) { requireUniqueStyles(t, l) }),
		"getcapabilities:style-legendurls": eachNamed(func(t *testing.T, l nested) {
			require.NotEmpty(t, l.Style, l.Name)
			for _, style := range l.Style {
				u := style.LegendURL
				requireSize(t, s, strings.TrimPrefix(u.OnlineResource.Href, base), u.Format, u.Width, u.Height)
			}
		}),
		"getcapabilities:dims-time": func(t *testing.T) {
			n := 0
			for _, l := range doc.layers() {
				for _, d := range l.Dimension {
					require.Equal(t, []string{"time", "ISO8601"}, []string{d.Name, d.Units}, l.Title)
					n++
				}
			}
			require.Equal(t, 10, n, "layers of events that can be opened have dates")
		},
		"getcapabilities:dims-no-redeclarations": each(func(t *testing.T, l nested) {
			declared := 0
			for _, layer := range l.line {
				declared += len(layer.Dimension)
			}
			require.LessOrEqual(t, declared, 1, l.Title)
		}),
	} {
		t.Run(name, check)
	}
	// These tests of the suite have no object here: what they look at is not declared.
	for name, absent := range map[string]bool{
		"getcapabilities:updatesequence-ignored":          doc.UpdateSequence != "",
		"getcapabilities:crs-auto2-declarations":          !strings.Contains(body, "AUTO2:"),
		"getcapabilities:logourls":                        !strings.Contains(body, "<LogoURL"),
		"getcapabilities:dataurls":                        !strings.Contains(body, "<DataURL"),
		"getcapabilities:featurelisturls":                 !strings.Contains(body, "<FeatureListURL"),
		"getcapabilities:authorityurl-unique":             !strings.Contains(body, "<AuthorityURL"),
		"getcapabilities:identifier-matches-authorityurl": !strings.Contains(body, "<Identifier"),
		"getcapabilities:metadataurls":                    !strings.Contains(body, "<MetadataURL"),
		"getcapabilities:style-stylesheeturls":            !strings.Contains(body, "<StyleSheetURL"),
		"getcapabilities:style-styleurls":                 !strings.Contains(body, "<StyleURL"),
		"getcapabilities:dims-elevation-crs88":            !strings.Contains(body, `name="elevation"`),
		"dims:missing-no-default":                         !slices.ContainsFunc(doc.layers(), func(l nested) bool { return len(l.Dimension) > 0 && l.Dimension[0].Default == "" }),
		"getmap:crs-direct":                               !slices.ContainsFunc(doc.named(), func(l nested) bool { return len(l.CRS) > 0 }),
		"getmap:styles-inherited":                         !slices.ContainsFunc(doc.layers(), func(l nested) bool { return l.Name == "" && len(l.Style) > 0 }),
		"getmap:transparent-opaque-layer":                 !slices.ContainsFunc(doc.layers(), func(l nested) bool { return l.Opaque }),
		"getfeatureinfo:query_layers-not-queryable":       !slices.ContainsFunc(doc.named(), func(l nested) bool { return !l.Queryable }),
	} {
		require.True(t, absent, "%s has an object now: it needs a test", name)
	}
}

func requireUniqueStyles(t *testing.T, l nested) {
	t.Helper()
	seen := map[string]bool{}
	for _, layer := range l.line {
		for _, style := range layer.Style {
			require.False(t, seen[style.Name], "%s of %s", style.Name, l.Title)
			seen[style.Name] = true
		}
	}
}

// Everything that the capabilities offer is to be had.
func TestWMSSuiteGivesWhatItOffers(t *testing.T) {
	s := newServer(t)
	doc, _ := wmsCapabilities(t, s, "1.3.0")
	mask := doc.first(t, func(l nested) bool { return l.Name == "atsuma-2018_mask" })
	direct := doc.first(t, func(l nested) bool { _, own, ok := l.box("CRS:84"); return ok && own })
	inherited := doc.first(t, func(l nested) bool { _, own, ok := l.box("CRS:84"); return ok && !own })
	require.Empty(t, inherited.BoundingBox)
	type ask struct{ target, mediaType string }
	cases := map[string]ask{
		"basic_elements:extra-GetMap-param":         {doc.getMap(t, mask, "CRS:84") + "&BoGuS=ignored", "image/png"},
		"basic_elements:extra-GetFeatureInfo-param": {doc.getFeatureInfo(t, mask, "CRS:84") + "&BoGuS=ignored", "text/plain"},
		"getmap:bbox-direct":                        {doc.getMap(t, direct, "CRS:84"), "image/png"},
		"getmap:bbox-inherited":                     {doc.getMap(t, inherited, "CRS:84"), "image/png"},
		"getmap:crs-inherited":                      {doc.getMap(t, doc.first(t, func(l nested) bool { return len(l.CRS) == 0 }), "EPSG:4326"), "image/png"},
		"getmap:styles-direct":                      {replaced(doc.getMap(t, mask, "CRS:84"), "StYlEs=", "StYlEs="+mask.Style[0].Name), "image/png"},
	}
	for _, crs := range mask.crs() {
		if _, _, ok := mask.box(crs); !ok { // the projector of these tests knows no UTM zones, so that the document can't tell
			cases["getmap:each-crs "+crs] = ask{replaced(map130, "EPSG:4326", crs, "42.65,141.9,42.8,142.1", "573000,4722000,590000,4739000"), "image/png"}
			continue
		}
		cases["getmap:each-crs "+crs] = ask{doc.getMap(t, mask, crs), "image/png"}
	}
	for _, format := range doc.Capability.Request.GetMap.Format {
		cases["getmap:each-format "+format] = ask{replaced(doc.getMap(t, mask, "CRS:84"), "image/png", format), format}
	}
	for _, format := range doc.Capability.Request.GetFeatureInfo.Format {
		cases["getfeatureinfo:each-info_format "+format] = ask{replaced(doc.getFeatureInfo(t, mask, "CRS:84"), "text/plain", format), format}
	}
	for _, l := range doc.named() {
		cases["getmap:each-layer "+l.Name] = ask{doc.getMap(t, l, "CRS:84"), "image/png"}
		cases["getfeatureinfo:each-queryable-layer "+l.Name] = ask{doc.getFeatureInfo(t, l, "CRS:84"), "text/plain"}
		for _, style := range l.Style {
			cases["getmap:each-style "+l.Name+" "+style.Name] = ask{replaced(doc.getMap(t, l, "CRS:84"), "StYlEs=", "StYlEs="+style.Name), "image/png"}
		}
	}
	require.Greater(t, len(cases), 45)
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) { requireAnswered(t, s, tt.target, tt.mediaType) })
	}
}

// Requests of getmap and getfeatureinfo that must be answered in the format asked for.
func TestWMSSuiteValidRequests(t *testing.T) {
	s := newServer(t)
	const crs84 = "/wms?LaYeRs=atsuma-2018_mask&BbOx=141.9,42.65,142.1,42.8&WiDtH=200&CrS=CRS:84&ReQuEsT=GetMap&VeRsIoN=1.3.0&HeIgHt=150&StYlEs=&FoRmAt=image/png"
	layers := func(ids, styles string) string {
		return replaced(crs84, "LaYeRs=atsuma-2018_mask", "LaYeRs="+ids, "StYlEs=", "StYlEs="+styles)
	}
	info := replaced(crs84, "GetMap", "GetFeatureInfo") + "&I=100&J=75&InFo_FoRmAt=text/plain&QuErY_LaYeRs="
	two, three := "atsuma-2018_pre,atsuma-2018_mask", "atsuma-2018_pre,atsuma-2018_post,atsuma-2018_mask"
	for name, tt := range map[string][2]string{
		"getmap:bbox-exponential":               {replaced(crs84, "141.9,42.65,142.1,42.8", "1.419e%2B2,4265E-2,1.421e2,42.8"), "image/png"},
		"getmap:bbox-below-scale":               {replaced(crs84, "141.9,42.65,142.1,42.8", "142,42.7,142.0000001,42.7000001"), "image/png"},
		"getmap:bbox-above-scale":               {replaced(crs84, "141.9,42.65,142.1,42.8", "-180,-90,180,90"), "image/png"},
		"getmap:bbox-no-overlap":                {replaced(crs84, "141.9,42.65,142.1,42.8", "1,1,2,2"), "image/png"},
		"getmap:bbox-outside-crs":               {replaced(crs84, "141.9,42.65,142.1,42.8", "-200,-100,200,100"), "image/png"},
		"getmap:two-layers":                     {layers(two, ""), "image/png"},
		"getmap:three-layers":                   {layers(three, ""), "image/png"},
		"getmap:two-styles":                     {layers(two, "plain,default"), "image/png"},
		"getmap:three-styles":                   {layers(three, "plain,default,plain"), "image/png"},
		"getmap:styles-default-single-layer":    {crs84, "image/png"},
		"getmap:styles-default-multiple-layers": {layers(two, ""), "image/png"},
		"getmap:styles-default-commas":          {layers(three, ",,"), "image/png"},
		"getmap:styles-some-default":            {layers(three, "plain,,"), "image/png"},
		"getfeatureinfo:two-query_layers":       {replaced(info, "atsuma-2018_mask", two) + two, "text/plain"},
		"getfeatureinfo:three-query_layers":     {replaced(info, "atsuma-2018_mask", three) + three, "text/plain"},
		"getfeatureinfo:less-query_layers":      {replaced(info, "atsuma-2018_mask", three) + two, "text/plain"},
	} {
		t.Run(name, func(t *testing.T) { requireAnswered(t, s, tt[0], tt[1]) })
	}
	// No layer's name has a blank in it, which the suite would ask for: this one is not there under its whole name.
	t.Run("basic_elements:escaped-space", func(t *testing.T) {
		require.Contains(t, requireException(t, s, replaced(crs84, "atsuma-2018_mask", "a+layer"), "text/xml; charset=utf-8", "LayerNotDefined").Exception.Text, `"a layer"`)
	})
}

// getmap:small-size and large-size: pictures have the size asked for, up to the largest that is offered.
func TestWMSSuiteSizes(t *testing.T) {
	s := newServer(t, func(d *ogc.Deps) { d.MaxWidth, d.MaxHeight = 1024, 768 })
	doc, _ := wmsCapabilities(t, s, "1.3.0")
	for name, size := range map[string][2]int{"small-size": {8, 5}, "large-size": {doc.Service.MaxWidth, doc.Service.MaxHeight}} {
		t.Run("getmap:"+name, func(t *testing.T) {
			requireSize(t, s, replaced(map130, "WIDTH=200", fmt.Sprintf("WIDTH=%d", size[0]), "HEIGHT=150", fmt.Sprintf("HEIGHT=%d", size[1])), "image/png", size[0], size[1])
		})
	}
	require.Equal(t, []int{1024, 768}, []int{doc.Service.MaxWidth, doc.Service.MaxHeight})
}

// Requests that must raise an exception: in XML unless asked for otherwise, with the standard's code.
func TestWMSSuiteExceptions(t *testing.T) {
	s := newServer(t)
	doc, _ := wmsCapabilities(t, s, "1.3.0")
	info := replaced(map130, "GetMap", "GetFeatureInfo") + "&QUERY_LAYERS=atsuma-2018_mask&INFO_FORMAT=text/plain&I=1&J=1"
	for name, tt := range map[string]struct{ target, code string }{
		"getmap:bbox-minx-gt-maxx":            {replaced(map130, "42.65,141.9,42.8,142.1", "43,141.9,42.8,142.1"), ""},
		"getmap:bbox-minx-eq-maxx":            {replaced(map130, "42.65,141.9,42.8,142.1", "42.8,141.9,42.8,142.1"), ""},
		"getmap:bbox-miny-gt-maxy":            {replaced(map130, "42.65,141.9,42.8,142.1", "42.65,143,42.8,142.1"), ""},
		"getmap:bbox-miny-eq-maxy":            {replaced(map130, "42.65,141.9,42.8,142.1", "42.65,142.1,42.8,142.1"), ""},
		"getmap:invalid-crs":                  {replaced(map130, "EPSG:4326", "UndefinedCRS"), "InvalidCRS"},
		"getmap:invalid-format":               {replaced(map130, "image/png", "image/bogus"), "InvalidFormat"},
		"getmap:invalid-layer":                {replaced(map130, "atsuma-2018_mask", "NonExistentLayer"), "LayerNotDefined"},
		"getmap:first-layer-invalid":          {replaced(map130, "atsuma-2018_mask", "NonExistentLayer,atsuma-2018_mask"), "LayerNotDefined"},
		"getmap:second-layer-invalid":         {replaced(map130, "atsuma-2018_mask", "atsuma-2018_mask,NonExistentLayer"), "LayerNotDefined"},
		"getmap:layerlimit":                   {replaced(map130, "atsuma-2018_mask", strings.Repeat("atsuma-2018_mask,", doc.Service.LayerLimit)+"atsuma-2018_mask"), ""},
		"getmap:invalid-style":                {replaced(map130, "STYLES=", "STYLES=Undefined"), "StyleNotDefined"},
		"getmap:first-style-invalid":          {replaced(map130, "atsuma-2018_mask", "atsuma-2018_pre,atsuma-2018_mask", "STYLES=", "STYLES=Undefined,"), "StyleNotDefined"},
		"getmap:second-style-invalid":         {replaced(map130, "atsuma-2018_mask", "atsuma-2018_pre,atsuma-2018_mask", "STYLES=", "STYLES=,Undefined"), "StyleNotDefined"},
		"getmap:exceptions-default":           {replaced(map130, "atsuma-2018_mask", "none"), "LayerNotDefined"},
		"getmap:exceptions-xml":               {replaced(map130, "atsuma-2018_mask", "none") + "&EXCEPTIONS=XML", "LayerNotDefined"},
		"getfeatureinfo:invalid-i":            {replaced(info, "&I=1", "&I=200"), "InvalidPoint"},
		"getfeatureinfo:invalid-j":            {replaced(info, "&J=1", "&J=150"), "InvalidPoint"},
		"getfeatureinfo:invalid-info_format":  {replaced(info, "text/plain", "undefined/undefined"), "InvalidFormat"},
		"getfeatureinfo:invalid-query_layers": {replaced(info, "QUERY_LAYERS=atsuma-2018_mask", "QUERY_LAYERS=UndefinedLayer"), "LayerNotDefined"},
		"getfeatureinfo:exceptions-default":   {replaced(info, "atsuma-2018_mask", "UndefinedLayer"), "LayerNotDefined"},
		"getfeatureinfo:exceptions-xml":       {replaced(info, "atsuma-2018_mask", "UndefinedLayer") + "&EXCEPTIONS=XML", "LayerNotDefined"},
	} {
		t.Run(name, func(t *testing.T) {
			answer := requireException(t, s, tt.target, "text/xml; charset=utf-8", tt.code)
			require.Equal(t, "http://www.opengis.net/ogc", answer.XMLName.Space)
		})
	}
}

// The colour of the corner, where the map has no data, and of pictures that stand for exceptions.
func TestWMSSuiteBackground(t *testing.T) {
	s := newServer(t)
	wrong := replaced(map130, "atsuma-2018_mask", "none") + "&EXCEPTIONS=BLANK"
	for name, tt := range map[string]struct {
		target string
		want   color.NRGBA
	}{
		"no-bgcolor":                   {map130, color.NRGBA{255, 255, 255, 255}},
		"blue-bgcolor":                 {map130 + "&BGCOLOR=0x0000FF", color.NRGBA{0, 0, 255, 255}},
		"transparent-default":          {map130, color.NRGBA{255, 255, 255, 255}},
		"transparent-false":            {map130 + "&TRANSPARENT=FALSE", color.NRGBA{255, 255, 255, 255}},
		"transparent-true":             {map130 + "&TRANSPARENT=TRUE", color.NRGBA{}},
		"exceptions-blank-red":         {wrong + "&BGCOLOR=0xFF0000", color.NRGBA{255, 0, 0, 255}},
		"exceptions-blank-transparent": {wrong + "&TRANSPARENT=TRUE", color.NRGBA{}},
	} {
		t.Run("getmap:"+name, func(t *testing.T) {
			img := requireSize(t, s, tt.target, "image/png", 200, 150)
			require.Equal(t, tt.want, color.NRGBAModel.Convert(img.At(1, 1)))
		})
	}
	for _, how := range []string{"INIMAGE", "BLANK"} {
		t.Run("getmap:exceptions-"+strings.ToLower(how)+"-mime", func(t *testing.T) {
			for _, format := range []string{"image/png", "image/jpeg"} {
				requireSize(t, s, replaced(wrong, "BLANK", how, "image/png", format), format, 200, 150)
			}
		})
	}
}

// getfeatureinfo:feature_count-default and feature_count-1: two features are told of at more length than one.
func TestWMSSuiteFeatureCount(t *testing.T) {
	s := newServer(t, func(d *ogc.Deps) { d.Renderer = crowded{d.Renderer} })
	doc, _ := wmsCapabilities(t, s, "1.3.0")
	info := doc.getFeatureInfo(t, doc.first(t, func(l nested) bool { return l.Name == "atsuma-2018_landslides" }), "CRS:84")
	for _, format := range doc.Capability.Request.GetFeatureInfo.Format {
		in := replaced(info, "text/plain", format)
		two := len(requireAnswered(t, s, in+"&FeAtUrE_CoUnT=2", format))
		require.Less(t, len(requireAnswered(t, s, in, format)), two, "feature_count-default, %s", format)
		require.Less(t, len(requireAnswered(t, s, in+"&FeAtUrE_CoUnT=1", format)), two, "feature_count-1, %s", format)
	}
}

// Default, current, nearest and lists, and what the client is told of them: what
// the suite's package time asks of its own layer of cars.
func TestWMSSuiteTime(t *testing.T) {
	s := newServer(t)
	series(t, s)
	day := func(n int) tiles.Span {
		d := ogctest.Day().AddDate(0, 0, n)
		return tiles.Span{From: d, To: d}
	}
	for value, want := range map[string]struct {
		during  tiles.Span
		warning string
	}{
		"":                                  {tiles.Span{}, "99 Default value used: time=2018-09-10T03:07:59Z/2018-09-30T03:07:59Z ISO8601"},
		"&TIME=current":                     {day(24), ""},
		"&TIME=2018-09-20T03:07:59Z":        {day(14), ""},
		"&TIME=2018-09-20":                  {day(14), ""},
		"&TIME=2018-09-22":                  {day(14), "99 Nearest value used: time=2018-09-20T03:07:59Z ISO8601"},
		"&TIME=2018-09-15/2018-09-30/P1D":   {tiles.Span{From: day(14).From, To: day(24).To}, ""},
		"&TIME=2018-09-20,2018-09-30":       {tiles.Span{From: day(14).From, To: day(24).To}, ""},
		"&TIME=1999-01-01T00:00:00Z&TIME=x": {day(4), "99 Nearest value used: time=2018-09-10T03:07:59Z ISO8601"},
	} {
		for _, target := range []string{map130, replaced(map111, "jpeg", "png")} {
			r := s.get(replaced(target, "atsuma-2018_mask", "series_mask") + value)
			require.Equal(t, "image/png", r.Header.Get("Content-Type"), value)
			require.Equal(t, want.during, s.renderer.LastView().During, value)
			require.Equal(t, want.warning, r.Header.Get("Warning"), value)
		}
	}
	_, body := wmsCapabilities(t, s, "1.3.0")
	require.Contains(t, body, `<Dimension name="time" units="ISO8601" default="2018-09-10T03:07:59Z/2018-09-30T03:07:59Z" multipleValues="1" nearestValue="1" current="1">2018-09-10T03:07:59Z,2018-09-20T03:07:59Z,2018-09-30T03:07:59Z</Dimension>`)
	_, body = wmsCapabilities(t, s, "1.1.1")
	require.Contains(t, body, `<Dimension name="time" units="ISO8601"></Dimension>`)
	require.Contains(t, body, `<Extent name="time" default="2018-09-10T03:07:59Z/2018-09-30T03:07:59Z"`)
}
