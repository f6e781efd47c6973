package ats

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
)

// filterClasses are those of OGC API Features Part 3 (19-079r2) and of CQL2
// (21-065r2), tried with the attributes of landslides: the number area_m2, the
// text model and the geometry.
func filterClasses() []class {
	const three, cql = "ogcapi-features-3/1.0/conf/", "cql2/1.0/conf/"
	return []class{
		{three + "queryables", []assertion{
			{"get-op", func(s *session) {
				s.expectKind("application/schema+json", s.linked(s.features, rel+"queryables"))
			}},
			{"response", func(s *session) {
				doc := s.queryables()
				require.Equal(s.T, "object", doc["type"])
				require.Contains(s.T, []any{"https://json-schema.org/draft/2020-12/schema", "https://json-schema.org/draft/2019-09/schema"}, doc["$schema"])
				require.NotEmpty(s.T, doc["$id"])
				require.NotEmpty(s.T, doc["properties"])
			}},
		}},
		{three + "queryables-query-parameters", []assertion{{"parameters", func(s *session) {
			f := s.page("limit=1")[0]
			area := fmt.Sprint(f["properties"].(object)["area_m2"])
			require.Contains(s.T, ids(s.page("limit=1000&area_m2="+url.QueryEscape(area))), fmt.Sprint(f["id"]))
			s.badRequest(s.items() + "?area_m2=large")
		}}}},
		{three + "filter", []assertion{
			{"filter-param", func(s *session) { s.parameter(itemsPath, "filter") }},
			{"filter-lang-param", func(s *session) { s.parameter(itemsPath, "filter-lang") }},
			{"filter-crs-param", func(s *session) { s.parameter(itemsPath, "filter-crs") }},
			{"filter-crs-values", func(s *session) {
				s.badRequest(s.items() + "?filter-crs=no-such-crs&filter=" + url.QueryEscape("area_m2 > 0"))
			}},
			{"invalid", func(s *session) {
				for _, wrong := range []string{"area_m2 >", "no_such_attribute = 1", "area_m2 = 'x", "((area_m2 > 0)", ""} {
					s.badRequest(s.items() + "?filter=" + url.QueryEscape(wrong))
				}
				s.badRequest(s.items() + "?filter-lang=no-such-language&filter=1%3D1")
			}},
		}},
		{three + "features-filter", []assertion{{"response", func(s *session) {
			all, middle := s.count(""), s.middle()
			above, below := s.count(fmt.Sprintf("area_m2 > %v", middle)), s.count(fmt.Sprintf("area_m2 <= %v", middle))
			require.Positive(s.T, above)
			require.Positive(s.T, below)
			require.Equal(s.T, all, above+below)
			b := s.bbox(s.features)
			part := [4]float64{b[0], b[1], (b[0] + b[2]) / 2, b[3]}
			both := number(s.document(s.items() + "?limit=1&bbox=" + box(part) + "&filter=" + url.QueryEscape(fmt.Sprintf("area_m2 > %v", middle)))["numberMatched"])
			require.LessOrEqual(s.T, both, above, "filter and bbox go together")
		}}}},
		{cql + "cql2-text", []assertion{{"basic", func(s *session) {
			require.Equal(s.T, s.count(""), s.count("area_m2 >= 0 AND NOT (area_m2 < 0)"))
		}}}},
		{cql + "cql2-json", []assertion{{"basic", func(s *session) {
			middle := s.middle()
			filter := fmt.Sprintf(`{"op":">","args":[{"property":"area_m2"},%v]}`, middle)
			doc := s.document(s.items() + "?limit=1&filter-lang=cql2-json&filter=" + url.QueryEscape(filter))
			require.Equal(s.T, s.count(fmt.Sprintf("area_m2 > %v", middle)), number(doc["numberMatched"]))
		}}}},
		{cql + "basic-cql2", []assertion{
			{"comparison", func(s *session) {
				middle := s.middle()
				for _, pair := range [][2]string{{"=", "<>"}, {"<", ">="}, {">", "<="}} {
					one, other := s.count(fmt.Sprintf("area_m2 %s %v", pair[0], middle)), s.count(fmt.Sprintf("area_m2 %s %v", pair[1], middle))
					require.Equal(s.T, s.count(""), one+other, pair)
				}
			}},
			{"is-null", func(s *session) {
				require.Zero(s.T, s.count("area_m2 IS NULL"))
				require.Equal(s.T, s.count(""), s.count("area_m2 IS NOT NULL"))
			}},
			{"logical", func(s *session) {
				middle := s.middle()
				require.Equal(s.T, s.count(""), s.count(fmt.Sprintf("area_m2 < %v OR area_m2 >= %v", middle, middle)))
				require.Zero(s.T, s.count(fmt.Sprintf("area_m2 < %v AND area_m2 > %v", middle, middle)))
			}},
		}},
		{cql + "advanced-comparison-operators", []assertion{
			{"like", func(s *session) { require.Equal(s.T, s.count(""), s.count("model LIKE '%'")) }},
			{"between", func(s *session) {
				middle := s.middle()
				require.Equal(s.T, s.count(fmt.Sprintf("area_m2 >= 0 AND area_m2 <= %v", middle)), s.count(fmt.Sprintf("area_m2 BETWEEN 0 AND %v", middle)))
			}},
			{"in", func(s *session) {
				middle := s.middle()
				require.Equal(s.T, s.count(fmt.Sprintf("area_m2 = %v", middle)), s.count(fmt.Sprintf("area_m2 IN (%v, -1)", middle)))
			}},
		}},
		{cql + "case-insensitive-comparison", []assertion{{"casei", func(s *session) {
			model := fmt.Sprint(s.page("limit=1")[0]["properties"].(object)["model"])
			require.Equal(s.T, s.count("model = '"+model+"'"), s.count("CASEI(model) = CASEI('"+strings.ToUpper(model)+"')"))
		}}}},
		{cql + "accent-insensitive-comparison", []assertion{{"accenti", func(s *session) {
			model := fmt.Sprint(s.page("limit=1")[0]["properties"].(object)["model"])
			require.Equal(s.T, s.count("model = '"+model+"'"), s.count("ACCENTI(model) = ACCENTI('"+accented(model)+"')"))
		}}}},
		{cql + "property-property", []assertion{{"property-property", func(s *session) {
			require.Equal(s.T, s.count(""), s.count("area_m2 = area_m2"))
			require.Zero(s.T, s.count("area_m2 < area_m2"))
		}}}},
		{cql + "arithmetic", []assertion{{"arithmetic", func(s *session) {
			middle := s.middle()
			want := s.count(fmt.Sprintf("area_m2 > %v", middle))
			for _, same := range []string{"area_m2 * 2 > %v * 2", "area_m2 - %[1]v > 0", "area_m2 / 4 > %v / 4", "area_m2 + 10 > (%v + 5) + 5"} {
				require.Equal(s.T, want, s.count(fmt.Sprintf(same, middle)), same)
			}
		}}}},
		{cql + "basic-spatial-functions-plus", []assertion{{"geometries", func(s *session) {
			b := s.bbox(s.features)
			line := fmt.Sprintf("LINESTRING(%v %v,%v %v)", b[0], b[1], b[2], b[3])
			require.Equal(s.T, s.count("S_INTERSECTS(geometry, "+line+")"), s.count("S_INTERSECTS(geometry, GEOMETRYCOLLECTION("+line+"))"))
			require.Positive(s.T, s.count("S_INTERSECTS(geometry, "+s.polygon()+")"))
			require.Zero(s.T, s.count("S_INTERSECTS(geometry, MULTIPOINT((-40 -40),(-41 -41)))"))
		}}}},
		{cql + "basic-spatial-functions", []assertion{{"s_intersects", func(s *session) {
			b := s.bbox(s.features)
			require.Equal(s.T, s.count(""), s.count(fmt.Sprintf("S_INTERSECTS(geometry, BBOX(%v,%v,%v,%v))", b[0], b[1], b[2], b[3])))
			require.Zero(s.T, s.count("S_INTERSECTS(geometry, POINT(-40 -40))"))
		}}}},
		{cql + "spatial-functions", []assertion{
			{"s_disjoint", func(s *session) {
				part := s.polygon()
				require.Equal(s.T, s.count(""), s.count("S_INTERSECTS(geometry, "+part+")")+s.count("S_DISJOINT(geometry, "+part+")"))
			}},
			{"s_within", func(s *session) {
				part := s.polygon()
				require.LessOrEqual(s.T, s.count("S_WITHIN(geometry, "+part+")"), s.count("S_INTERSECTS(geometry, "+part+")"))
			}},
			{"others", func(s *session) {
				for _, f := range []string{"S_CONTAINS", "S_CROSSES", "S_EQUALS", "S_OVERLAPS", "S_TOUCHES"} {
					s.count(f + "(geometry, " + s.polygon() + ")")
				}
			}},
		}},
		{cql + "temporal-functions", []assertion{{"t_after-t_before", func(s *session) {
			name := s.dated()
			require.Equal(s.T, s.count(""), s.count("T_AFTER("+name+", DATE('1900-01-01'))"))
			require.Zero(s.T, s.count("T_BEFORE("+name+", DATE('1900-01-01'))"))
			require.Equal(s.T, s.count(""), s.count("T_INTERSECTS("+name+", INTERVAL('1900-01-01', '..'))"))
		}}}},
	}
}

func (s *session) queryables() object {
	s.Helper()
	return s.decode(s.expect(http.StatusOK, s.linked(s.features, rel+"queryables")))
}

// dated is a queryable that is a date or an instant.
func (s *session) dated() string {
	s.Helper()
	properties, _ := s.queryables()["properties"].(object)
	for name, p := range properties {
		if format := p.(object)["format"]; format == "date-time" || format == "date" {
			return name
		}
	}
	require.Fail(s.T, "no queryable is a date")
	return ""
}

// count says how many features a filter in CQL2 text selects.
func (s *session) count(filter string) float64 {
	s.Helper()
	target := s.items() + "?limit=1"
	if filter != "" {
		target += "&filter=" + url.QueryEscape(filter)
	}
	return number(s.document(target)["numberMatched"])
}

// middle is an area that some features are above and some below.
func (s *session) middle() float64 {
	s.Helper()
	var areas []float64
	for _, f := range s.page("limit=50") {
		areas = append(areas, number(f["properties"].(object)["area_m2"]))
	}
	slices.Sort(areas)
	return areas[len(areas)/2]
}

// polygon is the western half of the features' extent.
func (s *session) polygon() string {
	s.Helper()
	b := s.bbox(s.features)
	middle := (b[0] + b[2]) / 2
	return fmt.Sprintf("POLYGON((%v %v,%v %v,%v %v,%v %v,%v %v))", b[0], b[1], middle, b[1], middle, b[3], b[0], b[3], b[0], b[1])
}

func ids(features []object) []string {
	var out []string
	for _, f := range features {
		out = append(out, fmt.Sprint(f["id"]))
	}
	return out
}

// accented puts an accent on the first e or a.
func accented(s string) string {
	for plain, other := range map[string]string{"e": "é", "a": "à", "u": "û"} {
		if strings.Contains(s, plain) {
			return strings.Replace(s, plain, other, 1)
		}
	}
	return s
}
