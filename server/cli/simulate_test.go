package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/simulate"
)

// runCommand runs scarp with arguments as Execute does and returns what it printed to standard output.
func runCommand(ctx context.Context, args ...string) (string, error) {
	root := newRootCommand()
	var out, errs bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	return out.String(), err
}

func TestSimulateWritesAnEventThatLoads(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "event")
	out, err := runCommand(context.Background(), "simulate", "-o", dir, "--size", "96x64", "--seed", "3", "--id", "small", "--title", "Small event")
	require.NoError(t, err)
	assert.Contains(t, out, "96 × 64 pixels")
	event, err := imagery.LoadEvent(filepath.Join(dir, "event.yaml"))
	require.NoError(t, err)
	assert.Equal(t, "small", event.ID)
	for _, name := range []string{"pre.tif", "post.tif", "pre_scl.tif", "post_scl.tif", "dem.tif", "mask.tif", "landslides.geojson"} {
		assert.FileExists(t, filepath.Join(dir, name))
	}
}

func TestSimulateWritesPatches(t *testing.T) {
	dir := t.TempDir()
	out, err := runCommand(context.Background(), "simulate", "--patches", "4", "--size", "32", "-o", dir, "--workers", "1")
	require.NoError(t, err)
	assert.Contains(t, out, "4 patches")
	info, err := os.Stat(filepath.Join(dir, "pre.npy"))
	require.NoError(t, err)
	assert.EqualValues(t, 128+4*12*32*32*2, info.Size())
}

func TestSimulateDrawsFromRangesOfAFile(t *testing.T) {
	dir := t.TempDir()
	ranges := filepath.Join(dir, "ranges.json")
	write := func(text string) { require.NoError(t, os.WriteFile(ranges, []byte(text), 0o600)) }
	write(`{"haze": {"min": 900, "max": 900}, "latitude": {"min": 40, "max": 50}}`)
	_, err := runCommand(context.Background(), "simulate", "--patches", "2", "--size", "32", "-o", dir, "--ranges", ranges)
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, "patches.json"))
	require.NoError(t, err)
	var told simulate.PatchSummary
	require.NoError(t, json.Unmarshal(text, &told))
	assert.Equal(t, simulate.Range{Min: 900, Max: 900}, told.Ranges.Haze)
	assert.Equal(t, simulate.DefaultRanges().Dryness, told.Ranges.Dryness, "what the file leaves out")

	for text, want := range map[string]string{
		`{"fog": {"min": 1, "max": 2}}`:         "fog",
		`{"dryness": {"min": 0.5, "max": 0.2}}`: "dryness is 0.5 to 0.2: give min and max in order, within 0 to 1",
		`{"gain": {"min": 0, "max": 1}}`:        "gain is 0 to 1",
		`{"haze": 3}`:                           "haze",
		`{"size_tail": {"min": 1, "max": 2}`:    "unexpected EOF",
	} {
		write(text)
		for _, more := range [][]string{{"--patches", "2", "--size", "32"}, {"--size", "64"}} {
			_, err := runCommand(context.Background(), append([]string{"simulate", "-o", dir, "--ranges", ranges}, more...)...)
			assert.ErrorContains(t, err, want, text)
		}
	}
	_, err = runCommand(context.Background(), "simulate", "--patches", "2", "-o", dir, "--ranges", filepath.Join(dir, "none.json"))
	assert.ErrorContains(t, err, "none.json")
	_, err = runCommand(context.Background(), "simulate", "--patches", "2", "-o", dir, "--ranges", ranges, "--held-out")
	assert.ErrorContains(t, err, "ranges")
}

func TestSimulateSaysHowToMendItsFlags(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{}, "-o DIR"},
		{[]string{"-o", dir, "--size", "big"}, "give pixels"},
		{[]string{"-o", dir, "--size", "8x8"}, "width is 8"},
		{[]string{"-o", dir, "--origin", "here"}, "easting and northing"},
		{[]string{"-o", dir, "--pre-date", "summer"}, "--pre-date"},
		{[]string{"-o", dir, "--post-date", "2020-01-01"}, "older than the post image"},
		{[]string{"-o", dir, "--epsg", "4326"}, "no UTM zone"},
		{[]string{"-o", dir, "--size", "64", "--id", "Not An Id"}, "id"},
		{[]string{"-o", dir, "--patches", "2", "--size", "64x32"}, "square"},
		{[]string{"-o", dir, "--patches", "-2"}, "at least 1 patch"},
		{[]string{"-o", dir, "extra"}, "unknown command"},
	} {
		_, err := runCommand(context.Background(), append([]string{"simulate"}, c.args...)...)
		assert.ErrorContains(t, err, c.want, "%v", c.args)
	}
}

func TestVersion(t *testing.T) {
	out, err := runCommand(context.Background(), "version")
	require.NoError(t, err)
	assert.Regexp(t, `^scarp \S+ `, out)
}

func TestExecuteReturnsOneOnError(t *testing.T) {
	assert.Equal(t, 1, Execute(context.Background(), []string{"no-such-command"}))
	assert.Equal(t, 0, Execute(context.Background(), []string{"version"}))
}
