package ogc_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// The assertions of the suite for WMS 1.3.0, under the same names, as WMS 1.1.1
// (OGC 01-068r3) has them: SRS instead of CRS with the longitude always first,
// X and Y instead of I and J, exceptions as application/vnd.ogc.se_xml without a
// namespace, and no code for a point outside of the picture.

func TestWMS111ValidRequests(t *testing.T) {
	s := newServer(t)
	const getMap = "/wms?LaYeRs=atsuma-2018_mask&BbOx=141.9,42.65,142.1,42.8&WiDtH=200&SrS=EPSG:4326&ReQuEsT=GetMap&VeRsIoN=1.1.1&HeIgHt=150&StYlEs=&FoRmAt=image/png"
	layers := func(ids, styles string) string {
		return replaced(getMap, "LaYeRs=atsuma-2018_mask", "LaYeRs="+ids, "StYlEs=", "StYlEs="+styles)
	}
	info := replaced(getMap, "GetMap", "GetFeatureInfo") + "&QuErY_LaYeRs=atsuma-2018_mask&X=100&Y=75&InFo_FoRmAt="
	three := "atsuma-2018_pre,atsuma-2018_post,atsuma-2018_mask"
	for name, tt := range map[string][2]string{
		"getmap:bbox-direct":                        {getMap, "image/png"},
		"getmap:bbox-exponential":                   {replaced(getMap, "141.9,42.65,142.1,42.8", "1.419e%2B2,4265E-2,1.421e2,42.8"), "image/png"},
		"getmap:bbox-no-overlap":                    {replaced(getMap, "141.9,42.65,142.1,42.8", "1,1,2,2"), "image/png"},
		"getmap:bbox-outside-crs":                   {replaced(getMap, "141.9,42.65,142.1,42.8", "-200,-100,200,100"), "image/png"},
		"getmap:each-crs EPSG:3857":                 {replaced(getMap, "EPSG:4326", "EPSG:3857", "141.9,42.65,142.1,42.8", "15796235,5258849,15818499,5281579"), "image/png"},
		"getmap:each-format jpeg":                   {replaced(getMap, "image/png", "image/jpeg"), "image/jpeg"},
		"getmap:three-layers":                       {layers(three, ""), "image/png"},
		"getmap:three-styles":                       {layers(three, "plain,default,plain"), "image/png"},
		"getmap:styles-default-commas":              {layers(three, ",,"), "image/png"},
		"getmap:each-style":                         {layers("atsuma-2018_mask", "plain"), "image/png"},
		"getmap:small-size":                         {replaced(getMap, "WiDtH=200", "WiDtH=8", "HeIgHt=150", "HeIgHt=5"), "image/png"},
		"getmap:large-size":                         {replaced(getMap, "WiDtH=200", "WiDtH=1024", "HeIgHt=150", "HeIgHt=768"), "image/png"},
		"getfeatureinfo:each-info_format plain":     {info + "text/plain", "text/plain"},
		"getfeatureinfo:each-info_format json":      {info + "application/json", "application/json"},
		"getfeatureinfo:each-info_format gml":       {info + "application/vnd.ogc.gml", "application/vnd.ogc.gml"},
		"getfeatureinfo:less-query_layers":          {replaced(info, "?LaYeRs=atsuma-2018_mask", "?LaYeRs="+three) + "text/plain", "text/plain"},
		"getcapabilities:each-param-order":          {"/wms?ReQuEsT=GetCapabilities&VeRsIoN=1.1.1&SeRvIcE=WMS", "application/vnd.ogc.wms_xml"},
		"getcapabilities:unknown-param":             {"/wms?service=WMS&version=1.1.1&request=GetCapabilities&bogus=1", "application/vnd.ogc.wms_xml"},
		"getcapabilities:version-negotiation-lower": {"/wms?service=WMS&request=GetCapabilities&version=1.1.0", "application/vnd.ogc.wms_xml"},
	} {
		t.Run(name, func(t *testing.T) { requireAnswered(t, s, tt[0], tt[1]) })
	}
}

func TestWMS111Exceptions(t *testing.T) {
	s := newServer(t)
	info := replaced(map111, "GetMap", "GetFeatureInfo") + "&query_layers=atsuma-2018_mask&info_format=text/plain&x=1&y=1"
	for name, tt := range map[string]struct{ target, code string }{
		"getmap:bbox-minx-gt-maxx":            {replaced(map111, "141.9,42.65,142.1,42.8", "143,42.65,142.1,42.8"), ""},
		"getmap:bbox-minx-eq-maxx":            {replaced(map111, "141.9,42.65,142.1,42.8", "142.1,42.65,142.1,42.8"), ""},
		"getmap:bbox-miny-gt-maxy":            {replaced(map111, "141.9,42.65,142.1,42.8", "141.9,43,142.1,42.8"), ""},
		"getmap:bbox-miny-eq-maxy":            {replaced(map111, "141.9,42.65,142.1,42.8", "141.9,42.8,142.1,42.8"), ""},
		"getmap:invalid-crs":                  {replaced(map111, "EPSG:4326", "UndefinedSRS"), "InvalidSRS"},
		"getmap:invalid-format":               {replaced(map111, "image/jpeg", "image/bogus"), "InvalidFormat"},
		"getmap:invalid-layer":                {replaced(map111, "atsuma-2018_mask", "NonExistentLayer"), "LayerNotDefined"},
		"getmap:second-layer-invalid":         {replaced(map111, "atsuma-2018_mask", "atsuma-2018_mask,NonExistentLayer"), "LayerNotDefined"},
		"getmap:invalid-style":                {replaced(map111, "styles=", "styles=Undefined"), "StyleNotDefined"},
		"getmap:exceptions-xml":               {replaced(map111, "atsuma-2018_mask", "none") + "&exceptions=application/vnd.ogc.se_xml", "LayerNotDefined"},
		"getfeatureinfo:invalid-i":            {replaced(info, "&x=1", "&x=200"), ""},
		"getfeatureinfo:invalid-j":            {replaced(info, "&y=1", "&y=150"), ""},
		"getfeatureinfo:invalid-info_format":  {replaced(info, "text/plain", "undefined/undefined"), "InvalidFormat"},
		"getfeatureinfo:invalid-query_layers": {replaced(info, "query_layers=atsuma-2018_mask", "query_layers=UndefinedLayer"), "LayerNotDefined"},
		"getcapabilities:updatesequence-high": {"/wms?service=WMS&version=1.1.1&request=GetCapabilities&updatesequence=99999999999", "InvalidUpdateSequence"},
		"dimensions:invalid-value":            {map111 + "&time=yesterday", "InvalidDimensionValue"},
	} {
		t.Run(name, func(t *testing.T) {
			doc := requireException(t, s, tt.target, "application/vnd.ogc.se_xml", tt.code)
			require.Empty(t, doc.XMLName.Space, "1.1.1 has no namespace")
			require.Equal(t, "1.1.1", doc.Version)
		})
	}
}
