package simulate

import (
	"math"
	"math/rand/v2"
)

// slide is one landslide: what moved, from where it broke away to where it came to rest.
type slide struct {
	kind   string
	pixels []slidePixel
	bright float32
	rocky  float32
}

// slidePixel is one pixel that a slide touches: covered by share cover, at relative distance along (0 crown to 1 toe).
type slidePixel struct {
	i            int32
	cover, along float32
}

// Kinds of landslide, after Varnes.
const (
	debrisSlide     = "debris slide"
	debrisFlow      = "debris flow"
	rockAvalanche   = "rock avalanche"
	earthSlide      = "earth slide"
	coalescedSlides = "coalesced landslides"
)

// shaper draws slides on a relief; it keeps scratch memory between them.
type shaper struct {
	w, h    int
	rel     *relief
	land    *land
	cover   []float32
	along   []float32
	touched []int32
}

func newShaper(w, h int, rel *relief, l *land) *shaper {
	return &shaper{w: w, h: h, rel: rel, land: l, cover: make([]float32, w*h), along: make([]float32, w*h)}
}

// trigger makes the event's new landslides: where slopes are steep and shaking or rain was strong, until the wanted
// share of the land has slid. It returns the share of each pixel that slid, besides.
func trigger(w, h int, p *params, rel *relief, l *land) (slides []*slide, covered []float32) {
	covered = make([]float32, w*h)
	if p.landslides <= 0 {
		return nil, covered
	}
	r := stream(p.seed, "landslides")
	strength := noise(r, w, h, math.Max(float64(min(w, h))/3, 40), 3, 0.6)
	cx, cy := r.Float64()*float64(w), r.Float64()*float64(h)
	reach := between(r, 0.2, 0.5) * float64(min(w, h))
	s := newShaper(w, h, rel, l)
	want := float32(p.landslides) * float32(w*h)
	var done float32
	for tries := 0; done < want && tries < 400*int(want)+20000; tries++ {
		x, y := r.IntN(w), r.IntN(h)
		i := y*w + x
		steep := smoothstep(rel.fall[i], float32(p.startSlope)-3, float32(p.startSlope)+9)
		if steep == 0 || rel.hand[i] < 4 || l.class[i] == town {
			continue
		}
		d := (math.Pow(float64(x)-cx, 2) + math.Pow(float64(y)-cy, 2)) / (reach * reach)
		odds := float64(steep) * math.Exp(0.9*float64(strength[i])-1) * (1 - p.clustering + p.clustering*1.5*math.Exp(-d))
		if l.class[i] == rock {
			odds *= 0.4
		}
		if r.Float64() > odds || covered[i] > 0.3 {
			continue
		}
		area := sampleArea(r, p.smallest, p.sizeTail, math.Min(3e5, float64(want)*100*0.35+2000))
		sl := s.slide(r, float64(x)+r.Float64(), float64(y)+r.Float64(), area, p, l.class[i])
		if sl == nil {
			continue
		}
		for _, px := range sl.pixels {
			if c := px.cover - covered[px.i]; c > 0 {
				covered[px.i] += c
				done += c
			}
		}
		slides = append(slides, sl)
	}
	return slides, covered
}

// sampleArea draws an area in m² from a power law with an exponential end below most.
func sampleArea(r *rand.Rand, least, tail, most float64) float64 {
	for range 20 {
		if a := least * math.Pow(1-r.Float64(), -1/tail); a <= most {
			return a
		}
	}
	return least
}

// slide lets a mass of about area m² go at pixel coordinates (x, y) and follows it downhill. It returns nil where
// nothing recognisable comes of it.
func (s *shaper) slide(r *rand.Rand, x, y, area float64, p *params, on cover) *slide {
	elongation := math.Min(math.Max(p.elongation*math.Exp(0.35*r.NormFloat64()), 1.1), 14)
	sl := &slide{bright: float32(between(r, 0.72, 1.18)), rocky: float32(math.Min(math.Max(p.debrisRock+0.25*r.NormFloat64(), 0), 1))}
	flows := r.Float64() < 0.3 && area > 800
	switch {
	case flows:
		sl.kind = debrisFlow
		elongation = math.Max(elongation, 4) * between(r, 1.2, 2.2)
	case on == rock:
		sl.kind = rockAvalanche
		sl.rocky = 0.6 + 0.4*sl.rocky
	case elongation < 2 && area > 4000:
		sl.kind = earthSlide
	default:
		sl.kind = debrisSlide
	}
	px := area / 100
	width := math.Sqrt(px / elongation) // mean, in pixels
	length := px / width
	s.run(r, x, y, length, width, flows)
	// Large failures are seldom one mass: lobes break away beside the first and join it downhill.
	if px > 25 {
		for range r.IntN(2 + int(math.Log2(px/25))) {
			bx, by := x+width*r.NormFloat64(), y+width*r.NormFloat64()
			s.run(r, bx, by, length*between(r, 0.3, 0.9), width*between(r, 0.3, 0.7), flows)
		}
	}
	sl.pixels = s.take()
	if len(sl.pixels) == 0 {
		return nil
	}
	return sl
}

// run stamps the mass's way: downhill with inertia, over a spoon-shaped source, a narrower track and a wider deposit.
func (s *shaper) run(r *rand.Rand, x, y, length, width float64, flows bool) {
	step := math.Min(math.Max(width/5, 0.35), 1.2)
	var dx, dy float64
	stopSlope := between(r, 0.15, 0.35)
	if flows {
		stopSlope = between(r, 0.06, 0.16)
	}
	// What reaches the valley floor comes to rest there; flows go on for a while.
	floor := float32(between(r, 2, 8))
	if flows {
		floor = 0.5
	}
	sourceEnd := between(r, 0.2, 0.45)
	track, toe := between(r, 0.55, 0.95), between(r, 0.7, 1.25)
	if flows {
		track, toe = between(r, 0.3, 0.55), between(r, 0.6, 1.3)
	}
	ragged := between(r, 0.15, 0.55)
	swing := r.Float64() * 2 * math.Pi
	slowing := 0.0
	for at := 0.0; at < length; at += step {
		if x < 1 || y < 1 || x >= float64(s.w-1) || y >= float64(s.h-1) {
			break
		}
		gx, gy := s.downhill(x, y)
		steep := math.Hypot(gx, gy)
		if steep > 1e-6 {
			// A wide mass averages the relief and keeps its way; a thin flow obeys every hollow.
			keep := 1 - 1/(1+width*0.25)
			keep = 0.35 + 0.5*keep
			dx, dy = keep*dx+(1-keep)*gx/steep, keep*dy+(1-keep)*gy/steep
			if n := math.Hypot(dx, dy); n > 1e-9 {
				dx, dy = dx/n, dy/n
			}
		}
		if steep < stopSlope || s.rel.hand[int(y)*s.w+int(x)] < floor {
			slowing += step
			if slowing > 0.7*width+1.5 {
				length = math.Min(length, at+step)
			}
		}
		t := at / length
		k := profile(t, sourceEnd, track, toe)
		// Head and toe are round.
		head := math.Sqrt(math.Min(1, (at+0.3*step)/(0.9*width)))
		foot := math.Sqrt(math.Min(1, (length-at)/(0.5*width)))
		swing += 0.4 * r.NormFloat64() * step
		radius := 0.5 * width * 1.15 * k * math.Min(head, foot) * (1 + 0.12*math.Sin(swing))
		s.stamp(x, y, radius, float32(t), float32(ragged*math.Min(radius, 8)))
		x, y = x+dx*step, y+dy*step
	}
}

// profile is the relative width along a slide.
func profile(t, sourceEnd, track, toe float64) float64 {
	switch {
	case t < sourceEnd:
		return 1
	case t < 0.75:
		u := math.Min((t-sourceEnd)/0.15, 1)
		return 1 + (track-1)*u
	default:
		u := (t - 0.75) / 0.25
		return track + (toe-track)*u
	}
}

// downhill is the direction and steepness of the fall at pixel coordinates, on the relief without its detail.
func (s *shaper) downhill(x, y float64) (dx, dy float64) {
	cx, cy := min(max(int(x), 1), s.w-2), min(max(int(y), 1), s.h-2)
	i := cy*s.w + cx
	z := s.rel.smooth
	return float64(z[i-1]-z[i+1]) / 20, float64(z[i-s.w]-z[i+s.w]) / 20
}

// stamp covers a disc (pixel coordinates and radius); ragged roughens its outline by so many pixels.
func (s *shaper) stamp(x, y, radius float64, along, ragged float32) {
	reach := radius + 1 + 2*float64(ragged)
	x0, x1 := max(int(x-reach), 0), min(int(x+reach), s.w-1)
	y0, y1 := max(int(y-reach), 0), min(int(y+reach), s.h-1)
	for py := y0; py <= y1; py++ {
		for px := x0; px <= x1; px++ {
			i := py*s.w + px
			d := math.Hypot(float64(px)+0.5-x, float64(py)+0.5-y)
			inside := float32(radius-d) + ragged*(s.land.edge[i]+0.6*s.land.middle[i])*0.8
			c := 0.5 + inside
			// What is thinner than a pixel can't cover one.
			if full := float32(2 * radius); full < 1 {
				c = min(c, full)
			}
			c = clamp(c, 0, 1)
			if c <= 0 {
				continue
			}
			if s.cover[i] == 0 {
				s.touched = append(s.touched, int32(i))
			}
			if c > s.cover[i] {
				s.cover[i], s.along[i] = c, along
			}
		}
	}
}

// take returns what was stamped and clears the scratch.
func (s *shaper) take() []slidePixel {
	out := make([]slidePixel, len(s.touched))
	for k, i := range s.touched {
		out[k] = slidePixel{i, s.cover[i], s.along[i]}
		s.cover[i] = 0
	}
	s.touched = s.touched[:0]
	return out
}
