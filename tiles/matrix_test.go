package tiles_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/tiles"
)

// Figures as printed in OGC 17-083r4, annex D.
func TestMatrixSetsAreTheStandards(t *testing.T) {
	f := newFixture(t, imagerytest.New(300, 300), nil)
	sets := f.MatrixSets()
	require.Len(t, sets, 2)
	mercator, crs84 := sets[0], sets[1]
	assert.Equal(t, "WebMercatorQuad", mercator.ID)
	assert.Equal(t, "WorldCRS84Quad", crs84.ID)
	require.Len(t, mercator.Matrices, 25)
	require.Len(t, crs84.Matrices, 18)
	for _, c := range []struct {
		m           tiles.Matrix
		id          string
		scale, cell float64
		w, h        int
	}{
		{mercator.Matrices[0], "0", 559082264.028717, 156543.033928041, 1, 1},
		{mercator.Matrices[1], "1", 279541132.014358, 78271.5169640204, 2, 2},
		{mercator.Matrices[10], "10", 545978.773465544, 152.874056570353, 1024, 1024},
		{mercator.Matrices[18], "18", 2132.72958385, 0.597164283559817, 262144, 262144},
		{mercator.Matrices[24], "24", 33.3238997476, 0.00933069192767, 16777216, 16777216},
		{crs84.Matrices[0], "0", 279541132.014358, 0.703125, 2, 1},
		{crs84.Matrices[10], "10", 272989.386732772, 0.000686645507812, 2048, 1024},
		{crs84.Matrices[17], "17", 2132.72958385, 0.00000536441802978516, 262144, 131072},
	} {
		assert.Equal(t, c.id, c.m.ID)
		assert.InEpsilon(t, c.scale, c.m.ScaleDenominator, 1e-9, c.id)
		assert.InEpsilon(t, c.cell, c.m.CellSize, 1e-9, c.id)
		assert.Equal(t, [3]int{c.w, c.h, 256}, [3]int{c.m.Width, c.m.Height, c.m.TileSize}, c.id)
	}
	assert.Equal(t, -20037508.3427892, mercator.Matrices[5].OriginX)
	assert.Equal(t, 20037508.3427892, mercator.Matrices[5].OriginY)
	assert.Equal(t, [2]float64{-180, 90}, [2]float64{crs84.Matrices[5].OriginX, crs84.Matrices[5].OriginY})
}

func TestLimits(t *testing.T) {
	f := newFixture(t, imagerytest.New(300, 300), nil)
	mercator, crs84 := f.MatrixSets()[0], f.MatrixSets()[1]
	world := [4]float64{-180, -90, 180, 90}
	iburi := [4]float64{141.85, 42.6, 142.1, 42.85}
	for _, c := range []struct {
		name   string
		set    tiles.MatrixSet
		z      int
		bounds [4]float64
		want   tiles.Limits
	}{
		{"the world in one tile", mercator, 0, world, tiles.Limits{}},
		{"the world in 16", mercator, 2, world, tiles.Limits{MaxRow: 3, MaxCol: 3}},
		{"the world in CRS84", crs84, 1, world, tiles.Limits{MaxRow: 1, MaxCol: 3}},
		{"a quarter ends at its edge", mercator, 1, [4]float64{-180, 0, 0, 85}, tiles.Limits{}},
		// Slippy map names: x = ⌊(lon+180)/360·2^z⌋, y = ⌊(1−asinh(tan φ)/π)/2·2^z⌋.
		{"Iburi at 10", mercator, 10, iburi, tiles.Limits{MinRow: 376, MaxRow: 377, MinCol: 915, MaxCol: 916}},
		{"Iburi in CRS84 at 10", crs84, 10, iburi, tiles.Limits{MinRow: 268, MaxRow: 269, MinCol: 1830, MaxCol: 1832}},
		{"across the antimeridian", crs84, 3, [4]float64{179, -10, -179, 10}, tiles.Limits{MinRow: 3, MaxRow: 4, MinCol: 0, MaxCol: 15}},
		{"a point", mercator, 3, [4]float64{10, 50, 10, 50}, tiles.Limits{MinRow: 2, MaxRow: 2, MinCol: 4, MaxCol: 4}},
		{"no such matrix", mercator, 25, world, tiles.Limits{MaxRow: -1, MaxCol: -1}},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, f.Limits(c.set, c.z, c.bounds)) })
	}
}
