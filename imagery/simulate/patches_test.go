package simulate_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery/simulate"
)

// readNPY reads an array by the format's definition: magic, version, header length, header, values.
func readNPY(t *testing.T, path string) (kind string, shape []int, data []byte) {
	t.Helper()
	raw, err := os.ReadFile(path)
	require.NoError(t, err)
	require.True(t, bytes.HasPrefix(raw, []byte("\x93NUMPY\x01\x00")))
	n := int(binary.LittleEndian.Uint16(raw[8:]))
	require.Zero(t, (10+n)%64, "values must be aligned")
	header := string(raw[10 : 10+n])
	require.True(t, strings.HasSuffix(header, "\n"))
	m := regexp.MustCompile(`^\{'descr': '([^']+)', 'fortran_order': False, 'shape': \(([^)]*)\), \} *\n$`).FindStringSubmatch(header)
	require.NotNil(t, m, header)
	for _, d := range strings.Split(strings.TrimSuffix(m[2], ","), ",") {
		v, err := strconv.Atoi(strings.TrimSpace(d))
		require.NoError(t, err)
		shape = append(shape, v)
	}
	return m[1], shape, raw[10+n:]
}

func TestWritePatches(t *testing.T) {
	dir := t.TempDir()
	var progress []int
	s, err := simulate.WritePatches(context.Background(), dir, simulate.PatchOptions{Count: 20, Size: 64, Seed: 3, Workers: 2, Progress: func(n int) { progress = append(progress, n) }})
	require.NoError(t, err)
	assert.Equal(t, [3]int{9, 8, 3}, [3]int{s.Many, s.Few, s.None})
	assert.Equal(t, 20, progress[len(progress)-1])

	for _, a := range []struct {
		name, kind string
		shape      []int
		bytes      int
	}{
		{"pre", "<u2", []int{20, 12, 64, 64}, 2}, {"post", "<u2", []int{20, 12, 64, 64}, 2}, {"terrain", "<f4", []int{20, 3, 64, 64}, 4},
		{"mask", "|u1", []int{20, 64, 64}, 1}, {"cloud", "|u1", []int{20, 2, 64, 64}, 1},
	} {
		kind, shape, data := readNPY(t, filepath.Join(dir, a.name+".npy"))
		size := a.bytes
		for _, n := range a.shape {
			size *= n
		}
		assert.Equal(t, a.kind, kind)
		assert.Equal(t, a.shape, shape)
		assert.Len(t, data, size)
	}
	_, _, mask := readNPY(t, filepath.Join(dir, "mask.npy"))
	counts := [3]int{}
	for i := range 20 {
		switch n := bytes.Count(mask[i*64*64:(i+1)*64*64], []byte{1}); {
		case n > 50: // 200 in proportion
			counts[0]++
		case n > 0:
			counts[1]++
		default:
			counts[2]++
		}
	}
	assert.Equal(t, [3]int{9, 8, 3}, counts)

	text, err := os.ReadFile(filepath.Join(dir, "patches.json"))
	require.NoError(t, err)
	var told simulate.PatchSummary
	require.NoError(t, json.Unmarshal(text, &told))
	n := 0
	for _, e := range told.Events {
		n += e.Patches
	}
	assert.Equal(t, 20, n)
	assert.Equal(t, simulate.Bands(), told.Bands)
}

func TestPatchesDependOnSeedOnly(t *testing.T) {
	read := func(o simulate.PatchOptions) []byte {
		dir := t.TempDir()
		o.Count, o.Size = 6, 32
		_, err := simulate.WritePatches(context.Background(), dir, o)
		require.NoError(t, err)
		b, err := os.ReadFile(filepath.Join(dir, "post.npy"))
		require.NoError(t, err)
		return b
	}
	first := read(simulate.PatchOptions{Seed: 1, Workers: 1})
	assert.True(t, bytes.Equal(first, read(simulate.PatchOptions{Seed: 1, Workers: 3})), "another number of workers")
	assert.False(t, bytes.Equal(first, read(simulate.PatchOptions{Seed: 2, Workers: 1})), "another seed")
	assert.False(t, bytes.Equal(first, read(simulate.PatchOptions{Seed: 1, HeldOut: true})), "held-out ranges")
}

func TestPatchOptionsAreChecked(t *testing.T) {
	for _, o := range []simulate.PatchOptions{{Count: 0}, {Count: -1}, {Count: 1, Size: 16}, {Count: 1, Size: 4096}} {
		_, err := simulate.WritePatches(context.Background(), t.TempDir(), o)
		assert.ErrorContains(t, err, "give at least 1 patch")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := simulate.WritePatches(ctx, t.TempDir(), simulate.PatchOptions{Count: 5})
	assert.ErrorIs(t, err, context.Canceled)
}
