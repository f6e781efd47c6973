package ogc_test

import (
	"encoding/json"
	"encoding/xml"
	"image"
	"image/color"
	_ "image/jpeg"
	"image/png"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/ogc"
	"github.com/scarp-map/scarp/tiles"
)

const (
	map130 = "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=atsuma-2018_mask&STYLES=&CRS=EPSG:4326&BBOX=42.65,141.9,42.8,142.1&WIDTH=200&HEIGHT=150&FORMAT=image/png"
	map111 = "/wms?service=WMS&version=1.1.1&request=GetMap&layers=atsuma-2018_mask&styles=&srs=EPSG:4326&bbox=141.9,42.65,142.1,42.8&width=200&height=150&format=image/jpeg"
)

func replaced(s string, pairs ...string) string { return strings.NewReplacer(pairs...).Replace(s) }

var sequence = regexp.MustCompile(`updateSequence="\d+"`)

func TestWMSCapabilities(t *testing.T) {
	s := newServer(t)
	for version, want := range map[string][2]string{"1.3.0": {"wms-1.3.0.xml", "text/xml; charset=utf-8"}, "1.1.1": {"wms-1.1.1.xml", "application/vnd.ogc.wms_xml"}} {
		r := s.get("/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION=" + version)
		require.Equal(t, want[1], r.Header.Get("Content-Type"))
		golden(t, want[0], []byte(sequence.ReplaceAllString(text(t, r), `updateSequence="0"`)))
	}
	for asked, given := range map[string]string{"": "1.3.0", "1.3.0": "1.3.0", "1.4.0": "1.3.0", "9.9.9": "1.3.0", "1.2.0": "1.1.1", "1.1.0": "1.1.1", "1.0.0": "1.1.1", "latest": "1.3.0"} {
		var doc struct {
			Version  string `xml:"version,attr"`
			Sequence string `xml:"updateSequence,attr"`
		}
		require.NoError(t, xml.Unmarshal([]byte(text(t, s.get("/wms?service=wms&request=GetCapabilities&version="+asked))), &doc))
		require.Equal(t, given, doc.Version, asked)
		require.Contains(t, text(t, s.get("/wms?service=wms&request=GetCapabilities&updatesequence="+doc.Sequence)), "CurrentUpdateSequence")
		require.Contains(t, text(t, s.get("/wms?service=wms&request=GetCapabilities&updatesequence=99999999999")), "InvalidUpdateSequence")
		require.Equal(t, http.StatusOK, s.get("/wms?service=wms&request=GetCapabilities&updatesequence=1").StatusCode)
	}
}

func TestWMSMapIsWhatWasAskedFor(t *testing.T) {
	s := newServer(t)
	box := [4]float64{141.9, 42.65, 142.1, 42.8}
	plain := tiles.View{Event: "atsuma-2018", Layer: tiles.Mask, EPSG: 4326, BBox: box, Width: 200, Height: 150, Format: "image/png", Background: color.White}
	with := func(change func(*tiles.View)) tiles.View {
		v := plain
		change(&v)
		return v
	}
	for target, want := range map[string]tiles.View{
		map130: plain,
		map111: with(func(v *tiles.View) { v.Format = "image/jpeg" }),
		replaced(map130, "EPSG:4326", "CRS:84", "42.65,141.9,42.8,142.1", "141.9,42.65,142.1,42.8"):            plain,
		replaced(map130, "EPSG:4326", "EPSG:3857", "42.65,141.9,42.8,142.1", "1.5e7,5.2E%2B06,15100000,53e5"):  with(func(v *tiles.View) { v.EPSG, v.BBox = 3857, [4]float64{1.5e7, 5.2e6, 1.51e7, 5.3e6} }),
		replaced(map130, "EPSG:4326", "EPSG:32654", "42.65,141.9,42.8,142.1", "573000,4722000,590000,4739000"): with(func(v *tiles.View) { v.EPSG, v.BBox = 32654, [4]float64{573000, 4722000, 590000, 4739000} }),
		map130 + "&TRANSPARENT=true&BGCOLOR=0xFF0000&DPI=96&MAP_RESOLUTION=96&FORMAT_OPTIONS=dpi:96&TIME=&x=y": with(func(v *tiles.View) { v.Transparent, v.Background = true, color.NRGBA{R: 255, A: 255} }),
		map130 + "&model=small&threshold=0.3&run=job-2":                                                        with(func(v *tiles.View) { v.Model, v.Threshold, v.Run = "small", 0.3, "job-2" }),
		replaced(map130, "STYLES=", "STYLES=plain"):                                                            with(func(v *tiles.View) { v.Style = "plain" }),
		replaced(map130, "image/png", "image/png;%20mode=8bit"):                                                plain,
		replaced(map111, "&styles=", ""):                                                                       with(func(v *tiles.View) { v.Format = "image/jpeg" }),
		replaced(map111, "&version=1.1.1", ""):                                                                 with(func(v *tiles.View) { v.Format = "image/jpeg" }),
	} {
		r := s.get(target)
		require.Equal(t, http.StatusOK, r.StatusCode)
		require.Equal(t, want.Format, r.Header.Get("Content-Type"), "%s: %s", target, text(t, r))
		require.Equal(t, "public, max-age=3600", r.Header.Get("Cache-Control"))
		require.Equal(t, want, s.renderer.LastView(), target)
		require.Equal(t, http.StatusNotModified, s.get(target, "If-None-Match", r.Header.Get("ETag")).StatusCode)
	}
}

func TestWMSDrawsLayersOverEachOther(t *testing.T) {
	s := newServer(t)
	at := func(target string) (corner, middle color.NRGBA) {
		r := s.get(target)
		img, _, err := image.Decode(r.Body)
		require.NoError(t, err, target)
		get := func(x, y int) color.NRGBA { return color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA) }
		return get(1, 1), get(100, 75)
	}
	two := replaced(map130, "LAYERS=atsuma-2018_mask", "LAYERS=atsuma-2018_pre,atsuma-2018_probability", "STYLES=", "STYLES=,plain")
	corner, middle := at(two + "&BGCOLOR=0x0000FF")
	require.Equal(t, color.NRGBA{B: 255, A: 255}, corner)
	require.InDelta(t, 130, int(middle.R), 2, "half of the upper over the lower")
	corner, _ = at(two + "&TRANSPARENT=TRUE")
	require.Zero(t, corner.A)
	corner, _ = at(replaced(two, "image/png", "image/jpeg"))
	require.Equal(t, uint8(255), corner.R)
	require.Contains(t, text(t, s.get(replaced(two, "image/png", "image/webp"))), "InvalidFormat")
}

func TestWMSExceptions(t *testing.T) {
	s := newServer(t)
	info := replaced(map130, "GetMap", "GetFeatureInfo") + "&QUERY_LAYERS=atsuma-2018_mask&INFO_FORMAT=text/plain&I=1&J=1"
	for target, want := range map[string]string{
		"/wms":                                                                             "REQUEST is missing",
		"/wms?request=GetCapabilities":                                                     "SERVICE is missing",
		"/wms?service=WFS&request=GetMap":                                                  "SERVICE=",
		"/wms?service=WMS&request=GetStuff":                                                `code="OperationNotSupported"`,
		replaced(map130, "1.3.0", "2.0"):                                                   "VERSION=",
		replaced(map130, "LAYERS=atsuma-2018_mask", "LAYERS="):                             `code="LayerNotDefined"`,
		replaced(map130, "atsuma-2018_mask", "none"):                                       `code="LayerNotDefined"`,
		replaced(map130, "atsuma-2018_mask", "none_mask"):                                  `code="LayerNotDefined"`,
		replaced(map130, "STYLES=", "STYLES=none"):                                         `code="StyleNotDefined"`,
		replaced(map130, "STYLES=", "STYLES=a,b"):                                          `code="StyleNotDefined"`,
		replaced(map130, "EPSG:4326", "EPSG:2154"):                                         `code="InvalidCRS"`,
		replaced(map130, "CRS=EPSG:4326&", ""):                                             `code="InvalidCRS"`,
		replaced(map111, "EPSG:4326", "EPSG:2154"):                                         `code="InvalidSRS"`,
		replaced(map130, "image/png", "image/gif"):                                         `code="InvalidFormat"`,
		replaced(map130, "&FORMAT=image/png", ""):                                          `code="InvalidFormat"`,
		replaced(map130, "42.65,141.9,42.8,142.1", "42.8,141.9,42.65,142.1"):               "is empty",
		replaced(map130, "42.65,141.9,42.8,142.1", "1,2,3"):                                "four numbers",
		replaced(map130, "42.65,141.9,42.8,142.1", "1,2,3,NaN"):                            "is not a number",
		replaced(map130, "&BBOX=42.65,141.9,42.8,142.1", ""):                               "BBOX is missing",
		replaced(map130, "WIDTH=200", "WIDTH=0"):                                           "WIDTH=",
		replaced(map130, "WIDTH=200", "WIDTH=99999"):                                       "from 1 to 4096",
		replaced(map130, "HEIGHT=150", "HEIGHT=1.5"):                                       "HEIGHT=",
		map130 + "&TRANSPARENT=perhaps":                                                    "TRANSPARENT=",
		map130 + "&BGCOLOR=sky":                                                            "BGCOLOR=",
		map130 + "&MODEL=none":                                                             "bbunet, small",
		map130 + "&TIME=yesterday":                                                         `code="InvalidDimensionValue"`,
		map111 + "&time=yesterday":                                                         `code="InvalidDimensionValue"`,
		map130 + "&THRESHOLD=2":                                                            "THRESHOLD=",
		replaced(info, "&I=1", "&I=200"):                                                   `code="InvalidPoint"`,
		replaced(info, "&I=1", ""):                                                         `code="InvalidPoint"`,
		replaced(info, "QUERY_LAYERS=atsuma-2018_mask", "QUERY_LAYERS=none"):               `code="LayerNotDefined"`,
		replaced(info, "QUERY_LAYERS=atsuma-2018_mask", "QUERY_LAYERS="):                   `code="LayerNotDefined"`,
		replaced(info, "text/plain", "text/klingon"):                                       `code="InvalidFormat"`,
		"/wms?request=GetLegendGraphic&layer=none&format=image/png":                        `code="LayerNotDefined"`,
		"/wms?request=GetLegendGraphic&layer=atsuma-2018_mask&format=image/gif":            `code="InvalidFormat"`,
		"/wms?request=GetLegendGraphic&layer=atsuma-2018_mask&style=none&format=image/png": `code="StyleNotDefined"`,
		"/wms?request=GetLegendGraphic&layer=atsuma-2018_mask&format=image/png&width=abc":  "WIDTH=",
		"/wms?request=GetLegendGraphic&layer=atsuma-2018_mask&format=image/png&height=0":   "HEIGHT=",
		map130 + "&EXCEPTIONS=XML&LAYERS=%3Cx%3E&layers=none&BGCOLOR=%3Cscript%3E":         "&lt;script&gt;",
	} {
		r := s.get(target)
		body := text(t, r)
		require.Equal(t, http.StatusOK, r.StatusCode, target)
		require.Equal(t, "no-store", r.Header.Get("Cache-Control"), target)
		require.Contains(t, body, want, target)
		old := strings.Contains(target, "1.1.1")
		require.Equal(t, old, strings.Contains(body, "exception_1_1_1.dtd"), target)
		require.Equal(t, map[bool]string{true: "application/vnd.ogc.se_xml", false: "text/xml; charset=utf-8"}[old], r.Header.Get("Content-Type"), target)
		var doc struct {
			XMLName xml.Name `xml:"ServiceExceptionReport"`
		}
		require.NoError(t, xml.Unmarshal([]byte(body), &doc), target)
	}
}

func TestWMSExceptionsAsPictures(t *testing.T) {
	s := newServer(t)
	wrong := replaced(map130, "atsuma-2018_mask", "none")
	inked := func(target string) (int, bool) {
		r := s.get(target)
		require.Equal(t, "image/png", r.Header.Get("Content-Type"))
		require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
		img, err := png.Decode(r.Body)
		require.NoError(t, err)
		require.Equal(t, image.Pt(200, 150), img.Bounds().Size())
		n := 0
		for y := range 150 {
			for x := range 200 {
				if c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA); c.A == 255 && c.R < 200 {
					n++
				}
			}
		}
		_, _, _, a := img.At(199, 149).RGBA()
		return n, a == 0
	}
	n, clear := inked(wrong + "&EXCEPTIONS=INIMAGE")
	require.Greater(t, n, 300)
	require.False(t, clear)
	n, clear = inked(replaced(wrong, "1.3.0", "1.1.1", "CRS=", "SRS=") + "&EXCEPTIONS=application/vnd.ogc.se_blank&TRANSPARENT=TRUE")
	require.Zero(t, n)
	require.True(t, clear)
}

// What breaks inside is not a fault of the request: caches and monitors must see it.
func TestWMSServerErrors(t *testing.T) {
	s := newServer(t, func(d *ogc.Deps) { d.Renderer = broken{d.Renderer} })
	r := s.get(map130)
	require.Equal(t, http.StatusInternalServerError, r.StatusCode)
	body := text(t, r)
	require.Contains(t, body, "ServiceExceptionReport")
	require.NotContains(t, body, "/secret")
}

func TestWMSFeatureInfo(t *testing.T) {
	s := newServer(t)
	info := replaced(map130, "GetMap", "GetFeatureInfo") + "&QUERY_LAYERS=atsuma-2018_probability,atsuma-2018_landslides&I=100&J=75&INFO_FORMAT="
	r := s.get(info + "application/json")
	var doc struct {
		Features []struct {
			ID         string
			Geometry   struct{ Coordinates [2]float64 }
			Properties map[string]any
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text(t, r)), &doc))
	require.Len(t, doc.Features, 2)
	require.InDelta(t, 142.0005, doc.Features[0].Geometry.Coordinates[0], 1e-9)
	require.InDelta(t, 42.7245, doc.Features[0].Geometry.Coordinates[1], 1e-9)
	require.Equal(t, 0.75, doc.Features[0].Properties["probability"])
	require.Equal(t, []any{map[string]any{"id": 1.0, "area_m2": 500.0, "link": base + "/collections/atsuma-2018_landslides/items/1"}}, doc.Features[1].Properties["landslides"])
	require.Equal(t, "high", doc.Features[0].Properties["class"])
	require.Contains(t, text(t, s.get(info+"text/plain")), "Probability of a new landslide: 0.750")
	require.Contains(t, text(t, s.get(info+"text/html")), "<td>0.750</td>")
	gml := text(t, s.get(info+"application/vnd.ogc.gml"))
	require.Contains(t, gml, "<probability>0.750</probability>")
	require.Equal(t, gml, text(t, s.get(info+"text/xml")))
	// GML has its own namespace; what is Scarp's is in none, least of all in the OGC's.
	var spaces struct {
		XMLName xml.Name
		Members []struct {
			XMLName xml.Name
			Feature struct {
				XMLName     xml.Name
				Point       struct{ XMLName xml.Name }
				Probability struct{ XMLName xml.Name } `xml:"probability"`
			} `xml:"feature"`
		} `xml:"featureMember"`
	}
	require.NoError(t, xml.Unmarshal([]byte(gml), &spaces))
	require.Equal(t, xml.Name{Local: "FeatureCollection"}, spaces.XMLName)
	require.Len(t, spaces.Members, 2)
	require.Equal(t, xml.Name{Space: "http://www.opengis.net/gml", Local: "featureMember"}, spaces.Members[0].XMLName)
	feature := spaces.Members[0].Feature
	require.Equal(t, []xml.Name{{Local: "feature"}, {Space: "http://www.opengis.net/gml", Local: "Point"}, {Local: "probability"}},
		[]xml.Name{feature.XMLName, feature.Point.XMLName, feature.Probability.XMLName})
	old := replaced(map111, "GetMap", "GetFeatureInfo") + "&query_layers=atsuma-2018_mask&x=100&y=75"
	require.Contains(t, text(t, s.get(old)), "Landslide: true")
	require.Contains(t, text(t, s.get(replaced(old, "141.9,42.65,142.1,42.8", "10,10,11,11"))), "no data")
}

// FEATURE_COUNT bounds the mapped landslides that each layer tells of; what is
// no positive integer is 1 (1.3.0, 7.4.3.7).
func TestWMSFeatureCount(t *testing.T) {
	s := newServer(t, func(d *ogc.Deps) { d.Renderer = crowded{d.Renderer} })
	info := replaced(map130, "GetMap", "GetFeatureInfo") + "&QUERY_LAYERS=atsuma-2018_mask,atsuma-2018_landslides&I=100&J=75&INFO_FORMAT=application/json"
	for count, want := range map[string]int{"": 1, "&FEATURE_COUNT=1": 1, "&feature_count=2": 2, "&FEATURE_COUNT=10": 3, "&FEATURE_COUNT=0": 1, "&FEATURE_COUNT=-2": 1, "&FEATURE_COUNT=abc": 1, "&FEATURE_COUNT=2.5": 1} {
		var doc struct {
			Features []struct {
				Properties struct{ Landslides []struct{ ID int } }
			}
		}
		require.NoError(t, json.Unmarshal([]byte(text(t, s.get(info+count))), &doc))
		require.Len(t, doc.Features, 2)
		for _, f := range doc.Features {
			require.Len(t, f.Properties.Landslides, want, count)
			require.Equal(t, 1, f.Properties.Landslides[0].ID, count)
		}
	}
}

// A method that is not offered is refused as the service refuses everything else.
func TestWMSOtherMethods(t *testing.T) {
	s := newServer(t)
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
		for version, kind := range map[string]string{"1.3.0": "text/xml; charset=utf-8", "1.1.1": "application/vnd.ogc.se_xml"} {
			r := s.ask(method, "/wms?version="+version, "<GetMap/>", "Content-Type", "text/xml")
			body := text(t, r)
			require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode, body)
			require.Equal(t, "GET, HEAD, OPTIONS", r.Header.Get("Allow"))
			require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
			require.Equal(t, kind, r.Header.Get("Content-Type"))
			var doc serviceException
			require.NoError(t, xml.Unmarshal([]byte(body), &doc), body)
			require.Equal(t, map[string]string{"1.3.0": "OperationNotSupported"}[version], doc.Exception.Code)
			require.Contains(t, doc.Exception.Text, method)
		}
	}
	r := s.ask(http.MethodOptions, "/wms", "")
	require.Equal(t, []any{http.StatusNoContent, "GET, HEAD, OPTIONS"}, []any{r.StatusCode, r.Header.Get("Allow")})
	require.Equal(t, http.StatusOK, s.ask(http.MethodHead, map130, "").StatusCode)
}

func TestWMSLegend(t *testing.T) {
	s := newServer(t)
	r := s.get("/wms?service=WMS&version=1.3.0&request=GetLegendGraphic&format=image/png&layer=atsuma-2018_mask&sld_version=1.1.0&style=plain&width=30")
	img, err := png.Decode(r.Body)
	require.NoError(t, err)
	require.Equal(t, 30, img.Bounds().Dx())
	require.Equal(t, "public, max-age=3600", r.Header.Get("Cache-Control"))
}
