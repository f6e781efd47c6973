package inference_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"scarp/imagery/imagerytest"
	"scarp/inference"
	"scarp/inference/inferencetest"
)

// modelsToTest are the shipped models, where there are any, and the tiny ones.
func modelsToTest(t testing.TB, lattice map[string]inference.LatticeConfig) []*inference.Model {
	t.Helper()
	folders := []fs.FS{os.DirFS("testdata")}
	if extra := os.Getenv("SCARP_BENCH_MODELS"); extra != "" {
		folders = append(folders, os.DirFS(extra))
	}
	if shipped := filepath.Join(inferencetest.RepositoryRoot(), "models"); !testing.Short() {
		folders = append(folders, os.DirFS(shipped))
	}
	models, err := inference.LoadModels(folders, lattice)
	require.NoError(t, err)
	return models
}

// No seams: from pixel to pixel the probability changes as much across the
// edges of blocks, and across the edges of patches, as it does elsewhere.
func TestNoSeams(t *testing.T) {
	const side = 768
	src := imagerytest.New(side, side)
	src.Mixed = true
	for _, m := range modelsToTest(t, nil) {
		t.Run(m.Name(), func(t *testing.T) {
			e := newEngine(t, func(c *inference.Config) { c.Models = []*inference.Model{m} })
			mosaic := make([]uint8, side*side)
			for at, px := range allBlocks(t, e, src, m, blocksOf(side), 8) {
				for y := range inference.BlockSize {
					copy(mosaic[(at.Row*inference.BlockSize+y)*side+at.Col*inference.BlockSize:], px[y*inference.BlockSize:][:inference.BlockSize])
				}
			}
			l := m.Lattice
			blockEdge := func(x int) bool { return x%inference.BlockSize == 0 }
			patchEdge := func(x int) bool {
				first := l.Offset + l.Margin // of a patch's used part; its end is the overlap further
				return (x-first)%l.Stride == 0 || (x-first-(l.Patch-2*l.Margin))%l.Stride == 0
			}
			blocks, patches := steps(mosaic, side, blockEdge), steps(mosaic, side, patchEdge)
			t.Logf("%s (%s): step across block edges ÷ elsewhere %.3f, across patch edges ÷ elsewhere %.3f", m.Name(), l, blocks, patches)
			assert.LessOrEqual(t, blocks, 1.1, "block edges")
			assert.LessOrEqual(t, patches, 1.1, "patch edges")
		})
	}
}

// steps is the mean absolute step between neighbours across edges ÷ that of all other neighbours.
func steps(mosaic []uint8, side int, edge func(int) bool) float64 {
	var sum, n [2]float64
	add := func(a, b uint8, at int) {
		k := 0
		if edge(at) {
			k = 1
		}
		d := float64(a) - float64(b)
		sum[k] += max(d, -d)
		n[k]++
	}
	for y := 1; y < side; y++ {
		for x := 1; x < side; x++ {
			here := mosaic[y*side+x]
			add(here, mosaic[y*side+x-1], x)
			add(here, mosaic[(y-1)*side+x], y)
		}
	}
	return (sum[1] / n[1]) / (sum[0] / n[0])
}
