package simulate

import "math"

// dab is a touch of the brush: a share of one pixel takes on a mixture of two spectra.
type dab struct {
	i        int32
	cover, t float32
	bright   float32
	a, b     *spectrum
}

// palette is the event's own earth.
type palette struct {
	soil, debris, rock, gravel spectrum
}

func mixPalette(p *params) *palette {
	r := stream(p.seed, "palette")
	earth := lerp(greySoil, brownSoil, float32(between(r, 0, 1)))
	earth = lerp(earth, redSoil, float32(p.soilRedness*p.soilRedness))
	stone := darkRock
	if k := float32(r.Float64()); k < 0.5 {
		stone = lerp(darkRock, greyRock, 2*k)
	} else {
		stone = lerp(greyRock, lightRock, 2*k-1)
	}
	stone = lerp(stone, earth, float32(between(r, 0, 0.4)))
	bright := float32(p.soilBrightness)
	return &palette{
		soil:   earth.times(bright),
		debris: lerp(earth, stone, 0.35).times(bright),
		rock:   stone,
		gravel: lerp(riverGravel, stone, 0.6),
	}
}

// history holds everything on top of the land cover, in the order in which it is painted, for the pre and the post image.
type history struct {
	pre, post []dab
}

// both paints the same dabs at both dates.
func (h *history) both(d ...dab) { h.pre, h.post = append(h.pre, d...), append(h.post, d...) }

// confuse lays out what looks like a landslide and is none: old scars, rivers that changed, clear-cuts, roads, burns, building sites.
func confuse(w, h int, p *params, rel *relief, l *land, pal *palette) *history {
	out := &history{}
	cutForest(w, h, p, rel, l, pal, out)
	burn(w, h, p, l, out)
	oldScars(w, h, p, rel, l, pal, out)
	roads(w, h, p, rel, l, pal, out)
	sites(w, h, p, rel, l, pal, out)
	rivers(w, h, p, rel, l, pal, out)
	return out
}

// oldScars are landslides of earlier years: bare, or half grown over, at both dates; some grow over in between.
func oldScars(w, h int, p *params, rel *relief, l *land, pal *palette, out *history) {
	r := stream(p.seed, "old scars")
	s := newShaper(w, h, rel, l)
	want := 0.025 * p.oldScars * p.oldScars * float64(w*h)
	var done float64
	for tries := 0; done < want && tries < 20000; tries++ {
		x, y := r.IntN(w), r.IntN(h)
		if i := y*w + x; rel.fall[i] < float32(p.startSlope)-2 || rel.hand[i] < 4 {
			continue
		}
		area := sampleArea(r, p.smallest*2, p.sizeTail, 1e5)
		sl := s.slide(r, float64(x), float64(y), area, p, l.class[y*w+x])
		if sl == nil {
			continue
		}
		age := r.Float64() // 0 fresh: bare as a new one
		regrown := age * between(r, 0, 0.35)
		for _, px := range sl.pixels {
			done += float64(px.cover)
			green := clamp(float32(age)*0.8+0.25*l.middle[px.i]+0.15*l.fine[px.i], 0, 1)
			later := clamp(green+float32(regrown), 0, 1)
			d := dab{i: px.i, cover: px.cover, t: green, bright: sl.bright * (1 + 0.12*l.fine[px.i]), a: &pal.debris, b: &greenShrub}
			out.pre = append(out.pre, d)
			d.t = later
			out.post = append(out.post, d)
		}
	}
}

// cutForest fells stands: some long before the pre image, some between the two. Stands are near rectangles on land that
// machines reach, which includes steep hills.
func cutForest(w, h int, p *params, rel *relief, l *land, pal *palette, out *history) {
	r := stream(p.seed, "clear-cuts")
	stands := int(p.clearCuts * between(r, 1, 9) * float64(w*h) / (512 * 512))
	if p.clearCuts > 0 && r.Float64() < 0.5 {
		stands++
	}
	for range stands {
		cx, cy := between(r, 0, float64(w)), between(r, 0, float64(h))
		i := min(int(cy), h-1)*w + min(int(cx), w-1)
		if l.class[i] > conifer || float64(rel.slope[i]) > between(r, 15, 38) {
			continue
		}
		angle := r.Float64() * math.Pi
		if r.Float64() < 0.6 { // along or down the slope
			angle = math.Atan2(float64(rel.gy[i]), float64(rel.gx[i]))
		}
		long, short := logBetween(r, 6, 32), logBetween(r, 4, 18)
		when := r.Float64() // below 0.55: between the dates
		stump, bright := float32(between(r, 0, 1)), float32(between(r, 0.75, 1.1))
		cos, sin := math.Cos(angle), math.Sin(angle)
		reach := long + short
		for y := max(int(cy-reach), 0); y < min(int(cy+reach), h); y++ {
			for x := max(int(cx-reach), 0); x < min(int(cx+reach), w); x++ {
				i := y*w + x
				if l.class[i] > conifer {
					continue
				}
				u, v := float64(x)-cx, float64(y)-cy
				du, dv := math.Abs(u*cos+v*sin)-long/2, math.Abs(v*cos-u*sin)-short/2
				c := clamp(0.5-float32(math.Max(du, dv))+0.5*l.edge[i], 0, 1)
				if c == 0 {
					continue
				}
				// Slash, stumps and low growth: seldom as bare as a landslide, sometimes nearly.
				d := dab{i: int32(i), cover: c, t: clamp(stump+0.25*l.middle[i]+0.15*l.fine[i], 0, 1), bright: bright * (1 + 0.1*l.fine[i]), a: &pal.soil, b: &dryShrub}
				if when < 0.55 {
					out.post = append(out.post, d)
				} else {
					out.both(d)
				}
			}
		}
	}
}

// burn chars a part of the land before either image.
func burn(w, h int, p *params, l *land, out *history) {
	if p.burns < 0.5 {
		return
	}
	r := stream(p.seed, "burns")
	field := noise(r, w, h, between(r, 50, 140), 5, 0.6)
	level := quantile(field, 1-between(r, 0.01, 0.06))
	between := r.Float64() < 0.6
	for i, v := range field {
		c := clamp((v-level)*3, 0, 1) * float32(0.7)
		if c <= 0.02 || l.class[i] >= crop {
			continue
		}
		d := dab{i: int32(i), cover: c, t: clamp(0.3+0.3*l.middle[i], 0, 1), bright: 1 + 0.1*l.fine[i], a: &charred, b: &dryShrub}
		if between {
			out.post = append(out.post, d)
		} else {
			out.both(d)
		}
	}
}

// roads follow the contours above valleys and up hills; a few are cut between the dates.
func roads(w, h int, p *params, rel *relief, l *land, pal *palette, out *history) {
	r := stream(p.seed, "roads")
	wander := noise(r, w, h, 90, 3, 0.5)
	parts := noise(r, w, h, 80, 2, 0.5)
	draw := func(height []float32, at, swing float32, where func(i int) bool, width, bright float32, a, b *spectrum, fresh bool) {
		for y := 1; y < h-1; y++ {
			for x := 1; x < w-1; x++ {
				i := y*w + x
				d := height[i] + swing*wander[i] - at
				if d > 60 || d < -60 || !where(i) {
					continue
				}
				gx := height[i+1] - height[i-1] + swing*(wander[i+1]-wander[i-1])
				gy := height[i+w] - height[i-w] + swing*(wander[i+w]-wander[i-w])
				away := float32(math.Abs(float64(d)) / (math.Hypot(float64(gx), float64(gy))/2 + 0.3))
				c := clamp(0.5+width/2-away, 0, 1) * min(width, 1)
				if c <= 0 {
					continue
				}
				t := dab{i: int32(i), cover: c, t: clamp(0.5+0.3*l.fine[i], 0, 1), bright: bright, a: a, b: b}
				out.post = append(out.post, t)
				if !fresh {
					out.pre = append(out.pre, t)
				}
			}
		}
	}
	draw(rel.hand, float32(between(r, 8, 20)), 3, func(i int) bool { return parts[i] > -0.8 && rel.river[i] > 0.35 && rel.slope[i] < 30 }, 0.9, 1, &asphalt, &pal.gravel, false)
	low, high := rel.z[0], rel.z[0]
	for _, z := range rel.z {
		low, high = min(low, z), max(high, z)
	}
	tracks := 1 + int(3*p.newRoads)
	for k := range tracks {
		height := low + (high-low)*float32(between(r, 0.1, 0.8))
		side, turn := float32(between(r, 0.3, 1.2)), float32(1)
		if k%2 == 1 {
			turn = -1
		}
		fresh := p.newRoads > 0 && r.Float64() < 0.5
		width := float32(between(r, 0.4, 0.9))
		if fresh {
			width = float32(between(r, 0.8, 2)) // cut and spoil
		}
		draw(rel.z, height, float32(between(r, 5, 25)), func(i int) bool { return turn*parts[i] > side && rel.slope[i] < 42 }, width, float32(between(r, 0.85, 1.15)), &pal.soil, &pal.gravel, fresh)
	}
}

// sites are quarries and building grounds: small bare polygons on gentle land, some new.
func sites(w, h int, p *params, rel *relief, l *land, pal *palette, out *history) {
	r := stream(p.seed, "sites")
	n := int(p.buildings * between(r, 0, 7) * float64(w*h) / (512 * 512))
	for range n {
		cx, cy := between(r, 0, float64(w)), between(r, 0, float64(h))
		at := min(int(cy), h-1)*w + min(int(cx), w-1)
		if rel.slope[at] > 22 {
			continue
		}
		size, squareness, angle := logBetween(r, 1.5, 9), between(r, 1, 4), r.Float64()*math.Pi
		fresh := r.Float64() < 0.5
		bright := float32(between(r, 0.9, 1.35))
		cos, sin := math.Cos(angle), math.Sin(angle)
		for y := max(int(cy-2*size), 0); y < min(int(cy+2*size), h); y++ {
			for x := max(int(cx-2*size), 0); x < min(int(cx+2*size), w); x++ {
				i := y*w + x
				u, v := float64(x)-cx, float64(y)-cy
				u, v = math.Abs(u*cos+v*sin)/1.4, math.Abs(v*cos-u*sin)
				d := math.Pow(math.Pow(u, squareness+1)+math.Pow(v, squareness+1), 1/(squareness+1)) - size
				c := clamp(0.5-float32(d)+0.4*l.edge[i], 0, 1)
				if c == 0 {
					continue
				}
				t := dab{i: int32(i), cover: c, t: clamp(0.5+0.4*l.middle[i], 0, 1), bright: bright * (1 + 0.15*l.fine[i]), a: &pal.soil, b: &pal.rock}
				if fresh {
					out.post = append(out.post, t)
				} else {
					out.both(t)
				}
			}
		}
	}
}

// rivers lay a gravel bed along the channels and water in it, wider after rain, and shifted within the bed between the dates.
func rivers(w, h int, p *params, rel *relief, l *land, pal *palette, out *history) {
	r := stream(p.seed, "rivers")
	bedWidth, braid := float32(between(r, 0.15, 1)), float32(between(r, 0.2, 1.5))
	wander := noise(r, w, h, 30, 3, 0.6)
	change := float32(between(r, 0, 1.2))
	later := noise(r, w, h, 30, 3, 0.6)
	flood := [2]float32{float32(between(r, 0.6, 1.3)), float32(between(r, 0.6, 1.8))}
	flatness := float32(6)
	s := newShaper(w, h, rel, l)
	paint := func(k float32, minWidth float32) []slidePixel {
		for _, c := range rel.channels {
			width := k * float32(math.Pow(float64(c.area), 0.45)) * 0.9
			if width < minWidth {
				continue
			}
			const steps = 6
			for t := range steps {
				f := (float32(t) + 0.5) / steps
				s.stamp(float64(c.x0+(c.x1-c.x0)*f), float64(c.y0+(c.y1-c.y0)*f), float64(width/2), 0, 0.5*braid)
			}
		}
		return s.take()
	}
	for _, px := range paint(1+1.6*bedWidth, 0.5) {
		i := px.i
		// Torrents in steep gullies show less of a bed.
		c := px.cover * (1 - 0.7*smoothstep(rel.slope[i], flatness, 25))
		for date, list := range [2]*[]dab{&out.pre, &out.post} {
			f := wander[i]
			if date == 1 {
				f += change * later[i]
			}
			*list = append(*list, dab{i: i, cover: c, t: clamp(0.2+0.25*f, 0, 1), bright: 1 + 0.08*l.fine[i], a: &pal.gravel, b: &greenShrub})
		}
	}
	water := [2]spectrum{lerp(clearWater, turbidWater, float32(p.pre.turbid)), lerp(clearWater, turbidWater, float32(p.post.turbid))}
	for date, list := range [2]*[]dab{&out.pre, &out.post} {
		for _, px := range paint(0.55*flood[date], 0.35) {
			f := wander[px.i]
			if date == 1 {
				f += change * later[px.i]
			}
			c := px.cover * clamp(1.1-0.35*braid*f*f, 0, 1) * (1 - 0.6*smoothstep(rel.slope[px.i], 10, 30))
			*list = append(*list, dab{i: px.i, cover: c, t: 0, bright: 1, a: &water[date], b: &water[date]})
		}
	}
}
