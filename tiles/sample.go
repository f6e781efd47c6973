package tiles

import (
	"math"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
)

// tie moves samples that fall on the border between two pixels, up to
// rounding, to the same side in every picture.
const tie = 1.0 / (1 << 20)

// level chooses the overview to sample: level n while a pixel of the frame
// spans 2^n up to 2^(n+1) grid pixels, and no further than one block.
func (l *lattice) level() int {
	n := int(math.Floor(math.Log2(l.ratio) + 1e-6))
	return max(min(n, topLevel(l.grid)), 0)
}

// topLevel is the level at which one block shows the whole grid.
func topLevel(g imagery.Grid) int {
	n := 0
	for side := max(g.Width, g.Height); side > inference.BlockSize; side = (side + 1) / 2 {
		n++
	}
	return n
}

// atLevel returns the pixels of a level that cover a rectangle of grid pixels, with
// the margin that interpolation needs, within the width and height of the level.
func atLevel(r imagery.Rect, level, width, height int) imagery.Rect {
	const margin = 2
	x0, y0 := max((r.X>>level)-margin, 0), max((r.Y>>level)-margin, 0)
	x1 := min(((r.X+r.W-1)>>level)+1+margin, width)
	y1 := min(((r.Y+r.H-1)>>level)+1+margin, height)
	return imagery.Rect{X: x0, Y: y0, W: max(x1-x0, 0), H: max(y1-y0, 0)}
}

// mosaic is a piece of a level of the prediction, in the codes of blocks.
type mosaic struct {
	level int
	rect  imagery.Rect // of the level's pixels
	pix   []uint8
}

// drawNearest samples the code of the nearest pixel.
func (m *mosaic) drawNearest(r run, out []uint8) {
	scale := 1 / float64(int(1)<<m.level)
	x, y := r.gx*scale-float64(m.rect.X)+tie, r.gy*scale-float64(m.rect.Y)+tie
	dx, dy := r.dx*scale, r.dy*scale
	for i := range r.n {
		cx, cy := int(math.Floor(x)), int(math.Floor(y))
		if cx >= 0 && cy >= 0 && cx < m.rect.W && cy < m.rect.H {
			out[i] = m.pix[cy*m.rect.W+cx]
		}
		x, y = x+dx, y+dy
	}
}

// drawSmooth interpolates probabilities and keeps codes whole: what the nearest
// pixel is (a probability, or a reason why there is none) decides, and a
// probability is the weighted mean of those of the four neighbours that have one.
func (m *mosaic) drawSmooth(r run, out []uint8) {
	scale := 1 / float64(int(1)<<m.level)
	x, y := r.gx*scale-float64(m.rect.X)+tie, r.gy*scale-float64(m.rect.Y)+tie
	dx, dy := r.dx*scale, r.dy*scale
	w, h := m.rect.W, m.rect.H
	for i := range r.n {
		cx, cy := int(math.Floor(x)), int(math.Floor(y))
		if cx >= 0 && cy >= 0 && cx < w && cy < h {
			near := m.pix[cy*w+cx]
			if near > inference.MaxProbability {
				out[i] = near
			} else {
				out[i] = m.smooth(x-0.5, y-0.5, w, h)
			}
		}
		x, y = x+dx, y+dy
	}
}

// smooth is the mean of the valid neighbours of (u, v), of which one at least is valid.
func (m *mosaic) smooth(u, v float64, w, h int) uint8 {
	x0, y0 := int(math.Floor(u)), int(math.Floor(v))
	fx, fy := u-float64(x0), v-float64(y0)
	x1, y1 := min(x0+1, w-1), min(y0+1, h-1)
	x0, y0 = max(x0, 0), max(y0, 0)
	a, b, c, d := m.pix[y0*w+x0], m.pix[y0*w+x1], m.pix[y1*w+x0], m.pix[y1*w+x1]
	wa, wb, wc, wd := (1-fx)*(1-fy), fx*(1-fy), (1-fx)*fy, fx*fy
	if a <= inference.MaxProbability && b <= inference.MaxProbability && c <= inference.MaxProbability && d <= inference.MaxProbability {
		return uint8(float64(a)*wa + float64(b)*wb + float64(c)*wc + float64(d)*wd + 0.5)
	}
	var sum, weight float64
	for _, s := range [4]struct {
		p uint8
		w float64
	}{{a, wa}, {b, wb}, {c, wc}, {d, wd}} {
		if s.p <= inference.MaxProbability {
			sum, weight = sum+float64(s.p)*s.w, weight+s.w
		}
	}
	return uint8(sum/weight + 0.5)
}
