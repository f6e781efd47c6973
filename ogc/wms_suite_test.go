package ogc_test

import (
	"encoding/xml"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"scarp/ogc/ogctest"
	"scarp/tiles"
)

// The names below are those of the tests of the OGC's suite for WMS 1.3.0 (its
// packages getcapabilities, getmap, getfeatureinfo and dimensions), as far as
// they do not need the suite's own data set.

// Requests of getmap and getfeatureinfo that must be answered in the format asked for.
func TestWMSSuiteValidRequests(t *testing.T) {
	s := newServer(t)
	const crs84 = "/wms?LaYeRs=atsuma-2018_mask&BbOx=141.9,42.65,142.1,42.8&WiDtH=200&CrS=CRS:84&ReQuEsT=GetMap&VeRsIoN=1.3.0&HeIgHt=150&StYlEs=&FoRmAt=image/png"
	layers := func(ids, styles string) string {
		return replaced(crs84, "LaYeRs=atsuma-2018_mask", "LaYeRs="+ids, "StYlEs=", "StYlEs="+styles)
	}
	info := replaced(crs84, "GetMap", "GetFeatureInfo") + "&QuErY_LaYeRs=atsuma-2018_mask&I=100&J=75&InFo_FoRmAt="
	two, three := "atsuma-2018_pre,atsuma-2018_mask", "atsuma-2018_pre,atsuma-2018_post,atsuma-2018_mask"
	for name, tt := range map[string][2]string{
		"getmap:bbox-direct":                        {crs84, "image/png"},
		"getmap:bbox-exponential":                   {replaced(crs84, "141.9,42.65,142.1,42.8", "1.419e%2B2,4265E-2,1.421e2,42.8"), "image/png"},
		"getmap:bbox-below-scale":                   {replaced(crs84, "141.9,42.65,142.1,42.8", "142,42.7,142.0000001,42.7000001"), "image/png"},
		"getmap:bbox-above-scale":                   {replaced(crs84, "141.9,42.65,142.1,42.8", "-180,-90,180,90"), "image/png"},
		"getmap:bbox-no-overlap":                    {replaced(crs84, "141.9,42.65,142.1,42.8", "1,1,2,2"), "image/png"},
		"getmap:bbox-outside-crs":                   {replaced(crs84, "141.9,42.65,142.1,42.8", "-200,-100,200,100"), "image/png"},
		"getmap:each-crs EPSG:4326":                 {replaced(crs84, "CRS:84", "EPSG:4326", "141.9,42.65,142.1,42.8", "42.65,141.9,42.8,142.1"), "image/png"},
		"getmap:each-crs EPSG:3857":                 {replaced(crs84, "CRS:84", "EPSG:3857", "141.9,42.65,142.1,42.8", "15796235,5258849,15818499,5281579"), "image/png"},
		"getmap:each-format jpeg":                   {replaced(crs84, "image/png", "image/jpeg"), "image/jpeg"},
		"getmap:each-format webp":                   {replaced(crs84, "image/png", "image/webp"), "image/webp"},
		"getmap:each-format tiff":                   {replaced(crs84, "image/png", "image/tiff"), "image/tiff"},
		"getmap:two-layers":                         {layers(two, ""), "image/png"},
		"getmap:three-layers":                       {layers(three, ""), "image/png"},
		"getmap:two-styles":                         {layers(two, "plain,default"), "image/png"},
		"getmap:three-styles":                       {layers(three, "plain,default,plain"), "image/png"},
		"getmap:styles-default-single-layer":        {crs84, "image/png"},
		"getmap:styles-default-multiple-layers":     {layers(two, ""), "image/png"},
		"getmap:styles-default-commas":              {layers(three, ",,"), "image/png"},
		"getmap:styles-some-default":                {layers(three, "plain,,"), "image/png"},
		"getmap:each-style":                         {layers("atsuma-2018_mask", "plain"), "image/png"},
		"getmap:small-size":                         {replaced(crs84, "WiDtH=200", "WiDtH=8", "HeIgHt=150", "HeIgHt=5"), "image/png"},
		"getmap:large-size":                         {replaced(crs84, "WiDtH=200", "WiDtH=1024", "HeIgHt=150", "HeIgHt=768"), "image/png"},
		"getfeatureinfo:each-info_format plain":     {info + "text/plain", "text/plain"},
		"getfeatureinfo:each-info_format json":      {info + "application/json", "application/json"},
		"getfeatureinfo:each-info_format html":      {info + "text/html", "text/html"},
		"getfeatureinfo:each-info_format xml":       {info + "text/xml", "text/xml"},
		"getfeatureinfo:each-info_format gml":       {info + "application/vnd.ogc.gml", "application/vnd.ogc.gml"},
		"getfeatureinfo:two-query_layers":           {replaced(info, "LaYeRs=atsuma-2018_mask", "LaYeRs="+two) + "text/plain", "text/plain"},
		"getfeatureinfo:less-query_layers":          {replaced(info, "?LaYeRs=atsuma-2018_mask", "?LaYeRs="+three) + "text/plain", "text/plain"},
		"getfeatureinfo:each-queryable-layer":       {replaced(info, "atsuma-2018_mask", "atsuma-2018_landslides") + "text/plain", "text/plain"},
		"getcapabilities:each-param-order":          {"/wms?ReQuEsT=GetCapabilities&FoRmAt=text/xml&VeRsIoN=1.3.0&SeRvIcE=WMS", "text/xml"},
		"getcapabilities:unknown-param":             {"/wms?service=WMS&request=GetCapabilities&bogus=1", "text/xml"},
		"getcapabilities:format-not-supported":      {"/wms?service=WMS&request=GetCapabilities&format=text/bogus", "text/xml"},
		"getcapabilities:version-negotiation-lower": {"/wms?service=WMS&request=GetCapabilities&version=0.0.0", "application/vnd.ogc.wms_xml"},
	} {
		t.Run(name, func(t *testing.T) { requireAnswered(t, s, tt[0], tt[1]) })
	}
}

// requireAnswered asks for what a WMS must answer in a format.
func requireAnswered(t *testing.T, s *server, target, mediaType string) {
	t.Helper()
	r := s.get(target)
	body := text(t, r)
	require.Equal(t, http.StatusOK, r.StatusCode, body)
	require.True(t, strings.HasPrefix(r.Header.Get("Content-Type"), mediaType), "%s: %s", r.Header.Get("Content-Type"), body)
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

// Requests that must raise an exception: in XML unless asked for otherwise, with the standard's code.
func TestWMSSuiteExceptions(t *testing.T) {
	s := newServer(t)
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
		"getmap:layerlimit":                   {replaced(map130, "atsuma-2018_mask", strings.Repeat("atsuma-2018_mask,", 16)+"atsuma-2018_mask"), ""},
		"getmap:invalid-style":                {replaced(map130, "STYLES=", "STYLES=Undefined"), "StyleNotDefined"},
		"getmap:first-style-invalid":          {replaced(map130, "atsuma-2018_mask", "atsuma-2018_pre,atsuma-2018_mask", "STYLES=", "STYLES=Undefined,"), "StyleNotDefined"},
		"getmap:second-style-invalid":         {replaced(map130, "atsuma-2018_mask", "atsuma-2018_pre,atsuma-2018_mask", "STYLES=", "STYLES=,Undefined"), "StyleNotDefined"},
		"getmap:exceptions-xml":               {replaced(map130, "atsuma-2018_mask", "none") + "&EXCEPTIONS=XML", "LayerNotDefined"},
		"getfeatureinfo:invalid-i":            {replaced(info, "&I=1", "&I=200"), "InvalidPoint"},
		"getfeatureinfo:invalid-j":            {replaced(info, "&J=1", "&J=150"), "InvalidPoint"},
		"getfeatureinfo:invalid-info_format":  {replaced(info, "text/plain", "undefined/undefined"), "InvalidFormat"},
		"getfeatureinfo:invalid-query_layers": {replaced(info, "QUERY_LAYERS=atsuma-2018_mask", "QUERY_LAYERS=UndefinedLayer"), "LayerNotDefined"},
		"getfeatureinfo:exceptions-default":   {replaced(info, "atsuma-2018_mask", "UndefinedLayer"), "LayerNotDefined"},
		"getcapabilities:updatesequence-high": {"/wms?service=WMS&request=GetCapabilities&updatesequence=99999999999", "InvalidUpdateSequence"},
		"dimensions:invalid-value":            {map130 + "&TIME=yesterday", "InvalidDimensionValue"},
	} {
		t.Run(name, func(t *testing.T) {
			doc := requireException(t, s, tt.target, "text/xml; charset=utf-8", tt.code)
			require.Equal(t, "http://www.opengis.net/ogc", doc.XMLName.Space)
		})
	}
}

// getmap:no-bgcolor, blue-bgcolor, transparent-default, transparent-false,
// transparent-true, exceptions-blank-red and exceptions-blank-transparent: the
// colour of the corner, where the map has no data.
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
		r := s.get(tt.target)
		require.Equal(t, "image/png", r.Header.Get("Content-Type"), name)
		img, err := png.Decode(r.Body)
		require.NoError(t, err)
		require.Equal(t, image.Pt(200, 150), img.Bounds().Size())
		require.Equal(t, tt.want, color.NRGBAModel.Convert(img.At(1, 1)), name)
	}
}

// dimensions and time: default, current, nearest and lists, and what the client is told of them.
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
	body := text(t, s.get("/wms?service=WMS&request=GetCapabilities&version=1.3.0"))
	require.Contains(t, body, `<Dimension name="time" units="ISO8601" default="2018-09-10T03:07:59Z/2018-09-30T03:07:59Z" multipleValues="1" nearestValue="1" current="1">2018-09-10T03:07:59Z,2018-09-20T03:07:59Z,2018-09-30T03:07:59Z</Dimension>`)
	body = text(t, s.get("/wms?service=WMS&request=GetCapabilities&version=1.1.1"))
	require.Contains(t, body, `<Dimension name="time" units="ISO8601"></Dimension>`)
	require.Contains(t, body, `<Extent name="time" default="2018-09-10T03:07:59Z/2018-09-30T03:07:59Z"`)
}
