package tiles

import (
	"fmt"
	"image/color"
	"math"
	"strings"

	"github.com/scarp-map/scarp/inference"
)

// Colours of what has no probability, and of what legends are written in.
var (
	hatchColor = color.NRGBA{R: 52, G: 60, B: 78, A: 170}
	cloudTint  = color.NRGBA{R: 225, G: 230, B: 238, A: 96}
	legendInk  = color.NRGBA{R: 30, G: 30, B: 34, A: 255}
)

// The indices of a picture of codes beside the probabilities 0 to 250: the
// codes of clouds stand for the lines of their hatching, tintIndex for the
// ground between the lines, and no data is clear.
const (
	clearIndex = inference.NoData
	tintIndex  = inference.NotPredicted
)

// styled is a style that is ready for drawing.
type styled struct {
	Style
	info StyleInfo
	// key tells apart what looks different.
	key string
}

// styleBook holds the styles of all layers.
type styleBook struct {
	all   map[Layer][]*styled
	infos map[Layer][]StyleInfo
}

func newStyleBook(s Styles) styleBook {
	b := styleBook{map[Layer][]*styled{}, map[Layer][]StyleInfo{}}
	for layer, list := range s {
		for _, style := range list {
			ready := &styled{Style: style, key: style.ID + "-" + style.digest()}
			ready.info = StyleInfo{ID: style.ID, Title: style.Title, Description: style.Description, Kind: style.kind(), Legend: style.legend(), LegendSize: legendSize(style.legend())}
			b.all[layer] = append(b.all[layer], ready)
			b.infos[layer] = append(b.infos[layer], ready.info)
		}
	}
	return b
}

// Styles lists a layer's styles, the default first. An unknown layer has none.
func (e *Engine) Styles(l Layer) []StyleInfo { return e.styles.infos[l] }

// find finds a style; the empty name is the layer's default.
func (b styleBook) find(l Layer, id string) (*styled, error) {
	list, ok := b.all[l]
	if !ok {
		return nil, fmt.Errorf("%w %q; there are %v", ErrUnknownLayer, l, Layers())
	}
	if id == "" {
		return list[0], nil
	}
	ids := make([]string, len(list))
	for i, s := range list {
		if s.ID == id {
			return s, nil
		}
		ids[i] = s.ID
	}
	return nil, fmt.Errorf("%w %q of layer %s; there are %s", ErrUnknownStyle, id, l, strings.Join(ids, ", "))
}

// legend lists what a style's colours mean.
func (s *Style) legend() []Legend {
	cloud := Legend{Label: "cloud (not mapped)", Color: hatchColor}
	var list []Legend
	switch {
	case s.Ramp != nil:
		for i := range 11 {
			p := float64(i) / 10
			list = append(list, Legend{Label: fmt.Sprintf("%d %%", i*10), Color: s.Ramp.color(p), Value: p})
		}
		return append(list, cloud)
	case len(s.Classes) > 0:
		for i, c := range s.Classes {
			label := fmt.Sprintf("%.0f-%.0f %%", c.From*100, s.classEnd(i)*100)
			if c.Label != "" {
				label = c.Label + ", " + label
			}
			list = append(list, Legend{Label: label, Color: c.Color.rgba, Value: c.From})
		}
		return append(list, cloud)
	case s.Threshold != nil:
		return []Legend{{Label: s.Threshold.Label, Color: s.Threshold.Color.rgba, Value: 1}, cloud}
	case s.Values:
		return []Legend{{Label: "0", Color: color.NRGBA{A: 255}}, {Label: "1", Color: opaque(nil), Value: 1}}
	case s.Polygons != nil && s.Polygons.Fill != nil:
		return []Legend{{Label: "landslide", Color: over(s.Polygons.Fill.rgba, opaque(nil))}}
	case s.Polygons != nil:
		return []Legend{{Label: "landslide", Color: s.Polygons.Stroke.rgba}}
	}
	return nil
}

// color returns the colour of a probability.
func (r *RampStyle) color(p float64) color.NRGBA {
	last := len(r.Stops) - 1
	if p <= r.Stops[0].Value {
		return r.Stops[0].Color.rgba
	}
	for i := range last {
		a, b := r.Stops[i], r.Stops[i+1]
		if p <= b.Value {
			return between(a.Color, b.Color, (p-a.Value)/(b.Value-a.Value))
		}
	}
	return r.Stops[last].Color.rgba
}

// classEnd is where a class ends.
func (s *Style) classEnd(i int) float64 {
	if i+1 < len(s.Classes) {
		return s.Classes[i+1].From
	}
	return 1
}

// class finds the class of a probability; -1 is below all.
func (s *Style) class(p float64) int {
	for i := len(s.Classes) - 1; i >= 0; i-- {
		if p >= s.Classes[i].From {
			return i
		}
	}
	return -1
}

// className says in which class the first style of classes has a probability;
// empty where there is no such style or class.
func (b styleBook) className(p float64) string {
	for _, s := range b.all[Probability] {
		if len(s.Classes) == 0 {
			continue
		}
		if i := s.class(p); i >= 0 {
			return s.Classes[i].Label
		}
		return fmt.Sprintf("below %.0f %%", s.Classes[0].From*100)
	}
	return ""
}

// palette gives the colours of a picture of codes.
func (s *Style) palette(threshold float64) [256]color.NRGBA {
	var p [256]color.NRGBA
	for i := range int(inference.MaxProbability) + 1 {
		v := float64(i) / float64(inference.MaxProbability)
		switch {
		case s.Ramp != nil:
			p[i] = s.Ramp.color(v)
			if s.Ramp.Fade {
				p[i].A = uint8(fade(v, threshold)*float64(p[i].A) + 0.5)
			}
		case len(s.Classes) > 0:
			if c := s.class(v); c >= 0 {
				p[i] = s.Classes[c].Color.rgba
			}
		case s.Threshold != nil:
			if v >= threshold {
				p[i] = s.Threshold.Color.rgba
			}
		case s.Values:
			g := uint8(v*255 + 0.5)
			p[i] = color.NRGBA{R: g, G: g, B: g, A: 255}
		}
	}
	if !s.Values {
		p[inference.CloudPre], p[inference.CloudPost], p[inference.CloudBoth] = hatchColor, hatchColor, hatchColor
		p[tintIndex] = cloudTint
	}
	return p
}

// fade is the opacity of a probability: none up to half the threshold, full from the threshold on.
func fade(v, threshold float64) float64 {
	if threshold <= 0 {
		return 1
	}
	t := min(max(2*v/threshold-1, 0), 1)
	return t * t * (3 - 2*t)
}

// The lines over cloud, in pixels.
const hatchPeriod, hatchWidth = 10, 2

// hatch turns codes into palette indices: diagonal lines over cloud (rising
// where it hides the pre image, falling where the post image, both ways for
// both). The lines are fixed to the pixels of the world, not of the picture,
// and so go on across tiles. It says whether any pixel is not predicted yet.
func hatch(pix []uint8, f frame) (partial bool) {
	dx, dy := f.pixel()
	ox := int(math.Round(math.Mod(math.Round(f.bbox[0]/dx), hatchPeriod)))
	oy := int(math.Round(math.Mod(math.Round(-f.bbox[3]/dy), hatchPeriod)))
	for y := range f.height {
		row := pix[y*f.width : (y+1)*f.width]
		for x, code := range row {
			if code < inference.CloudPre {
				continue
			}
			if code == inference.NotPredicted {
				row[x], partial = clearIndex, true
				continue
			}
			rising := ((x+ox+y+oy)%hatchPeriod+hatchPeriod)%hatchPeriod < hatchWidth
			falling := ((x+ox-y-oy)%hatchPeriod+hatchPeriod)%hatchPeriod < hatchWidth
			if !(rising && code != inference.CloudPost || falling && code != inference.CloudPre) {
				row[x] = tintIndex
			}
		}
	}
	return partial
}
