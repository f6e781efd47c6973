package simulate

import "math"

// Classes of the Sentinel-2 L2A scene classification that the simulator uses.
const (
	SCLNoData      = 0
	SCLShadow      = 3
	SCLVegetation  = 4
	SCLBare        = 5
	SCLWater       = 6
	SCLCloudMedium = 8
	SCLCloudHigh   = 9
	SCLCirrus      = 10
	SCLSnow        = 11
)

// sense turns radiance at the satellite into the twelve bands: each blurred by its optics and seen at its own
// resolution, shifted by (sx, sy) pixels, with noise, as integers. 0 is left to mean no data.
func sense(img []spectrum, w, h int, p *params, d *dateParams, sx, sy float64) [12][]uint16 {
	r := stream(p.seed, "sensor "+d.name)
	var out [12][]uint16
	plane, scratch := make([]float32, w*h), make([]float32, w*h)
	for b := range out {
		for i := range img {
			plane[i] = img[i][b]
		}
		blur(plane, scratch, w, h)
		src, sw, sh, k := plane, w, h, resolution[b]
		if k > 1 {
			src, sw, sh = shrink(plane, w, h, k)
		}
		noise := float32(d.sensorNoise)
		if k == 6 {
			noise /= 2
		}
		out[b] = resample(src, sw, sh, k, w, h, sx, sy, noise, r.Uint32())
	}
	return out
}

// blur is the optics' point spread: a 3×3 binomial of full width about 1.4 pixels.
func blur(a, tmp []float32, w, h int) {
	const c, e = 0.7, 0.15
	for y := range h {
		s, d := a[y*w:(y+1)*w], tmp[y*w:(y+1)*w]
		d[0], d[w-1] = s[0], s[w-1]
		for x := 1; x < w-1; x++ {
			d[x] = c*s[x] + e*(s[x-1]+s[x+1])
		}
	}
	for y := range h {
		u, s, n := tmp[max(y-1, 0)*w:], tmp[y*w:], tmp[min(y+1, h-1)*w:]
		d := a[y*w : (y+1)*w]
		for x := range d {
			d[x] = c*s[x] + e*(u[x]+n[x])
		}
	}
}

// shrink averages k×k pixels into one.
func shrink(a []float32, w, h, k int) (out []float32, sw, sh int) {
	sw, sh = (w+k-1)/k, (h+k-1)/k
	out = make([]float32, sw*sh)
	for y := range sh {
		for x := range sw {
			var sum float32
			n := 0
			for v := y * k; v < min((y+1)*k, h); v++ {
				for u := x * k; u < min((x+1)*k, w); u++ {
					sum += a[v*w+u]
					n++
				}
			}
			out[y*sw+x] = sum / float32(n)
		}
	}
	return out, sw, sh
}

// resample reads a k times coarser plane bilinearly on the 10 m grid shifted by (sx, sy) pixels, adds noise of the
// given deviation, and rounds.
func resample(src []float32, sw, sh, k, w, h int, sx, sy float64, deviation float32, salt uint32) []uint16 {
	out := make([]uint16, w*h)
	type tap struct {
		a, b int
		f    float32
	}
	taps := func(n, limit int, shift float64) []tap {
		t := make([]tap, n)
		for i := range t {
			v := (float64(i)+0.5+shift)/float64(k) - 0.5
			f := math.Floor(v)
			t[i] = tap{min(max(int(f), 0), limit-1), min(max(int(f)+1, 0), limit-1), float32(v - f)}
		}
		return t
	}
	tx, ty := taps(w, sw, sx), taps(h, sh, sy)
	state := salt | 1
	// The sum of two uniform values has deviation √(1/6) of their width.
	scale := deviation * float32(math.Sqrt(6)) / (1 << 16)
	for y := range h {
		t := ty[y]
		top, bottom := src[t.a*sw:(t.a+1)*sw], src[t.b*sw:(t.b+1)*sw]
		row := out[y*w : (y+1)*w]
		for x := range row {
			u := &tx[x]
			a := top[u.a] + (top[u.b]-top[u.a])*u.f
			b := bottom[u.a] + (bottom[u.b]-bottom[u.a])*u.f
			v := a + (b-a)*t.f
			state ^= state << 13
			state ^= state >> 17
			state ^= state << 5
			v += (float32(state&0xFFFF) + float32(state>>16) - 65535) * scale
			row[x] = uint16(clamp(v+0.5, 1, 16000))
		}
	}
	return out
}

// classify makes the 20 m scene classification, as roughly as Sen2Cor does.
func classify(bands *[12][]uint16, s *sky, w, h int, noData []bool) []uint8 {
	cw, ch := (w+1)/2, (h+1)/2
	out := make([]uint8, cw*ch)
	for y := range ch {
		for x := range cw {
			i := min(2*y, h-1)*w + min(2*x, w-1)
			j := min(2*y+1, h-1)*w + min(2*x+1, w-1)
			if noData != nil && noData[i] && noData[j] && noData[i/w*w+j%w] && noData[j/w*w+i%w] {
				continue
			}
			out[y*cw+x] = classOf(bands, s, i, j)
		}
	}
	return out
}

func classOf(bands *[12][]uint16, s *sky, i, j int) uint8 {
	mean := func(b int) float32 { return (float32(bands[b][i]) + float32(bands[b][j])) / 2 }
	if s.cloud != nil {
		switch a := (s.cloud[i] + s.cloud[j]) / 2; {
		case a > 0.75:
			return SCLCloudHigh
		case a > thickFrom:
			return SCLCloudMedium
		case a > thinFrom:
			return SCLCirrus
		}
	}
	if s.shadow != nil && (s.shadow[i]+s.shadow[j])/2 > shadowFrom {
		return SCLShadow
	}
	green, red, nir, swir := mean(2), mean(3), mean(7), mean(10)
	switch {
	case green > 2500 && (green-swir)/(green+swir) > 0.4:
		return SCLSnow
	case nir < 1200 && (green-nir)/(green+nir) > 0.05:
		return SCLWater
	case (nir-red)/(nir+red) > 0.4:
		return SCLVegetation
	}
	return SCLBare
}

// swath marks what lies beyond the edge of the satellite's swath: a wedge over the given share of the image.
func swath(w, h int, p *params, d *dateParams) []bool {
	if d.noData <= 0 {
		return nil
	}
	r := stream(p.seed, "swath "+d.name)
	angle := between(r, -0.3, -0.1)
	if r.IntN(2) == 0 {
		angle += math.Pi
	}
	cos, sin := math.Cos(angle), math.Sin(angle)
	across := make([]float32, w*h)
	for y := range h {
		for x := range w {
			across[y*w+x] = float32(float64(x)*cos + float64(y)*sin)
		}
	}
	edge := quantile(across, d.noData)
	out := make([]bool, w*h)
	for i, v := range across {
		out[i] = v < edge
	}
	return out
}
