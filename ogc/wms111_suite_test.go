package ogc_test

import (
	"encoding/xml"
	"fmt"
	"image/color"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/ogc"
)

// The names of the cases below are those of the tests of the OGC's suite for WMS
// 1.1.1 (opengeospatial/ets-wms11), as far as they do not need the suite's own
// data set or somebody who looks at pictures. 1.1.1 has SRS instead of CRS with
// the longitude always first, X and Y instead of I and J, exceptions as
// application/vnd.ogc.se_xml without a namespace, and no code for a point outside
// of the picture. wms:wmsops-getcapabilities-response-2, the validity of the
// capabilities, is in TestXMLIsValidByTheOGCsSchemas, as that of exceptions is.

// Requests for capabilities: which version is answered.
func TestWMS111GetCapabilities(t *testing.T) {
	s := newServer(t)
	doc, _ := wmsCapabilities(t, s, "1.1.1")
	require.NotEmpty(t, doc.UpdateSequence)
	const request = "/wms?ReQuEsT=GetCapabilities&SeRvIcE=WMS"
	for name, target := range map[string]string{
		"wms:basic_elements-version-negotiation-2":                  request + "&VeRsIoN=1.1.1",
		"wms:basic_elements-version-negotiation-4":                  request + "&VeRsIoN=0.0.0",
		"wms:basic_elements-param_rules-order_and_case-3":           request + "&VeRsIoN=1.1.1&BoGuS=ignored",
		"wms:wmsops-getcapabilities-params-version-1":               request + "&WmTvEr=1.1.1",
		"wms:wmsops-getcapabilities-params-version-3":               request + "&VeRsIoN=1.1.1&WmTvEr=0.0.0",
		"wms:wmsops-getcapabilities-params-version-4":               request + "&VeRsIoN=1.1.1&WmTvEr=100.0.0",
		"wms:wmsops-getcapabilities-params-version-5":               request + "&WmTvEr=0.0.0&VeRsIoN=1.1.1",
		"wms:wmsops-getcapabilities-params-version-6":               request + "&WmTvEr=100.0.0&VeRsIoN=1.1.1",
		"wms:wmsops-getcapabilities-params-request-1":               "/wms?SeRvIcE=WMS&ReQuEsT=capabilities&WmTvEr=1.1.1",
		"wms:wmsops-getcapabilities-params-updatesequence-5":        request + "&VeRsIoN=1.1.1&UpDaTeSeQuEnCe=0",
		"wms:wmsops-getcapabilities-response-1":                     request + "&VeRsIoN=1.1.1",
		"wms:wmsops-getcapabilities-params-request-1 of 1.0.0":      "/wms?SeRvIcE=WMS&ReQuEsT=capabilities&WmTvEr=1.0.0",
		"wms:wmsops-getcapabilities-params-request-1 of no version": "/wms?SeRvIcE=WMS&ReQuEsT=capabilities",
	} {
		t.Run(name, func(t *testing.T) {
			var answer wmsDoc
			require.NoError(t, xml.Unmarshal(requireAnswered(t, s, target, "application/vnd.ogc.wms_xml"), &answer))
			require.Equal(t, []any{"1.1.1", xml.Name{Local: "WMT_MS_Capabilities"}}, []any{answer.Version, answer.XMLName})
		})
	}
	t.Run("wms:wmsops-getcapabilities-params-version-2", func(t *testing.T) {
		var other wmsDoc
		require.NoError(t, xml.Unmarshal(requireAnswered(t, s, request+"&WmTvEr=1.3.0", "text/xml"), &other))
		require.Equal(t, "1.3.0", other.Version)
	})
	for name, tt := range map[string]struct{ sequence, code string }{
		"wms:wmsops-getcapabilities-params-updatesequence-2": {doc.UpdateSequence, "CurrentUpdateSequence"},
		"wms:wmsops-getcapabilities-params-updatesequence-6": {doc.UpdateSequence + "0", "InvalidUpdateSequence"},
	} {
		t.Run(name, func(t *testing.T) {
			requireException(t, s, request+"&VeRsIoN=1.1.1&UpDaTeSeQuEnCe="+tt.sequence, "application/vnd.ogc.se_xml", tt.code)
		})
	}
}

// What the capabilities say.
func TestWMS111Capabilities(t *testing.T) {
	s := newServer(t)
	series(t, s)
	doc, body := wmsCapabilities(t, s, "1.1.1")
	root := doc.Capability.Layer
	require.Len(t, doc.named(), 15)
	for name, check := range map[string]func(*testing.T){
		"general_metadata-1": func(t *testing.T) { require.Equal(t, "OGC:WMS", doc.Service.Name) },
		"general_metadata-2": func(t *testing.T) {
			require.Equal(t, []string{"none", "none"}, []string{doc.Service.Fees, doc.Service.AccessConstraints})
		},
		"capability_metadata-1": func(t *testing.T) { doc.requireAddresses(t) },
		"capability_metadata-2": func(t *testing.T) {
			require.Contains(t, doc.Capability.Request.GetFeatureInfo.Format, "application/vnd.ogc.gml")
		},
		"layer_properties-style-1": func(t *testing.T) {
			for _, l := range doc.layers() {
				requireUniqueStyles(t, l)
			}
		},
		"layer_properties-srs-1":        func(t *testing.T) { require.Contains(t, root.SRS, "EPSG:4326") },
		"layer_properties-latlonbbox-1": func(t *testing.T) { require.NotNil(t, root.LatLon) },
		"layer_properties-latlonbbox-2": func(t *testing.T) {
			for _, l := range doc.layers() {
				if b := l.LatLon; b != nil {
					requireArea(t, b.MinX, b.MinY, b.MaxX, b.MaxY)
				}
			}
		},
		"layer_properties-bbox-1": func(t *testing.T) {
			for _, l := range doc.layers() {
				seen := map[string]bool{}
				for _, b := range l.BoundingBox {
					require.NotEmpty(t, b.SRS, l.Title)
					require.False(t, seen[b.SRS], "%s %s", l.Title, b.SRS)
					seen[b.SRS] = true
				}
			}
		},
		"layer_properties-dim_and_extent-1": func(t *testing.T) {
			for _, l := range doc.layers() {
				declared := 0
				for _, layer := range l.line {
					declared += len(layer.Dimension)
				}
				require.LessOrEqual(t, declared, 1, l.Title)
			}
		},
		"layer_properties-dim_and_extent-2": func(t *testing.T) {
			n := 0
			for _, l := range doc.layers() {
				for _, e := range l.Extent {
					require.Len(t, l.Dimension, 1, l.Title)
					require.Equal(t, l.Dimension[0].Name, e.Name, l.Title)
					n++
				}
			}
			require.Equal(t, 10, n)
		},
		"output_formats-1": func(t *testing.T) {
			require.Contains(t, doc.Capability.Exception.Format, "application/vnd.ogc.se_xml")
		},
	} {
		group := "wms:wmsops-getcapabilities-response-"
		if name == "output_formats-1" {
			group = "wms:wmsops-getcapabilities-"
		}
		t.Run(group+name, check)
	}
	// wms:dims-declaring-1 and -3: the one dimension that there is has no blank in its name, and the unit of times.
	for _, l := range doc.layers() {
		for _, d := range l.Dimension {
			require.Equal(t, []string{"time", "ISO8601"}, []string{d.Name, d.Units}, l.Title)
		}
	}
	for _, element := range []string{"<AuthorityURL", "<Identifier", "<MetadataURL", "cascaded="} {
		require.NotContains(t, body, element, "it needs the suite's tests of it")
	}
}

func TestWMS111ValidRequests(t *testing.T) {
	s := newServer(t)
	doc, _ := wmsCapabilities(t, s, "1.1.1")
	mask := doc.first(t, func(l nested) bool { return l.Name == "atsuma-2018_mask" })
	getMap, info := doc.getMap(t, mask, "EPSG:4326"), doc.getFeatureInfo(t, mask, "EPSG:4326")
	layers := func(target, ids, styles string) string {
		return replaced(target, "LaYeRs="+mask.Name, "LaYeRs="+ids, "StYlEs=", "StYlEs="+styles)
	}
	list := func(n int) string {
		return strings.Join([]string{"atsuma-2018_pre", "atsuma-2018_post", "atsuma-2018_mask", "atsuma-2018_probability", "atsuma-2018_landslides"}[:n], ",")
	}
	type ask struct{ target, mediaType string }
	const png, text = "image/png", "text/plain"
	cases := map[string]ask{
		"basic_elements-param_rules-order_and_case-4": {getMap + "&BoGuS=ignored", png},
		"basic_elements-param_rules-order_and_case-5": {info + "&BoGuS=ignored", text},
		"wmsops-getmap-params-version-1":              {replaced(getMap, "VeRsIoN", "WmTvEr"), png},
		"wmsops-getmap-params-request-1":              {replaced(getMap, "GetMap", "map"), png},
		"wmsops-getmap-params-layers-1":               {getMap, png},
		"wmsops-getmap-params-layers-2":               {layers(getMap, list(2), ""), png},
		"wmsops-getmap-params-layers-3":               {layers(getMap, list(3), ""), png},
		"wmsops-getmap-params-styles-1":               {layers(getMap, mask.Name, mask.Style[0].Name), png},
		"wmsops-getmap-params-styles-3":               {layers(getMap, list(2), "plain,plain"), png},
		"wmsops-getmap-params-styles-4":               {layers(getMap, list(3), "plain,plain,plain"), png},
		"wmsops-getmap-params-styles-6":               {getMap, png},
		"wmsops-getmap-params-styles-7":               {layers(getMap, list(5), "plain,,plain,,"), png},
		"wmsops-getmap-params-styles-8":               {layers(getMap, list(4), ",,,"), png},
		"wmsops-getmap-params-styles-9":               {layers(getMap, list(4), ""), png},
		"wmsops-getmap-params-srs-2":                  {getMap, png},
		"wmsops-getfeatureinfo-params-query_layers-1": {info, text},
		"wmsops-getfeatureinfo-params-query_layers-2": {replaced(info, "aYeRs="+mask.Name, "aYeRs="+list(2)), text},
		"wmsops-getfeatureinfo-params-query_layers-3": {replaced(info, "aYeRs="+mask.Name, "aYeRs="+list(3)), text},
		"wmsops-getfeatureinfo-params-query_layers-4": {replaced(info, "?LaYeRs="+mask.Name, "?LaYeRs="+list(3)), text},
		"wmsops-getfeatureinfo-params-info_format-1":  {replaced(info, "&InFo_fOrMaT=text/plain", ""), doc.Capability.Request.GetFeatureInfo.Format[0]},
		"wmsops-getfeatureinfo-params-info_format-2":  {replaced(info, text, "application/vnd.ogc.gml"), "application/vnd.ogc.gml"},
	}
	for _, l := range doc.named() {
		cases["wmsops-getmap-params-layers-8 "+l.Name] = ask{doc.getMap(t, l, "EPSG:4326"), png}
		for _, style := range l.Style {
			cases["wmsops-getmap-params-styles-11 "+l.Name+" "+style.Name] = ask{replaced(doc.getMap(t, l, "EPSG:4326"), "StYlEs=", "StYlEs="+style.Name), png}
		}
	}
	for _, srs := range []string{"EPSG:4326", "EPSG:3857"} {
		cases["wmsops-getmap-params-srs-6 "+srs] = ask{doc.getMap(t, mask, srs), png}
	}
	for _, format := range doc.Capability.Request.GetMap.Format {
		cases["wmsops-getmap-params-format-5 "+format] = ask{replaced(getMap, png, format), format}
	}
	for _, format := range doc.Capability.Request.GetFeatureInfo.Format {
		cases["wmsops-getfeatureinfo-params-info_format-4 "+format] = ask{replaced(info, text, format), format}
	}
	for name, tt := range cases {
		t.Run("wms:"+name, func(t *testing.T) { requireAnswered(t, s, tt.target, tt.mediaType) })
	}
	// The formats and sizes that the suite reads as pictures.
	for name, tt := range map[string]struct {
		format        string
		width, height int
	}{
		"format-3": {"image/jpeg", 100, 80}, "format-4": {png, 100, 80}, "width_height-1": {png, 1024, 768}, "width_height-2": {png, 16, 16},
	} {
		t.Run("wms:wmsops-getmap-params-"+name, func(t *testing.T) {
			requireSize(t, s, replaced(getMap, png, tt.format, "WiDtH=100", fmt.Sprintf("WiDtH=%d", tt.width), "HeIgHt=80", fmt.Sprintf("HeIgHt=%d", tt.height)), tt.format, tt.width, tt.height)
		})
	}
	t.Run("wms:wmsops-getmap-params-bbox-3", func(t *testing.T) {
		require.Equal(t, requireAnswered(t, s, replaced(map111, "jpeg", "png"), png),
			requireAnswered(t, s, replaced(map111, "141.9,42.65,142.1,42.8", "1.419e%2B2,4265E-2,%2B1.421e2,.428E%2B2", "jpeg", "png"), png))
		require.Equal(t, [4]float64{141.9, 42.65, 142.1, 42.8}, s.renderer.LastView().BBox)
	})
}

func TestWMS111Exceptions(t *testing.T) {
	s := newServer(t)
	info := replaced(map111, "GetMap", "GetFeatureInfo") + "&query_layers=atsuma-2018_mask&info_format=text/plain&x=1&y=1"
	two := replaced(map111, "atsuma-2018_mask", "atsuma-2018_pre,atsuma-2018_mask")
	for name, tt := range map[string]struct{ target, code string }{
		"getmap-params-bbox-5":                 {replaced(map111, "141.9,42.65,142.1,42.8", "143,42.65,142.1,42.8"), ""},
		"getmap-params-bbox-6":                 {replaced(map111, "141.9,42.65,142.1,42.8", "142.1,42.65,142.1,42.8"), ""},
		"getmap-params-bbox-7":                 {replaced(map111, "141.9,42.65,142.1,42.8", "141.9,43,142.1,42.8"), ""},
		"getmap-params-bbox-8":                 {replaced(map111, "141.9,42.65,142.1,42.8", "141.9,42.8,142.1,42.8"), ""},
		"getmap-params-srs-3":                  {replaced(map111, "EPSG:4326", "UndefinedSRS"), "InvalidSRS"},
		"getmap-params-format-1":               {replaced(map111, "image/jpeg", "UnknownFormat"), "InvalidFormat"},
		"getmap-params-layers-5":               {replaced(map111, "atsuma-2018_mask", "NonExistant"), "LayerNotDefined"},
		"getmap-params-layers-6":               {replaced(map111, "atsuma-2018_mask", "atsuma-2018_mask,NonExistant"), "LayerNotDefined"},
		"getmap-params-layers-7":               {replaced(map111, "atsuma-2018_mask", "NonExistant,atsuma-2018_mask"), "LayerNotDefined"},
		"getmap-params-styles-5":               {replaced(map111, "styles=", "styles=UndefinedStyle"), "StyleNotDefined"},
		"getmap-params-styles-10":              {replaced(two, "styles=", "styles=plain,UndefinedStyle"), "StyleNotDefined"},
		"getmap-params-exceptions-1":           {replaced(map111, "atsuma-2018_mask", "NonExistant"), "LayerNotDefined"},
		"getmap-params-exceptions-2":           {replaced(map111, "atsuma-2018_mask", "NonExistant") + "&exceptions=application/vnd.ogc.se_xml", "LayerNotDefined"},
		"getfeatureinfo-params-query_layers-5": {replaced(info, "query_layers=atsuma-2018_mask", "query_layers=UndefinedLayer"), "LayerNotDefined"},
		"getfeatureinfo-params-exceptions-1":   {replaced(info, "query_layers=atsuma-2018_mask", "query_layers=UndefinedLayer"), "LayerNotDefined"},
		"getfeatureinfo-params-exceptions-2":   {replaced(info, "query_layers=atsuma-2018_mask", "query_layers=UndefinedLayer") + "&exceptions=application/vnd.ogc.se_xml", "LayerNotDefined"},
	} {
		t.Run("wms:wmsops-"+name, func(t *testing.T) {
			doc := requireException(t, s, tt.target, "application/vnd.ogc.se_xml", tt.code)
			require.Empty(t, doc.XMLName.Space, "1.1.1 has no namespace")
			require.Equal(t, "1.1.1", doc.Version)
		})
	}
	// The suite has no test of these.
	for _, target := range []string{replaced(info, "&x=1", "&x=200"), replaced(info, "&y=1", "&y=150")} {
		requireException(t, s, target, "application/vnd.ogc.se_xml", "")
	}
	requireException(t, s, replaced(info, "text/plain", "undefined/undefined"), "application/vnd.ogc.se_xml", "InvalidFormat")
}

// The colour of the corner, where the map has no data, and of pictures that stand for exceptions.
func TestWMS111Background(t *testing.T) {
	s := newServer(t)
	plain := replaced(map111, "jpeg", "png")
	wrong := replaced(plain, "atsuma-2018_mask", "NonExistant") + "&exceptions=application/vnd.ogc.se_blank"
	for name, tt := range map[string]struct {
		target string
		want   color.NRGBA
	}{
		"transparent-1": {plain, color.NRGBA{255, 255, 255, 255}},
		"transparent-2": {plain + "&transparent=fAlSe", color.NRGBA{255, 255, 255, 255}},
		"transparent-3": {plain + "&transparent=TRUE", color.NRGBA{}},
		"bgcolor-1":     {plain, color.NRGBA{255, 255, 255, 255}},
		"bgcolor-2":     {plain + "&bgcolor=0x0000FF", color.NRGBA{0, 0, 255, 255}},
		"exceptions-5":  {wrong + "&bgcolor=0xFF0000", color.NRGBA{255, 0, 0, 255}},
		"exceptions-6":  {wrong + "&transparent=TRUE", color.NRGBA{}},
	} {
		t.Run("wms:wmsops-getmap-params-"+name, func(t *testing.T) {
			img := requireSize(t, s, tt.target, "image/png", 200, 150)
			require.Equal(t, tt.want, color.NRGBAModel.Convert(img.At(1, 1)))
		})
	}
	for name, how := range map[string]string{"exceptions-4": "inimage", "exceptions-7": "blank"} {
		t.Run("wms:wmsops-getmap-params-"+name, func(t *testing.T) {
			for _, format := range []string{"image/png", "image/jpeg"} {
				requireSize(t, s, replaced(wrong, "se_blank", "se_"+how, "image/png", format), format, 200, 150)
			}
		})
	}
}

// wms:wmsops-getfeatureinfo-params-feature_count-1 and -2: two features are told of at more length than one.
func TestWMS111FeatureCount(t *testing.T) {
	s := newServer(t, func(d *ogc.Deps) { d.Renderer = crowded{d.Renderer} })
	info := replaced(map111, "GetMap", "GetFeatureInfo") + "&query_layers=atsuma-2018_landslides&info_format=text/plain&x=100&y=75"
	two := len(requireAnswered(t, s, info+"&feature_count=2", "text/plain"))
	require.Less(t, len(requireAnswered(t, s, info, "text/plain")), two)
	require.Less(t, len(requireAnswered(t, s, info+"&feature_count=1", "text/plain")), two)
}
