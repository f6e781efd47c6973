package inference

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/scarp-map/scarp/cache"
	"github.com/scarp-map/scarp/imagery"
)

// A view of a whole event looks for thousands of blocks, most of which may be
// absent, and absence is the slowest answer of a blob store far away. So what
// Peek found to be incomplete is remembered for a moment: this engine's own
// blocks outdate it at once, those of other machines show when it expires.
const (
	partialBytes = 32 << 20
	partialTime  = 5 * time.Second
	peekParallel = 16 // lookups at a time, of one Peek
)

// partial is what there was of a block that is not complete.
type partial struct {
	pixels   []uint8 // nil: nothing
	modified time.Time
	expires  time.Time
}

func partialCost(key string, p partial) int64 { return int64(len(key)+len(p.pixels)) + 256 }

// Peek returns the block if it is predicted already; of levels above 0 what
// there is of it, at most a few seconds old. See [Predictor].
func (e *Engine) Peek(ctx context.Context, src imagery.Source, m *Model, at BlockIndex) (*Block, bool, error) {
	if at.Level < 0 || at.Level > MaxLevel {
		return nil, false, fmt.Errorf("peek: level %d is not between 0 and %d", at.Level, MaxLevel)
	}
	if !inGrid(src.Grid(), at) {
		return &Block{Index: at, Pixels: uniform(NoData), Tier: cache.Memory}, true, nil
	}
	b, complete, err := e.peek(ctx, src, m, at, peekParallel)
	if err != nil {
		return nil, false, fmt.Errorf("peek at block %d/%d/%d of event %s: %w", at.Level, at.Col, at.Row, src.Event().ID, err)
	}
	return b, complete, nil
}

func (e *Engine) peek(ctx context.Context, src imagery.Source, m *Model, at BlockIndex, parallel int) (*Block, bool, error) {
	key := blockKey(src, m, at)
	if p, ok := e.partial.Get(key); ok && time.Now().Before(p.expires) {
		return p.block(at), false, nil
	}
	asked := time.Now()
	b, err := e.lookup(ctx, src, m, at)
	if b != nil || err != nil {
		return b, b != nil, err
	}
	p, complete := partial{expires: asked.Add(partialTime)}, false
	if at.Level > 0 {
		if complete, err = e.peekChildren(ctx, src, m, at, parallel, &p); err != nil {
			return nil, false, err
		}
	}
	if complete {
		b, err := e.store(ctx, task{src: src, m: m}, at, p.pixels)
		return b, err == nil, err
	}
	e.partial.Put(key, p)
	return p.block(at), false, nil
}

// peekChildren puts together what there is of the four children.
func (e *Engine) peekChildren(ctx context.Context, src imagery.Source, m *Model, at BlockIndex, parallel int, p *partial) (complete bool, err error) {
	var found [4]*Block
	var whole [4]bool
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(min(parallel, 4))
	for k, child := range children(at) {
		if whole[k] = !inGrid(src.Grid(), child); whole[k] {
			continue
		}
		g.Go(func() (err error) {
			found[k], whole[k], err = e.peek(ctx, src, m, child, max(1, parallel/4))
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return false, err
	}
	for k, c := range found {
		if c == nil {
			continue
		}
		if p.pixels == nil {
			p.pixels = unpredicted(src.Grid(), at)
		}
		if c.Modified.After(p.modified) {
			p.modified = c.Modified
		}
		quarter(p.pixels, c.Pixels, k%2, k/2)
	}
	return whole[0] && whole[1] && whole[2] && whole[3], nil
}

// block is nil where there is nothing.
func (p partial) block(at BlockIndex) *Block {
	if p.pixels == nil {
		return nil
	}
	return &Block{Index: at, Pixels: p.pixels, Modified: p.modified, Tier: cache.Memory}
}

// outdate forgets what was remembered of a block that was just stored, and of those above it.
func (e *Engine) outdate(src imagery.Source, m *Model, at BlockIndex) {
	for at.Level <= MaxLevel {
		e.partial.Remove(blockKey(src, m, at))
		at = BlockIndex{Level: at.Level + 1, Col: at.Col / 2, Row: at.Row / 2}
	}
}

// unpredicted is NotPredicted where the block's children lie in the grid, NoData elsewhere.
func unpredicted(g imagery.Grid, at BlockIndex) []uint8 {
	pixels, empty := uniform(NoData), uniform(NotPredicted)
	for k, child := range children(at) {
		if inGrid(g, child) {
			quarter(pixels, empty, k%2, k/2)
		}
	}
	return pixels
}
