package server_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// realData returns the folder with real Sentinel-2 samples, which are not part of the project.
func realData(t *testing.T) string {
	t.Helper()
	folder := os.Getenv("SCARP_TEST_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "shared", "data")
	}
	folder, err := filepath.Abs(folder)
	require.NoError(t, err)
	if _, err := os.Stat(folder); err != nil {
		t.Skip("no real data: name its folder in SCARP_TEST_DATA")
	}
	return folder
}

// The Hokkaido Eastern Iburi earthquake of 2018 goes the way of every event:
// registered through the API, drawn, mapped, read as features. Its images have
// red, green and blue only and are in degrees; a part of the pre image is absent.
func TestARealEarthquake(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a whole server")
	}
	scenes := filepath.Join(realData(t), "sentinel2", "hokkaido_2018")
	url, stop := start(t, defaults(t, t.TempDir(), "--allow", scenes))
	defer stop()
	zero := 0
	scene := func(name string) []map[string]any {
		return []map[string]any{{"path": filepath.Join(scenes, name), "bands": []string{"B02", "B03", "B04"}, "offset": zero}}
	}
	event, err := json.Marshal(map[string]any{
		"id": "iburi-2018", "title": "Hokkaido Eastern Iburi earthquake",
		"trigger": map[string]any{"time": "2018-09-05T18:07:59Z", "type": "earthquake"},
		"pre":     scene("pre.tif"), "post": scene("post.tif"), "dem": filepath.Join(scenes, "dem.tif"),
	})
	require.NoError(t, err)
	answer, text := send(t, "POST", url+"/events", string(event), "Content-Type", "application/json")
	require.Less(t, answer.StatusCode, 300, "%s", text)

	for _, layer := range []string{"pre", "post"} {
		answer, picture := send(t, "GET", url+"/collections/iburi-2018_"+layer+"/map?width=256&height=256&f=png", "")
		require.Equal(t, 200, answer.StatusCode, "%.300s", picture)
		assert.Greater(t, len(picture), 10_000, "%s: a picture of one colour is smaller", layer)
	}

	aoi := `{"type": "Polygon", "coordinates": [[[141.905, 42.735], [141.945, 42.735], [141.945, 42.765], [141.905, 42.765], [141.905, 42.735]]]}`
	answer, text = send(t, "POST", url+"/processes/map-landslides/execution",
		`{"inputs": {"event": "iburi-2018", "aoi": `+aoi+`}, "outputs": {"summary": {}}, "response": "document"}`, "Content-Type", "application/json")
	require.Equal(t, 200, answer.StatusCode, "%s", text)
	items := decode(t, url+"/collections/iburi-2018_landslides/items?limit=1000")
	t.Logf("%.0f landslides: %s", items["numberMatched"], text)
	for _, f := range items["features"].([]any) {
		p := f.(map[string]any)["properties"].(map[string]any)
		assert.Greater(t, p["area_m2"], 0.0)
		assert.Nil(t, p["delta_ndvi_mean"], "there is no near infrared")
		assert.Nil(t, p["pre_date"], "nobody recorded it")
	}
}
