package imagery

import (
	"context"
	"math"
)

// readLayer fills out (row-major, the view's size) with a layer: pixels as they
// are where they coincide with the view's, else interpolated bilinearly.
// Pixels without data (0) are left out of the interpolation, and a result pixel
// whose own place has none gets none.
func (l *layer) readLayer(ctx context.Context, v view, c *coords, out []uint16) error {
	if c.exact {
		return l.copyExact(ctx, v, c, out, l.readLevel)
	}
	return l.resample(ctx, v, c, out, l.readLevel, bilinear)
}

// readClassLayer is readLayer with the nearest pixel's class.
func (l *layer) readClassLayer(ctx context.Context, v view, c *coords, out []uint16) error {
	if c.exact {
		return l.copyExact(ctx, v, c, out, l.readClasses)
	}
	return l.resample(ctx, v, c, out, l.readClasses, nearest)
}

type levelReader func(ctx context.Context, factor int, win Rect, buf []uint16, stride int) error

// copyExact reads straight into the result where level and result pixels are the same.
func (l *layer) copyExact(ctx context.Context, v view, c *coords, out []uint16, read levelReader) error {
	lw, lh := c.levelSize(l.geometry)
	win := Rect{X: c.col, Y: c.row, W: v.width, H: v.height}.Intersect(Rect{W: lw, H: lh})
	if win.W != v.width || win.H != v.height {
		clear(out)
	}
	if win.Empty() {
		return nil
	}
	return read(ctx, c.factor, win, out[(win.Y-c.row)*v.width+win.X-c.col:], v.width)
}

// sampler fills out from the window win (pixels src) of a level of size lw×lh.
type sampler func(v view, c *coords, win Rect, src []uint16, lw, lh float64, out []uint16)

func (l *layer) resample(ctx context.Context, v view, c *coords, out []uint16, read levelReader, sample sampler) error {
	if c.window.Empty() {
		clear(out)
		return nil
	}
	src := getScratch(c.window.W * c.window.H)
	defer putScratch(src)
	if err := read(ctx, c.factor, c.window, src, c.window.W); err != nil {
		return err
	}
	sample(v, c, c.window, src, float64(l.width)/float64(c.factor), float64(l.height)/float64(c.factor), out)
	return nil
}

// at returns where result pixel (i, j) lies in the level.
func (c *coords) at(v view, i, j int) (x, y float64) {
	if c.separable {
		return c.x[i], c.y[j]
	}
	k := j*v.width + i
	return c.x[k], c.y[k]
}

// neighbours returns the window's first and second column (or row) on either
// side of coordinate x, the weight of the second, and the one that x itself lies in.
// Outside of the window's n columns, which are those of the level there, the edge repeats.
func neighbours(x float64, start, n int) (a, b int, weight float32, own int) {
	f := math.Floor(x - 0.5)
	weight = float32(x - 0.5 - f)
	a = int(f) - start
	b = a + 1
	own = b
	if weight < 0.5 {
		own = a
	}
	return min(max(a, 0), n-1), min(max(b, 0), n-1), weight, min(max(own, 0), n-1)
}

func bilinear(v view, c *coords, win Rect, src []uint16, lw, lh float64, out []uint16) {
	// The columns of a separable placement are worked out once.
	type column struct {
		a, b, own int
		weight    float32
		out       bool
	}
	var cols []column
	if c.separable {
		cols = make([]column, v.width)
		for i, x := range c.x {
			k := &cols[i]
			if k.out = !(x >= 0 && x < lw); !k.out {
				k.a, k.b, k.weight, k.own = neighbours(x, win.X, win.W)
			}
		}
	}
	for j := range v.height {
		line := out[j*v.width : (j+1)*v.width]
		if c.separable {
			y := c.y[j]
			if !(y >= 0 && y < lh) {
				clear(line)
				continue
			}
			a, b, wy, own := neighbours(y, win.Y, win.H)
			up, down, mid := src[a*win.W:(a+1)*win.W], src[b*win.W:(b+1)*win.W], src[own*win.W:(own+1)*win.W]
			for i := range cols {
				if k := &cols[i]; !k.out && mid[k.own] != 0 {
					line[i] = mix(up[k.a], up[k.b], down[k.a], down[k.b], k.weight, wy)
				} else {
					line[i] = 0
				}
			}
			continue
		}
		for i := range line {
			x, y := c.at(v, i, j)
			if !(x >= 0 && x < lw && y >= 0 && y < lh) {
				line[i] = 0
				continue
			}
			xa, xb, wx, xo := neighbours(x, win.X, win.W)
			ya, yb, wy, yo := neighbours(y, win.Y, win.H)
			if src[yo*win.W+xo] == 0 {
				line[i] = 0
				continue
			}
			line[i] = mix(src[ya*win.W+xa], src[ya*win.W+xb], src[yb*win.W+xa], src[yb*win.W+xb], wx, wy)
		}
	}
}

// mix interpolates between four pixels, leaving out those without data. At least one has data.
func mix(a, b, c, d uint16, wx, wy float32) uint16 {
	if a != 0 && b != 0 && c != 0 && d != 0 {
		top := float32(a) + (float32(b)-float32(a))*wx
		bottom := float32(c) + (float32(d)-float32(c))*wx
		return uint16(top + (bottom-top)*wy + 0.5)
	}
	var sum, weights float32
	for _, p := range [4]struct {
		v uint16
		w float32
	}{{a, (1 - wx) * (1 - wy)}, {b, wx * (1 - wy)}, {c, (1 - wx) * wy}, {d, wx * wy}} {
		if p.v != 0 {
			sum += float32(p.v) * p.w
			weights += p.w
		}
	}
	if weights == 0 {
		return 0
	}
	return uint16(sum/weights + 0.5)
}

func nearest(v view, c *coords, win Rect, src []uint16, lw, lh float64, out []uint16) {
	for j := range v.height {
		for i := range v.width {
			x, y := c.at(v, i, j)
			if !(x >= 0 && x < lw && y >= 0 && y < lh) {
				out[j*v.width+i] = 0
				continue
			}
			col := min(max(int(x)-win.X, 0), win.W-1)
			row := min(max(int(y)-win.Y, 0), win.H-1)
			out[j*v.width+i] = src[row*win.W+col]
		}
	}
}
