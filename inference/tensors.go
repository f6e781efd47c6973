package inference

import (
	"github.com/scarp-map/scarp/imagery"
)

// axis maps a patch's pixels along one axis to a window's: pixels beyond the
// grid are mirrored into it.
type axis struct {
	window   []int // by patch pixel: pixel of the window
	from, to int   // the patch's pixels [from, to) lie in the grid, so their window pixels follow each other
	start, n int   // the window along this axis, in grid pixels
}

// set places the axis for a patch that starts at grid pixel p0 of a grid of n pixels.
func (a *axis) set(p0, size, n int) {
	if cap(a.window) < size {
		a.window = make([]int, size)
	}
	a.window = a.window[:size]
	lowest, highest := n, 0
	for i := range a.window {
		g := reflect(p0+i, n)
		a.window[i] = g
		lowest, highest = min(lowest, g), max(highest, g)
	}
	for i := range a.window {
		a.window[i] -= lowest
	}
	a.start, a.n = lowest, highest-lowest+1
	a.from = min(max(0, -p0), size)
	a.to = max(a.from, min(size, n-p0))
}

// patchWindow places both axes and returns the window to read.
func patchWindow(x, y *axis, x0, y0, size int, g imagery.Grid) imagery.Rect {
	x.set(x0, size, g.Width)
	y.set(y0, size, g.Height)
	return imagery.Rect{X: x.start, Y: y.start, W: x.n, H: y.n}
}

// fill writes the inputs' values (one slice an input, channels one after the
// other) for the patch that x and y place, from the window that they asked for.
func (b *binding) fill(inputs [][]float32, w *imagery.Window, x, y *axis) {
	size := len(x.window)
	area := size * size
	for i, in := range b.p.inputs {
		for j := range in {
			c := &in[j]
			dst := inputs[i][j*area : (j+1)*area]
			k := b.layers[i][j]
			switch {
			case k < 0:
				constant(dst, *c.fill)
			case c.layer != "":
				c.fillTerrain(dst, w.Terrain[k], w.TerrainValid, w.Width, x, y)
			case c.side == imagery.Pre:
				c.fillBand(dst, w.Pre[k], w.PreValid, w.Width, x, y)
			default:
				c.fillBand(dst, w.Post[k], w.PostValid, w.Width, x, y)
			}
		}
	}
}

func constant(dst []float32, v float32) {
	for i := range dst {
		dst[i] = v
	}
}

// fillBand writes one channel; valid is nil where validity makes no difference.
func (c *channel) fillBand(dst []float32, layer []uint16, valid []uint8, width int, x, y *axis) {
	size := len(x.window)
	for py := range size {
		row, out := layer[y.window[py]*width:][:width], dst[py*size:][:size]
		if x.from < x.to {
			run := row[x.window[x.from]:][:x.to-x.from]
			for i, dn := range run {
				out[x.from+i] = c.lut[dn]
			}
		}
		outside(x, func(px int) { out[px] = c.lut[row[x.window[px]]] })
		if valid != nil {
			c.blank(out, valid[y.window[py]*width:][:width], x)
		}
	}
}

func (c *channel) fillTerrain(dst []float32, layer []float32, valid []uint8, width int, x, y *axis) {
	size := len(x.window)
	for py := range size {
		row, out := layer[y.window[py]*width:][:width], dst[py*size:][:size]
		for px, wx := range x.window {
			v := row[wx]
			if v != v {
				out[px] = c.nodata
				continue
			}
			out[px] = c.terrain(v)
		}
		if valid != nil {
			c.blank(out, valid[y.window[py]*width:][:width], x)
		}
	}
}

// blank writes the manifest's no-data value where valid is 0.
func (c *channel) blank(out []float32, valid []uint8, x *axis) {
	for px, wx := range x.window {
		if valid[wx] == 0 {
			out[px] = c.nodata
		}
	}
}

// outside calls f for the patch's pixels that lie beyond the grid.
func outside(x *axis, f func(px int)) {
	for px := 0; px < x.from; px++ {
		f(px)
	}
	for px := x.to; px < len(x.window); px++ {
		f(px)
	}
}
