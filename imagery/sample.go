package imagery

import "context"

// readLayer fills out (row-major, the view's size) with a layer: pixels as they
// are where they coincide with the view's, else interpolated bilinearly.
// Pixels without data (0) are left out of the interpolation, and a result pixel
// whose own place has none gets none.
func (l *layer) readLayer(ctx context.Context, v view, c *coords, out []uint16) error {
	if c.exact {
		return l.copyExact(ctx, v, c, out, l.readLevel)
	}
	return l.resample(ctx, c, out, l.readLevel, bilinear)
}

// readClassLayer is readLayer with the nearest pixel's class.
func (l *layer) readClassLayer(ctx context.Context, v view, c *coords, out []uint16) error {
	if c.exact {
		return l.copyExact(ctx, v, c, out, l.readClasses)
	}
	return l.resample(ctx, c, out, l.readClasses, nearest)
}

type levelReader func(ctx context.Context, factor int, win Rect, buf []uint16, stride int) error

// copyExact reads straight into the result where level and result pixels are the same.
func (l *layer) copyExact(ctx context.Context, v view, c *coords, out []uint16, read levelReader) error {
	win := c.window
	if win.W != v.width || win.H != v.height {
		clear(out)
	}
	if win.Empty() {
		return nil
	}
	return read(ctx, c.factor, win, out[(win.Y-c.row)*v.width+win.X-c.col:], v.width)
}

// sampler fills out from the pixels of the window that the cells lie in.
type sampler func(cells []cell, src, out []uint16)

func (l *layer) resample(ctx context.Context, c *coords, out []uint16, read levelReader, sample sampler) error {
	if c.window.Empty() {
		clear(out)
		return nil
	}
	src := getScratch(c.window.W * c.window.H)
	defer putScratch(src)
	if err := read(ctx, c.factor, c.window, src, c.window.W); err != nil {
		return err
	}
	sample(c.cells, src, out)
	return nil
}

func bilinear(cells []cell, src, out []uint16) {
	for k := range cells {
		c := &cells[k]
		if c.own < 0 || src[c.own] == 0 {
			out[k] = 0
			continue
		}
		out[k] = mix(src[c.at], src[c.at+c.right], src[c.at+c.down], src[c.at+c.down+c.right], c.x, c.y)
	}
}

func nearest(cells []cell, src, out []uint16) {
	for k := range cells {
		if own := cells[k].own; own >= 0 {
			out[k] = src[own]
		} else {
			out[k] = 0
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
