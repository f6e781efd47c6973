package imagery_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
)

const eventYAML = `
id: hokkaido-2018
title: Hokkaido Eastern Iburi earthquake
trigger: {time: 2018-09-05T18:07:59Z, type: earthquake}
pre:
  - path: pre.tif
    date: 2018-05-01
post:
  - path: post
    scl: SCL.tif
    bands: [b2, green, B04, ""]
    offset: -1000
    level: L1C
  - path: https://example.org/s2/post.tif
dem: /dem/dem.tif
model: bbunet
aoi:
  type: Polygon
  coordinates: [[[141.9, 42.7], [142.0, 42.7], [142.0, 42.75], [141.9, 42.7]]]
`

func TestParseEvent(t *testing.T) {
	e, err := imagery.ParseEvent(strings.NewReader(eventYAML), "/events")
	require.NoError(t, err)
	assert.Equal(t, "hokkaido-2018", e.ID)
	assert.Equal(t, time.Date(2018, 9, 5, 18, 7, 59, 0, time.UTC), e.Trigger.Time)
	assert.Equal(t, "/events/pre.tif", e.Pre[0].Path)
	assert.Equal(t, "/events/SCL.tif", e.Post[0].SCL)
	assert.Equal(t, -1000, *e.Post[0].Offset)
	assert.Equal(t, "https://example.org/s2/post.tif", e.Post[1].Path)
	assert.Equal(t, "/dem/dem.tif", e.DEM)
	require.NotNil(t, e.AOI)

	var out bytes.Buffer
	require.NoError(t, e.WriteYAML(&out))
	again, err := imagery.ParseEvent(&out, "")
	require.NoError(t, err)
	assert.Equal(t, e, again, "what is written is read back")
}

func TestLoadEventReadsTheAOIFromAFile(t *testing.T) {
	dir := t.TempDir()
	text := eventYAML[:strings.Index(eventYAML, "aoi:")] + "aoi: area.geojson\n"
	file := filepath.Join(dir, "event.yaml")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "area.geojson"), []byte(`{"type": "FeatureCollection", "features": [
		{"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [[[1,1],[2,1],[2,2],[1,1]]]}},
		{"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [[[5,1],[6,1],[6,2],[5,1]]]}}]}`), 0o644))
	e, err := imagery.LoadEvent(file)
	require.NoError(t, err)
	assert.Equal(t, "MultiPolygon", e.AOI.Type)

	for _, path := range []string{"../outside.geojson", "/etc/hostname", "link.geojson"} {
		require.NoError(t, os.WriteFile(file, []byte(strings.Replace(text, "area.geojson", path, 1)), 0o644))
		if path == "link.geojson" {
			require.NoError(t, os.Symlink("/etc/hostname", filepath.Join(dir, path)))
		}
		_, err := imagery.LoadEvent(file)
		assert.ErrorContains(t, err, "in the event file's folder", path)
	}
}

func TestParseEventTellsWhatIsWrong(t *testing.T) {
	replace := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(eventYAML) }
	for name, c := range map[string]struct {
		yaml string
		want []string
	}{
		"empty":            {"", []string{"empty"}},
		"not an event":     {"- a\n- b\n", []string{"expected an event's keys"}},
		"unknown key":      {replace("title:", "titel:"), []string{`line 3: unknown key "titel": did you mean "title"?`}},
		"unknown deep key": {replace("scl:", "slc:"), []string{`unknown key "slc" in post[0]: did you mean "scl"?`}},
		"far-off key":      {"banana: 1\n" + eventYAML, []string{`unknown key "banana": expected one of aoi, dem, description`}},
		"alias":            {"id: &a x\ntitle: *a\n", []string{"aliases are not accepted"}},
		"two documents":    {eventYAML + "\n---\nid: b\n", []string{"one YAML document"}},
		"all at once": {"id: Bad_ID\npre: []\n", []string{
			`id: "Bad_ID": expected 1 to 64 lower-case letters`, "title: missing", "trigger.time: missing", "post: missing"}},
		"trigger type":   {replace("earthquake}", "quake}"), []string{`trigger.type: "quake": expected one of earthquake, rainfall`}},
		"bad time":       {replace("2018-09-05T18:07:59Z", "yesterday"), []string{"yesterday"}},
		"bad band":       {replace("green", "teal"), []string{`post[0].bands[1]: "teal" is no Sentinel-2 band`}},
		"band twice":     {replace("green", "B2"), []string{"post[0].bands[1]: B02 is named twice"}},
		"bad level":      {replace("L1C", "L3"), []string{`post[0].level: "L3": expected L2A or L1C`}},
		"bad offset":     {replace("-1000", "-100000"), []string{"post[0].offset: -100000"}},
		"crossing AOI":   {replace("[[[141.9, 42.7], [142.0, 42.7], [142.0, 42.75], [141.9, 42.7]]]", "[[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]"), []string{"aoi: is not a valid geometry"}},
		"AOI in metres":  {replace("141.9, 42.7]", "500000, 4600000]"), []string{"not longitude and latitude"}},
		"AOI a point":    {replace("Polygon", "Point", "[[[141.9, 42.7], [142.0, 42.7], [142.0, 42.75], [141.9, 42.7]]]", "[1, 2]"), []string{"expected Polygon or MultiPolygon"}},
		"too deep":       {"aoi: " + strings.Repeat("[", 20000), []string{"exceeded max depth"}},
		"too large":      {"title: " + strings.Repeat("x", 2<<20), []string{"larger than 1 MiB"}},
		"AOI of many":    {"aoi: {type: FeatureCollection, features: [" + strings.Repeat("{},", 3000) + "]}", []string{"at most 2000 are accepted"}},
		"AOI of nothing": {replace("[[[141.9, 42.7], [142.0, 42.7], [142.0, 42.75], [141.9, 42.7]]]", "[]"), []string{"aoi: holds no positions"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := imagery.ParseEvent(strings.NewReader(c.yaml), "")
			for _, want := range c.want {
				assert.ErrorContains(t, err, want)
			}
		})
	}
}

func FuzzParseEvent(f *testing.F) {
	f.Add(eventYAML)
	f.Add(`{"id":"a","title":"b","trigger":{"time":"2020-01-01T00:00:00Z"},"pre":[{"path":"a"}],"post":[{"path":"b"}],"dem":"c"}`)
	f.Add("aoi: {type: FeatureCollection, features: [{geometry: null}]}")
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := imagery.ParseEvent(strings.NewReader(text), "")
		if err != nil {
			return
		}
		require.NoError(t, e.Validate())
		var out bytes.Buffer
		require.NoError(t, e.WriteYAML(&out))
		again, err := imagery.ParseEvent(&out, "")
		require.NoError(t, err)
		require.Equal(t, e.ID, again.ID)
		require.Equal(t, e.Pre, again.Pre)
	})
}
