package inference_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/inference"
)

func TestNoDataAndCloudsStayDistinguishable(t *testing.T) {
	e := newEngine(t, nil)
	src := imagerytest.New(256, 256)
	// Stripes of 10 rows.
	stripe := func(k int) func(x, y int) bool { return func(_, y int) bool { return y/10 == k } }
	src.PreEmpty, src.PostEmpty, src.TerrainEmpty = stripe(1), stripe(2), stripe(3)
	src.PreCloud = func(_, y int) uint8 {
		return map[int]uint8{5: imagery.ThickCloud, 7: imagery.ThinCloud, 9: imagery.Shadow}[y/10]
	}
	src.PostCloud = func(_, y int) uint8 { return map[int]uint8{6: imagery.ThinCloud, 7: imagery.ThickCloud}[y/10] }
	px := block(t, e, src, model(t, e, "tiny-bitemporal"), 0, 0, 0)
	want := map[int]uint8{1: inference.NoData, 2: inference.NoData, 3: inference.NoData,
		5: inference.CloudPre, 6: inference.CloudPost, 7: inference.CloudBoth}
	for i, v := range px {
		code, coded := want[i/inference.BlockSize/10]
		if coded {
			require.Equal(t, code, v, "row %d", i/inference.BlockSize)
		} else {
			require.LessOrEqual(t, v, inference.MaxProbability, "row %d", i/inference.BlockSize)
		}
	}
}

// A single-date model neither reads nor minds the pre image.
func TestSingleDateModelIgnoresThePreImage(t *testing.T) {
	e := newEngine(t, nil)
	src := imagerytest.New(256, 256)
	src.PreCloud = func(int, int) uint8 { return imagery.ThickCloud }
	src.PreEmpty = func(x, _ int) bool { return x < 100 }
	px := block(t, e, src, model(t, e, "tiny-single"), 0, 0, 0)
	for _, v := range px {
		require.LessOrEqual(t, v, inference.MaxProbability)
	}
}

func TestBlocksWithoutDataTakeNoInference(t *testing.T) {
	e := newEngine(t, nil)
	src := imagerytest.New(600, 256)
	src.PostEmpty = func(x, _ int) bool { return x < 256 }
	src.PostCloud = func(x, _ int) uint8 {
		if x >= 512 {
			return imagery.ThickCloud
		}
		return imagery.Clear
	}
	m := model(t, e, "")
	px := block(t, e, src, m, 0, 0, 0)
	assert.NotContains(t, px, uint8(0))
	assert.Equal(t, inference.NoData, px[0])
	px = block(t, e, src, m, 0, 2, 0)
	assert.Equal(t, inference.CloudPost, px[0])
	assert.Equal(t, inference.NoData, px[inference.BlockSize-1], "beyond the grid")
	reads := src.Reads()
	px = block(t, e, src, m, 0, 7, 7)
	assert.Equal(t, inference.NoData, px[0], "a block outside the grid")
	assert.Equal(t, reads, src.Reads())
	assert.Zero(t, e.Stats().Runs)
}

func TestMissingBands(t *testing.T) {
	e := newEngine(t, nil)
	src := imagerytest.New(64, 64)
	src.MissingPre = []string{"B04", "B08", "B01"} // B01 may be missing
	_, err := e.Block(t.Context(), src, model(t, e, "tiny-bitemporal"), inference.BlockIndex{}, inference.Interactive)
	var missing *inference.MissingError
	require.ErrorAs(t, err, &missing)
	assert.Equal(t, []string{"band B04 of the pre scenes", "band B08 of the pre scenes"}, missing.Missing)
	assert.ErrorContains(t, err, "event synthetic can't be mapped with model tiny-bitemporal, which needs band B04 of the pre scenes")

	src = imagerytest.New(64, 64)
	src.MissingPre, src.MissingPost = []string{"B01", "B12"}, []string{"B09"}
	px := block(t, e, src, model(t, e, "tiny-bitemporal"), 0, 0, 0)
	assert.LessOrEqual(t, px[0], inference.MaxProbability)
}

func TestCheckWarnsOfWhatMakesPredictionsWorse(t *testing.T) {
	e := newEngine(t, nil)
	src := imagerytest.New(64, 64)
	warnings, err := model(t, e, "tiny-bitemporal").Check(src)
	require.NoError(t, err)
	assert.Empty(t, warnings)
	src.MissingPost = []string{"B10"}
	warnings, err = model(t, e, "tiny-single").Check(src)
	require.NoError(t, err)
	assert.Equal(t, []string{
		"the post scenes have no band B10: model tiny-single gets a constant instead",
		"the post scenes are L2A, model tiny-single was made for L1C",
	}, warnings)
	src.MissingPost = []string{"B02"}
	_, err = model(t, e, "tiny-single").Check(src)
	assert.ErrorContains(t, err, "band B02 of the post scenes")
}
