package mapping_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/inference/inferencetest"
	"github.com/scarp-map/scarp/jobs/mapping"
)

// BenchmarkLandslides is everything after the prediction of 2048×2048 pixels:
// mosaic, outlines, attributes (the imagery is made up, not read).
func BenchmarkLandslides(b *testing.B) {
	src := imagerytest.New(2048, 2048)
	p := &inferencetest.Fake{Pixel: blobs}
	plan, err := mapping.NewPlan(src, inputs(p))
	require.NoError(b, err)
	ctx := context.Background()
	m, err := plan.Mosaic(ctx, p, b.TempDir(), func() {})
	require.NoError(b, err)
	defer m.Close()
	n := 0
	for b.Loop() {
		res, err := m.Landslides(ctx, "")
		require.NoError(b, err)
		n = len(res.Landslides)
	}
	b.ReportMetric(float64(n), "landslides")
}
