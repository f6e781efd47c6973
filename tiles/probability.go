package tiles

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
)

// predict returns the level's pixels that cover need, as far as they are
// predicted already or can be within the budget. Where that does not do, views
// at the grid's own resolution have their middle computed. What is left out is
// NotPredicted, and is queued to be computed when nobody waits.
func (e *Engine) predict(ctx context.Context, d drawing, need imagery.Rect, level int) (*mosaic, error) {
	src, m := d.src, d.model
	g := src.Grid()
	width, height := (g.Width+1<<level-1)>>level, (g.Height+1<<level-1)>>level
	out := &mosaic{level: level, rect: atLevel(need, level, width, height)}
	out.pix = make([]uint8, out.rect.W*out.rect.H)
	fill(out.pix, inference.NotPredicted)

	blocks := blocksOf(out.rect, level)
	var missing []inference.BlockIndex // of level 0
	for _, at := range blocks {
		b, complete, err := e.deps.Predictor.Peek(ctx, src, m, at)
		if err != nil {
			return nil, fmt.Errorf("look up block %v of %s: %w", at, src.Event().ID, err)
		}
		if b != nil {
			out.paste(b)
		}
		if b == nil || !complete {
			missing = append(missing, lacking(b, at, out.rect, g)...)
		}
	}
	if len(missing) == 0 {
		return out, nil
	}
	// The middle first: that is where people look.
	cx, cy := need.X+need.W/2, need.Y+need.H/2
	slices.SortFunc(missing, func(a, b inference.BlockIndex) int {
		return cmp.Or(cmp.Compare(offCentre(a, cx, cy), offCentre(b, cx, cy)), cmp.Compare(a.Row, b.Row), cmp.Compare(a.Col, b.Col))
	})
	now := missing[:min(len(missing), e.cfg.Budget)]
	if level > 0 && len(missing) > e.cfg.Budget && e.cfg.WarmUp > 0 {
		// Far out a few blocks are specks: nobody should wait for them.
		now = nil
	}
	e.warm.offer(d, missing[len(now):])
	if len(now) == 0 {
		return out, nil
	}
	if err := e.compute(ctx, src, m, now, level, out); err != nil {
		return nil, err
	}
	return out, nil
}

// compute predicts blocks of level 0 and pastes what they show at the level.
func (e *Engine) compute(ctx context.Context, src imagery.Source, m *inference.Model, blocks []inference.BlockIndex, level int, out *mosaic) error {
	group, gctx := errgroup.WithContext(ctx)
	done := make([]*inference.Block, len(blocks))
	for i, at := range blocks {
		group.Go(func() error {
			b, err := e.deps.Predictor.Block(gctx, src, m, at, inference.Interactive)
			if err != nil {
				return fmt.Errorf("predict block %v of %s: %w", at, src.Event().ID, err)
			}
			done[i] = b
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if level == 0 {
		for _, b := range done {
			out.paste(b)
		}
		return nil
	}
	// The predictor makes overviews, so that each pixel of them is made one way only.
	for _, at := range blocksOf(out.rect, level) {
		b, _, err := e.deps.Predictor.Peek(ctx, src, m, at)
		if err != nil {
			return fmt.Errorf("look up block %v of %s: %w", at, src.Event().ID, err)
		}
		if b != nil {
			out.paste(b)
		}
	}
	return nil
}

// blocksOf lists the blocks of a level that cover a rectangle of its pixels.
func blocksOf(r imagery.Rect, level int) []inference.BlockIndex {
	const side = inference.BlockSize
	var list []inference.BlockIndex
	for row := r.Y / side; row*side < r.Y+r.H; row++ {
		for col := r.X / side; col*side < r.X+r.W; col++ {
			list = append(list, inference.BlockIndex{Level: level, Col: col, Row: row})
		}
	}
	return list
}

// lacking lists the blocks of level 0 within rect (of the level's pixels) that
// block b at a place lacks. A nil b lacks all that lie in the grid.
func lacking(b *inference.Block, at inference.BlockIndex, rect imagery.Rect, g imagery.Grid) []inference.BlockIndex {
	side := inference.BlockSize >> at.Level // what a block of level 0 takes of this level
	if side == 0 {
		side = 1
	}
	per := inference.BlockSize / side
	own := imagery.Rect{X: at.Col * inference.BlockSize, Y: at.Row * inference.BlockSize, W: inference.BlockSize, H: inference.BlockSize}
	want := own.Intersect(rect)
	scale := max(1<<at.Level/inference.BlockSize, 1) // blocks of level 0 that a pixel spans, above level 8
	var list []inference.BlockIndex
	for r := (want.Y - own.Y) / side; r*side < want.Y+want.H-own.Y; r++ {
		for c := (want.X - own.X) / side; c*side < want.X+want.W-own.X; c++ {
			if b != nil && !slices.Contains(b.Pixels[r*side*inference.BlockSize+c*side:][:side], inference.NotPredicted) &&
				b.Pixels[((r+1)*side-1)*inference.BlockSize+(c+1)*side-1] != inference.NotPredicted {
				continue
			}
			for sr := range scale {
				for sc := range scale {
					i := inference.BlockIndex{Col: (at.Col*per+c)*scale + sc, Row: (at.Row*per+r)*scale + sr}
					if i.Col*inference.BlockSize < g.Width && i.Row*inference.BlockSize < g.Height {
						list = append(list, i)
					}
				}
			}
		}
	}
	return list
}

// offCentre is the squared distance of a block of level 0 from a grid pixel.
func offCentre(b inference.BlockIndex, x, y int) int {
	dx, dy := b.Col*inference.BlockSize+inference.BlockSize/2-x, b.Row*inference.BlockSize+inference.BlockSize/2-y
	return dx*dx + dy*dy
}

// paste copies what a block of the mosaic's level shows of it.
func (m *mosaic) paste(b *inference.Block) {
	const side = inference.BlockSize
	own := imagery.Rect{X: b.Index.Col * side, Y: b.Index.Row * side, W: side, H: side}
	at := own.Intersect(m.rect)
	for y := range at.H {
		from := (at.Y+y-own.Y)*side + at.X - own.X
		copy(m.pix[(at.Y+y-m.rect.Y)*m.rect.W+at.X-m.rect.X:][:at.W], b.Pixels[from:from+at.W])
	}
}

// fill sets all bytes.
func fill(b []uint8, v uint8) {
	for i := range b {
		b[i] = v
	}
}
