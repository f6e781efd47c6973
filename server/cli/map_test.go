package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/airbusgeo/godal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/inference/inferencetest"
)

// run runs the program and returns what it prints.
func run(ctx context.Context, args ...string) (stdout, stderr string, err error) {
	root := newRootCommand()
	var out, errs bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(args)
	err = root.ExecuteContext(ctx)
	return out.String(), errs.String(), err
}

// simulated writes a small event and returns its folder.
func simulated(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	_, _, err := run(context.Background(), "simulate", "--size", "300x280", "-o", dir)
	require.NoError(t, err)
	return dir
}

// mapArgs maps the folder's images with a rule written as a network.
func mapArgs(t *testing.T, dir string, more ...string) []string {
	t.Helper()
	inferencetest.Runtime(t) // or skip
	models := filepath.Join(inferencetest.RepositoryRoot(), "inference", "testdata")
	return append([]string{"map", "--pre", filepath.Join(dir, "pre.tif"), "--post", filepath.Join(dir, "post.tif"), "--dem", filepath.Join(dir, "dem.tif"),
		"--models-dir", models, "--model", "tiny-bitemporal"}, more...)
}

func TestMapWritesFiles(t *testing.T) {
	dir, out := simulated(t), t.TempDir()
	gpkg, geojson, mask, probability := filepath.Join(out, "a.gpkg"), filepath.Join(out, "a.geojson"), filepath.Join(out, "mask.tif"), filepath.Join(out, "p.tif")
	stdout, stderr, err := run(context.Background(), mapArgs(t, dir, "-o", gpkg, "-o", geojson, "-o", mask, "--probability", probability)...)
	require.NoError(t, err)
	assert.Contains(t, stdout, "landslide")
	assert.Contains(t, stdout, gpkg)
	assert.Contains(t, stderr, "predicted 4 of 4 blocks")

	text, err := os.ReadFile(geojson)
	require.NoError(t, err)
	var collection struct{ Features []json.RawMessage }
	require.NoError(t, json.Unmarshal(text, &collection))
	require.NotEmpty(t, collection.Features)

	ds, err := godal.Open(gpkg, godal.VectorOnly())
	require.NoError(t, err)
	n, err := ds.Layers()[0].FeatureCount()
	require.NoError(t, err)
	assert.Len(t, collection.Features, n)
	require.NoError(t, ds.Close())
	for _, path := range []string{mask, probability} {
		ds, err := godal.Open(path)
		require.NoError(t, err)
		assert.Equal(t, [2]int{300, 280}, [2]int{ds.Structure().SizeX, ds.Structure().SizeY})
		require.NoError(t, ds.Close())
	}

	// The event file that simulate has written gives the same, but for the event's name and the clouds that it knows of.
	_, _, err = run(context.Background(), "map", "--event", filepath.Join(dir, "event.yaml"),
		"--models-dir", filepath.Join(inferencetest.RepositoryRoot(), "inference", "testdata"), "--model", "tiny-bitemporal", "-o", geojson)
	require.NoError(t, err)

	left, err := os.ReadDir(out)
	require.NoError(t, err)
	assert.Len(t, left, 4, "nothing but the outputs")
}

// A single-date model maps one image; what it was not made for is said, and
// what a model can't do without is an error.
func TestMapOneImage(t *testing.T) {
	dir, out := simulated(t), t.TempDir()
	inferencetest.Runtime(t) // or skip
	one := func(more ...string) []string {
		return append([]string{"map", "--post", filepath.Join(dir, "post.tif"), "-o", filepath.Join(out, "a.gpkg"), "--probability", filepath.Join(out, "p.tif"),
			"--models-dir", filepath.Join(inferencetest.RepositoryRoot(), "inference", "testdata")}, more...)
	}
	_, stderr, err := run(context.Background(), one("--dem", filepath.Join(dir, "dem.tif"), "--model", "tiny-single")...)
	require.NoError(t, err)
	assert.Contains(t, stderr, "no band B10")
	assert.Contains(t, stderr, "L2A, model tiny-single was made for L1C")
	ds, err := godal.Open(filepath.Join(out, "p.tif"))
	require.NoError(t, err)
	defer ds.Close()
	assert.Contains(t, ds.Metadata("QUALITY"), "missing=(B10), level=L2A")

	_, _, err = run(context.Background(), one("--model", "tiny-single")...)
	require.ErrorContains(t, err, "terrain layer slope, and the event has no DEM")
	_, _, err = run(context.Background(), one("--model", "tiny-bitemporal")...)
	require.ErrorContains(t, err, "band B04 of the pre scenes")
}

func TestMapInterrupted(t *testing.T) {
	dir, out := simulated(t), t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, _, err := run(ctx, mapArgs(t, dir, "-o", filepath.Join(out, "a.gpkg"))...)
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(out)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestMapRefuses(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "x.tif")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	tests := map[string]struct {
		args []string
		want string
	}{
		"no output":      {[]string{"--pre", file}, "say what to write"},
		"strange output": {[]string{"-o", "a.xyz"}, "must end in .gpkg, .geojson or .tif"},
		"no folder":      {[]string{"-o", filepath.Join(dir, "b", "a.gpkg")}, "there is no folder"},
		"no images":      {[]string{"-o", "a.gpkg"}, "--post is missing"},
		"two ways":       {[]string{"-o", "a.gpkg", "--event", "e.yaml", "--dem", file}, "either --event"},
		"no file":        {[]string{"-o", "a.gpkg", "--pre", file, "--post", filepath.Join(dir, "y.tif"), "--dem", file}, "y.tif: no such file"},
		"bad date":       {[]string{"-o", "a.gpkg", "--pre", file, "--post", file, "--dem", file, "--date", "yesterday"}, "give a day such as"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, _, err := run(context.Background(), append([]string{"map"}, tt.args...)...)
			require.ErrorContains(t, err, tt.want)
		})
	}
	t.Run("bad numbers", func(t *testing.T) {
		_, _, err := run(context.Background(), mapArgs(t, simulated(t), "-o", filepath.Join(dir, "a.gpkg"), "--threshold", "3", "--min-area", "-1")...)
		require.ErrorContains(t, err, "threshold 3")
		require.ErrorContains(t, err, "minimum area -1")
	})
}
