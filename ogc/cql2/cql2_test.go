package cql2_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/peterstace/simplefeatures/geom"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/ogc/cql2"
	"github.com/scarp-map/scarp/store/filter"
)

func fields() map[string]filter.Type {
	return map[string]filter.Type{"area": filter.Number, "slope": filter.Number, "model": filter.Text, "cloudy": filter.Bool,
		"before": filter.Time, "after": filter.Time, "geometry": filter.Geometry, "and": filter.Number}
}

// tree writes an expression in prefix form.
func tree(e filter.Expr) string {
	switch e := e.(type) {
	case *filter.Property:
		return e.Name
	case *filter.Literal:
		switch v := e.Value.(type) {
		case string:
			return "'" + v + "'"
		case filter.Day:
			return time.Time(v).Format(time.DateOnly)
		case filter.Moment:
			if v.Infinite != 0 {
				return ".."
			}
			return v.Format(time.RFC3339)
		case geom.Geometry:
			return v.AsText()
		}
		return fmt.Sprint(e.Value)
	case *filter.Call:
		s := "(" + string(e.Op)
		for _, a := range e.Args {
			s += " " + tree(a)
		}
		return s + ")"
	}
	return "?"
}

// Both forms say the same.
func TestBothForms(t *testing.T) {
	for _, tt := range []struct{ text, json, want string }{
		{"area > 1000", `{"op":">","args":[{"property":"area"},1000]}`, "(> area 1000)"},
		{"area<=-1.5e2", `{"op":"<=","args":[{"property":"area"},-150]}`, "(<= area -150)"},
		{"model = 'it''s' AND cloudy", `{"op":"and","args":[{"op":"=","args":[{"property":"model"},"it's"]},{"property":"cloudy"}]}`, "(and (= model 'it's') cloudy)"},
		{"cloudy or not cloudy OR true", `{"op":"or","args":[{"property":"cloudy"},{"op":"not","args":[{"property":"cloudy"}]},true]}`, "(or cloudy (not cloudy) true)"},
		{"cloudy AND (cloudy OR cloudy)", `{"op":"and","args":[{"property":"cloudy"},{"op":"or","args":[{"property":"cloudy"},{"property":"cloudy"}]}]}`, "(and cloudy (or cloudy cloudy))"},
		{"model LIKE 'bb%'", `{"op":"like","args":[{"property":"model"},"bb%"]}`, "(like model 'bb%')"},
		{"casei(model) not like Casei('BB_')", `{"op":"not","args":[{"op":"like","args":[{"op":"casei","args":[{"property":"model"}]},{"op":"casei","args":["BB_"]}]}]}`, "(not (like (casei model) (casei 'BB_')))"},
		{"area BETWEEN 1 AND 2 AND cloudy", `{"op":"and","args":[{"op":"between","args":[{"property":"area"},1,2]},{"property":"cloudy"}]}`, "(and (between area 1 2) cloudy)"},
		{"model IN ('a', 'b')", `{"op":"in","args":[{"property":"model"},["a","b"]]}`, "(in model 'a' 'b')"},
		{"model NOT IN ('a')", `{"op":"not","args":[{"op":"in","args":[{"property":"model"},["a"]]}]}`, "(not (in model 'a'))"},
		{"model IS NOT NULL", `{"op":"not","args":[{"op":"isNull","args":[{"property":"model"}]}]}`, "(not (isNull model))"},
		{`"and" = 1`, `{"op":"=","args":[{"property":"and"},1]}`, "(= and 1)"},
		{"area + 2 * slope ^ 2 >= 7 div 2 - -slope", `{"op":">=","args":[{"op":"+","args":[{"property":"area"},{"op":"*","args":[2,{"op":"^","args":[{"property":"slope"},2]}]}]},{"op":"-","args":[{"op":"div","args":[7,2]},{"op":"*","args":[-1,{"property":"slope"}]}]}]}`,
			"(>= (+ area (* 2 (^ slope 2))) (- (div 7 2) (* -1 slope)))"},
		{"after >= DATE('2018-09-10')", `{"op":">=","args":[{"property":"after"},{"date":"2018-09-10"}]}`, "(>= after 2018-09-10)"},
		{"after < TIMESTAMP('2018-09-10T01:30:00+01:00')", `{"op":"<","args":[{"property":"after"},{"timestamp":"2018-09-10T01:30:00+01:00"}]}`, "(< after 2018-09-10T00:30:00Z)"},
		{"T_DURING(after, INTERVAL('2018-09-01', '..'))", `{"op":"t_during","args":[{"property":"after"},{"interval":["2018-09-01",".."]}]}`, "(t_during after (interval 2018-09-01 ..))"},
		{"T_CONTAINS(INTERVAL(before, after), TIMESTAMP('2018-09-05T18:07:59Z'))", `{"op":"t_contains","args":[{"interval":[{"property":"before"},{"property":"after"}]},{"timestamp":"2018-09-05T18:07:59Z"}]}`,
			"(t_contains (interval before after) 2018-09-05T18:07:59Z)"},
		{"S_INTERSECTS(geometry, POINT(141 42))", `{"op":"s_intersects","args":[{"property":"geometry"},{"type":"Point","coordinates":[141,42]}]}`, "(s_intersects geometry POINT(141 42))"},
		{"s_within(geometry, POLYGON Z((1 2 0, 3 2 0, 3 4 0, 1 2 0)))", `{"op":"s_within","args":[{"property":"geometry"},{"type":"Polygon","coordinates":[[[1,2],[3,2],[3,4],[1,2]]]}]}`, "(s_within geometry POLYGON((1 2,3 2,3 4,1 2)))"},
		{"S_INTERSECTS(geometry, GEOMETRYCOLLECTION(POINT(1 2), LINESTRING(1 2, 3 4)))", `{"op":"s_intersects","args":[{"property":"geometry"},{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,2]},{"type":"LineString","coordinates":[[1,2],[3,4]]}]}]}`,
			"(s_intersects geometry GEOMETRYCOLLECTION(POINT(1 2),LINESTRING(1 2,3 4)))"},
		{"S_INTERSECTS(geometry, BBOX(1, 2, 0, 3, 4, 9))", `{"op":"s_intersects","args":[{"property":"geometry"},{"bbox":[1,2,0,3,4,9]}]}`, "(s_intersects geometry POLYGON((1 2,1 4,3 4,3 2,1 2)))"},
		{"S_INTERSECTS(geometry, BBOX(179, 2, -179, 4))", `{"op":"s_intersects","args":[{"property":"geometry"},{"bbox":[179,2,-179,4]}]}`, "(s_intersects geometry MULTIPOLYGON(((179 2,179 4,180 4,180 2,179 2)),((-180 2,-180 4,-179 4,-179 2,-180 2))))"},
	} {
		for form, parse := range map[string]func() (filter.Expr, error){
			"text": func() (filter.Expr, error) { return cql2.ParseText(tt.text, cql2.Options{}) },
			"json": func() (filter.Expr, error) { return cql2.ParseJSON([]byte(tt.json), cql2.Options{}) },
		} {
			e, err := parse()
			require.NoError(t, err, "%s: %s", form, tt.text)
			require.Equal(t, tt.want, tree(e), form)
			require.NoError(t, filter.Check(e, fields()), "%s: %s", form, tt.text)
		}
	}
}

// What is wrong is refused with its place and a hint.
func TestWrongText(t *testing.T) {
	for s, want := range map[string]string{
		"":                                "the filter is empty",
		"area >":                          "at character 7: the filter ends",
		"area > 1 cloudy":                 `at character 10: "cloudy" is not expected`,
		"area > 'x":                       "at character 8: a quote is opened",
		"area != 1":                       "at character 6: != is written <>",
		"area > 1;":                       "at character 9: ';' has no meaning",
		"(area > 1":                       "at character 10: ) must stand here, not the end",
		"area > 'ten'":                    "at character 8: a number can't be compared with a text",
		"surface > 1":                     `at character 1: there is no property "surface"; there are after, and, area`,
		"area":                            "at character 1: the filter is a number",
		"area + 1":                        "the filter is a number",
		"model + 1 > 2":                   "at character 1: + takes a number, this is a text",
		"cloudy > true":                   "truths have no order",
		"after > '2018-09-10'":            "at character 9: a time can't be compared with a text; write times as TIMESTAMP",
		"after > DATE('yesterday')":       `at character 14: "yesterday" is not a date such as`,
		"after > TIMESTAMP('2018-09-10')": "is not a time such as",
		"after > DATE(2018)":              "a text in single quotes must stand here",
		"T_DURING(after, INTERVAL('2019-01-01','2018-01-01'))":   "the interval begins after its end",
		"T_DURING(after, cloudy)":                                "T_DURING takes a time or a date or an interval, this is a truth",
		"model LIKE model":                                       "the pattern of LIKE must be a text",
		`model LIKE 'a\'`:                                        `ends with \`,
		"area IN ()":                                             "a property or a value must stand here",
		"area BETWEEN 1":                                         "BETWEEN has AND between",
		"area BETWEEN 'a' AND 'b'":                               "a number can't be compared with a text",
		"area IS 1":                                              "NULL must stand behind IS",
		"BUFFER(geometry, 1)":                                    `there is no function "BUFFER"`,
		"S_INTERSECTS(geometry)":                                 "s_intersects has 1 arguments",
		"S_INTERSECTS(geometry, area)":                           "takes a geometry, this is a number",
		"S_INTERSECTS(geometry, POINT(1))":                       "at character 24: the geometry can't be read",
		"S_INTERSECTS(geometry, POINT EMPTY)":                    "the geometry is empty",
		"S_INTERSECTS(geometry, POINT(1 2":                       "is not closed",
		"S_INTERSECTS(geometry, POINT(500 2))":                   "not on the globe",
		"S_INTERSECTS(geometry, POLYGON((0 0,1 1,1 0,0 1,0 0)))": "the geometry is not valid",
		"S_INTERSECTS(geometry, BBOX(1,2,3))":                    "BBOX has 3 numbers",
		"S_INTERSECTS(geometry, BBOX(1,5,3,2))":                  "south 5 above its north 2",
		"S_TOUCHES(geometry, GEOMETRYCOLLECTION(POINT(1 2)))":    "can't answer for a GEOMETRYCOLLECTION",
		"geometry = geometry":                                    "geometries are compared with S_EQUALS",
		"area > 1e999":                                           "not a number that can be kept",
		"area > 1 AND AND":                                       `not "AND"; a property of that name stands in double quotes`,
		strings.Repeat("(", 200) + "cloudy":                      "nested more than 100 deep",
		strings.Repeat("not ", 200) + "cloudy":                   "nested more than 100 deep",
		"area = 1" + strings.Repeat(" + 1", 200):                 "nested more than 100 deep",
		"cloudy" + strings.Repeat(" and cloudy", 2100):           "more than 2000 parts",
		strings.Repeat(" ", 70000):                               "65536 are allowed",
		"model = '\xff'":                                         "UTF-8",
		"model = '\x00'":                                         "NUL",
	} {
		e, err := cql2.ParseText(s, cql2.Options{})
		if err == nil {
			err = filter.Check(e, fields())
		}
		require.ErrorContains(t, err, want, "%.80s", s)
		var at *filter.Error
		require.True(t, errors.As(err, &at))
	}
}

func TestWrongJSON(t *testing.T) {
	for s, want := range map[string]string{
		"":             "the filter is empty",
		"{":            "not JSON",
		"{}}":          "",
		`{"op":"="}`:   "at /: = must have args",
		`{"op":"xor"}`: `at /op: there is no operation "xor"`,
		`{"op":">","args":[{"property":"area"},null]}`:                                   "at /args/1: null is no value",
		`{"op":">","args":[{"property":"area"},"1"]}`:                                    "at /args/1: a number can't be compared with a text",
		`{"op":">","args":[{"property":7},1]}`:                                           "at /args/0/property: property must be a text",
		`{"op":">","args":[{"property":"area"},[1]]}`:                                    "at /args/1: an array has no meaning",
		`{"op":"t_after","args":[{"property":"after"},{"interval":["x"]}]}`:              "at /args/1/interval: interval must be",
		`{"op":"s_within","args":[{"property":"geometry"},{"type":"Spot"}]}`:             "at /args/1: the geometry can't be read",
		`{"op":"s_within","args":[{"property":"geometry"},{"bbox":[1,"2"]}]}`:            "at /args/1/bbox: bbox must be",
		`{"op":"=","args":[{"property":"area"},1]} {}`:                                   "something stands behind",
		strings.Repeat(`{"op":"not","args":[`, 200) + "true" + strings.Repeat("]}", 200): "nested more than 100 deep",
	} {
		e, err := cql2.ParseJSON([]byte(s), cql2.Options{})
		if err == nil {
			err = filter.Check(e, fields())
		}
		require.ErrorContains(t, err, want, "%.80s", s)
	}
}

func TestGeometriesAreConverted(t *testing.T) {
	swap := cql2.Options{ToLonLat: func(p geom.XY) (geom.XY, error) { return geom.XY{X: p.Y, Y: p.X}, nil }}
	e, err := cql2.ParseText("S_INTERSECTS(geometry, BBOX(42, 141, 43, 142)) OR S_WITHIN(geometry, POINT(42 141))", swap)
	require.NoError(t, err)
	require.Equal(t, "(or (s_intersects geometry POLYGON((141 42,141 43,142 43,142 42,141 42))) (s_within geometry POINT(141 42)))", tree(e))
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"area > 1 AND NOT (model LIKE 'b%' OR casei(model) IN ('x','y'))", "T_AFTER(after,INTERVAL('2018-01-01','..'))",
		"S_INTERSECTS(geometry,POLYGON((0 0,1 0,1 1,0 0)))", "S_WITHIN(geometry,BBOX(1,2,3,4))", `"a b" = -2^+3`, "area between 1 and 2e5", "model = 'a\\'b'", "POINT EMPTY"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		compiles(t, func() (filter.Expr, error) { return cql2.ParseText(s, cql2.Options{}) })
	})
}

func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"op":"and","args":[true,{"op":"in","args":[{"property":"model"},["a"]]}]}`, `{"op":"s_intersects","args":[{"property":"geometry"},{"type":"Point","coordinates":[1,2]}]}`,
		`{"op":"t_after","args":[{"property":"after"},{"interval":["..","2018-01-01"]}]}`, `{"op":"s_within","args":[{"bbox":[1,2,3,4]},{"property":"geometry"}]}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		compiles(t, func() (filter.Expr, error) { return cql2.ParseJSON([]byte(s), cql2.Options{}) })
	})
}

// compiles wants an [filter.Error], or a filter that SQL with one argument for each ? can be made of.
func compiles(t *testing.T, parse func() (filter.Expr, error)) {
	e, err := parse()
	if err == nil {
		err = filter.Check(e, fields())
	}
	if err != nil {
		var at *filter.Error
		require.True(t, errors.As(err, &at), "%v", err)
		return
	}
	sql, err := filter.Compile(e, fields(), plain{})
	require.NoError(t, err)
	require.Equal(t, strings.Count(sql.Text, "?"), len(sql.Args), sql.Text)
	filter.Box(e)
}

// plain is a dialect for tests: every value is an argument.
type plain struct{}

func arg(v any) filter.SQL                                 { return filter.SQL{Text: "?", Args: []any{v}} }
func (plain) Column(name string, _ filter.Type) filter.SQL { return filter.SQL{Text: `"` + name + `"`} }
func (plain) Number(v float64) filter.SQL                  { return arg(v) }
func (plain) Text(v string) filter.SQL                     { return arg(v) }
func (plain) Bool(v bool) filter.SQL                       { return arg(v) }
func (plain) Time(v filter.Moment) filter.SQL              { return arg(v) }
func (plain) Geometry(v geom.Geometry) (filter.SQL, error) { return arg(v), nil }
func (plain) CaseI(x filter.SQL) filter.SQL                { return x }
func (plain) AccentI(x filter.SQL) filter.SQL              { return x }
func (plain) Like(v, p filter.SQL) filter.SQL              { return filter.Concat(v, " LIKE ", p) }
func (plain) Arithmetic(op filter.Op, a, b filter.SQL) filter.SQL {
	return filter.Concat(a, string(op), b)
}
func (plain) Spatial(op filter.Op, a, b filter.SQL) filter.SQL {
	return filter.Concat(string(op), a, b)
}
