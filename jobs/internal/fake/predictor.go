// Package fake gives the tests of jobs a predictor without a network.
package fake

import (
	"context"
	"fmt"
	"sync"

	"scarp/imagery"
	"scarp/inference"
)

// Predictor gives every pixel of the grid a value by a function of its place.
// It is safe for use by many goroutines.
type Predictor struct {
	// Value of the pixel at column x and row y.
	Value func(x, y int) uint8
	// Before, when set, is called before each block; its error fails the block.
	Before func(ctx context.Context, at inference.BlockIndex) error
	// Digest of the only model; empty means "0123456789abcdef".
	Digest string

	mu    sync.Mutex
	calls map[inference.BlockIndex]int
}

var _ inference.Predictor = (*Predictor)(nil)

// Model returns the only model, "fake", for its name and the empty name.
func (p *Predictor) Model(name string) (*inference.Model, error) {
	if name != "" && name != "fake" {
		return nil, fmt.Errorf("%w %q: there is fake", inference.ErrUnknownModel, name)
	}
	digest := p.Digest
	if digest == "" {
		digest = "0123456789abcdef"
	}
	m := &inference.Model{Digest: digest}
	m.Manifest.Name, m.Manifest.Version, m.Manifest.Threshold = "fake", "1.0.0", 0.5
	return m, nil
}

// Models returns the only model.
func (p *Predictor) Models() []*inference.Model {
	m, _ := p.Model("")
	return []*inference.Model{m}
}

// Calls returns how often each block was asked for.
func (p *Predictor) Calls() map[inference.BlockIndex]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[inference.BlockIndex]int, len(p.calls))
	for at, n := range p.calls {
		out[at] = n
	}
	return out
}

// Block makes the block up.
func (p *Predictor) Block(ctx context.Context, src imagery.Source, _ *inference.Model, at inference.BlockIndex, _ inference.Priority) (*inference.Block, error) {
	p.mu.Lock()
	if p.calls == nil {
		p.calls = make(map[inference.BlockIndex]int)
	}
	p.calls[at]++
	p.mu.Unlock()
	if p.Before != nil {
		if err := p.Before(ctx, at); err != nil {
			return nil, err
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	const n = inference.BlockSize
	b := &inference.Block{Index: at, Pixels: make([]uint8, n*n)}
	grid := src.Grid()
	for i := range b.Pixels {
		x, y := at.Col*n+i%n, at.Row*n+i/n
		if x >= grid.Width || y >= grid.Height {
			b.Pixels[i] = inference.NoData
		} else {
			b.Pixels[i] = p.Value(x, y)
		}
	}
	return b, nil
}

// Peek finds nothing.
func (p *Predictor) Peek(context.Context, imagery.Source, *inference.Model, inference.BlockIndex) (*inference.Block, bool, error) {
	return nil, false, nil
}

// Hash is a value in 0..n-1 that looks random and depends on the place only.
func Hash(x, y, n int) int {
	h := uint64(x)*0x9E3779B97F4A7C15 ^ uint64(y)*0xC2B2AE3D27D4EB4F
	h ^= h >> 29
	h *= 0xBF58476D1CE4E5B9
	h ^= h >> 32
	return int(h % uint64(n))
}
