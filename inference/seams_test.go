package inference_test

import (
	"context"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/imagery/simulate"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/inference/inferencetest"
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

// crop is a part of a source with a grid of its own, so that blocks and patches
// lie elsewhere on the same ground.
type crop struct {
	imagery.Source
	at imagery.Rect
}

func (c crop) Grid() imagery.Grid {
	g := c.Source.Grid()
	g.Width, g.Height = c.at.W, c.at.H
	return g
}

func (c crop) Revision() string { return fmt.Sprintf("%016x", c.at.X) }

func (c crop) Read(ctx context.Context, r imagery.Request) (*imagery.Window, error) {
	r.Rect.X += c.at.X
	r.Rect.Y += c.at.Y
	return c.Source.Read(ctx, r)
}

// ground gives land to look at: pixels that vary for rules that look at pixels, and for trained networks a simulated
// event, since they say anything of what no satellite ever saw.
func ground(t *testing.T, m *inference.Model, side int) imagery.Source {
	t.Helper()
	if strings.HasPrefix(m.Name(), "tiny-") {
		src := imagerytest.New(side, side)
		src.Mixed = true
		return src
	}
	dir := t.TempDir()
	sim, err := simulate.Generate(t.Context(), simulate.Config{Seed: 101, Width: side, Height: side})
	require.NoError(t, err)
	_, err = imagery.WriteSimulated(t.Context(), dir, "ground", "Ground", "", sim)
	require.NoError(t, err)
	event, err := imagery.LoadEvent(filepath.Join(dir, "event.yaml"))
	require.NoError(t, err)
	src, err := imagery.Open(t.Context(), event, imagery.Options{Allow: []string{dir}})
	require.NoError(t, err)
	t.Cleanup(func() { src.Close() })
	return src
}

// No seams: from pixel to pixel the probability changes as much across the
// edges of blocks, and where patches begin and end, as it does inside. The
// ground decides how much it changes at any place, so the same pairs of pixels
// are compared: once at edges, once inside, because the grid was moved.
func TestNoSeams(t *testing.T) {
	const side, shift, border = 768, 64, 64 // predictions near the grid's edges see mirrored ground
	for _, m := range modelsToTest(t, nil) {
		if m.Manifest.Kind == inference.Cloud {
			continue // it finds clouds for the others, and makes no map
		}
		t.Run(m.Name(), func(t *testing.T) {
			src := ground(t, m, side+shift)
			e := newEngine(t, func(c *inference.Config) { c.Models = []*inference.Model{m} })
			fixed := mosaic(t, e, crop{src, imagery.Rect{W: side, H: side}}, m, side)
			moved := mosaic(t, e, crop{src, imagery.Rect{X: shift, Y: shift, W: side, H: side}}, m, side)
			l := m.Lattice
			blockEdge := func(x int) bool { return x%inference.BlockSize == 0 }
			patchEdge := func(x int) bool {
				first := l.Offset + l.Margin // of a patch's used part; its end is the overlap further
				return (x-first)%l.Stride == 0 || (x-first-(l.Patch-2*l.Margin))%l.Stride == 0
			}
			compare := func(edge func(int) bool) (ratio float64) {
				var here, inside float64
				step := func(px []uint8, i, j int) float64 { return math.Abs(float64(px[i]) - float64(px[j])) }
				for y := shift + border; y < side-border; y++ {
					for x := shift + border; x < side-border; x++ {
						i, j := y*side+x, (y-shift)*side+x-shift // the same ground in both
						if edge(x) && !edge(x-shift) {
							here, inside = here+step(fixed, i, i-1), inside+step(moved, j, j-1)
						}
						if edge(y) && !edge(y-shift) {
							here, inside = here+step(fixed, i, i-side), inside+step(moved, j, j-side)
						}
					}
				}
				require.Positive(t, inside, "predictions do not vary")
				return here / inside
			}
			blocks, patches := compare(blockEdge), compare(patchEdge)
			t.Logf("lattice %s: step across block edges ÷ inside %.3f, across patch edges ÷ inside %.3f", l, blocks, patches)
			assert.LessOrEqual(t, blocks, 1.1, "block edges")
			assert.LessOrEqual(t, patches, 1.1, "patch edges")
		})
	}
}

// mosaic puts the blocks of a square source together.
func mosaic(t *testing.T, e *inference.Engine, src imagery.Source, m *inference.Model, side int) []uint8 {
	t.Helper()
	pixels := make([]uint8, side*side)
	for at, px := range allBlocks(t, e, src, m, blocksOf(side), 8) {
		for y := range inference.BlockSize {
			copy(pixels[(at.Row*inference.BlockSize+y)*side+at.Col*inference.BlockSize:], px[y*inference.BlockSize:][:inference.BlockSize])
		}
	}
	return pixels
}
