package simulate

import (
	"math"
	"math/rand/v2"
	"slices"
)

// demFactor is how many 10 m pixels one pixel of the 30 m DEM spans.
const demFactor = 3

// margin is how many 30 m cells of land around the event take part in shaping its drainage.
const margin = 24

// relief is the shape of the land on the event's 10 m grid.
type relief struct {
	z      []float32 // elevation, m
	smooth []float32 // elevation without the detail that flowing debris ignores, m
	gx, gy []float32 // rise per metre towards east and towards south
	slope  []float32 // degrees
	fall   []float32 // slope of smooth, degrees: what sets land in motion
	hand   []float32 // height above the nearest channel, m
	river  []float32 // size of that channel, 1 for a river that drains 3 km²

	channels []channel
}

// channel is one reach of a river, about 30 m long, in pixels of the 10 m grid.
type channel struct {
	x0, y0, x1, y1 float32
	area           float32 // drained area, km²
}

// carve makes the relief. Rivers cut rising land by the stream-power law (solved implicitly from mouth to source, after
// Braun and Willett, Geomorphology 180–181, 2013), hillslopes stand at their threshold angle, valley floors
// fill up; so ridges, hollows and valleys come out connected as real drainage is.
func carve(w, h int, p *params) *relief {
	r := stream(p.seed, "relief")
	cw, ch := (w+demFactor-1)/demFactor+2*margin, (h+demFactor-1)/demFactor+2*margin
	hw, hh := (cw+1)/2, (ch+1)/2

	// Half resolution finds the main valleys, full resolution the hollows.
	z := noise(r, hw, hh, float64(hw)/1.5, 6, 0.6)
	tilt := r.Float64() * 2 * math.Pi
	tx, ty := float32(math.Cos(tilt)), float32(math.Sin(tilt))
	for y := range hh {
		for x := range hw {
			z[y*hw+x] = 3*z[y*hw+x] + 0.05*(tx*float32(x)+ty*float32(y))
		}
	}
	hard := noise(r, hw, hh, 40, 4, 0.6)
	channelHead := float32(p.channelHead)
	f := newFlow(hw, hh)
	for range 8 {
		f.route(z)
		f.erode(z, hard, channelHead/4, 2)
	}
	z = upsample(z, hw, hh, -0.25, -0.25, 0.5, cw, ch)
	hard = upsample(hard, hw, hh, -0.25, -0.25, 0.5, cw, ch)
	rough := noise(r, cw, ch, 12, 3, 0.6)
	for i := range z {
		z[i] = 2*z[i] + 0.25*rough[i]
	}
	f = newFlow(cw, ch)
	for range 4 {
		f.route(z)
		f.erode(z, hard, channelHead, 2.5)
	}

	scaleToSlope(z, cw, ch, p.steepness)
	f.route(z)
	hand, size := f.fillValleys(z, float32(p.valleyFill))
	channels := f.channels(w, h)
	bend := newWarp(r, cw, ch)
	z, hand, size = bend.grid(z), bend.grid(hand), bend.grid(size)
	bend.channels(channels)

	smooth := upsample(z, cw, ch, margin-1.0/3, margin-1.0/3, 1.0/demFactor, w, h)
	hand10 := upsample(hand, cw, ch, margin-1.0/3, margin-1.0/3, 1.0/demFactor, w, h)
	river := upsample(size, cw, ch, margin-1.0/3, margin-1.0/3, 1.0/demFactor, w, h)
	low := slices.Min(smooth)
	detail := noise(r, w, h, 24, 4, 0.55)
	out := &relief{z: make([]float32, w*h), smooth: smooth, hand: hand10, river: river, channels: channels}
	for i := range smooth {
		smooth[i] += float32(p.baseElevation) - low
		steep := smoothstep(hand10[i], 2, 40)
		out.z[i] = smooth[i] + detail[i]*float32(p.roughness)*(0.05+steep)
	}
	out.gx, out.gy, out.slope = gradients(out.z, w, h)
	_, _, out.fall = gradients(smooth, w, h)
	return out
}

// warp bends a grid of 30 m cells, so that valleys lose the eight directions in which a grid lets water run.
type warp struct {
	w, h   int
	dx, dy []float32 // cells
}

func newWarp(r *rand.Rand, w, h int) *warp {
	v := &warp{w: w, h: h, dx: noise(r, w, h, 22, 3, 0.5), dy: noise(r, w, h, 22, 3, 0.5)}
	const reach = 1.6
	for i := range v.dx {
		v.dx[i] *= reach
		v.dy[i] *= reach
	}
	return v
}

// grid returns the field as it is after bending, bilinearly.
func (v *warp) grid(field []float32) []float32 {
	out := make([]float32, len(field))
	for y := range v.h {
		for x := range v.w {
			i := y*v.w + x
			px := clamp(float32(x)+v.dx[i], 0, float32(v.w)-1.001)
			py := clamp(float32(y)+v.dy[i], 0, float32(v.h)-1.001)
			ix, iy := int(px), int(py)
			fx, fy := px-float32(ix), py-float32(iy)
			j := iy*v.w + ix
			top := field[j] + (field[j+1]-field[j])*fx
			bottom := field[j+v.w] + (field[j+v.w+1]-field[j+v.w])*fx
			out[i] = top + (bottom-top)*fy
		}
	}
	return out
}

// channels moves river reaches (in pixels of 10 m) to where bending takes them.
func (v *warp) channels(all []channel) {
	move := func(x, y *float32) {
		cx, cy := (*x-1)/demFactor+margin, (*y-1)/demFactor+margin
		px, py := cx, cy
		for range 4 { // solve p + d(p) = c
			i := min(max(int(py+0.5), 0), v.h-1)*v.w + min(max(int(px+0.5), 0), v.w-1)
			px, py = cx-v.dx[i], cy-v.dy[i]
		}
		*x, *y = (px-margin)*demFactor+1, (py-margin)*demFactor+1
	}
	for i := range all {
		move(&all[i].x0, &all[i].y0)
		move(&all[i].x1, &all[i].y1)
	}
}

// scaleToSlope stretches elevations (in cells) to metres such that a tenth of the land is steeper than the given angle.
func scaleToSlope(z []float32, w, h int, degrees float64) {
	s := make([]float32, 0, w*h/4)
	for y := 1; y < h-1; y += 2 {
		for x := 1; x < w-1; x += 2 {
			i := y*w + x
			gx, gy := z[i+1]-z[i-1], z[i+w]-z[i-w]
			s = append(s, gx*gx+gy*gy)
		}
	}
	slices.Sort(s)
	steep := math.Sqrt(float64(s[len(s)*9/10])) / 2 / (10 * demFactor)
	k := float32(math.Tan(degrees*math.Pi/180) / math.Max(steep, 1e-9))
	for i := range z {
		z[i] *= k
	}
}

// gradients gives the rise per metre towards east and south on the 10 m grid, and the slope in degrees.
func gradients(z []float32, w, h int) (gx, gy, slope []float32) {
	gx, gy, slope = make([]float32, len(z)), make([]float32, len(z)), make([]float32, len(z))
	for y := range h {
		up, down := max(y-1, 0)*w, min(y+1, h-1)*w
		for x := range w {
			i := y*w + x
			l, r := max(x-1, 0), min(x+1, w-1)
			gx[i] = (z[y*w+r] - z[y*w+l]) / float32(10*max(r-l, 1))
			gy[i] = (z[down+x] - z[up+x]) / float32(10*max((down-up)/w, 1))
			slope[i] = float32(math.Atan(math.Sqrt(float64(gx[i]*gx[i]+gy[i]*gy[i]))) * (180 / math.Pi))
		}
	}
	return gx, gy, slope
}
