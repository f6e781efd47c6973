package simulate

import "math"

// sky is what lies between the land and the satellite at one date.
type sky struct {
	cloud, shadow []float32 // opacity; nil where the sky is clear
}

// cloudy makes clouds over the wanted share of the image, thick in their middle and thin at their edges, and their shadows.
func cloudy(w, h int, p *params, d *dateParams) *sky {
	s := &sky{}
	r := stream(p.seed, "clouds "+d.name)
	if d.cloud > 0 {
		// The field reaches beyond the image by as far as shadows fall, so that clouds outside shade it too.
		height := between(r, 60, 220) * math.Min(math.Tan(d.sunZenith), 2)
		ix, iy := int(math.Round(height*math.Sin(d.sunAzimuth))), int(math.Round(-height*math.Cos(d.sunAzimuth)))
		fw, fh := w+max(ix, -ix), h+max(iy, -iy)
		x0, y0 := max(-ix, 0), max(-iy, 0)
		field := noise(r, fw, fh, between(r, 30, 140), 6, between(r, 0.5, 0.62))
		s.cloud, s.shadow = make([]float32, w*h), make([]float32, w*h)
		for y := range h {
			copy(s.cloud[y*w:(y+1)*w], field[(y+y0)*fw+x0:])
			copy(s.shadow[y*w:(y+1)*w], field[(y+y0+iy)*fw+x0+ix:])
		}
		level := quantile(s.cloud, 1-d.cloud)
		soft := float32(between(r, 0.25, 1.2))
		for _, opacity := range [2][]float32{s.cloud, s.shadow} {
			for i, v := range opacity {
				opacity[i] = 0.98 * smoothstep(v, level-0.15*soft, level+soft)
			}
		}
	}
	if d.cirrus > 0 {
		veil := noise(r, w, h, 300, 4, 0.5)
		if s.cloud == nil {
			s.cloud = make([]float32, w*h)
		}
		for i, v := range veil {
			s.cloud[i] = max(s.cloud[i], float32(d.cirrus)*clamp(0.7*v, 0, 2))
		}
	}
	return s
}

// Opacities from which the scene classification speaks of cloud.
const (
	thickFrom  = 0.45
	thinFrom   = 0.09
	shadowFrom = 0.3
)

// veil puts haze, shadows and clouds over the land.
func (s *sky) veil(out []spectrum, w, h int, p *params, d *dateParams) {
	r := stream(p.seed, "haze "+d.name)
	uneven := noise(r, w, h, 350, 3, 0.5)
	texture := float32(0.05)
	var path spectrum
	for b := range path {
		path[b] = float32(d.haze)*hazeByBand[b] + float32(d.offset)
	}
	for i := range out {
		k := 1 + 0.3*uneven[i]
		o := &out[i]
		if s.shadow != nil {
			if a := s.shadow[i]; a > 0.02 {
				for b := range o {
					o[b] *= 1 - a*(0.78-0.16*diffuseByBand[b])
				}
			}
		}
		for b := range o {
			o[b] += path[b]*k - o[b]*float32(d.haze)*hazeByBand[b]*k*0.0001
		}
		if s.cloud != nil {
			if a := s.cloud[i]; a > 0.01 {
				t := 1 + texture*uneven[i] - 0.25*(1-a)
				for b := range o {
					o[b] += (thickCloud[b]*t - o[b]) * a
				}
			}
		}
	}
}
