package tiles_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/airbusgeo/godal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/tiles"
)

// On the event's own grid the numbers are the predicted ones, as floats and as bytes.
func TestValuesOnTheGridAreThePredictedOnes(t *testing.T) {
	src := cloudy(300, 200)
	f := newFixture(t, src, nil)
	g := src.Grid()
	x0, y0, x1, y1 := g.Bounds()
	view := tiles.View{Event: "synthetic", Layer: tiles.Probability, Style: "values", EPSG: g.EPSG, BBox: [4]float64{x0, y0, x1, y1},
		Width: 300, Height: 200, Format: "image/tiff", Transparent: true}
	for _, bytes := range []bool{false, true} {
		view.Bytes = bytes
		r, err := f.Render(t.Context(), view)
		require.NoError(t, err)
		require.True(t, r.Complete)
		file := filepath.Join(t.TempDir(), "values.tif")
		require.NoError(t, os.WriteFile(file, r.Bytes, 0o644))
		ds, err := godal.Open(file)
		require.NoError(t, err)
		defer ds.Close()
		assert.Equal(t, "COG", ds.Metadata("LAYOUT", godal.Domain("IMAGE_STRUCTURE")))
		band := ds.Bands()[0]
		assert.Equal(t, "probability", band.Description())
		noData, ok := band.NoData()
		require.True(t, ok)
		got := make([]float64, 300*200)
		require.NoError(t, ds.Read(0, 0, got, 300, 200))
		for i, v := range got {
			code := f.predictor.value(i%300, i/300)
			switch {
			case code > 250 && bytes:
				require.Equal(t, noData, v, "pixel %d", i)
			case code > 250:
				require.True(t, math.IsNaN(v) && math.IsNaN(noData), "pixel %d", i)
			case bytes:
				require.Equal(t, float64(code), v, "pixel %d", i)
			default:
				require.InDelta(t, float64(code)/250, v, 1e-6, "pixel %d", i)
			}
		}
	}
}
