package mapping

import (
	"context"
	"fmt"
	"math"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
)

// Bounds on what a low threshold can make us hold.
const (
	maxRuns       = 40_000_000 // 8 bytes each
	maxLandslides = 200_000
)

// sieve finds the groups of pixels (joined by edges) at or above a probability
// code that have at least minPixels. It goes over the rows twice and keeps
// two numbers a run, so that it never holds the picture, and so that nobody
// has to trace the outlines of a million specks.
type sieve struct {
	m         *Mosaic
	code      uint8
	minPixels int
	parent    []int32 // union-find over runs, in order of appearance
	size      []int32 // pixels of the group at its root
}

// minPixels is how many pixels a polygon of at least area m² has.
func minPixels(area float64) int {
	return max(1, int(math.Ceil(area/(imagery.PixelSize*imagery.PixelSize)-1e-9)))
}

// minCode is the least probability code at or above the threshold.
func minCode(threshold float64) uint8 {
	return uint8(math.Ceil(threshold*float64(inference.MaxProbability) - 1e-9))
}

func newSieve(ctx context.Context, m *Mosaic) (*sieve, error) {
	s := &sieve{m: m, code: minCode(m.plan.Threshold), minPixels: minPixels(m.plan.MinArea)}
	w := m.plan.window
	var above, runs []span
	firstAbove := 0
	for y := w.Y; y < w.Y+w.H; y++ {
		if y%256 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		first := len(s.parent)
		runs = s.runs(runs[:0], y)
		j := 0
		for i, r := range runs {
			id := int32(first + i)
			s.parent, s.size = append(s.parent, id), append(s.size, r.x1-r.x0)
			for j < len(above) && above[j].x1 <= r.x0 {
				j++
			}
			for k := j; k < len(above) && above[k].x0 < r.x1; k++ {
				s.join(id, int32(firstAbove+k))
			}
		}
		if len(s.parent) > maxRuns {
			return nil, fmt.Errorf("%w: at threshold %v the map breaks into too many specks to outline: raise the threshold", ErrInput, m.plan.Threshold)
		}
		above, runs, firstAbove = runs, above, first
	}
	n := 0
	for id := range s.parent {
		if s.find(int32(id)) == int32(id) && int(s.size[id]) >= s.minPixels {
			n++
		}
	}
	if n > maxLandslides {
		return nil, fmt.Errorf("%w: at threshold %v and minimum area %v m² there would be %d polygons, more than %d: raise one of them or map a smaller area",
			ErrInput, m.plan.Threshold, m.plan.MinArea, n, maxLandslides)
	}
	return s, nil
}

// runs appends the runs of row y at or above the code, in columns of the window.
func (s *sieve) runs(to []span, y int) []span {
	row := s.m.row(y)
	for x := 0; x < len(row); {
		if row[x] < s.code || row[x] > inference.MaxProbability {
			x++
			continue
		}
		x0 := x
		for x < len(row) && row[x] >= s.code && row[x] <= inference.MaxProbability {
			x++
		}
		to = append(to, span{int32(x0), int32(x)})
	}
	return to
}

func (s *sieve) find(i int32) int32 {
	for s.parent[i] != i {
		s.parent[i] = s.parent[s.parent[i]]
		i = s.parent[i]
	}
	return i
}

func (s *sieve) join(a, b int32) {
	if a, b = s.find(a), s.find(b); a != b {
		a, b = min(a, b), max(a, b)
		s.parent[b] = a
		s.size[a] += s.size[b]
	}
}

// rows calls f with every row of the window, 1 where a pixel belongs to a group that is kept.
func (s *sieve) rows(f func(row int, pixels []byte) error) error {
	w := s.m.plan.window
	pixels := make([]byte, w.W)
	var runs []span
	id := int32(0)
	for y := range w.H {
		clear(pixels)
		runs = s.runs(runs[:0], w.Y+y)
		for _, r := range runs {
			if int(s.size[s.find(id)]) >= s.minPixels {
				for x := r.x0; x < r.x1; x++ {
					pixels[x] = 1
				}
			}
			id++
		}
		if err := f(y, pixels); err != nil {
			return err
		}
	}
	return nil
}
