package ogc_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/ogc"
	"github.com/scarp-map/scarp/ogc/ogctest"
	"github.com/scarp-map/scarp/tiles"
)

const (
	wmtsTile = "/wmts?service=WMTS&request=GetTile&version=1.0.0&layer=atsuma-2018_mask&style=default&format=image/png&TileMatrixSet=WebMercatorQuad&TileMatrix=1&TileRow=0&TileCol=1"
	wmtsRest = "/wmts/1.0.0/atsuma-2018_mask/default/all/WebMercatorQuad/1/0/1"
)

// series adds an event with three images after it, ten days apart.
func series(t *testing.T, s *server) {
	t.Helper()
	e := ogctest.Event("series")
	e.Post = []imagery.Scene{{Path: "1.tif"}, {Path: "2.tif"}, {Path: "3.tif"}}
	require.NoError(t, s.store.PutEvent(context.Background(), e))
}

// owsException reads an exception report, which no cache may keep.
func owsException(t *testing.T, r *http.Response) (code, locator, says string) {
	t.Helper()
	body := text(t, r)
	var doc struct {
		XMLName   xml.Name `xml:"http://www.opengis.net/ows/1.1 ExceptionReport"`
		Version   string   `xml:"version,attr"`
		Exception []struct {
			Code    string `xml:"exceptionCode,attr"`
			Locator string `xml:"locator,attr"`
			Text    string `xml:"ExceptionText"`
		} `xml:"http://www.opengis.net/ows/1.1 Exception"`
	}
	require.NoError(t, xml.Unmarshal([]byte(body), &doc), body)
	require.Len(t, doc.Exception, 1)
	require.Equal(t, "1.0.0", doc.Version)
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	require.Equal(t, "text/xml; charset=utf-8", r.Header.Get("Content-Type"))
	e := doc.Exception[0]
	require.NotEmpty(t, e.Text)
	return e.Code, e.Locator, e.Text
}

// What the OGC's suite does not ask of key-value pairs: what it does is in TestWMTSSuiteExceptions.
func TestWMTSExceptions(t *testing.T) {
	s := newServer(t)
	info := replaced(wmtsTile, "GetTile", "GetFeatureInfo") + "&infoformat=text/plain&i=1&j=2"
	requireReports(t, s, http.StatusBadRequest, map[string]wmtsRefusal{
		"no request":             {"/wmts?service=WMTS", "MissingParameterValue", "request"},
		"higher sequence":        {"/wmts?service=WMTS&request=GetCapabilities&updatesequence=99999999999", "InvalidUpdateSequence", ""},
		"sequence is text":       {"/wmts?service=WMTS&request=GetCapabilities&updatesequence=x", "InvalidUpdateSequence", ""},
		"version":                {replaced(wmtsTile, "1.0.0", "1.1.0"), "InvalidParameterValue", "version"},
		"layer of no event":      {replaced(wmtsTile, "atsuma-2018_mask", "bogus_mask"), "InvalidParameterValue", "layer"},
		"row below 0":            {replaced(wmtsTile, "TileRow=0", "TileRow=-1"), "InvalidParameterValue", "TileRow"},
		"column no integer":      {replaced(wmtsTile, "TileCol=1", "TileCol=1.5"), "InvalidParameterValue", "TileCol"},
		"model":                  {wmtsTile + "&model=none", "InvalidParameterValue", "model"},
		"threshold":              {wmtsTile + "&threshold=2", "InvalidParameterValue", "threshold"},
		"pixel is text":          {replaced(info, "&j=2", "&j=a"), "InvalidParameterValue", "J"},
		"pixel is not a number":  {replaced(info, "&i=1", "&i=1e1"), "InvalidParameterValue", "I"},
		"picture's other format": {replaced(info, "image/png", "image/bogus"), "InvalidParameterValue", "format"},
	})
}

// What no route answers below /wmts is refused with the same report: an address
// that there is not, and a method that is not offered.
func TestWMTSUnknownAddressesAndMethods(t *testing.T) {
	s := newServer(t)
	for _, target := range []string{"/wmts/1.0.0/foo", "/wmts/1.0.0", "/wmts/1.0.0/", "/wmts/", "/wmts/2.0.0/WMTSCapabilities.xml"} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r := s.ask(method, target, "")
			require.Equal(t, http.StatusNotFound, r.StatusCode, "%s %s", method, target)
			code, locator, says := owsException(t, r)
			require.Equal(t, []string{"NoApplicableCode", ""}, []string{code, locator}, target)
			require.Contains(t, says, base+"/wmts/1.0.0/WMTSCapabilities.xml", "it says where to begin")
		}
		require.Equal(t, http.StatusNotFound, s.ask(http.MethodHead, target, "").StatusCode)
	}
	for _, target := range []string{"/wmts", "/wmts?service=WMTS&request=GetCapabilities", "/wmts/1.0.0/WMTSCapabilities.xml", wmtsRest + ".png", replaced(wmtsRest, "/all/", "/") + "/2/3.json"} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete} {
			r := s.ask(method, target, "<GetTile/>", "Content-Type", "text/xml")
			require.Equal(t, http.StatusMethodNotAllowed, r.StatusCode, "%s %s", method, target)
			require.Equal(t, "GET, HEAD, OPTIONS", r.Header.Get("Allow"))
			code, _, says := owsException(t, r)
			require.Equal(t, "OperationNotSupported", code)
			require.Contains(t, says, method)
		}
		r := s.ask(http.MethodOptions, target, "")
		require.Equal(t, []any{http.StatusNoContent, "GET, HEAD, OPTIONS"}, []any{r.StatusCode, r.Header.Get("Allow")})
	}
}

// What breaks inside is no fault of the request.
func TestWMTSServerErrors(t *testing.T) {
	s := newServer(t, func(d *ogc.Deps) { d.Renderer = broken{d.Renderer} })
	r := s.get(wmtsTile)
	require.Equal(t, http.StatusInternalServerError, r.StatusCode)
	code, _, says := owsException(t, r)
	require.Equal(t, "NoApplicableCode", code)
	require.NotContains(t, says, "/secret")
}

// wmtsDoc is what clients read of the capabilities.
type wmtsDoc struct {
	XMLName        xml.Name  `xml:"http://www.opengis.net/wmts/1.0 Capabilities"`
	Version        string    `xml:"version,attr"`
	UpdateSequence string    `xml:"updateSequence,attr"`
	Identification *struct{} `xml:"ServiceIdentification"`
	Provider       *struct{} `xml:"ServiceProvider"`
	Operations     *struct {
		Operation []struct {
			Name string `xml:"name,attr"`
			Get  []struct {
				Href  string `xml:"http://www.w3.org/1999/xlink href,attr"`
				Value string `xml:"Constraint>AllowedValues>Value"`
			} `xml:"DCP>HTTP>Get"`
		}
	} `xml:"OperationsMetadata"`
	Contents *struct {
		Layer         []wmtsLayer
		TileMatrixSet []struct {
			Identifier, SupportedCRS, WellKnownScaleSet string
			TileMatrix                                  []struct {
				Identifier, TopLeftCorner                        string
				ScaleDenominator                                 float64
				TileWidth, TileHeight, MatrixWidth, MatrixHeight int
			}
		}
	}
	Themes *struct {
		Theme []struct{ LayerRef []string }
	}
	ServiceMetadataURL *struct {
		Href string `xml:"http://www.w3.org/1999/xlink href,attr"`
	}
}

type wmtsLayer struct {
	Identifier string
	Style      []struct {
		Identifier string
		IsDefault  bool `xml:"isDefault,attr"`
		LegendURL  struct {
			Format string `xml:"format,attr"`
			Href   string `xml:"http://www.w3.org/1999/xlink href,attr"`
			Width  int    `xml:"width,attr"`
			Height int    `xml:"height,attr"`
		}
	}
	Format, InfoFormat []string
	Dimension          *struct {
		Identifier, Default string
		Value               []string
	}
	TileMatrixSetLink []wmtsLink
	ResourceURL       []struct {
		Format       string `xml:"format,attr"`
		ResourceType string `xml:"resourceType,attr"`
		Template     string `xml:"template,attr"`
	}
}

type wmtsLink struct {
	TileMatrixSet string
	Limits        []struct {
		TileMatrix                                     string
		MinTileRow, MaxTileRow, MinTileCol, MaxTileCol int
	} `xml:"TileMatrixSetLimits>TileMatrixLimits"`
}

func wmtsCapabilities(t *testing.T, s *server, query string) wmtsDoc {
	t.Helper()
	r := s.get("/wmts?service=WMTS&request=GetCapabilities" + query)
	body := text(t, r)
	require.Equal(t, http.StatusOK, r.StatusCode, body)
	require.Equal(t, "application/xml", r.Header.Get("Content-Type"))
	var d wmtsDoc
	require.NoError(t, xml.Unmarshal([]byte(body), &d))
	require.Equal(t, "1.0.0", d.Version)
	return d
}

// What the capabilities say beyond what the suite wants of them (TestWMTSSuiteCapabilities).
func TestWMTSCapabilities(t *testing.T) {
	s := newServer(t)
	series(t, s)
	kvp := text(t, s.get("/wmts?service=WMTS&request=GetCapabilities"))
	require.Equal(t, kvp, text(t, s.get("/wmts/1.0.0/WMTSCapabilities.xml")), "both bindings say the same")
	golden(t, "wmts.xml", []byte(sequence.ReplaceAllString(kvp, `updateSequence="0"`)))
	d := wmtsCapabilities(t, s, "")
	require.Equal(t, base+"/wmts/1.0.0/WMTSCapabilities.xml", d.ServiceMetadataURL.Href)
	require.Len(t, d.Contents.Layer, 10, "an event that can't be opened is not offered")
	require.Len(t, d.Themes.Theme, 2)
	web := d.Contents.TileMatrixSet[0]
	require.Equal(t, "urn:ogc:def:crs:EPSG::3857", web.SupportedCRS)
	require.InDelta(t, 559082264.0287178, web.TileMatrix[0].ScaleDenominator, 1)
	require.Equal(t, "urn:ogc:def:crs:OGC:1.3:CRS84", d.Contents.TileMatrixSet[1].SupportedCRS)
	require.Equal(t, "-180 90", d.Contents.TileMatrixSet[1].TileMatrix[3].TopLeftCorner, "in the order of the CRS's axes")
}

// Server.KVP.GET.GetTile.Mandatory and Valid.Tile.Format, GetFeatureInfo.Mandatory
// and Valid.InfoFormat of the OGC's suite, and their RESTful counterparts:
// everything that the capabilities offer is there.
func TestWMTSGivesWhatItOffers(t *testing.T) {
	s := newServer(t)
	series(t, s)
	d := wmtsCapabilities(t, s, "")
	asked := 0
	ok := func(target, kind string) string {
		t.Helper()
		r := s.get(strings.TrimPrefix(target, base))
		body := text(t, r)
		require.Equal(t, http.StatusOK, r.StatusCode, "%s: %s", target, body)
		require.True(t, strings.HasPrefix(r.Header.Get("Content-Type"), kind), "%s is %s, not %s", target, r.Header.Get("Content-Type"), kind)
		asked++
		return body
	}
	for _, l := range d.Contents.Layer {
		times := append([]string{""}, l.Dimension.Value...)
		require.Contains(t, times, l.Dimension.Default)
		for first, style := range l.Style {
			if first > 0 {
				times = times[:1]
			}
			ok(style.LegendURL.Href, "image/png")
			for _, link := range l.TileMatrixSetLink {
				last := link.Limits[len(link.Limits)-1]
				require.Greater(t, len(link.Limits), 5)
				for k, time := range times {
					at := fmt.Sprintf("&version=1.0.0&layer=%s&style=%s&TileMatrixSet=%s&TileMatrix=%s&TileRow=%d&TileCol=%d&time=%s", l.Identifier, style.Identifier, link.TileMatrixSet, last.TileMatrix, last.MaxTileRow, last.MinTileCol, time)
					for _, format := range l.Format[:max(1, len(l.Format)-2*k)] {
						ok("/wmts?service=WMTS&request=GetTile&format="+format+at, format)
					}
					for _, format := range l.InfoFormat[:max(1, len(l.InfoFormat)-4*k)] {
						ok("/wmts?service=WMTS&request=GetFeatureInfo&format=image/png&i=3&j=4&infoformat="+format+at, format)
					}
				}
				for _, u := range l.ResourceURL {
					fill := strings.NewReplacer("{style}", style.Identifier, "{Time}", l.Dimension.Default, "{TileMatrixSet}", link.TileMatrixSet, "{TileMatrix}", last.TileMatrix,
						"{TileRow}", fmt.Sprint(last.MaxTileRow), "{TileCol}", fmt.Sprint(last.MinTileCol), "{J}", "5", "{I}", "6")
					ok(fill.Replace(u.Template), u.Format)
				}
			}
		}
	}
	require.Greater(t, asked, 300)
}

func TestWMTSTileIsWhatWasAskedFor(t *testing.T) {
	s := newServer(t)
	series(t, s)
	want := tiles.Tile{Event: "atsuma-2018", Layer: tiles.Mask, MatrixSet: "WebMercatorQuad", Matrix: 1, Row: 0, Col: 1, Format: "image/png", Scale: 1}
	for _, target := range []string{wmtsTile, wmtsRest + ".png", replaced(wmtsRest, "/all/", "/") + ".png", replaced(wmtsTile, "style=default", "style=")} {
		r := s.get(target)
		require.Equal(t, http.StatusOK, r.StatusCode, target)
		require.Equal(t, want, s.renderer.LastTile(), target)
		require.Equal(t, http.StatusNotModified, s.get(target, "If-None-Match", r.Header.Get("ETag")).StatusCode)
	}
	require.Equal(t, http.StatusOK, s.get(replaced(wmtsRest, "/all/", "/2018-09-10T03%3A07%3A59Z/")+".png").StatusCode, "escaped as OpenLayers does")
	require.Equal(t, http.StatusOK, s.get(wmtsRest+".webp?threshold=0.25&model=small").StatusCode)
	got := s.renderer.LastTile()
	require.Equal(t, []any{"image/webp", 0.25, "small"}, []any{got.Format, got.Threshold, got.Model})

	day := func(n int) time.Time { return ogctest.Day().AddDate(0, 0, n) }
	many := replaced(wmtsTile, "atsuma-2018", "series")
	for value, want := range map[string]tiles.Span{
		"": {}, "all": {}, "default": {}, "current": {From: day(24), To: day(24)}, "2018-09-10": {From: day(4), To: day(4)}, "2018-09-16": {From: day(14), To: day(14)},
		"2018-09-01/2018-09-20": {From: day(4), To: day(14)}, "2018-09-15/current": {From: day(14), To: day(24)}, "2018": {From: day(4), To: day(24)},
		"2018-09-10T03:07:59Z,2018-09-20T03:07:59Z": {From: day(4), To: day(14)},
	} {
		require.Equal(t, http.StatusOK, s.get(many+"&time="+value).StatusCode, value)
		require.Equal(t, want, s.renderer.LastTile().During, value)
	}
	for _, value := range []string{"2019-01-01/2019-02-01", "2018-09-20/2018-09-10", "2018-09-10,2018-09-30", "x/y", "2018-09-10,", strings.Repeat("current,", 80)} {
		code, locator, says := owsException(t, s.get(many+"&time="+value))
		require.Equal(t, []string{"InvalidParameterValue", "Time"}, []string{code, locator}, value)
		require.Contains(t, says, "2018-09-30T03:07:59Z", "it says what there is")
	}
}

func TestWMTSFeatureInfoIsAtThePixel(t *testing.T) {
	s := newServer(t)
	set := s.renderer.MatrixSets()[0]
	i := slices.IndexFunc(set.Matrices, func(m tiles.Matrix) bool { return m.ID == "12" })
	l := s.renderer.Limits(set, i, ogctest.Bounds())
	rest := fmt.Sprintf("/wmts/1.0.0/atsuma-2018_probability/default/WebMercatorQuad/12/%d/%d/20/10.json", l.MinRow, l.MinCol)
	body := text(t, s.get(rest))
	require.Contains(t, body, `"FeatureCollection"`)
	p := s.renderer.LastPoint()
	n := 256 * float64(int(1)<<12)
	require.InDelta(t, (float64(l.MinCol*256)+10.5)/n*360-180, p.Lon, 1e-9)
	require.InDelta(t, 42.8, p.Lat, 0.1)
	kvp := fmt.Sprintf("/wmts?service=WMTS&request=GetFeatureInfo&version=1.0.0&layer=atsuma-2018_probability&style=&format=image/png&TileMatrixSet=WebMercatorQuad&TileMatrix=12&TileRow=%d&TileCol=%d&i=10&j=20&infoformat=application/json", l.MinRow, l.MinCol)
	require.Equal(t, body, text(t, s.get(kvp)))
}
