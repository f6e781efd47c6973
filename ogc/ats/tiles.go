package ats

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/stretchr/testify/require"
)

const webMercator = "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad"

// tilesClasses are those of OGC API Tiles Part 1 (20-057) and of the Tile
// Matrix Set standard (17-083r4) that it needs.
func tilesClasses() []class {
	const tiles, tms = "ogcapi-tiles-1/1.0/conf/", "tms/2.0/conf/"
	encoding := func(kind, f string, starts ...string) []assertion {
		return []assertion{{"content", func(s *session) {
			_, tile := s.tile(s.pictures, rel+"tilesets-map")
			s.requirePicture(tile, kind, f, starts...)
		}}}
	}
	return []class{
		{tiles + "core", []assertion{
			{"tc-op", func(s *session) {
				_, tile := s.tile(s.pictures, rel+"tilesets-map")
				s.expect(http.StatusOK, tile)
				require.Equal(s.T, http.StatusOK, s.send(http.MethodHead, tile, "").StatusCode)
			}},
			{"tc-success", func(s *session) {
				// Every corner of the limits of every matrix, unless there is nothing to show.
				tileset, _ := s.tile(s.pictures, rel+"tilesets-map")
				for _, l := range list(tileset, "tileMatrixSetLimits") {
					limits := l.(object)
					for _, corner := range [][2]string{{"minTileRow", "minTileCol"}, {"maxTileRow", "maxTileCol"}} {
						a := s.get(s.at(tileset, fmt.Sprint(limits["tileMatrix"]), number(limits[corner[0]]), number(limits[corner[1]])))
						require.Contains(s.T, []int{http.StatusOK, http.StatusNoContent}, a.StatusCode, "%s: %.200s", a.Request.URL, a.body)
					}
				}
			}},
			{"tc-error", func(s *session) {
				tileset, _ := s.tile(s.pictures, rel+"tilesets-map")
				limits := s.deepest(tileset)
				matrix := fmt.Sprint(limits["tileMatrix"])
				for _, outside := range []string{
					s.at(tileset, matrix, number(limits["maxTileRow"])+1, number(limits["minTileCol"])),
					s.at(tileset, matrix, number(limits["minTileRow"]), number(limits["minTileCol"])-1),
					s.at(tileset, "no-such-matrix", 0, 0),
				} {
					a := s.get(outside)
					require.Contains(s.T, []int{http.StatusBadRequest, http.StatusNotFound}, a.StatusCode, outside)
					require.Equal(s.T, problemType, a.kind())
					require.Equal(s.T, "no-store", a.Header.Get("Cache-Control"))
				}
			}},
			{"tilematrixset-definition", func(s *session) {
				tileset, _ := s.tile(s.pictures, rel+"tilesets-map")
				s.expect(http.StatusOK, s.linked(tileset, rel+"tiling-scheme"))
			}},
		}},
		{tiles + "tileset", []assertion{
			{"desc-op", func(s *session) { s.tile(s.pictures, rel+"tilesets-map") }},
			{"desc-success", func(s *session) {
				for _, c := range []struct {
					collection object
					relation   string
				}{{s.pictures, rel + "tilesets-map"}, {s.features, rel + "tilesets-vector"}} {
					tileset, _ := s.tile(c.collection, c.relation)
					require.Contains(s.T, []any{"map", "vector", "coverage"}, tileset["dataType"])
					require.NotEmpty(s.T, tileset["crs"])
					require.NotEmpty(s.T, tileset["tileMatrixSetURI"])
					s.complete(tileset)
					s.linked(tileset, "self")
					for _, l := range list(tileset, "tileMatrixSetLimits") {
						limits := l.(object)
						require.LessOrEqual(s.T, number(limits["minTileRow"]), number(limits["maxTileRow"]))
						require.LessOrEqual(s.T, number(limits["minTileCol"]), number(limits["maxTileCol"]))
					}
				}
			}},
			{"tileset-item-template", func(s *session) {
				tileset, _ := s.tile(s.pictures, rel+"tilesets-map")
				item := link(tileset, "item")
				require.Equal(s.T, true, item["templated"])
				for _, variable := range []string{"{tileMatrix}", "{tileRow}", "{tileCol}"} {
					require.Contains(s.T, item["href"], variable)
				}
			}},
		}},
		{tiles + "tilesets-list", []assertion{
			{"tileset-list-op", func(s *session) { s.expect(http.StatusOK, s.linked(s.pictures, rel+"tilesets-map")) }},
			{"tileset-list-success", func(s *session) {
				for _, t := range list(s.document(s.linked(s.pictures, rel+"tilesets-map")), "tilesets") {
					tileset := t.(object)
					require.NotEmpty(s.T, tileset["dataType"])
					require.NotEmpty(s.T, tileset["crs"])
					require.NotEmpty(s.T, tileset["tileMatrixSetURI"])
					s.expect(http.StatusOK, s.linked(tileset, "self"))
					// As the OGC's suite does, which follows every link there is.
					for _, l := range list(tileset, "links") {
						s.expect(http.StatusOK, l.(object)["href"].(string))
					}
				}
			}},
		}},
		{tiles + "dataset-tilesets", []assertion{{"landingpage", func(s *session) {
			found := 0
			for _, r := range []string{"tilesets-map", "tilesets-vector"} {
				if link(s.document("/"), rel+r) == nil {
					continue
				}
				found++
				sets := list(s.document(s.linked(s.document("/"), rel+r)), "tilesets")
				require.NotEmpty(s.T, sets, r)
				tileset := s.document(s.linked(sets[0].(object), "self"))
				l := s.deepest(tileset)
				s.expect(http.StatusOK, s.at(tileset, fmt.Sprint(l["tileMatrix"]), number(l["minTileRow"]), number(l["minTileCol"])))
			}
			require.Positive(s.T, found, "the landing page links to no tilesets")
		}}}},
		{tiles + "geodata-tilesets", []assertion{{"desc-links", func(s *session) {
			s.linked(s.pictures, rel+"tilesets-map", jsonType)
			s.linked(s.features, rel+"tilesets-vector", jsonType)
		}}}},
		{tiles + "collections-selection", []assertion{{"collections", func(s *session) {
			sets := list(s.document(s.linked(s.document("/"), rel+"tilesets-map")), "tilesets")
			tileset := s.document(s.linked(sets[0].(object), "self"))
			l := s.deepest(tileset)
			tile := s.at(tileset, fmt.Sprint(l["tileMatrix"]), number(l["minTileRow"]), number(l["minTileCol"]))
			s.expect(http.StatusOK, with(tile, "collections", s.pictures["id"].(string)))
			a := s.get(with(tile, "collections", "no-such-collection"))
			require.Contains(s.T, []int{http.StatusBadRequest, http.StatusNotFound}, a.StatusCode)
		}}}},
		{tiles + "datetime", []assertion{{"datetime", func(s *session) {
			_, tile := s.tile(s.pictures, rel+"tilesets-map")
			s.expect(http.StatusOK, with(tile, "datetime", "1900-01-01T00:00:00Z/2999-01-01T00:00:00Z"))
			s.badRequest(with(tile, "datetime", "yesterday"))
		}}}},
		{tiles + "png", encoding("image/png", "png", "\x89PNG")},
		{tiles + "jpeg", encoding("image/jpeg", "jpeg", "\xff\xd8")},
		{tiles + "tiff", encoding("image/tiff", "tiff", "II*\x00", "MM\x00*", "II+\x00")},
		{tiles + "mvt", []assertion{{"content", func(s *session) {
			_, tile := s.tile(s.features, rel+"tilesets-vector")
			a := s.expectKind("application/vnd.mapbox-vector-tile", tile, "Accept", "application/vnd.mapbox-vector-tile")
			require.True(s.T, len(a.body) == 0 || a.body[0] == 0x1a, "a message of layers")
		}}}},
		{tiles + "geojson", []assertion{{"content", func(s *session) {
			tileset, _ := s.tile(s.features, rel+"tilesets-vector")
			require.NotNil(s.T, link(tileset, "item", geoJSONType), "no template of tiles as GeoJSON")
			// Of the tiles of a matrix some hold features, all of them in longitude and latitude.
			found := 0
			limits := s.deepest(tileset)
			for row := number(limits["minTileRow"]); row <= number(limits["maxTileRow"]); row++ {
				for col := number(limits["minTileCol"]); col <= number(limits["maxTileCol"]); col++ {
					tile := without(s.at(tileset, fmt.Sprint(limits["tileMatrix"]), row, col), "f")
					a := s.expectKind(geoJSONType, with(tile, "f", "geojson"))
					require.Equal(s.T, a.body, s.expectKind(geoJSONType, tile, "Accept", geoJSONType).body)
					doc := s.decode(a)
					require.Equal(s.T, "FeatureCollection", doc["type"])
					require.NotNil(s.T, doc["features"])
					for _, f := range list(doc, "features") {
						found++
						s.requireFeature(f.(object))
					}
				}
			}
			require.Positive(s.T, found, "no tile holds a feature")
		}}}},
		{tiles + "oas30", append(oas30("/collections/{collectionId}/map/tiles", "/collections/{collectionId}/tiles"),
			assertion{"operation-id", func(s *session) {
				found := 0
				for p, item := range s.api.Paths.Map() {
					if item.Get != nil && strings.Contains(item.Get.OperationID, ".getTile") && strings.Contains(p, "{tileMatrixSetId}") {
						found++
					}
				}
				require.Positive(s.T, found)
			}})},
		{tms + "tilematrixset", []assertion{{"definition", func(s *session) {
			for _, m := range list(s.document("/tileMatrixSets"), "tileMatrixSets") {
				set := s.document(s.linked(m.(object), "self"))
				for _, member := range []string{"id", "crs", "tileMatrices"} {
					require.NotEmpty(s.T, set[member], "%v", m)
				}
				previous := 0.0
				for _, t := range list(set, "tileMatrices") {
					matrix := t.(object)
					scale := number(matrix["scaleDenominator"])
					require.Positive(s.T, scale)
					require.True(s.T, previous == 0 || scale < previous, "matrices go from coarse to fine")
					previous = scale
					require.Len(s.T, matrix["pointOfOrigin"], 2)
					for _, size := range []string{"tileWidth", "tileHeight", "matrixWidth", "matrixHeight"} {
						require.Positive(s.T, number(matrix[size]), size)
					}
				}
			}
		}}}},
		{tms + "json-tilematrixset", []assertion{{"webmercatorquad", func(s *session) {
			set := s.document("/tileMatrixSets/WebMercatorQuad")
			require.Equal(s.T, webMercator, set["uri"])
			first := list(set, "tileMatrices")[0].(object)
			require.InDelta(s.T, 559082264.028717, number(first["scaleDenominator"]), 0.01)
			require.InDelta(s.T, -20037508.3427892, number(first["pointOfOrigin"].([]any)[0]), 0.001)
		}}}},
	}
}

// requireFeature checks a polygon of GeoJSON (RFC 7946) and that it is within the collection's extent.
func (s *session) requireFeature(f object) {
	s.Helper()
	require.Equal(s.T, "Feature", f["type"])
	require.NotNil(s.T, f["properties"])
	geometry, _ := f["geometry"].(object)
	require.Equal(s.T, "Polygon", geometry["type"])
	b := s.bbox(s.features)
	const margin = 0.01 // outlines follow pixels, extents the images
	for _, r := range list(geometry, "coordinates") {
		ring := r.([]any)
		require.GreaterOrEqual(s.T, len(ring), 4)
		require.Equal(s.T, ring[0], ring[len(ring)-1], "rings are closed")
		for _, p := range ring {
			lon, lat := number(p.([]any)[0]), number(p.([]any)[1])
			require.True(s.T, lon > b[0]-margin && lon < b[2]+margin && lat > b[1]-margin && lat < b[3]+margin, "%v, %v is outside of %v", lon, lat, b)
		}
	}
}

// tile finds a collection's WebMercatorQuad tileset and the URL of a tile in it.
func (s *session) tile(collection object, relation string) (tileset object, tile string) {
	s.Helper()
	for _, t := range list(s.document(s.linked(collection, relation)), "tilesets") {
		if t.(object)["tileMatrixSetURI"] == webMercator {
			tileset = s.document(s.linked(t.(object), "self"))
			limits := s.deepest(tileset)
			return tileset, s.at(tileset, fmt.Sprint(limits["tileMatrix"]), number(limits["minTileRow"]), number(limits["minTileCol"]))
		}
	}
	require.Fail(s.T, "no tileset in WebMercatorQuad")
	return nil, ""
}

// deepest is the limits of a matrix that the whole of a small event fits into few tiles of.
func (s *session) deepest(tileset object) object {
	s.Helper()
	limits := list(tileset, "tileMatrixSetLimits")
	require.NotEmpty(s.T, limits)
	for _, l := range limits {
		if l.(object)["tileMatrix"] == "12" {
			return l.(object)
		}
	}
	return limits[len(limits)-1].(object)
}

// at fills in the template of a tileset's tiles.
func (s *session) at(tileset object, matrix string, row, col float64) string {
	s.Helper()
	item := link(tileset, "item")
	require.NotNil(s.T, item, "the tileset has no template")
	return strings.NewReplacer("{tileMatrix}", matrix, "{tileRow}", strconv.Itoa(int(row)), "{tileCol}", strconv.Itoa(int(col))).Replace(item["href"].(string))
}

// with sets a query parameter of a URL.
func with(target, name, value string) string {
	u, err := url.Parse(target)
	if err != nil {
		return target
	}
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
	return u.String()
}

// without removes a query parameter.
func without(target, name string) string {
	u, err := url.Parse(target)
	if err != nil {
		return target
	}
	q := u.Query()
	q.Del(name)
	u.RawQuery = q.Encode()
	return u.String()
}

// requirePicture asks for a format by f and by Accept.
func (s *session) requirePicture(target, kind, f string, starts ...string) {
	s.Helper()
	bare := without(target, "f")
	for _, a := range []answer{s.expectKind(kind, with(bare, "f", f)), s.expectKind(kind, bare, "Accept", kind)} {
		ok := false
		for _, start := range starts {
			ok = ok || bytes.HasPrefix(a.body, []byte(start))
		}
		require.True(s.T, ok, "the body of %s is no %s", a.Request.URL, kind)
	}
}
