package inference_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/inference"
)

// With stride 256 blocks take four patches, the least that overlapping ones
// allow; with longer strides some take fewer.
func TestLatticePlacesPatchesWhereBlocksTakeTheFewest(t *testing.T) {
	for _, c := range []struct {
		lattice inference.LatticeConfig
		most    int     // patches over a block, along an axis
		mean    float64 // of many blocks
		offset  int
	}{
		{inference.LatticeConfig{PatchSize: 320, Overlap: 64}, 2, 2, -160},
		{inference.LatticeConfig{PatchSize: 320, Overlap: 64, Margin: 16}, 2, 2, -160},
		{inference.LatticeConfig{PatchSize: 320, Overlap: 64, Blend: "none"}, 1, 1, -32},
		{inference.LatticeConfig{PatchSize: 256, Overlap: -1}, 1, 1, -256},
		{inference.LatticeConfig{PatchSize: 576, Overlap: 64}, 2, 1.5, -416},
		{inference.LatticeConfig{PatchSize: 384, Overlap: 128}, 2, 2, -192},
		{inference.LatticeConfig{PatchSize: 256, Overlap: 128}, 3, 3, -128},
	} {
		t.Run(fmt.Sprintf("%+v", c.lattice), func(t *testing.T) {
			l := tinyModels(t, map[string]inference.LatticeConfig{"": c.lattice})[0].Lattice
			assert.Equal(t, c.offset, l.Offset)
			total, most := 0, 0
			const blocks = 64
			for b := -blocks / 2; b < blocks/2; b++ {
				n := 0
				for i := -200; i < 200; i++ {
					from := l.Offset + i*l.Stride + l.Margin
					if from < (b+1)*inference.BlockSize && from+l.Patch-2*l.Margin > b*inference.BlockSize {
						n++
					}
				}
				total, most = total+n, max(most, n)
			}
			assert.Equal(t, c.most, most)
			assert.InDelta(t, c.mean, float64(total)/blocks, 1e-9)
		})
	}
}

func TestLatticesThatMakeNoSenseAreRefused(t *testing.T) {
	for want, l := range map[string]inference.LatticeConfig{
		"patch size 250 is not a multiple of 32":               {PatchSize: 250},
		"overlap 256 is not less than patch size 256":          {Overlap: 256},
		"margin 40: twice of it must not exceed":               {Margin: 40},
		`blend "gauss" is not uniform, linear, cosine or none`: {Blend: "gauss"},
	} {
		_, err := inference.LoadModels(testdata(), map[string]inference.LatticeConfig{"tiny-single": l})
		var refused *inference.RefusedError
		require.ErrorAs(t, err, &refused)
		assert.ErrorContains(t, err, want)
	}
}

// However patches are weighed, where all say the same the block says it too.
func TestBlendingKeepsWhatAllPatchesSay(t *testing.T) {
	for _, l := range []inference.LatticeConfig{
		{PatchSize: 160, Overlap: 64, Blend: "cosine"},
		{PatchSize: 160, Overlap: 100, Margin: 20, Blend: "linear"},
		{PatchSize: 160, Overlap: 100, Margin: 50, Blend: "uniform"}, // hard cuts
		{PatchSize: 96, Overlap: 70, Blend: "cosine"},                // more than two overlap
		{PatchSize: 512, Overlap: 32, Blend: "linear"},
		{PatchSize: 320, Overlap: 64, Blend: "none"},
	} {
		t.Run(fmt.Sprintf("%+v", l), func(t *testing.T) {
			px := inference.BlendUniformPatches(tinyModels(t, map[string]inference.LatticeConfig{"": l})[0], 0.7)
			for i, v := range px {
				require.Equal(t, uint8(175), v, "pixel %d", i)
			}
		})
	}
}
