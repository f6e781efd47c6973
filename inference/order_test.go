package inference_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/inference"
)

// allBlocks predicts the blocks in the order given, inFlight at a time.
func allBlocks(t *testing.T, e *inference.Engine, src imagery.Source, m *inference.Model, order []inference.BlockIndex, inFlight int) map[inference.BlockIndex][]uint8 {
	t.Helper()
	got := make([][]uint8, len(order))
	var g errgroup.Group
	g.SetLimit(inFlight)
	for i, at := range order {
		g.Go(func() error {
			b, err := e.Block(t.Context(), src, m, at, inference.Priority(i%2))
			if err == nil {
				got[i] = b.Pixels
			}
			return err
		})
	}
	require.NoError(t, g.Wait())
	blocks := map[inference.BlockIndex][]uint8{}
	for i, at := range order {
		blocks[at] = got[i]
	}
	return blocks
}

// Whoever asks, in whatever order, with or without kept patches, with one
// thread or two: a block's bytes are the same.
func TestBlocksAreTheSameWhoeverAsks(t *testing.T) {
	src := imagerytest.New(600, 400) // blocks at the edges are cut
	order := []inference.BlockIndex{}
	for row := range 2 {
		for col := range 3 {
			order = append(order, inference.BlockIndex{Col: col, Row: row})
		}
	}
	models := tinyModels(t, nil)
	var want map[inference.BlockIndex][]uint8
	for i, c := range []struct {
		workers, threads, inFlight int
		patchBytes                 int64
	}{
		{1, 1, 1, 64 << 20},
		{2, 1, 9, 64 << 20},
		{1, 2, 3, 64 << 20},
		{2, 2, 4, 1}, // no patch is kept
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			e := newEngine(t, func(ec *inference.Config) {
				ec.Models, ec.Workers, ec.Threads, ec.PatchBytes = models, c.workers, c.threads, c.patchBytes
			})
			r := rand.New(rand.NewPCG(uint64(i), 0))
			r.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
			got := allBlocks(t, e, src, model(t, e, "tiny-bitemporal"), order, c.inFlight)
			if want == nil {
				want = got
			}
			for at := range want {
				require.Equal(t, want[at], got[at], at)
			}
		})
	}
}

// A cold block takes four patches, and a job one a block and a row and column more.
func TestPatchesAreShared(t *testing.T) {
	models := tinyModels(t, map[string]inference.LatticeConfig{"": {PatchSize: 320, Overlap: 64}})
	e := newEngine(t, func(c *inference.Config) { c.Models = models })
	src, m := imagerytest.New(768, 768), model(t, e, "tiny-bitemporal")
	src.Flat = true
	block(t, e, src, m, 0, 1, 1)
	assert.EqualValues(t, 4, e.Stats().Runs)
	allBlocks(t, e, src, m, blocksOf(768), 8)
	assert.EqualValues(t, 16, e.Stats().Runs)
}

func TestBlocksComeFromTheCache(t *testing.T) {
	shared := newCache(t)
	src := imagerytest.New(256, 256)
	var first []uint8
	for i := range 2 {
		e := newEngine(t, func(c *inference.Config) { c.Cache = shared })
		got := block(t, e, src, model(t, e, ""), 0, 0, 0)
		if i == 0 {
			first = got
			continue
		}
		assert.Equal(t, first, got)
		assert.EqualValues(t, 0, e.Stats().Runs)
	}
	// Another revision, or another lattice, is another block.
	e := newEngine(t, func(c *inference.Config) { c.Cache = shared })
	src.Seed++
	block(t, e, src, model(t, e, ""), 0, 0, 0)
	assert.Positive(t, e.Stats().Runs)
	a, b := tinyModels(t, nil)[0], tinyModels(t, map[string]inference.LatticeConfig{"": {Overlap: 32}})[0]
	assert.NotEqual(t, a.Digest, b.Digest)
	assert.Regexp(t, "^[0-9a-f]{16}$", a.Digest)
}
