package simulate

import (
	"math"
	"slices"
)

// season gives the mixture of each class at a date: between its dry (or bare) and its green end member.
type season struct {
	dry, green [coverCount]spectrum
	level      [coverCount]float32 // mean greenness
	spread     [coverCount]float32 // of its texture
	rough      [coverCount]float32 // of its brightness
}

func seasonAt(p *params, d *dateParams, pal *palette) *season {
	summer := float32(1 - p.seasonality*(1-smooth01(d.summer)))
	dry := float32(p.dryness)
	// In dry lands summer is the dry season.
	parch := dry * float32(0.4+0.6*d.summer*p.seasonality) * (1 - 0.4*float32(d.wet))
	wet := float32(1 - 0.28*d.wet)
	s := &season{
		dry:   [coverCount]spectrum{bareBroadleaf, winterConifer, dryShrub, dryGrass, pal.soil.times(wet), pal.soil.times(wet), pal.rock.times((1 + wet) / 2), roofs},
		green: [coverCount]spectrum{leafyBroadleaf, sunnyConifer, greenShrub, greenGrass, greenCrop, dryShrub, pal.soil, greenGrass},
	}
	s.level = [coverCount]float32{
		broadleaf: 0.97*summer - 0.25*parch, conifer: 0.35 + 0.55*summer - 0.15*parch, shrub: 0.25 + 0.7*summer - 0.8*parch, grass: 0.2 + 0.75*summer - 1.0*parch,
		crop: 0.25 + 0.5*summer - 0.4*parch, soil: 0.3, rock: 0.15, town: 0.3,
	}
	s.spread = [coverCount]float32{0.10, 0.12, 0.2, 0.2, 0.08, 0.25, 0.2, 0.25}
	s.rough = [coverCount]float32{0.11, 0.12, 0.09, 0.06, 0.04, 0.10, 0.13, 0.22}
	return s
}

func smooth01(v float64) float64 { return v * v * (3 - 2*v) }

// paint makes the surface reflectance of one date, twelve values a pixel: land cover in its season, then everything of
// its history in order, then snow, all lit by the sun.
func paint(w, h int, p *params, d *dateParams, rel *relief, l *land, pal *palette, layers []dab) []spectrum {
	r := stream(p.seed, "surface "+d.name)
	s := seasonAt(p, d, pal)
	now := noise(r, w, h, 70, 4, 0.6) // what differs from the other date: moisture, vigour
	tint := noise(r, w, h, 12, 3, 0.7)
	salt := r.Uint32()
	out := make([]spectrum, w*h)
	warm := float32(0.06)
	for i := range out {
		c := l.class[i]
		g := s.level[c] + s.spread[c]*(0.5*l.middle[i]+0.3*l.broad[i]+0.45*now[i])
		bright := 1 + s.rough[c]*(0.7*l.fine[i]+0.35*l.middle[i]+0.35*tint[i])
		if c == crop {
			f := hash(l.field[i], salt)
			own := float32(unit(f))
			if own < 0.25 { // just ploughed or harvested
				g = 0.08 * own
			} else {
				g += 1.3 * (own - 0.62)
			}
			bright *= 0.85 + 0.3*float32(unit(hash(f, 5)))
		}
		g = clamp(g, 0, 1)
		bright = max(bright, 0.35)
		dry, green := &s.dry[c], &s.green[c]
		hue := warm * l.broad[i]
		o := &out[i]
		for b := range o {
			o[b] = (dry[b] + (green[b]-dry[b])*g) * bright
		}
		// Species differ most in the near infrared.
		for b := 5; b < 10; b++ {
			o[b] *= 1 + hue
		}
	}
	for k := range layers {
		v := &layers[k]
		o := &out[v.i]
		for b := range o {
			o[b] += ((v.a[b]+(v.b[b]-v.a[b])*v.t)*v.bright - o[b]) * v.cover
		}
	}
	snow(out, d, rel, now, l)
	light(out, d, rel, castShadows(w, h, d, rel))
	return out
}

// snow lies above the snow line, longer on shaded and less on steep ground.
func snow(out []spectrum, d *dateParams, rel *relief, now []float32, l *land) {
	age := float32(d.wet)
	cover := lerp(freshSnow, oldSnow, age)
	sx, sy := float32(math.Sin(d.sunAzimuth)), float32(-math.Cos(d.sunAzimuth))
	for i := range out {
		z := rel.z[i] - float32(d.snowLine) + 90*now[i] + 30*l.fine[i] + 250*(rel.gx[i]*sx+rel.gy[i]*sy)
		if z < -120 {
			continue
		}
		c := smoothstep(z, -120, 250) * (1 - 0.8*smoothstep(rel.slope[i], 38, 60))
		if l.class[i] <= conifer {
			c *= 0.45 // crowns shed it
		}
		o := &out[i]
		for b := range o {
			o[b] += (cover[b] - o[b]) * c
		}
	}
}

// light shades every pixel by the angle between the ground and the sun, with sky light in the shade.
func light(out []spectrum, d *dateParams, rel *relief, shade []float32) {
	sz, cz := float32(math.Sin(d.sunZenith)), float32(math.Cos(d.sunZenith))
	sx, sy := sz*float32(math.Sin(d.sunAzimuth)), -sz*float32(math.Cos(d.sunAzimuth))
	var sky, scale spectrum
	for b := range sky {
		sky[b] = float32(d.sky) * diffuseByBand[b]
		scale[b] = float32(d.gain) / (cz + sky[b])
	}
	for i := range out {
		gx, gy := rel.gx[i], rel.gy[i]
		norm := float32(1 / math.Sqrt(float64(1+gx*gx+gy*gy)))
		direct := max((cz-gx*sx-gy*sy)*norm, 0)
		if shade != nil {
			direct *= 1 - shade[i]
		}
		o := &out[i]
		for b := range o {
			o[b] *= (direct + sky[b]) * scale[b]
		}
	}
}

// castShadows tells how much of the sun's disc the relief hides from each pixel, or nil where the sun stands too high for it.
func castShadows(w, h int, d *dateParams, rel *relief) []float32 {
	rise := float32(10 / math.Tan(d.sunZenith)) // m a pixel
	if rise > 10 {
		return nil
	}
	highest := slices.Max(rel.smooth)
	dx, dy := float32(math.Sin(d.sunAzimuth)), float32(-math.Cos(d.sunAzimuth))
	out := make([]float32, w*h)
	for y := range h {
		for x := range w {
			z := rel.smooth[y*w+x]
			var above float32 // of the sun's ray, m
			for k := float32(3); k < 150; k += 1.5 + 0.05*k {
				px, py := int(float32(x)+0.5+dx*k), int(float32(y)+0.5+dy*k)
				ray := z + rise*k
				if px < 0 || py < 0 || px >= w || py >= h || ray > highest {
					break
				}
				above = max(above, (rel.smooth[py*w+px]-ray)/k)
			}
			out[y*w+x] = clamp(above*0.5, 0, 1)
		}
	}
	return out
}
