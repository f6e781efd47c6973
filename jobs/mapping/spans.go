package mapping

import (
	"errors"
	"math"
	"slices"

	"github.com/paulmach/orb"

	"github.com/scarp-map/scarp/imagery"
)

// span is the pixels [x0, x1) of a row.
type span struct{ x0, x1 int32 }

// coverage holds the pixels of rect whose centres lie in a polygon: for each
// row of rect the spans from left to right. A nil coverage is the whole rect.
type coverage struct {
	rect imagery.Rect
	rows [][]span
}

// maxCrossings bounds what the outline of a hostile AOI can make us hold (8 bytes each).
const maxCrossings = 20_000_000

var errTooDetailed = errors.New("the outline has too much detail for its extent: simplify it to about 10 m")

// cover finds the pixels of rect whose centres the polygons (in grid pixels)
// contain, by the even-odd rule.
func cover(polys orb.MultiPolygon, rect imagery.Rect) (*coverage, error) {
	crossings := make([][]float64, rect.H)
	total := 0
	for _, poly := range polys {
		for _, ring := range poly {
			for i := 1; i < len(ring); i++ {
				a, b := ring[i-1], ring[i]
				if a[1] > b[1] {
					a, b = b, a
				}
				// Rows whose centre y+0.5 lies in [a.y, b.y).
				y0 := max(math.Ceil(a[1]-0.5), float64(rect.Y))
				y1 := min(math.Ceil(b[1]-0.5), float64(rect.Y+rect.H))
				if y1 <= y0 {
					continue
				}
				if total += int(y1 - y0); total > maxCrossings {
					return nil, errTooDetailed
				}
				for y := int(y0); y < int(y1); y++ {
					x := a[0] + (b[0]-a[0])*(float64(y)+0.5-a[1])/(b[1]-a[1])
					crossings[y-rect.Y] = append(crossings[y-rect.Y], x)
				}
			}
		}
	}
	c := &coverage{rect: rect, rows: make([][]span, rect.H)}
	for row, xs := range crossings {
		slices.Sort(xs)
		for i := 0; i+1 < len(xs); i += 2 {
			x0 := int32(min(max(math.Ceil(xs[i]-0.5), float64(rect.X)), float64(rect.X+rect.W)))
			x1 := int32(min(max(math.Ceil(xs[i+1]-0.5), float64(rect.X)), float64(rect.X+rect.W)))
			if x1 <= x0 {
				continue
			}
			if n := len(c.rows[row]); n > 0 && c.rows[row][n-1].x1 == x0 {
				c.rows[row][n-1].x1 = x1
			} else {
				c.rows[row] = append(c.rows[row], span{x0, x1})
			}
		}
		crossings[row] = nil
	}
	return c, nil
}

// each calls f with the spans of the coverage inside r, row by row.
func (c *coverage) each(r imagery.Rect, f func(y, x0, x1 int)) {
	r = r.Intersect(c.rect)
	for y := r.Y; y < r.Y+r.H; y++ {
		if c.rows == nil {
			f(y, r.X, r.X+r.W)
			continue
		}
		for _, s := range c.rows[y-c.rect.Y] {
			if x0, x1 := max(int(s.x0), r.X), min(int(s.x1), r.X+r.W); x0 < x1 {
				f(y, x0, x1)
			}
		}
	}
}

// bounds returns the smallest rectangle that holds the coverage.
func (c *coverage) bounds() imagery.Rect {
	if c.rows == nil {
		return c.rect
	}
	x0, y0, x1, y1 := math.MaxInt32, math.MaxInt32, -1, -1
	c.each(c.rect, func(y, a, b int) {
		x0, x1 = min(x0, a), max(x1, b)
		y0, y1 = min(y0, y), max(y1, y+1)
	})
	if x1 < 0 {
		return imagery.Rect{}
	}
	return imagery.Rect{X: x0, Y: y0, W: x1 - x0, H: y1 - y0}
}

// touches says whether any pixel of r is covered.
func (c *coverage) touches(r imagery.Rect) bool {
	r = r.Intersect(c.rect)
	if c.rows == nil {
		return !r.Empty()
	}
	for y := r.Y; y < r.Y+r.H; y++ {
		for _, s := range c.rows[y-c.rect.Y] {
			if int(s.x0) < r.X+r.W && int(s.x1) > r.X {
				return true
			}
		}
	}
	return false
}
