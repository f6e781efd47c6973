package storetest

import (
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/ogc/cql2"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/filter"
)

// varied are landslides with the areas 1 to 6 that differ in every way:
//
//	1 triangle (10 10, 11 10, 10 11)   3 square (10 10, 12 12)   5 square with a hole, at 20 10
//	2 square (11 10, 12 11)            4 square (30 10, 31 11)   6 square (-170 -20, -169 -19)
//
// and 6 has neither ΔNDVI nor dates.
func varied() []store.Landslide {
	shapes := []orb.Polygon{
		{{{10, 10}, {11, 10}, {10, 11}, {10, 10}}}, {square(11, 10, 1)}, {square(10, 10, 2)},
		{square(30, 10, 1)}, {square(20, 10, 1), square(20.2, 10.2, 0.6)}, {square(-170, -20, 1)},
	}
	models := []string{"bbunet", "BBUnet", "b_unet", "Straße", "École", "50%"}
	var out []store.Landslide
	for i, shape := range shapes {
		l := Landslide(shape)
		l.Area, l.SlopeMean = float64(i+1), 10*float64(i%3)
		ndvi := -0.1 * float64(i)
		l.DeltaNDVI, l.CloudAdjacent, l.Model = &ndvi, i%2 == 0, models[i]
		l.PreDate, l.PostDate = time0.AddDate(0, 0, -i), time0.AddDate(0, 0, i)
		out = append(out, l)
	}
	out[5].DeltaNDVI, out[5].PreDate, out[5].PostDate = nil, time.Time{}, time.Time{}
	return out
}

func parsed(t *testing.T, s string) filter.Expr {
	t.Helper()
	e, err := cql2.ParseText(s, cql2.Options{})
	require.NoError(t, err, s)
	return e
}

func filters(t *testing.T, s store.Store) {
	publish(t, s, NewRun("run", "e", 1), varied())
	first := all(t, s, store.Query{Event: "e"})[0].ID
	require.Positive(t, first)
	for text, want := range map[string][]float64{
		// Comparison.
		"area_m2 = 3": {3}, "area_m2 <> 3": {1, 2, 4, 5, 6}, "area_m2 < 3": {1, 2}, "area_m2 > 4": {5, 6}, "area_m2 <= 2": {1, 2}, "area_m2 >= 5": {5, 6},
		"3 < area_m2": {4, 5, 6}, "area_m2 = slope_mean_deg / 10 + 1": {1, 2, 3}, "id > 0": {1, 2, 3, 4, 5, 6}, "run = 'run' AND event = 'e'": {1, 2, 3, 4, 5, 6},
		"delta_ndvi_mean < -0.05": {2, 3, 4, 5}, "NOT delta_ndvi_mean < -0.05": {1}, "delta_ndvi_mean IS NULL": {6}, "delta_ndvi_mean IS NOT NULL": {1, 2, 3, 4, 5},
		"geometry IS NULL": {}, "pre_date IS NULL": {6}, "cloud_adjacent": {1, 3, 5}, "NOT cloud_adjacent": {2, 4, 6}, "cloud_adjacent = false": {2, 4, 6}, "cloud_adjacent <> TRUE": {2, 4, 6},
		"cloud_adjacent IN (true)": {1, 3, 5}, "true": {1, 2, 3, 4, 5, 6}, "false": {}, "cloud_adjacent AND area_m2 > 1 OR area_m2 = 2": {2, 3, 5},
		"NOT (area_m2 = 1 OR area_m2 = 2) AND NOT area_m2 IN (3, 4)": {5, 6}, "area_m2 BETWEEN 2 AND 4": {2, 3, 4}, "area_m2 NOT BETWEEN 2 AND 4": {1, 5, 6},
		"area_m2 IN (1, 3, 99)": {1, 3}, "model IN ('bbunet', 'École')": {1, 5}, "model NOT IN ('bbunet')": {2, 3, 4, 5, 6},
		// Texts compare by code point.
		"model = 'bbunet'": {1}, "model < 'a'": {2, 4, 6}, "model > 'b' AND model < 'c'": {1, 3}, "model > 'z'": {5}, "model <= 'BBUnet'": {2, 6}, "model <> 'x''y'": {1, 2, 3, 4, 5, 6},
		// Patterns.
		"model LIKE 'b%'": {1, 3}, "model LIKE '%net'": {1, 2, 3}, "model LIKE 'b_unet'": {1, 3}, `model LIKE 'b\_unet'`: {3}, `model LIKE '50\%'`: {6}, "model LIKE '%U%'": {2},
		"model NOT LIKE '%net'": {4, 5, 6}, "model LIKE ''": {}, "model LIKE '%'": {1, 2, 3, 4, 5, 6}, "model LIKE '_cole'": {5}, `model LIKE '\b%'`: {1, 3}, "model LIKE '%%a_e'": {4}, "model LIKE '%ra%e'": {4},
		"CASEI(model) = CASEI('bbUNET')": {1, 2}, "CASEI(model) LIKE CASEI('%NET')": {1, 2, 3}, "CASEI(model) = CASEI('STRASSE')": {4}, "CASEI(model) = CASEI('éCOLE')": {5},
		"CASEI(model) IN (CASEI('BBUNET'), CASEI('50%'))": {1, 2, 6}, "ACCENTI(model) = ACCENTI('Ecole')": {5}, "ACCENTI(CASEI(model)) LIKE ACCENTI(CASEI('èCO%'))": {5},
		// Arithmetic.
		"area_m2 + 1 = 3": {2}, "area_m2 - 1 = 3": {4}, "area_m2 * 2 = 6": {3}, "area_m2 / 2 = 1.5": {3}, "area_m2 % 4 = 1": {1, 5}, "area_m2 div 4 = 1": {4, 5, 6}, "area_m2 ^ 2 = 25": {5},
		"2 ^ area_m2 > 30": {5, 6}, "-area_m2 < -5": {6}, "-area_m2 div 4 = -1": {4, 5, 6}, "-area_m2 % 4 = -1": {1, 5}, "area_m2 / slope_mean_deg > 0": {2, 3, 5, 6}, "area_m2 / 0 IS NULL": {1, 2, 3, 4, 5, 6},
		"area_m2 % 0 > 0": {}, "2 + 3 * 2 = area_m2 + 2": {6}, "(2 + 3) * 2 = area_m2 * 2": {5}, "area_m2 * 0.1 = 0.3": {}, "area_m2 = 0.1 + 0.2": {},
		// Times; dates are whole days.
		"post_date = TIMESTAMP('2024-01-03T07:10:09Z')": {3}, "post_date = TIMESTAMP('2024-01-03T16:10:09+09:00')": {3}, "post_date > TIMESTAMP('2024-01-03T07:10:09Z')": {4, 5},
		"post_date = DATE('2024-01-03')": {3}, "post_date <> DATE('2024-01-03')": {1, 2, 4, 5}, "post_date < DATE('2024-01-03')": {1, 2}, "post_date <= DATE('2024-01-03')": {1, 2, 3},
		"post_date > DATE('2024-01-03')": {4, 5}, "post_date >= DATE('2024-01-03')": {3, 4, 5}, "post_date BETWEEN DATE('2024-01-02') AND DATE('2024-01-03')": {2, 3},
		"post_date IN (DATE('2024-01-01'), TIMESTAMP('2024-01-04T07:10:09Z'))": {1, 4}, "pre_date = post_date": {1}, "pre_date < post_date": {2, 3, 4, 5}, "post_date IS NOT NULL": {1, 2, 3, 4, 5},
		"T_AFTER(post_date, DATE('2024-01-03'))": {4, 5}, "T_BEFORE(post_date, DATE('2024-01-03'))": {1, 2}, "T_EQUALS(post_date, DATE('2024-01-03'))": {3}, "T_EQUALS(post_date, TIMESTAMP('2024-01-03T07:10:09Z'))": {3},
		"T_DISJOINT(post_date, INTERVAL('2024-01-02', '2024-01-03'))": {1, 4, 5}, "T_INTERSECTS(post_date, INTERVAL('2024-01-02', '2024-01-03'))": {2, 3}, "T_DURING(post_date, INTERVAL('2024-01-02', '..'))": {2, 3, 4, 5},
		"T_DURING(post_date, INTERVAL('..', '2024-01-02T00:00:00Z'))": {1}, "T_CONTAINS(INTERVAL(pre_date, post_date), DATE('2024-01-01'))": {2, 3, 4, 5},
		"T_CONTAINS(INTERVAL(pre_date, post_date), INTERVAL('2023-12-30', '2024-01-02'))": {4, 5}, "T_EQUALS(INTERVAL(pre_date, post_date), INTERVAL('2023-12-31T07:10:09Z', '2024-01-02T07:10:09Z'))": {2},
		"T_MEETS(INTERVAL(pre_date, post_date), INTERVAL('2024-01-02T07:10:09Z', '..'))": {2}, "T_METBY(INTERVAL(pre_date, post_date), INTERVAL('..', '2023-12-31T07:10:09Z'))": {2},
		"T_STARTS(INTERVAL(pre_date, post_date), INTERVAL('2023-12-31T07:10:09Z', '..'))": {2}, "T_STARTEDBY(INTERVAL(pre_date, post_date), INTERVAL('2023-12-31T07:10:09Z', '2024-01-01T00:00:00Z'))": {2},
		"T_FINISHES(INTERVAL(pre_date, post_date), INTERVAL('..', '2024-01-02T07:10:09Z'))": {2}, "T_FINISHEDBY(INTERVAL(pre_date, post_date), INTERVAL('2024-01-01T00:00:00Z', '2024-01-02T07:10:09Z'))": {2},
		"T_OVERLAPS(INTERVAL(pre_date, post_date), INTERVAL('2024-01-01', '2024-01-03'))": {2, 3}, "T_OVERLAPPEDBY(INTERVAL(pre_date, post_date), INTERVAL('2023-12-30', '2024-01-01'))": {2, 3},
		// Geometries.
		"S_INTERSECTS(geometry, POINT(10.2 10.2))": {1, 3}, "S_INTERSECTS(POINT(10.2 10.2), geometry)": {1, 3}, "S_INTERSECTS(geometry, POINT(10.9 10.9))": {3}, "S_INTERSECTS(geometry, POINT(10 10))": {1, 3},
		"S_INTERSECTS(geometry, BBOX(20.4, 10.4, 20.6, 10.6))": {}, "S_INTERSECTS(geometry, BBOX(20.4, 10.4, 20.9, 10.6))": {5}, "S_INTERSECTS(geometry, BBOX(179, -30, -169.5, 0))": {6},
		"S_INTERSECTS(geometry, BBOX(-180, -90, 180, 90))": {1, 2, 3, 4, 5, 6}, "S_INTERSECTS(geometry, LINESTRING(9 10.5, 40 10.5))": {1, 2, 3, 4, 5},
		"S_INTERSECTS(geometry, MULTIPOINT((30.5 10.5), (20.1 10.1)))": {4, 5}, "S_INTERSECTS(geometry, MULTILINESTRING((29 10.5, 32 10.5), (0 0, 1 1)))": {4},
		"S_INTERSECTS(geometry, MULTIPOLYGON(((29 9, 32 9, 32 12, 29 12, 29 9)), ((-175 -25, -160 -25, -160 -10, -175 -25))))": {4, 6},
		"S_INTERSECTS(geometry, GEOMETRYCOLLECTION(POINT(30.5 10.5), LINESTRING(20.1 9, 20.1 12)))":                            {4, 5},
		"S_DISJOINT(geometry, POLYGON((9 9, 13 9, 13 13, 9 13, 9 9)))":                                                         {4, 5, 6}, "S_DISJOINT(geometry, POINT(10.9 10.9))": {1, 2, 4, 5, 6}, "NOT S_DISJOINT(geometry, POINT(10.9 10.9))": {3},
		"S_WITHIN(geometry, POLYGON((9 9, 11.5 9, 11.5 11.5, 9 11.5, 9 9)))": {1}, "S_WITHIN(geometry, BBOX(10, 10, 12, 12))": {1, 2, 3}, "S_CONTAINS(geometry, POINT(11.5 10.5))": {2, 3}, "S_CONTAINS(geometry, POINT(10 10))": {},
		"S_CONTAINS(BBOX(10, 10, 12, 12), geometry)": {1, 2, 3}, "S_EQUALS(geometry, POLYGON((11 10, 10 11, 10 10, 11 10)))": {1}, "S_EQUALS(geometry, BBOX(30, 10, 31, 11))": {4},
		"S_TOUCHES(geometry, BBOX(12, 10, 13, 11))": {2, 3}, "S_TOUCHES(geometry, POINT(11 10))": {1, 2, 3}, "S_TOUCHES(geometry, POINT(30.5 10.5))": {},
		"S_OVERLAPS(geometry, BBOX(11.5, 9, 13, 13))": {2, 3}, "S_OVERLAPS(geometry, BBOX(9, 9, 13, 13))": {}, "S_CROSSES(geometry, LINESTRING(9 10.5, 40 10.5))": {1, 2, 3, 4, 5}, "S_CROSSES(geometry, LINESTRING(30.2 10.5, 30.4 10.5))": {},
		"S_INTERSECTS(POINT(1 1), BBOX(0, 0, 2, 2))": {1, 2, 3, 4, 5, 6}, "S_INTERSECTS(geometry, geometry)": {1, 2, 3, 4, 5, 6}, "S_INTERSECTS(geometry, POINT(10.2 10.2)) OR area_m2 = 6": {1, 3, 6},
		"S_INTERSECTS(geometry, BBOX(9, 9, 13, 13)) AND S_INTERSECTS(geometry, POINT(11.5 11.5)) AND cloud_adjacent": {3},
	} {
		page, err := s.Landslides(t.Context(), store.Query{Event: "e", Filter: parsed(t, text)})
		if assert.NoError(t, err, text) {
			assert.Equal(t, want, areas(page.Landslides), text)
			assert.Equal(t, len(want), page.Matched, text)
		}
	}
}

func filtersCombine(t *testing.T, s store.Store) {
	publish(t, s, NewRun("run", "e", 1), varied())
	publish(t, s, NewRun("other", "f", 1), varied()[:3])
	small := parsed(t, "area_m2 < 3 OR S_INTERSECTS(geometry, POINT(30.5 10.5))")
	for name, test := range map[string]struct {
		q    store.Query
		want []float64
	}{
		"with a box":         {store.Query{Event: "e", BBox: &[4]float64{11.5, 0, 40, 20}}, []float64{2, 4}},
		"with two boxes":     {store.Query{Event: "e", BBox: &[4]float64{11.5, 0, 10.5, 20}}, []float64{1, 2, 4}},
		"with times":         {store.Query{Event: "e", From: time0.AddDate(0, 0, 1)}, []float64{2, 4}},
		"with an area":       {store.Query{Event: "e", MinArea: 2}, []float64{2, 4}},
		"of all events":      {store.Query{}, []float64{1, 2, 4, 1, 2}},
		"with pages of one":  {store.Query{Event: "e", Limit: 1}, []float64{1, 2, 4}},
		"with sorted pages":  {store.Query{Event: "e", Limit: 1, Sort: []store.SortKey{{Field: "area_m2", Descending: true}}}, []float64{4, 2, 1}},
		"sorted in the box":  {store.Query{Event: "e", Limit: 2, BBox: &[4]float64{11.5, 0, 10.5, 20}, Sort: []store.SortKey{{Field: "model"}}}, []float64{2, 4, 1}},
		"with a spatial one": {store.Query{Event: "e", Limit: 1, Sort: []store.SortKey{{Field: "slope_mean_deg"}}}, []float64{1, 4, 2}},
	} {
		test.q.Filter = small
		assert.Equal(t, test.want, areas(all(t, s, test.q)), name)
	}
}

func badFilters(t *testing.T, s store.Store) {
	publish(t, s, NewRun("run", "e", 1), varied())
	for name, q := range map[string]store.Query{
		"unknown field":      {Filter: parsed(t, "surface > 1")},
		"wrong type":         {Filter: parsed(t, "area_m2 > 'one'")},
		"no truth":           {Filter: parsed(t, "area_m2")},
		"overflow":           {Filter: parsed(t, "area_m2 * 1e308 > 1")},
		"vanishing":          {Filter: parsed(t, "area_m2 * 1e-200 * 1e-200 >= 0")},
		"root of a negative": {Filter: parsed(t, "(0 - area_m2) ^ 0.5 > 1")},
		"unknown sort":       {Sort: []store.SortKey{{Field: "geometry"}}},
		"sorted twice":       {Sort: []store.SortKey{{Field: "model"}, {Field: "model"}}},
		"keys missing":       {Sort: []store.SortKey{{Field: "model"}}, After: 1},
		"keys of no sort":    {AfterKeys: []any{"x"}, After: 1},
		"key of wrong type":  {Sort: []store.SortKey{{Field: "model"}}, After: 1, AfterKeys: []any{1.0}},
		"key without value":  {Sort: []store.SortKey{{Field: "model"}}, After: 1, AfterKeys: []any{nil}},
	} {
		q.Event = "e"
		_, err := s.Landslides(t.Context(), q)
		assert.ErrorIs(t, err, store.ErrInvalid, name)
	}
}
