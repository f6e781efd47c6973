package inference

import (
	"context"
	"math"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/scarp-map/scarp/imagery"
)

// computeBlock predicts a block of level 0: what the patches over it say,
// weighted, in the order of the lattice.
func (e *Engine) computeBlock(ctx context.Context, t task, at BlockIndex, u *urgency) ([]uint8, error) {
	block := imagery.Rect{X: at.Col * BlockSize, Y: at.Row * BlockSize, W: BlockSize, H: BlockSize}
	pixels, any, err := e.codes(ctx, t, at, u)
	if err != nil || !any {
		return pixels, err
	}
	places, patches, err := e.patchesOver(ctx, t, block, pixels, u)
	if err != nil {
		return nil, err
	}
	blend(pixels, block, t.m, places, patches)
	return pixels, nil
}

// patchesOver computes the patches that have a say about any pending pixel of the block.
func (e *Engine) patchesOver(ctx context.Context, t task, block imagery.Rect, pixels []uint8, u *urgency) ([]place, []patch, error) {
	places := t.m.Lattice.needed(block, t.src.Grid(), pixels)
	patches := make([]patch, len(places))
	g, ctx := errgroup.WithContext(ctx)
	for k, p := range places {
		g.Go(func() (err error) {
			patches[k], err = e.patch(ctx, t, p.i, p.j, u)
			return err
		})
	}
	return places, patches, g.Wait()
}

// place is a patch's place in the lattice.
type place struct{ i, j int }

// needed lists, row by row, the patches that have a say about any pending pixel of the block.
func (l Lattice) needed(block imagery.Rect, g imagery.Grid, pixels []uint8) (places []place) {
	in := block.Intersect(g.Rect())
	i0, i1 := l.over(in.X, in.X+in.W)
	j0, j1 := l.over(in.Y, in.Y+in.H)
	for j := j0; j <= j1; j++ {
		for i := i0; i <= i1; i++ {
			if hasPending(l.share(i, j, block), block, pixels) {
				places = append(places, place{i, j})
			}
		}
	}
	return places
}

// share is the part of the block that the used part of patch (i, j) covers.
func (l Lattice) share(i, j int, block imagery.Rect) imagery.Rect {
	return imagery.Rect{X: l.start(i), Y: l.start(j), W: l.used(), H: l.used()}.Intersect(block)
}

func hasPending(part, block imagery.Rect, pixels []uint8) bool {
	for y := range part.H {
		row := pixels[(part.Y-block.Y+y)*BlockSize+part.X-block.X:][:part.W]
		for _, p := range row {
			if p == pending {
				return true
			}
		}
	}
	return false
}

// sums are the weighted sums of a block's pixels.
type sums struct {
	values, weights [BlockSize * BlockSize]float32
}

var sumsPool = sync.Pool{New: func() any { return new(sums) }}

// blend replaces the pending pixels by the weighted mean of the patches. The
// patches are added in order, so the sums are the same to the last bit whoever
// computed them and when.
func blend(pixels []uint8, block imagery.Rect, m *Model, places []place, patches []patch) {
	s := sumsPool.Get().(*sums)
	defer sumsPool.Put(s)
	clear(s.values[:])
	clear(s.weights[:])
	l, n := m.Lattice, m.Lattice.used()
	for k, at := range places {
		part := l.share(at.i, at.j, block)
		px, py := part.X-l.start(at.i), part.Y-l.start(at.j)
		wx := m.weights[px:][:part.W]
		for y := range part.H {
			from := (part.Y-block.Y+y)*BlockSize + part.X - block.X
			values, weights := s.values[from:][:part.W], s.weights[from:][:part.W]
			row := patches[k][(py+y)*n+px:][:part.W]
			wy := m.weights[py+y]
			for x, v := range row {
				w := wx[x] * wy
				values[x] += w * float32(v)
				weights[x] += w
			}
		}
	}
	for i, p := range pixels {
		if p == pending {
			mean := float64(s.values[i]) / float64(s.weights[i]) / patchScale
			pixels[i] = uint8(math.Round(min(mean, 1) * float64(MaxProbability)))
		}
	}
}
