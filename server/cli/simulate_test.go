package cli

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"scarp/imagery"
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
