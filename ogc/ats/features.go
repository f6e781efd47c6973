package ats

import (
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
)

const itemsPath = "/collections/{collectionId}/items"

// featuresClasses are those of OGC API Features Part 1 (17-069r4) and Part 2 (18-058r1).
func featuresClasses() []class {
	const one, two = "ogcapi-features-1/1.0/conf/", "ogcapi-features-2/1.0/conf/"
	return []class{
		{one + "core", featuresCore()},
		{one + "geojson", []assertion{
			{"definition", func(s *session) {
				s.expectKind(geoJSONType, s.items()+"?limit=1", "Accept", geoJSONType)
				s.expectKind(geoJSONType, s.items()+"?limit=1")
			}},
			{"content", func(s *session) {
				for _, f := range s.page("limit=5") {
					require.Equal(s.T, "Feature", f["type"])
					geometry := f["geometry"].(object)
					require.NotEmpty(s.T, geometry["type"])
					require.NotEmpty(s.T, geometry["coordinates"])
					require.Contains(s.T, f, "properties")
				}
			}},
		}},
		{one + "html", []assertion{
			{"definition", func(s *session) {
				s.expectKind(htmlType, s.items()+"?limit=2", "Accept", htmlType)
				s.expectKind(htmlType, s.items()+"?limit=2&f=html")
			}},
			{"content", func(s *session) {
				require.Contains(s.T, string(s.get(s.items()+"?limit=2&f=html").body), "</html>")
			}},
		}},
		{one + "oas30", oas30("/collections", "/collections/{collectionId}", itemsPath, itemsPath+"/{featureId}")},
		{two + "crs", featuresCRS()},
	}
}

// page is the features of a query.
func (s *session) page(query string) []object {
	s.Helper()
	var out []object
	for _, f := range list(s.document(s.items()+"?"+query), "features") {
		out = append(out, f.(object))
	}
	return out
}

func featuresCore() []assertion {
	return []assertion{
		{"crs84", func(s *session) {
			box := s.bbox(s.features)
			for _, f := range s.page("limit=10") {
				requireInside(s, f, box, 0.01)
			}
		}},
		{"fc-md-op", func(s *session) { s.expect(http.StatusOK, "/collections") }},
		{"fc-md-links", func(s *session) { s.linked(s.document("/collections"), "self") }},
		{"fc-md-items-links", func(s *session) {
			s.linked(s.features, "items", geoJSONType)
			s.linked(s.features, "items", htmlType)
		}},
		{"fc-md-extent", func(s *session) { s.bbox(s.features) }},
		{"sfc-md-op", func(s *session) { s.expect(http.StatusOK, path(s.features)) }},
		{"sfc-md-success", func(s *session) { require.Equal(s.T, s.features, s.document(path(s.features))) }},
		{"fc-op", func(s *session) { s.expectKind(geoJSONType, s.linked(s.features, "items")) }},
		{"fc-response", func(s *session) {
			doc := s.document(s.items())
			require.Equal(s.T, "FeatureCollection", doc["type"])
			require.NotEmpty(s.T, list(doc, "features"))
		}},
		{"fc-bbox-definition", func(s *session) {
			p := s.parameter(itemsPath, "bbox")
			require.Equal(s.T, "form", p.Style)
			require.NotNil(s.T, p.Explode)
			require.False(s.T, *p.Explode)
			require.False(s.T, p.Required)
			schema := p.Schema.Value
			require.True(s.T, schema.Type.Is("array"))
			require.True(s.T, schema.Items.Value.Type.Is("number"))
		}},
		{"fc-bbox-response", func(s *session) {
			all := number(s.document(s.items() + "?limit=1")["numberMatched"])
			whole := s.bbox(s.features)
			require.Equal(s.T, all, number(s.document(s.items() + "?limit=1&bbox=" + box(whole))["numberMatched"]), "the extent selects all")
			part := [4]float64{whole[0], whole[1], (whole[0] + whole[2]) / 2, (whole[1] + whole[3]) / 2}
			for _, f := range s.page("limit=1000&bbox=" + box(part)) {
				requireTouches(s, f, part)
			}
			require.Empty(s.T, s.page("bbox=-170,-80,-169,-79"))
			heights := fmt.Sprintf("%v,%v,-10,%v,%v,9000", whole[0], whole[1], whole[2], whole[3])
			require.Equal(s.T, all, number(s.document(s.items() + "?limit=1&bbox=" + heights)["numberMatched"]), "six numbers")
			s.expect(http.StatusOK, s.items()+"?bbox=170,-10,-170,10") // across the antimeridian
			for _, wrong := range []string{"1,2,3", "1,2,3,4,5", "a,b,c,d", "1,2,3,4,5,6,7", "NaN,0,1,1", "0,10,1,0", ""} {
				s.badRequest(s.items() + "?bbox=" + wrong)
			}
		}},
		{"fc-limit-definition", func(s *session) {
			schema := s.parameter(itemsPath, "limit").Schema.Value
			require.True(s.T, schema.Type.Is("integer"))
			require.NotNil(s.T, schema.Min)
			require.NotNil(s.T, schema.Max)
			require.NotNil(s.T, schema.Default)
		}},
		{"fc-limit-response", func(s *session) {
			schema := s.parameter(itemsPath, "limit").Schema.Value
			require.Len(s.T, s.page("limit=1"), 1)
			require.LessOrEqual(s.T, float64(len(s.page(""))), number(schema.Default))
			above := s.get(fmt.Sprintf("%s?limit=%.0f", s.items(), *schema.Max+1))
			require.Contains(s.T, []int{http.StatusOK, http.StatusBadRequest}, above.StatusCode)
			s.badRequest(s.items() + "?limit=0")
			s.badRequest(s.items() + "?limit=-1")
			s.badRequest(s.items() + "?limit=ten")
		}},
		{"fc-time-definition", func(s *session) {
			p := s.parameter(itemsPath, "datetime")
			require.Equal(s.T, "form", p.Style)
			require.False(s.T, p.Required)
			require.True(s.T, p.Schema.Value.Type.Is("string"))
		}},
		{"fc-time-response", func(s *session) {
			all := number(s.document(s.items() + "?limit=1")["numberMatched"])
			for _, open := range []string{"../2999-01-01T00:00:00Z", "1900-01-01T00:00:00Z/..", "/2999-01-01T00:00:00Z", "1900-01-01T00:00:00Z/", "1900-01-01/2999-01-01"} {
				require.Equal(s.T, all, number(s.document(s.items() + "?limit=1&datetime=" + url.QueryEscape(open))["numberMatched"]), open)
			}
			require.Empty(s.T, s.page("datetime=1900-01-01T00:00:00Z"))
			for _, wrong := range []string{"yesterday", "2020-13-01T00:00:00Z", "2021-01-01/2020-01-01", "2020-01-01/2021-01-01/2022-01-01"} {
				s.badRequest(s.items() + "?datetime=" + url.QueryEscape(wrong))
			}
		}},
		{"fc-links", func(s *session) {
			doc := s.document(s.items() + "?limit=1")
			s.linked(doc, "self", geoJSONType)
			s.linked(doc, "alternate", htmlType)
			next := s.decode(s.expectKind(geoJSONType, s.linked(doc, "next")))
			require.NotEqual(s.T, list(doc, "features"), list(next, "features"))
		}},
		{"fc-rel-type", func(s *session) { s.complete(s.document(s.items() + "?limit=1")) }},
		{"fc-timestamp", func(s *session) {
			stamp, _ := s.document(s.items() + "?limit=1")["timeStamp"].(string)
			_, err := time.Parse(time.RFC3339, stamp)
			require.NoError(s.T, err)
		}},
		{"fc-numberMatched", func(s *session) {
			matched := number(s.document(s.items() + "?limit=1")["numberMatched"])
			seen := 0
			for target := s.items() + "?limit=200"; target != ""; {
				doc := s.document(target)
				seen += len(list(doc, "features"))
				target = ""
				if next := link(doc, "next"); next != nil {
					target = next["href"].(string)
				}
			}
			require.Equal(s.T, matched, float64(seen), "all pages together")
		}},
		{"fc-numberReturned", func(s *session) {
			doc := s.document(s.items() + "?limit=3")
			require.Equal(s.T, float64(len(list(doc, "features"))), number(doc["numberReturned"]))
		}},
		{"query-param-unknown", func(s *session) { s.badRequest(s.items() + "?no-such-parameter=1") }},
		{"query-param-invalid", func(s *session) { s.badRequest(s.items() + "?f=no-such-format") }},
		{"f-op", func(s *session) { s.expectKind(geoJSONType, s.item()) }},
		{"f-success", func(s *session) {
			first := s.page("limit=1")[0]
			f := s.document(s.item())
			require.Equal(s.T, "Feature", f["type"])
			require.Equal(s.T, first["id"], f["id"])
			require.Equal(s.T, first["geometry"], f["geometry"])
			s.expect(http.StatusNotFound, s.items()+"/no-such-feature")
		}},
		{"f-links", func(s *session) {
			f := s.document(s.item())
			s.complete(f)
			s.linked(f, "self", geoJSONType)
			s.linked(f, "alternate", htmlType)
			require.Equal(s.T, s.base+path(s.features), s.linked(f, "collection"))
		}},
	}
}

// item is the path of the first feature.
func (s *session) item() string {
	s.Helper()
	return s.items() + "/" + fmt.Sprint(s.page("limit=1")[0]["id"])
}

func featuresCRS() []assertion {
	return []assertion{
		{"crs-uri", func(s *session) {
			for _, c := range list(s.features, "crs") {
				require.Regexp(s.T, `^http://www\.opengis\.net/def/crs/`, c)
			}
		}},
		{"fc-md-crs-list", func(s *session) { require.Equal(s.T, crs84, list(s.features, "crs")[0]) }},
		{"fc-md-storageCrs", func(s *session) {
			require.Contains(s.T, list(s.features, "crs"), s.features["storageCrs"])
		}},
		{"fc-crs-definition", func(s *session) { s.parameter(itemsPath, "crs") }},
		{"fc-crs-valid-value", func(s *session) {
			s.badRequest(s.items() + "?crs=" + url.QueryEscape(epsg+"1"))
			s.badRequest(s.items() + "?crs=no-such-crs")
			s.badRequest(s.item() + "?crs=no-such-crs")
		}},
		{"fc-crs-default-value", func(s *session) {
			require.Equal(s.T, s.page("limit=1")[0]["geometry"], s.page("limit=1&crs=" + url.QueryEscape(crs84))[0]["geometry"])
		}},
		{"fc-crs-action", func(s *session) {
			lonLat := firstPosition(s.page("limit=1")[0])
			latLon := firstPosition(s.page("limit=1&crs=" + url.QueryEscape(epsg+"4326"))[0])
			require.InDelta(s.T, lonLat[0], latLon[1], 1e-6, "EPSG:4326 has the latitude first")
			require.InDelta(s.T, lonLat[1], latLon[0], 1e-6)
			mercator := firstPosition(s.page("limit=1&crs=" + url.QueryEscape(epsg+"3857"))[0])
			const radius = 6378137
			require.InDelta(s.T, lonLat[0]*math.Pi/180*radius, mercator[0], 0.5)
			require.InDelta(s.T, math.Log(math.Tan(math.Pi/4+lonLat[1]*math.Pi/360))*radius, mercator[1], 0.5)
		}},
		{"geojson", func(s *session) {
			for _, c := range list(s.features, "crs") {
				s.expectKind(geoJSONType, s.items()+"?limit=1&crs="+url.QueryEscape(c.(string)))
			}
		}},
		{"ogc-crs-header", func(s *session) {
			require.Equal(s.T, "<"+crs84+">", s.get(s.items()+"?limit=1").Header.Get("Content-Crs"))
			for _, c := range list(s.features, "crs") {
				for _, target := range []string{s.items() + "?limit=1&crs=", s.item() + "?crs="} {
					require.Equal(s.T, "<"+c.(string)+">", s.get(target+url.QueryEscape(c.(string))).Header.Get("Content-Crs"))
				}
			}
		}},
		{"fc-bbox-crs-definition", func(s *session) { s.parameter(itemsPath, "bbox-crs") }},
		{"fc-bbox-crs-valid-value", func(s *session) {
			s.badRequest(s.items() + "?bbox=0,0,1,1&bbox-crs=" + url.QueryEscape(epsg+"1"))
			s.badRequest(s.items() + "?bbox=0,0,1,1&bbox-crs=no-such-crs")
		}},
		{"fc-bbox-crs-action", func(s *session) {
			w := s.bbox(s.features)
			part := [4]float64{w[0], w[1], (w[0] + w[2]) / 2, (w[1] + w[3]) / 2}
			want := number(s.document(s.items() + "?limit=1&bbox=" + box(part))["numberMatched"])
			for name, corners := range map[string]string{crs84: box(part), epsg + "4326": box([4]float64{part[1], part[0], part[3], part[2]})} {
				got := s.document(s.items() + "?limit=1&bbox=" + corners + "&bbox-crs=" + url.QueryEscape(name))
				require.Equal(s.T, want, number(got["numberMatched"]), name)
			}
		}},
	}
}

func box(b [4]float64) string { return strings.Trim(strings.ReplaceAll(fmt.Sprint(b), " ", ","), "[]") }

// firstPosition is the first coordinate pair of a geometry.
func firstPosition(feature object) [2]float64 {
	v := feature["geometry"].(object)["coordinates"].([]any)
	for {
		if x, ok := v[0].(float64); ok {
			return [2]float64{x, v[1].(float64)}
		}
		v = v[0].([]any)
	}
}

// reach is the box around a geometry.
func reach(feature object) [4]float64 {
	out := [4]float64{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	var walk func([]any)
	walk = func(v []any) {
		if x, ok := v[0].(float64); ok {
			y := v[1].(float64)
			out = [4]float64{min(out[0], x), min(out[1], y), max(out[2], x), max(out[3], y)}
			return
		}
		for _, inner := range v {
			walk(inner.([]any))
		}
	}
	walk(feature["geometry"].(object)["coordinates"].([]any))
	return out
}

func requireTouches(s *session, feature object, b [4]float64) {
	s.Helper()
	r := reach(feature)
	require.True(s.T, r[0] <= b[2] && r[2] >= b[0] && r[1] <= b[3] && r[3] >= b[1], "feature %v at %v is not in %v", feature["id"], r, b)
}

func requireInside(s *session, feature object, b [4]float64, slack float64) {
	s.Helper()
	r := reach(feature)
	require.True(s.T, r[0] >= b[0]-slack && r[2] <= b[2]+slack && r[1] >= b[1]-slack && r[3] <= b[3]+slack, "feature %v at %v is outside of %v", feature["id"], r, b)
}
