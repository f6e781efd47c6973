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
		field := noise(r, w, h, between(r, 30, 140), 6, between(r, 0.5, 0.62))
		level := quantile(field, 1-d.cloud)
		soft := float32(between(r, 0.25, 1.2))
		s.cloud = make([]float32, w*h)
		for i, v := range field {
			s.cloud[i] = 0.98 * smoothstep(v, level-0.15*soft, level+soft)
		}
		height := between(r, 60, 220) * math.Min(math.Tan(d.sunZenith), 2)
		dx, dy := -height*math.Sin(d.sunAzimuth), height*math.Cos(d.sunAzimuth)
		ix, iy := int(math.Round(dx)), int(math.Round(dy))
		s.shadow = make([]float32, w*h)
		for y := range h {
			// Clouds beyond the image are those of its other side.
			sy := ((y-iy)%h + h) % h
			for x := range w {
				sx := ((x-ix)%w + w) % w
				s.shadow[y*w+x] = s.cloud[sy*w+sx]
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
		path[b] = float32(d.haze)*hazeByBand[b] + float32(d.offset)*0.5
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
