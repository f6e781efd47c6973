package tiles

import (
	"context"
	"fmt"
	"image"
	"math"
	"slices"

	"github.com/scarp-map/scarp/imagery"
)

// window is a piece of a level of one side's red, green and blue.
type window struct {
	level int
	rect  imagery.Rect // of the level's pixels
	bands [3][]uint16
	valid []uint8
	cloud []uint8 // classes; nil where there are none
}

// visible names the bands to show of a side: red, green and blue, or the
// first that it has where one of those is absent.
func visible(src imagery.Source, side imagery.Side) []string {
	rgb := []string{"B04", "B03", "B02"}
	var have []string
	for _, b := range imagery.Bands() {
		if src.HasBand(side, b) {
			have = append(have, b)
		}
	}
	if len(have) == 0 || !slices.ContainsFunc(rgb, func(b string) bool { return !slices.Contains(have, b) }) {
		return rgb
	}
	return []string{have[min(2, len(have)-1)], have[min(1, len(have)-1)], have[0]}
}

// readColor reads the level's pixels that cover need. The rectangle keeps to
// whole pixels of the level, so that each is averaged alike in every window;
// a last column or row that the grid fills in part only is left out.
func readColor(ctx context.Context, src imagery.Source, side imagery.Side, need imagery.Rect, level int) (*window, error) {
	g := src.Grid()
	for level > 0 && min(g.Width, g.Height)>>level == 0 { // a strip narrower than a pixel of the level
		level--
	}
	w := &window{level: level, rect: atLevel(need, level, g.Width>>level, g.Height>>level)}
	if w.rect.Empty() {
		return w, nil
	}
	request := imagery.Request{
		Rect:  imagery.Rect{X: w.rect.X << level, Y: w.rect.Y << level, W: w.rect.W << level, H: w.rect.H << level},
		Width: w.rect.W, Height: w.rect.H, Clouds: true,
	}
	if side == imagery.Pre {
		request.Pre = visible(src, side)
	} else {
		request.Post = visible(src, side)
	}
	read, err := src.Read(ctx, request)
	if err != nil {
		return nil, fmt.Errorf("read %s image of %s: %w", side, src.Event().ID, err)
	}
	layers := read.Post
	w.valid, w.cloud = read.PostValid, read.PostCloud
	if side == imagery.Pre {
		layers, w.valid, w.cloud = read.Pre, read.PreValid, read.PreCloud
	}
	copy(w.bands[:], layers)
	for i, b := range w.bands {
		if b == nil { // no scene has it: what there is stands in
			w.bands[i] = firstBand(layers, w.rect.W*w.rect.H)
		}
	}
	return w, nil
}

func firstBand(layers [][]uint16, size int) []uint16 {
	for _, l := range layers {
		if l != nil {
			return l
		}
	}
	return make([]uint16, size)
}

// draw samples a run of pixels: bilinear between those that have data. A
// pixel whose nearest has none stays transparent.
func (w *window) draw(r run, tone *tone, out []uint8) {
	scale := 1 / float64(int(1)<<w.level)
	x, y := r.gx*scale-float64(w.rect.X)+tie, r.gy*scale-float64(w.rect.Y)+tie
	dx, dy := r.dx*scale, r.dy*scale
	width, height := w.rect.W, w.rect.H
	for i := range r.n {
		cx, cy := int(math.Floor(x)), int(math.Floor(y))
		if cx >= 0 && cy >= 0 && cx < width && cy < height && w.valid[cy*width+cx] != 0 {
			u, v := x-0.5, y-0.5
			x0, y0 := int(math.Floor(u)), int(math.Floor(v))
			fx, fy := float32(u-float64(x0)), float32(v-float64(y0))
			x1, y1 := min(x0+1, width-1), min(y0+1, height-1)
			x0, y0 = max(x0, 0), max(y0, 0)
			a, b, c, d := y0*width+x0, y0*width+x1, y1*width+x0, y1*width+x1
			wa, wb, wc, wd := (1-fx)*(1-fy), fx*(1-fy), (1-fx)*fy, fx*fy
			if w.valid[a]&w.valid[b]&w.valid[c]&w.valid[d] == 0 {
				wa, wb, wc, wd = wa*float32(w.valid[a]), wb*float32(w.valid[b]), wc*float32(w.valid[c]), wd*float32(w.valid[d])
				sum := wa + wb + wc + wd
				wa, wb, wc, wd = wa/sum, wb/sum, wc/sum, wd/sum
			}
			for k := range 3 {
				s := w.bands[k]
				q := float32(s[a])*wa + float32(s[b])*wb + float32(s[c])*wc + float32(s[d])*wd
				out[4*i+k] = tone[k][min(int(q+0.5), toneSize-1)]
			}
			out[4*i+3] = 255
		}
		x, y = x+dx, y+dy
	}
}

// toneSize bounds the reflectance × 10000 that tones tell apart.
const toneSize = 1 << 14

// tone maps digital numbers of red, green and blue to display values.
type tone [3][toneSize]uint8

// newTone maps low to black and high to white along a power curve with a soft shoulder.
func newTone(low, high [3]float64, gamma float64) *tone {
	t := new(tone)
	for k := range 3 {
		for dn := range toneSize {
			v := (float64(dn) - low[k]) / (high[k] - low[k])
			v = math.Pow(max(v, 0), 1/gamma)
			if v > shoulder { // clouds and snow keep some of their relief
				v = shoulder + (1-shoulder)*(1-math.Exp(-(v-shoulder)/(1-shoulder)))
			}
			t[k][dn] = uint8(min(v, 1)*255 + 0.5)
		}
	}
	return t
}

const (
	shoulder = 0.8
	hazeSpan = 2600.0 // of reflectance × 10000
)

// Top-of-atmosphere reflectance × 10000 that clear air itself adds in red, green and blue.
var airLight = [3]float64{350, 600, 950}

// tone returns the tone of a side in a style.
func (e *Engine) tone(ctx context.Context, src imagery.Source, side imagery.Side, style *styled) (*tone, error) {
	level := src.Level(side)
	key := toneKey{style: style, level: level}
	if style.Image.Percentiles != nil {
		key.revision, key.side = src.Revision(), side
	}
	if t, ok := e.tones.Get(key); ok {
		return t, nil
	}
	// A page of tiles asks for it at once: one reads, and not for the first to leave only.
	t, err, _ := e.measuring.Do(fmt.Sprint(key.style.key, key.revision, key.side, key.level), func() (any, error) {
		t, err := e.makeTone(context.WithoutCancel(ctx), src, side, key)
		if err == nil {
			e.tones.Add(key, t)
		}
		return t, err
	})
	if err != nil {
		return nil, err
	}
	return t.(*tone), nil
}

type toneKey struct {
	revision string
	side     imagery.Side
	style    *styled
	level    string
}

func (e *Engine) makeTone(ctx context.Context, src imagery.Source, side imagery.Side, key toneKey) (*tone, error) {
	style := key.style.Image
	low := [3]float64{style.Low, style.Low, style.Low}
	if key.level == "L1C" {
		for k := range low {
			low[k] += airLight[k]
		}
	}
	span := style.High - style.Low
	if style.Percentiles != nil {
		span = hazeSpan // where nothing can be measured
	}
	high := [3]float64{low[0] + span, low[1] + span, low[2] + span}
	if style.Percentiles == nil {
		return newTone(low, high, style.Gamma), nil
	}
	g := src.Grid()
	// About 512 pixels across are enough for percentiles, and cost one read an event.
	w, err := readColor(ctx, src, side, g.Rect(), max(topLevel(g)-1, 0))
	if err != nil {
		return nil, fmt.Errorf("measure the stretch: %w", err)
	}
	if first, last, ok := percentiles(w, *style.Percentiles); ok {
		// Black is each band's own, which takes haze away; the span is common to
		// all bands, so that hues stay.
		span := max(last[0]-first[0], last[1]-first[1], last[2]-first[2])
		for k := range first {
			first[k] *= 0.9 // shadows keep some of their light
		}
		low, high = first, [3]float64{first[0] + span, first[1] + span, first[2] + span}
	}
	return newTone(low, high, style.Gamma), nil
}

// percentiles returns two percentiles of each band over pixels with data and
// without cloud; ok is false where there are none.
func percentiles(w *window, at [2]float64) (low, high [3]float64, ok bool) {
	for k := range 3 {
		var counts [toneSize]int
		total := 0
		for i, v := range w.bands[k] {
			if w.valid[i] != 0 && (w.cloud == nil || w.cloud[i] == imagery.Clear) {
				counts[min(v, toneSize-1)]++
				total++
			}
		}
		if total == 0 {
			return low, high, false
		}
		sum, lowSet := 0, false
		for dn, n := range counts {
			sum += n
			if !lowSet && float64(sum)*100 >= at[0]*float64(total) && sum > 0 {
				low[k], lowSet = float64(dn), true
			}
			if float64(sum)*100 >= at[1]*float64(total) {
				high[k] = float64(dn)
				break
			}
		}
		high[k] = max(high[k], low[k]+200)
	}
	return low, high, true
}

// drawImage draws pre or post image in colour.
func (e *Engine) drawImage(ctx context.Context, d drawing, l *lattice) (*image.NRGBA, error) {
	img := image.NewNRGBA(image.Rect(0, 0, l.frame.width, l.frame.height))
	if l.empty() {
		return img, nil
	}
	side := imagery.Post
	if d.layer == PreImage {
		side = imagery.Pre
	}
	tone, err := e.tone(ctx, d.src, side, d.style)
	if err != nil {
		return nil, err
	}
	w, err := readColor(ctx, d.src, side, l.need, l.level())
	if err != nil || w.rect.Empty() {
		return img, err
	}
	return img, e.projections.each(ctx, l, func(r run) {
		w.draw(r, tone, img.Pix[4*(r.y*l.frame.width+r.x):][:4*r.n])
	})
}
