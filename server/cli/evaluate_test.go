package cli

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/inference/assess"
)

// A simulated event is mapped, and the map is judged by the simulator's truth:
// as probabilities, as a mask and as polygons, which agree with each other.
func TestEvaluateSimulatedEvent(t *testing.T) {
	ctx, dir, out := context.Background(), simulated(t), t.TempDir()
	in := func(name string) string { return filepath.Join(out, name) }
	truth := filepath.Join(dir, "mask.tif")
	_, _, err := run(ctx, mapArgs(t, dir, "-o", in("a.gpkg"), "-o", in("mask.tif"), "--probability", in("p.tif"), "--min-area", "0", "--clouds", "none")...)
	require.NoError(t, err)

	score := func(mapped string, more ...string) assess.Report {
		t.Helper()
		stdout, _, err := run(ctx, append([]string{"evaluate", mapped, truth, "--json", in("scores.json")}, more...)...)
		require.NoError(t, err)
		assert.Contains(t, stdout, "OBJECTS")
		text, err := os.ReadFile(in("scores.json"))
		require.NoError(t, err)
		var r assess.Report
		require.NoError(t, json.Unmarshal(text, &r))
		return r
	}
	probability := score(in("p.tif"), "--html", in("report.html"))
	assert.Equal(t, int64(300*280), probability.Compared)
	assert.Equal(t, 0.5, probability.Pixels.Threshold, "the file says so")
	assert.Greater(t, probability.Pixels.F1, 0.2, "a rule finds some of it")
	require.NotNil(t, probability.ECE)
	mask := score(in("mask.tif"))
	assert.Equal(t, probability.Pixels.TruePositive, mask.Pixels.TruePositive)
	assert.Equal(t, probability.Pixels.FalsePositive, mask.Pixels.FalsePositive)
	assert.Equal(t, probability.Objects, mask.Objects)
	polygons := score(in("a.gpkg"), "--area", in("mask.tif"), "--layer", "landslides")
	assert.LessOrEqual(t, polygons.Compared, mask.Compared)
	whole := score(in("a.gpkg"))
	assert.Equal(t, mask.Pixels.TruePositive, whole.Pixels.TruePositive)
	assert.Equal(t, mask.Pixels.FalsePositive, whole.Pixels.FalsePositive)
	page, err := os.ReadFile(in("report.html"))
	require.NoError(t, err)
	assert.Contains(t, string(page), "<svg")

	same := score(truth)
	assert.Equal(t, 1.0, same.Pixels.IoU)
	_, _, err = run(ctx, "evaluate", in("p.tif"), truth, "--threshold", "7")
	require.ErrorContains(t, err, "threshold 7")
}
