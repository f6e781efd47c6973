package tiles_test

import (
	"image/color"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/cache"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/tiles"
)

func TestStylesAreData(t *testing.T) {
	own, err := tiles.ReadStyles(strings.NewReader(`
probability:
  - id: traffic
    title: Traffic light
    classes:
      - {from: 0, label: go, color: "#00ff00"}
      - {from: 0.4, label: stop, color: "#ff0000"}
mask:
  - {id: solid, title: Blue, threshold: {color: "#0000ff80", label: slide}}
`))
	require.NoError(t, err)
	f := newFixture(t, imagerytest.New(512, 512), func(c *tiles.Config) { c.Styles = own.Over(tiles.DefaultStyles()) })
	list := f.Styles(tiles.Probability)
	assert.Equal(t, "traffic", list[0].ID, "what one adds is the default")
	assert.Equal(t, "classes", list[0].Kind)
	assert.Equal(t, "ramp", list[1].ID, "what there was is there still")
	assert.Equal(t, "stop, 40-100 %", list[0].Legend[1].Label)
	assert.Equal(t, "Blue", f.Styles(tiles.Mask)[0].Title, "the same id replaces")
	assert.Len(t, f.Styles(tiles.Mask), 2)

	r, err := f.Tile(t.Context(), f.middle(t, tiles.Probability, 13))
	require.NoError(t, err)
	seen := map[color.NRGBA]bool{}
	img := decode(t, r.Bytes)
	for i := 0; i < len(img.Pix); i += 4 {
		if img.Pix[i+3] != 0 {
			seen[color.NRGBA{R: img.Pix[i], G: img.Pix[i+1], B: img.Pix[i+2], A: img.Pix[i+3]}] = true
		}
	}
	assert.Equal(t, map[color.NRGBA]bool{{G: 255, A: 255}: true, {R: 255, A: 255}: true}, seen)
}

func TestWrongStylesSayWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"snow: []":                          "no such layer",
		"mask: [{id: A, title: x}]":         `id "A" must be`,
		"mask: [{id: a}]":                   "title: missing",
		"mask: [{id: default, title: x}]":   "default is taken",
		"mask: [{id: a, title: x}]":         "exactly one of threshold, values",
		"mask: [{id: a, title: x, hue: 3}]": "hue",
		"mask: [{id: a, title: x, values: true, threshold: {color: '#000000'}}]":                                        "exactly one",
		"mask: [{id: a, title: x, values: true}, {id: a, title: x, values: true}]":                                      "stands there twice",
		"mask: [{id: a, title: x, threshold: {color: red}}]":                                                            "#rrggbb",
		"mask: [{id: a, title: x, threshold: {color: oklch(2 0 0)}}]":                                                   "up to 1",
		"probability: [{id: a, title: x, ramp: {stops: [{value: 0, color: '#000000'}]}}]":                               "at least 2",
		"probability: [{id: a, title: x, ramp: {stops: [{value: 1, color: '#000000'}, {value: 0, color: '#000000'}]}}]": "stop 2",
		"probability: [{id: a, title: x, classes: [{from: 0.5, color: '#000000'}, {from: 0.5, color: '#000000'}]}]":     "class 2",
		"pre: [{id: a, title: x, image: {low: 0, high: 1, gamma: 0}}]":                                                  "gamma",
		"pre: [{id: a, title: x, image: {low: 5, high: 1, gamma: 1}}]":                                                  "must ascend",
		"pre: [{id: a, title: x, image: {percentiles: [9, 3], gamma: 1}}]":                                              "percentiles",
		"pre: [{id: a, title: x, image: {percentiles: [1, 3], high: 4, gamma: 1}}]":                                     "not both",
		"landslides: [{id: a, title: x, polygons: {stroke: '#000000', width: 0}}]":                                      "width",
	} {
		_, err := tiles.ReadStyles(strings.NewReader(text))
		assert.ErrorContains(t, err, want, text)
	}
}

// A tile with a threshold of its own is kept like any other.
func TestTilesWithAThresholdAreKept(t *testing.T) {
	f := newFixture(t, imagerytest.New(512, 512), nil)
	tile := f.middle(t, tiles.Mask, 13)
	plain, err := f.Tile(t.Context(), tile)
	require.NoError(t, err)
	tile.Threshold = 0.1
	low, err := f.Tile(t.Context(), tile)
	require.NoError(t, err)
	assert.NotEqual(t, plain.ETag, low.ETag)
	again, err := f.Tile(t.Context(), tile)
	require.NoError(t, err)
	assert.Equal(t, cache.Memory, again.Tier)
	assert.Equal(t, low.Bytes, again.Bytes)
	tile.Threshold = 0.5 // the model's own
	same, err := f.Tile(t.Context(), tile)
	require.NoError(t, err)
	assert.Equal(t, plain.Bytes, same.Bytes)
	tile.Threshold = 2
	_, err = f.Tile(t.Context(), tile)
	require.ErrorIs(t, err, tiles.ErrBadView)
}
