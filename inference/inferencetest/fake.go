package inferencetest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/scarp-map/scarp/cache"
	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
)

// Fake is a predictor whose pixels are a function of their place.
type Fake struct {
	// Pixel returns a block's byte at a grid pixel; it is not asked outside the
	// grid. At levels above 0 it is asked for the upper left of the pixels shown as one.
	Pixel func(src imagery.Source, x, y int) uint8
	// OnBlock, when set, is called at the start of each Block, which fails with its error. It may block.
	OnBlock func(ctx context.Context, at inference.BlockIndex) error
	// Names of the models; empty means one, "fake".
	Names []string

	mu       sync.Mutex
	computed map[string]bool
	blocks   int
}

var _ inference.Predictor = (*Fake)(nil)

// Model finds a model by name.
func (f *Fake) Model(name string) (*inference.Model, error) {
	for _, m := range f.Models() {
		if name == "" || m.Name() == name {
			return m, nil
		}
	}
	return nil, fmt.Errorf("%w %q", inference.ErrUnknownModel, name)
}

// Models lists the models.
func (f *Fake) Models() []*inference.Model {
	names := f.Names
	if len(names) == 0 {
		names = []string{"fake"}
	}
	var models []*inference.Model
	for _, n := range names {
		models = append(models, &inference.Model{
			Manifest: inference.Manifest{Name: n, Version: "1.0.0", Title: "Fake", Kind: inference.Bitemporal, Threshold: 0.5},
			Digest:   "fa4e000000000000",
		})
	}
	return models
}

// Blocks returns how often Block was called.
func (f *Fake) Blocks() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.blocks
}

// Block makes the block up.
func (f *Fake) Block(ctx context.Context, src imagery.Source, m *inference.Model, at inference.BlockIndex, _ inference.Priority) (*inference.Block, error) {
	if f.OnBlock != nil {
		if err := f.OnBlock(ctx, at); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.computed == nil {
		f.computed = map[string]bool{}
	}
	tier := cache.Miss
	if f.computed[key(src, m, at)] {
		tier = cache.Memory
	}
	f.computed[key(src, m, at)] = true
	f.blocks++
	return f.make(src, at, tier), nil
}

// Peek returns what Block returned before, at the same level.
func (f *Fake) Peek(_ context.Context, src imagery.Source, m *inference.Model, at inference.BlockIndex) (*inference.Block, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.computed[key(src, m, at)] {
		return nil, false, nil
	}
	return f.make(src, at, cache.Memory), true, nil
}

func key(src imagery.Source, m *inference.Model, at inference.BlockIndex) string {
	return fmt.Sprint(src.Revision(), m.Name(), at)
}

func (f *Fake) make(src imagery.Source, at inference.BlockIndex, tier cache.Tier) *inference.Block {
	const n = inference.BlockSize
	b := &inference.Block{Index: at, Pixels: make([]uint8, n*n), Modified: time.Unix(1700000000, 0), Tier: tier}
	g := src.Grid()
	for i := range b.Pixels {
		x, y := (at.Col*n+i%n)<<at.Level, (at.Row*n+i/n)<<at.Level
		b.Pixels[i] = inference.NoData
		if x >= 0 && y >= 0 && x < g.Width && y < g.Height {
			b.Pixels[i] = f.Pixel(src, x, y)
		}
	}
	return b
}
