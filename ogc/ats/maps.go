package ats

import (
	"bytes"
	"fmt"
	"html"
	"image"
	"image/color"
	_ "image/jpeg" // decodes what servers answer
	"image/png"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/stretchr/testify/require"
)

// mapsClasses are those of OGC API Maps Part 1 (20-058).
func mapsClasses() []class {
	const maps = "ogcapi-maps-1/1.0/conf/"
	encoding := func(kind, f string, starts ...string) []assertion {
		return []assertion{{"content", func(s *session) { s.requirePicture(s.mapOf("width=64"), kind, f, starts...) }}}
	}
	return []class{
		{maps + "core", []assertion{
			{"map-op", func(s *session) { s.expect(http.StatusOK, s.linked(s.pictures, relMap)) }},
			{"map-success", func(s *session) {
				a := s.expectKind("image/png", s.mapOf("width=64&f=png"))
				require.NotEmpty(s.T, a.Header.Get("Content-Bbox"))
				require.NotEmpty(s.T, a.Header.Get("Content-Crs"))
			}},
			{"map-error", func(s *session) {
				s.badRequest(s.mapOf("no-such-parameter=1"))
				s.badRequest(s.mapOf("f=no-such-format"))
			}},
		}},
		{maps + "dataset-map", []assertion{{"landingpage", func(s *session) {
			s.expect(http.StatusOK, with(s.linked(s.document("/"), relMap), "width", "64"))
		}}}},
		{maps + "collection-map", []assertion{{"desc-links", func(s *session) { s.linked(s.pictures, relMap) }}}},
		{maps + "collections-selection", []assertion{{"collections", func(s *session) {
			target := with(s.linked(s.document("/"), relMap), "width", "64")
			s.expect(http.StatusOK, with(target, "collections", s.pictures["id"].(string)))
			a := s.get(with(target, "collections", "no-such-collection"))
			require.Contains(s.T, []int{http.StatusBadRequest, http.StatusNotFound}, a.StatusCode)
		}}}},
		{maps + "styled-map", []assertion{{"styles", func(s *session) {
			styles := list(s.document(s.linked(s.pictures, rel+"styles")), "styles")
			require.NotEmpty(s.T, styles)
			for _, style := range styles {
				id := style.(object)["id"].(string)
				s.expect(http.StatusOK, path(s.pictures)+"/styles/"+url.PathEscape(id)+"/map?width=64")
			}
			s.expect(http.StatusNotFound, path(s.pictures)+"/styles/no-such-style/map")
		}}}},
		{maps + "background", []assertion{
			{"bgcolor", func(s *session) {
				// Far away from all data there is nothing but background.
				away := "width=16&height=16&f=png&bbox=-40,-40,-39,-39&"
				require.Equal(s.T, color.NRGBA{255, 0, 0, 255}, s.pixel(away+"transparent=false&bgcolor=0xFF0000"))
				require.Equal(s.T, color.NRGBA{0, 0, 255, 255}, s.pixel(away+"transparent=false&bgcolor=blue"))
				s.badRequest(s.mapOf("bgcolor=no-such-colour"))
			}},
			{"transparent", func(s *session) {
				away := "width=16&height=16&f=png&bbox=-40,-40,-39,-39&"
				require.Zero(s.T, s.pixel(away+"transparent=true").A)
				require.EqualValues(s.T, 255, s.pixel(away+"transparent=false").A)
				s.badRequest(s.mapOf("transparent=perhaps"))
			}},
		}},
		{maps + "scaling", []assertion{
			{"width-height", func(s *session) {
				require.Equal(s.T, image.Pt(120, 60), s.size("width=120&height=60&f=png"))
				require.Equal(s.T, 90, s.size("width=90&f=png").X)
				require.Equal(s.T, 90, s.size("height=90&f=png").Y)
				for _, wrong := range []string{"width=0", "width=-1", "width=ten", "width=1000000"} {
					s.badRequest(s.mapOf(wrong))
				}
			}},
			{"scale-denominator", func(s *session) {
				coarse, fine := s.size("f=png&scale-denominator=400000"), s.size("f=png&scale-denominator=200000")
				require.InDelta(s.T, 2, float64(fine.X)/float64(coarse.X), 0.1, "half the denominator, twice the pixels")
				s.badRequest(s.mapOf("scale-denominator=0"))
				s.badRequest(s.mapOf("scale-denominator=200000&width=100&height=100"))
			}},
		}},
		{maps + "spatial-subsetting", []assertion{
			{"bbox", func(s *session) {
				b := s.bbox(s.pictures)
				half := [4]float64{b[0], b[1], (b[0] + b[2]) / 2, b[3]}
				a := s.expect(http.StatusOK, s.mapOf("width=64&bbox="+box(half)))
				require.NotEmpty(s.T, a.Header.Get("Content-Bbox"))
				s.badRequest(s.mapOf("bbox=1,2,3"))
				s.badRequest(s.mapOf("bbox=a,b,c,d"))
			}},
			{"subset", func(s *session) {
				b := s.bbox(s.pictures)
				s.expect(http.StatusOK, s.mapOf("width=64&subset="+url.QueryEscape(fmt.Sprintf("Lat(%v:%v),Lon(%v:%v)", b[1], b[3], b[0], b[2]))))
				s.badRequest(s.mapOf("subset=NoSuchAxis(1:2)"))
			}},
			{"center", func(s *session) {
				b := s.bbox(s.pictures)
				require.Equal(s.T, image.Pt(80, 40), s.size(fmt.Sprintf("f=png&width=80&height=40&center=%v,%v", (b[0]+b[2])/2, (b[1]+b[3])/2)))
				s.badRequest(s.mapOf("center=1"))
			}},
		}},
		{maps + "general-subsetting", []assertion{{"subset", func(s *session) {
			s.badRequest(s.mapOf("subset=NoSuchAxis(1:2)"))
			s.badRequest(s.mapOf("subset=no-such-form"))
		}}}},
		{maps + "datetime", []assertion{{"datetime", func(s *session) {
			s.expect(http.StatusOK, s.mapOf("width=64&datetime=1900-01-01T00:00:00Z/2999-01-01T00:00:00Z"))
			s.badRequest(s.mapOf("datetime=yesterday"))
		}}}},
		{maps + "crs", []assertion{{"crs", func(s *session) {
			for _, c := range list(s.pictures, "crs") {
				a := s.expect(http.StatusOK, s.mapOf("width=64&crs="+url.QueryEscape(c.(string))))
				require.Equal(s.T, "<"+c.(string)+">", a.Header.Get("Content-Crs"))
			}
			s.badRequest(s.mapOf("crs=no-such-crs"))
		}}}},
		{maps + "png", encoding("image/png", "png", "\x89PNG")},
		{maps + "jpeg", encoding("image/jpeg", "jpeg", "\xff\xd8")},
		{maps + "tiff", encoding("image/tiff", "tiff", "II*\x00", "MM\x00*", "II+\x00")},
		{maps + "html", []assertion{{"content", func(s *session) {
			a := s.expectKind(htmlType, s.mapOf(""), "Accept", htmlType)
			require.Contains(s.T, string(a.body), "</html>")
			require.Equal(s.T, a.body, s.expectKind(htmlType, with(s.mapOf(""), "f", "html"), "Accept", "image/png").body, "f beats the header")
			// It represents the data as a map: it shows a picture of this server.
			picture := regexp.MustCompile(`<img[^>]* src="([^"]+)"`).FindSubmatch(a.body)
			require.NotNil(s.T, picture, "the page has no picture")
			source := html.UnescapeString(string(picture[1]))
			require.True(s.T, strings.HasPrefix(source, s.base), "%s is not of this server", source)
			require.Contains(s.T, []string{"image/png", "image/jpeg"}, s.expect(http.StatusOK, source).kind())
			s.expectKind("image/png", s.mapOf("width=64"), "Accept", "*/*")
		}}}},
		{maps + "cors", []assertion{{"cors", func(s *session) {
			require.NotEmpty(s.T, s.get(s.mapOf("width=64"), "Origin", "https://example.org").Header.Get("Access-Control-Allow-Origin"))
		}}}},
		{maps + "api-operations", []assertion{{"operation-ids", func(s *session) {
			found := 0
			for _, item := range s.api.Paths.Map() {
				if item.Get != nil && len(item.Get.OperationID) > 7 && item.Get.OperationID[len(item.Get.OperationID)-7:] == ".getMap" {
					found++
				}
			}
			require.Positive(s.T, found, "an operationId that ends in .getMap")
		}}}},
	}
}

// mapOf is the URL of a map with a query.
func (s *session) mapOf(query string) string {
	s.Helper()
	return path(s.pictures) + "/map?" + query
}

func (s *session) size(query string) image.Point {
	s.Helper()
	c, _, err := image.DecodeConfig(bytes.NewReader(s.expect(http.StatusOK, s.mapOf(query)).body))
	require.NoError(s.T, err)
	return image.Pt(c.Width, c.Height)
}

// pixel is the middle of a map.
func (s *session) pixel(query string) color.NRGBA {
	s.Helper()
	picture, err := png.Decode(bytes.NewReader(s.expect(http.StatusOK, s.mapOf(query)).body))
	require.NoError(s.T, err)
	b := picture.Bounds()
	return color.NRGBAModel.Convert(picture.At((b.Min.X+b.Max.X)/2, (b.Min.Y+b.Max.Y)/2)).(color.NRGBA)
}
