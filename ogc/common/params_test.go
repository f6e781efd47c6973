package common

import (
	"math"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNegotiate(t *testing.T) {
	document, pictures := Document(), []Format{PNG, JPEG, WebP, TIFF}
	for name, tt := range map[string]struct {
		query, accept string
		offered       []Format
		want          Format
	}{
		"nothing":          {"", "", document, JSON},
		"anything":         {"", "*/*", document, JSON},
		"browser":          {"", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", document, HTML},
		"f beats Accept":   {"f=json", "text/html", document, JSON},
		"f as media type":  {"f=application/json", "", document, JSON},
		"q decides":        {"", "application/json;q=0.2, text/html;q=0.7", document, HTML},
		"q 0 excludes":     {"", "application/json;q=0, */*;q=0.1", document, HTML},
		"bad q is 0":       {"", "application/json;q=high, text/html;q=0.1", document, HTML},
		"GeoJSON for JSON": {"", "application/json", []Format{GeoJSON, HTML}, GeoJSON},
		"img element":      {"", "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", pictures, PNG},
		"webp first":       {"", "image/webp,*/*;q=0.5", pictures, WebP},
		"jpg":              {"f=JPG", "", pictures, JPEG},
		"GDAL":             {"", "application/geo+json, application/json", document, JSON},
		"OpenAPI":          {"", "application/vnd.oai.openapi+json;version=3.0", []Format{OpenAPI, HTML}, OpenAPI},
	} {
		r := httptest.NewRequest("GET", "/?"+tt.query, nil)
		if tt.accept != "" {
			r.Header.Set("Accept", tt.accept)
		}
		got, err := Negotiate(r, tt.offered...)
		require.NoError(t, err, name)
		require.Equal(t, tt.want, got, name)
	}
}

func FuzzNegotiate(f *testing.F) {
	f.Add("json", "text/html;q=0.5,*/*")
	f.Add("", ",,;q=,a/b;q=2;q=NaN")
	f.Fuzz(func(t *testing.T, format, accept string) {
		r := httptest.NewRequest("GET", "/?f="+url.QueryEscape(format), nil)
		r.Header.Set("Accept", accept)
		got, err := Negotiate(r, Document()...)
		if err == nil {
			require.Contains(t, Document(), got)
		} else {
			require.Contains(t, []int{400, 406}, AsProblem(err).Status)
		}
	})
}

func TestParseDatetime(t *testing.T) {
	day := func(d int) time.Time { return time.Date(2018, 9, d, 0, 0, 0, 0, time.UTC) }
	for s, want := range map[string][2]time.Time{
		"2018-09-06":                                {day(6), day(7).Add(-1)},
		"2018-09-06T00:00:00Z":                      {day(6), day(6)},
		"2018-09-06t00:00:00z":                      {day(6), day(6)},
		"2018-09-06/2018-09-07":                     {day(6), day(8).Add(-1)},
		"../2018-09-06T00:00:00Z":                   {{}, day(6)},
		"2018-09-06T09:00:00+09:00/":                {day(6), {}},
		"2018-09-06T00:00:00Z/2018-09-06T00:00:00Z": {day(6), day(6)},
		"2018-09-06/P2D":                            {day(6), day(8)},
		"2018-09-06T12:00:00Z/PT12H":                {day(6).Add(12 * time.Hour), day(7)},
		"P1M1W/2018-10-14T00:00:00Z":                {day(7), time.Date(2018, 10, 14, 0, 0, 0, 0, time.UTC)},
	} {
		from, to, err := ParseDatetime(s)
		require.NoError(t, err, s)
		require.True(t, from.Equal(want[0]) && to.Equal(want[1]), "%s: %s to %s", s, from, to)
	}
	for s, want := range map[string]string{
		"P2D": "neither an RFC 3339", "P2D/": "one end", "P2D/P1D": "one end", "../P2D": "one end", "2018-09-06/P": "no ISO 8601 duration",
		"2018-09-06/PT": "no ISO 8601 duration", "2018-09-06/-P2D": "neither", "2018-09-06/P1.5D": "whole numbers", "2018-09-06/P10000Y": "four digits", "2018-09-06/P9999Y": "beyond the years",
		"P100Y/0050-01-01": "beyond the years", "2018-09-06/P2": "no ISO 8601 duration", "2018-09-06/PT1e9H": "no ISO 8601 duration",
	} {
		_, _, err := ParseDatetime(s)
		require.ErrorContains(t, err, want, s)
	}
}

func FuzzParseDatetime(f *testing.F) {
	for _, s := range []string{"2018-09-06/..", "2018-09-06/P2D", "PT1.5H/2018-09-06", "P1Y2M3W4DT5H6M7S/2018-09-06", "..", "/", "2018-09-06T00:00:00.5+14:00", "0000-01-01", "2018-13-01"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		from, to, err := ParseDatetime(s)
		if err != nil {
			require.Equal(t, 400, AsProblem(err).Status)
			return
		}
		require.False(t, from.IsZero() && to.IsZero())
		require.True(t, from.IsZero() || to.IsZero() || !from.After(to))
	})
}

func FuzzParseBBox(f *testing.F) {
	for _, s := range []string{"1,2,3,4", "1e3,-2,+3,.4", "1,2,0,3,4,1", "170,-10,-170,10", "NaN,1,2,3", "Inf,1,2,3", ",,,", "0x1p4,1,2,3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := ParseBBox(s)
		if err != nil {
			require.Equal(t, 400, AsProblem(err).Status)
			return
		}
		for _, v := range b {
			require.False(t, math.IsNaN(v) || math.IsInf(v, 0))
		}
		if CheckLonLat(b) == nil {
			require.LessOrEqual(t, b[1], b[3])
		}
	})
}

func FuzzParseCRS(f *testing.F) {
	for _, s := range []string{"EPSG:4326", "[EPSG:3857]", CRS84URI, "urn:ogc:def:crs:EPSG::32654", "http://www.opengis.net/def/crs/EPSG/0/0", "epsg:+1", "EPSG:99999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		crs, err := ParseCRS(s, Geographic)
		if err != nil {
			return
		}
		again, err := ParseCRS(crs.URI(), Geographic)
		require.NoError(t, err)
		require.Equal(t, crs, again)
	})
}

func FuzzParseColor(f *testing.F) {
	for _, s := range []string{"0xFF00FF", "#fff", "white", "0x80FF00FF", "+12345", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { _, _ = ParseColor(s) })
}

func TestParseID(t *testing.T) {
	ref, err := ParseID("a-1_mask")
	require.NoError(t, err)
	require.Equal(t, "a-1_mask", ref.ID())
	for _, bad := range []string{"", "_mask", "a", "a_", "a_Mask", "mask"} {
		_, err := ParseID(bad)
		require.Error(t, err, bad)
	}
}
