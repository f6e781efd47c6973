package ogc_test

import (
	"bytes"
	"fmt"
	"image/png"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// A page has the picture of the same parameters, tells where it is, and leads to its other formats.
func TestMapPage(t *testing.T) {
	s := newServer(t)
	for target, holds := range map[string][]string{
		"/collections/atsuma-2018_mask/map?f=html&bbox=142,42.7,142.05,42.75&width=200&threshold=0.7":                        {"142, 42.7, 142.05, 42.75", "OGC/1.3/CRS84", "200 × 200", "Map of Test event atsuma-2018: landslide mask"},
		"/collections/atsuma-2018_mask/map?f=html&bbox=142,42.7,142.05,42.75&crs=http://www.opengis.net/def/crs/EPSG/0/4326": {"42.7, 142, 42.75, 142.05", "EPSG/0/4326"},
		"/collections/atsuma-2018_mask/styles/plain/map?f=html":                                                              {"<td>Plain</td>", "/collections/atsuma-2018_mask/styles/default/map?f=html", "/collections/atsuma-2018_mask/styles/plain/legend"},
		"/map?f=html": {"/collections/atsuma-2018_landslides/styles/default/legend"},
		"/map?f=html&collections=atsuma-2018_post,atsuma-2018_mask": {"Test event atsuma-2018: after", "/collections/atsuma-2018_mask/styles/default/legend", "/collections/atsuma-2018_post/styles/default/legend"},
	} {
		r := s.get(target)
		body := text(t, r)
		require.Equal(t, http.StatusOK, r.StatusCode, "%s: %s", target, body)
		require.Equal(t, "text/html; charset=utf-8", r.Header.Get("Content-Type"))
		require.Equal(t, "Accept", r.Header.Get("Vary"))
		for _, want := range holds {
			require.Contains(t, body, want, target)
		}
		require.NotContains(t, body, "ZgotmplZ")
		require.NotContains(t, body, "f=json", "a map has no JSON")

		root, err := html.Parse(strings.NewReader(body))
		require.NoError(t, err)
		pictures, formats := 0, map[string]bool{}
		for n := range root.Descendants() {
			require.NotEqual(t, "script", n.Data)
			for _, a := range n.Attr {
				if a.Key != "src" && a.Key != "href" || strings.HasPrefix(a.Val, "data:") {
					continue
				}
				path, ok := strings.CutPrefix(a.Val, base)
				require.True(t, ok, "%s %s=%s leads elsewhere", n.Data, a.Key, a.Val)
				linked := s.get(path, "Accept", "*/*")
				require.Equal(t, http.StatusOK, linked.StatusCode, "%s: %s", path, text(t, linked))
				formats[linked.Header.Get("Content-Type")] = true
				if n.Data == "img" && strings.Contains(path, "/map?") {
					pictures++
					picture, err := png.DecodeConfig(bytes.NewReader([]byte(text(t, s.get(path)))))
					require.NoError(t, err)
					require.Contains(t, body, fmt.Sprintf("%d × %d pixels", picture.Width, picture.Height))
					for _, name := range []string{"Content-Bbox", "Content-Crs"} {
						require.Equal(t, s.get(path).Header.Get(name), r.Header.Get(name), "as the picture")
					}
				}
			}
		}
		require.Equal(t, 1, pictures, target)
		require.True(t, formats["image/png"] && formats["image/jpeg"], "links to the formats: %v", formats)

		require.Equal(t, http.StatusNotModified, s.get(target, "If-None-Match", r.Header.Get("ETag")).StatusCode)
	}
}

// One can look around without scripts: the links lead to pages of other areas.
func TestMapPageMoves(t *testing.T) {
	s := newServer(t)
	follow := func(target, title string) *http.Response {
		root, err := html.Parse(strings.NewReader(text(t, s.get(target))))
		require.NoError(t, err)
		for n := range root.Descendants() {
			if n.Data != "a" || n.FirstChild.Data != title {
				continue
			}
			r := s.get(strings.TrimPrefix(n.Attr[0].Val, base))
			require.Equal(t, http.StatusOK, r.StatusCode, n.Attr[0].Val)
			return r
		}
		return nil
	}
	for target, boxes := range map[string]map[string]string{
		"/collections/atsuma-2018_mask/map?f=html&bbox=140,40,144,42&width=100": {"Zoom in": "141,40.5,143,41.5", "Zoom out": "138,39,146,43", "West": "138,40,142,42",
			"East": "142,40,146,42", "North": "140,41,144,43", "South": "140,39,144,41"},
		"/map?f=html&center=142,41&width=4&height=2&scale-denominator=397569610":                                 {"West": "138,40,142,42"},
		"/collections/atsuma-2018_mask/map?f=html&bbox=140,40,144,42&crs=[EPSG:4326]":                            {"North": "41,140,43,144"},
		"/collections/atsuma-2018_mask/map?f=html&bbox=1000,1000,3000,3000&crs=[EPSG:3857]&bbox-crs=[EPSG:3857]": {"East": "2000,1000,4000,3000"},
	} {
		for title, want := range boxes {
			moved := follow(target, title)
			require.NotNil(t, moved, "%s: %s", target, title)
			got := strings.Split(moved.Header.Get("Content-Bbox"), ",")
			for i, v := range strings.Split(want, ",") {
				number, err := strconv.ParseFloat(v, 64)
				require.NoError(t, err)
				shown, err := strconv.ParseFloat(got[i], 64)
				require.NoError(t, err)
				require.InDelta(t, number, shown, 1e-3, "%s: %s", target, title)
			}
			require.Equal(t, s.get(target).Header.Get("Content-Crs"), moved.Header.Get("Content-Crs"))
		}
	}
	require.Nil(t, follow("/map?f=html&bbox=-180,-90,180,90", "Zoom out"), "there is no more")
}

// Programs get pictures, and browsers that open a map the page.
func TestMapsPreferPictures(t *testing.T) {
	s := newServer(t)
	for _, target := range []string{"/collections/atsuma-2018_mask/map", "/collections/atsuma-2018_mask/styles/plain/map", "/map"} {
		for accept, want := range map[string]string{
			"":                     "image/png",
			"*/*":                  "image/png",
			"image/*,*/*;q=0.8":    "image/png",
			"image/jpeg":           "image/jpeg",
			"image/png, text/html": "image/png",
			"text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2":             "image/jpeg", // Java
			"image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8": "image/",     // an image in a page
			"text/html":                "text/html; charset=utf-8",
			"text/html, image/*;q=0.9": "text/html; charset=utf-8",
			"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8":                                  "text/html; charset=utf-8", // Firefox
			"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8": "text/html; charset=utf-8", // Chromium
			"image/png,application/xhtml+xml;q=0.1":                                                            "image/png",
		} {
			var headers []string
			if accept != "" {
				headers = []string{"Accept", accept}
			}
			r := s.get(target, headers...)
			require.Equal(t, http.StatusOK, r.StatusCode, "%s: %s", target, accept)
			require.True(t, strings.HasPrefix(r.Header.Get("Content-Type"), want), "%s: %s got %s", target, accept, r.Header.Get("Content-Type"))
		}
		require.Equal(t, http.StatusOK, s.ask(http.MethodHead, target+"?f=html", "").StatusCode)
	}
}

// A page is refused for what its picture would be refused for.
func TestMapPageErrors(t *testing.T) {
	s := newServer(t)
	for target, status := range map[string]int{
		"/collections/atsuma-2018_mask/map?model=none&f=":     http.StatusBadRequest,
		"/collections/atsuma-2018_mask/map?bbox=1,2,3&f=":     http.StatusBadRequest,
		"/collections/atsuma-2018_mask/map?width=0&f=":        http.StatusBadRequest,
		"/collections/atsuma-2018_mask/styles/nothing/map?f=": http.StatusNotFound,
		"/collections/nowhere_mask/map?f=":                    http.StatusNotFound,
		"/map?collections=nothing&f=":                         http.StatusBadRequest,
	} {
		require.Equal(t, status, s.get(target+"png").StatusCode, target)
		r := s.get(target + "html")
		require.Equal(t, status, r.StatusCode, target)
		require.Equal(t, "no-store", r.Header.Get("Cache-Control"), target)
		require.Equal(t, "application/problem+json", s.get(strings.TrimSuffix(strings.TrimSuffix(target, "f="), "&")).Header.Get("Content-Type"), target)
	}
}
