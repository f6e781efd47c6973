package tiles

import (
	"context"
	"image"
	"image/color"
	"math"

	"github.com/paulmach/orb"
	"golang.org/x/image/vector"

	"github.com/scarp-map/scarp/store"
)

const (
	// speck is the side in pixels of the square that stands for a landslide too small to see.
	speck = 2.0
	// pixelsEach is how many pixels of a picture there are for each landslide that is
	// drawn, at the least: of more landslides the largest are drawn. Specks side by
	// side would fill so much.
	pixelsEach = speck * speck
)

// drawLandslides draws the polygons of a run, filled and outlined; of a great many the largest.
func (e *Engine) drawLandslides(ctx context.Context, d drawing, l *lattice) (data []byte, complete bool, err error) {
	f, ink := l.frame, d.style.Polygons
	fill := vector.NewRasterizer(f.width, f.height)
	line := vector.NewRasterizer(f.width, f.height)
	const margin = 8
	err = e.largest(ctx, d, f, margin, int(float64(f.width*f.height)/pixelsEach), func(_ *store.Landslide, whole orb.Polygon) {
		p := f.clip(whole, margin)
		if len(p) == 0 {
			return
		}
		b := p.Bound()
		if max(b.Max[0]-b.Min[0], b.Max[1]-b.Min[1]) < speck {
			addPath(line, square(b.Center(), speck), orb.CCW)
			return
		}
		for i, ring := range p {
			turn := orb.CCW
			if i > 0 {
				turn = orb.CW
			}
			addPath(fill, ring, turn)
			addOutline(line, ring, ink.Width/2)
		}
	})
	if err != nil {
		return nil, false, err
	}
	err = e.limiter.work(ctx, func() error {
		img := image.NewNRGBA(image.Rect(0, 0, f.width, f.height))
		mask := image.NewAlpha(img.Rect)
		if ink.Fill != nil {
			fill.Draw(mask, mask.Rect, image.Opaque, image.Point{})
			blend(img, mask, ink.Fill.rgba)
			clear(mask.Pix)
		}
		line.Draw(mask, mask.Rect, image.Opaque, image.Point{})
		blend(img, mask, ink.Stroke.rgba)
		data, err = e.encoder.picture(img, d.finish)
		return err
	})
	return data, true, err
}

// square is a ring around a point.
func square(at orb.Point, side float64) orb.Ring {
	h := side / 2
	return orb.Ring{{at[0] - h, at[1] - h}, {at[0] + h, at[1] - h}, {at[0] + h, at[1] + h}, {at[0] - h, at[1] + h}, {at[0] - h, at[1] - h}}
}

// addPath adds a ring, turned as asked for: coverage adds up with its sign.
func addPath(z *vector.Rasterizer, ring orb.Ring, turn orb.Orientation) {
	n := len(ring)
	if n < 3 {
		return
	}
	reverse := ring.Orientation() != turn
	for i := range n {
		p := ring[i]
		if reverse {
			p = ring[n-1-i]
		}
		if i == 0 {
			z.MoveTo(float32(p[0]), float32(p[1]))
		} else {
			z.LineTo(float32(p[0]), float32(p[1]))
		}
	}
	z.ClosePath()
}

// addOutline adds a ring's outline: a rectangle along each edge and a small
// octagon at each corner, all turned alike, so that overlaps stay opaque.
func addOutline(z *vector.Rasterizer, ring orb.Ring, half float64) {
	for i := 1; i < len(ring); i++ {
		a, b := ring[i-1], ring[i]
		dx, dy := b[0]-a[0], b[1]-a[1]
		length := math.Hypot(dx, dy)
		if length == 0 {
			continue
		}
		nx, ny := -dy/length*half, dx/length*half
		addPath(z, orb.Ring{{a[0] + nx, a[1] + ny}, {a[0] - nx, a[1] - ny}, {b[0] - nx, b[1] - ny}, {b[0] + nx, b[1] + ny}, {a[0] + nx, a[1] + ny}}, orb.CCW)
		joint := make(orb.Ring, 9)
		for k := range joint {
			sin, cos := math.Sincos(float64(k%8) * math.Pi / 4)
			joint[k] = orb.Point{b[0] + half*cos, b[1] + half*sin}
		}
		addPath(z, joint, orb.CCW)
	}
}

// blend lays a colour over a picture where the mask says.
func blend(img *image.NRGBA, mask *image.Alpha, c color.NRGBA) {
	for i, m := range mask.Pix {
		if m == 0 {
			continue
		}
		p := img.Pix[4*i : 4*i+4]
		a := float32(m) / 255 * float32(c.A) / 255
		under := float32(p[3]) / 255 * (1 - a)
		all := a + under
		for k, v := range [3]uint8{c.R, c.G, c.B} {
			p[k] = uint8((float32(v)*a+float32(p[k])*under)/all + 0.5)
		}
		p[3] = uint8(all*255 + 0.5)
	}
}
