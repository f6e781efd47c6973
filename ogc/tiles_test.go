package ogc_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/tiles"
)

const tilePath = "/collections/atsuma-2018_mask/map/tiles/WebMercatorQuad"

func TestTileIsWhatWasAskedFor(t *testing.T) {
	s := newServer(t)
	plain := tiles.Tile{Event: "atsuma-2018", Layer: tiles.Mask, MatrixSet: "WebMercatorQuad", Matrix: 1, Row: 0, Col: 1, Scale: 1, Format: "image/png"}
	with := func(change func(*tiles.Tile)) tiles.Tile {
		t := plain
		change(&t)
		return t
	}
	for target, want := range map[string]tiles.Tile{
		tilePath + "/1/0/1":                    plain,
		tilePath + "/1/0/1?v=7":                plain,
		tilePath + "/1/0/1?f=jpg":              with(func(t *tiles.Tile) { t.Format = "image/jpeg" }),
		tilePath + "/1/0/1?model=small&f=webp": with(func(t *tiles.Tile) { t.Model, t.Format = "small", "image/webp" }),
		tilePath + "/1/0/1@2x":                 with(func(t *tiles.Tile) { t.Scale = 2 }),
		tilePath + "/1/0/1?scale=2":            with(func(t *tiles.Tile) { t.Scale = 2 }),
		"/collections/atsuma-2018_landslides/tiles/WebMercatorQuad/1/0/1?run=job-2": with(func(t *tiles.Tile) {
			t.Layer, t.Run, t.Format = tiles.Landslides, "job-2", "application/vnd.mapbox-vector-tile"
		}),
		"/collections/atsuma-2018_landslides/tiles/WebMercatorQuad/1/0/1?run=job-2&f=geojson": with(func(t *tiles.Tile) {
			t.Layer, t.Run, t.Format = tiles.Landslides, "job-2", "application/geo+json"
		}),
		"/collections/atsuma-2018_mask/styles/plain/map/tiles/WorldCRS84Quad/0/0/1": with(func(t *tiles.Tile) {
			t.Style, t.MatrixSet, t.Matrix = "plain", "WorldCRS84Quad", 0
		}),
	} {
		r := s.get(target)
		require.Equal(t, http.StatusOK, r.StatusCode, "%s: %s", target, text(t, r))
		require.Equal(t, want, s.renderer.LastTile(), target)
		require.Equal(t, want.Format, r.Header.Get("Content-Type"))
	}
}

func TestTileIsCached(t *testing.T) {
	s := newServer(t)
	r := s.get(tilePath + "/0/0/0")
	body := text(t, r)
	require.Equal(t, "public, max-age=3600", r.Header.Get("Cache-Control"))
	require.Equal(t, "Thu, 06 Sep 2018 03:07:59 GMT", r.Header.Get("Last-Modified"))
	etag := r.Header.Get("ETag")
	require.NotEmpty(t, etag)

	for _, h := range [][2]string{{"If-None-Match", etag}, {"If-None-Match", `"other", W/` + etag}, {"If-None-Match", "*"}, {"If-Modified-Since", r.Header.Get("Last-Modified")}} {
		r := s.get(tilePath+"/0/0/0", h[0], h[1])
		require.Equal(t, http.StatusNotModified, r.StatusCode, h)
		require.Empty(t, text(t, r))
		require.Equal(t, etag, r.Header.Get("ETag"))
	}
	for _, h := range [][2]string{{"If-None-Match", `"other"`}, {"If-Modified-Since", "Wed, 05 Sep 2018 00:00:00 GMT"}, {"If-Modified-Since", "soon"}} {
		require.Equal(t, http.StatusOK, s.get(tilePath+"/0/0/0", h[0], h[1]).StatusCode, h)
	}
	// The tag decides where both are sent.
	require.Equal(t, http.StatusOK, s.get(tilePath+"/0/0/0", "If-None-Match", `"other"`, "If-Modified-Since", r.Header.Get("Last-Modified")).StatusCode)

	head := s.ask(http.MethodHead, tilePath+"/0/0/0", "")
	require.Equal(t, http.StatusOK, head.StatusCode)
	require.Equal(t, etag, head.Header.Get("ETag"))

	require.Equal(t, "public, max-age=31536000, immutable", s.get(tilePath+"/0/0/0?v=3").Header.Get("Cache-Control"))
	require.Equal(t, "public, no-cache", s.get("/collections/atsuma-2018_landslides/tiles/WebMercatorQuad/0/0/0").Header.Get("Cache-Control"))
	require.NotEmpty(t, body)
}

// Vector tiles are Mapbox's unless GeoJSON is asked for; caches keep both, and apart.
func TestVectorTilesAreNegotiated(t *testing.T) {
	s := newServer(t)
	const target, mvt, geoJSON = "/collections/atsuma-2018_landslides/tiles/WebMercatorQuad/0/0/0", "application/vnd.mapbox-vector-tile", "application/geo+json"
	for accept, want := range map[string]string{
		"*/*": mvt, mvt: mvt, "application/x-protobuf": mvt, geoJSON: geoJSON, "application/json": geoJSON, mvt + ";q=0.5, " + geoJSON: geoJSON,
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": mvt,
	} {
		r := s.get(target, "Accept", accept)
		require.Equal(t, http.StatusOK, r.StatusCode, accept)
		require.Equal(t, want, r.Header.Get("Content-Type"), accept)
		require.Equal(t, "Accept", r.Header.Get("Vary"))
	}
	r := s.get(target+"?f=geojson", "Accept", mvt)
	require.Equal(t, geoJSON, r.Header.Get("Content-Type"))
	require.Empty(t, r.Header.Get("Vary"), "the address alone decides")
	require.Equal(t, "public, no-cache", r.Header.Get("Cache-Control"))
	require.NotEqual(t, s.get(target+"?f=mvt").Header.Get("ETag"), r.Header.Get("ETag"))
	require.Equal(t, http.StatusNotModified, s.get(target+"?f=geojson", "If-None-Match", r.Header.Get("ETag")).StatusCode)
	require.Equal(t, "public, max-age=31536000, immutable", s.get(target+"?f=geojson&v=3").Header.Get("Cache-Control"))
	for wrong, status := range map[string]int{target + "?f=png": 400, target + "@2x?f=geojson": 400, strings.Replace(target, "/0/0/0", "/18/0/0", 1) + "?f=geojson": 404,
		strings.Replace(target, "landslides", "mask", 1) + "?f=geojson": 404} {
		r := s.get(wrong)
		require.Equal(t, status, r.StatusCode, wrong)
		require.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
		require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	}
	require.Equal(t, http.StatusNotAcceptable, s.get(target, "Accept", "image/png").StatusCode)
}

func TestIncompletePicturesAreKeptByNobody(t *testing.T) {
	s := newServer(t)
	s.renderer.Incomplete = true
	for _, target := range []string{tilePath + "/0/0/0", tilePath + "/0/0/0?v=1", "/collections/atsuma-2018_mask/map",
		"/wms?service=WMS&request=GetMap&version=1.1.1&srs=EPSG:4326&bbox=141,42,143,43&width=10&height=10&format=image/png&layers=atsuma-2018_pre,atsuma-2018_mask"} {
		r := s.get(target, "If-None-Match", "*")
		require.Equal(t, http.StatusOK, r.StatusCode)
		require.Equal(t, "no-store", r.Header.Get("Cache-Control"), target)
		require.Equal(t, "false", r.Header.Get("Scarp-Complete"), target)
		require.Empty(t, r.Header.Get("ETag"), target)
	}
}

// Every tile inside the declared limits is there, its neighbours outside are not.
func TestDeclaredLimitsHold(t *testing.T) {
	s := newServer(t)
	for _, set := range []string{"WebMercatorQuad", "WorldCRS84Quad"} {
		var doc struct {
			TileMatrixSetLimits []struct {
				TileMatrix                                     string
				MinTileRow, MaxTileRow, MinTileCol, MaxTileCol int
			}
		}
		path := "/collections/atsuma-2018_mask/map/tiles/" + set
		require.NoError(t, json.Unmarshal([]byte(text(t, s.get(path))), &doc))
		require.NotEmpty(t, doc.TileMatrixSetLimits)
		for _, l := range doc.TileMatrixSetLimits {
			for corner, want := range map[[2]int]int{
				{l.MinTileRow, l.MinTileCol}: 200, {l.MaxTileRow, l.MaxTileCol}: 200, {l.MinTileRow, l.MaxTileCol}: 200,
				{l.MaxTileRow + 1, l.MinTileCol}: 404, {l.MinTileRow, l.MaxTileCol + 1}: 404,
			} {
				target := fmt.Sprintf("%s/%s/%d/%d", path, l.TileMatrix, corner[0], corner[1])
				require.Equal(t, want, s.get(target).StatusCode, target)
			}
		}
	}
}

func TestThresholdTileIsDrawnAtItsPlace(t *testing.T) {
	s := newServer(t)
	require.Equal(t, http.StatusOK, s.get(tilePath+"/1/0/1@2x?threshold=0.7").StatusCode)
	got := s.renderer.LastTile()
	require.Equal(t, 0.7, got.Threshold)
	require.Equal(t, 2, got.Scale)
}

func TestMapIsWhatWasAskedFor(t *testing.T) {
	s := newServer(t)
	for target, check := range map[string]func(tiles.View){
		"": func(v tiles.View) {
			require.Equal(t, [4]float64{141.9, 42.65, 142.1, 42.8}, v.BBox)
			require.Equal(t, []int{1024, 768, 4326}, []int{v.Width, v.Height, v.EPSG})
			require.True(t, v.Transparent)
		},
		"?bbox=42.7,142,42.75,142.05&bbox-crs=[EPSG:4326]&width=200&f=jpeg": func(v tiles.View) {
			require.InDeltaSlice(t, []float64{142, 42.7, 142.05, 42.75}, v.BBox[:], 1e-9)
			require.Equal(t, []int{200, 200}, []int{v.Width, v.Height})
			require.False(t, v.Transparent)
		},
		"?crs=http://www.opengis.net/def/crs/EPSG/0/3857&bbox=141.9,42.65,142.1,42.8&height=100&bgcolor=0x102030": func(v tiles.View) {
			require.Equal(t, 3857, v.EPSG)
			require.InDelta(t, 15796235, v.BBox[0], 1)
			require.False(t, v.Transparent)
			require.NotNil(t, v.Background)
		},
	} {
		r := s.get("/collections/atsuma-2018_mask/map" + target)
		require.Equal(t, http.StatusOK, r.StatusCode, text(t, r))
		check(s.renderer.LastView())
	}
}

func BenchmarkCachedTile(b *testing.B) {
	s := newServer(b)
	tile, err := s.renderer.Tile(b.Context(), tiles.Tile{Event: "atsuma-2018", Layer: tiles.Mask, MatrixSet: "WebMercatorQuad", Scale: 1, Format: "image/png"})
	require.NoError(b, err)
	cached := newServerWith(b, fixedTile{s.renderer, tile})
	r := httptest.NewRequest(http.MethodGet, tilePath+"/0/0/0", nil)
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		cached.ServeHTTP(w, r)
	}
}
