package tiles

import (
	"fmt"
	"image/color"
	"math"
	"strings"

	"scarp/inference"
)

// The styles' identifiers.
const (
	styleRamp      = "ramp"
	styleRampFull  = "ramp-full"
	styleClasses   = "classes"
	styleValues    = "values"
	styleSolid     = "solid"
	styleNatural   = "natural"
	styleStretched = "stretched"
	styleOutlined  = "outlined"
	styleOutline   = "outline"
)

// The ramp goes from a pale yellow to a deep magenta: lightness falls and hue
// turns evenly in OKLCH, away from the greens, browns and greys of the land.
var (
	rampLow  = lch{l: 0.95, c: 0.12, h: 108}
	rampHigh = lch{l: 0.50, c: 0.26, h: 0}
)

// ramp returns the colour of a probability.
func ramp(p float64, alpha uint8) color.NRGBA { return mix(rampLow, rampHigh, p).rgb(alpha) }

// classBreaks are the lower ends of the classes of the style classes.
var classBreaks = []float64{0.1, 0.25, 0.5, 0.75, 0.9}

// Colours of things that are not probabilities.
var (
	maskColor    = color.NRGBA{R: 214, G: 0, B: 110, A: 220}
	hatchColor   = color.NRGBA{R: 52, G: 60, B: 78, A: 170}
	cloudTint    = color.NRGBA{R: 225, G: 230, B: 238, A: 96}
	outlineColor = color.NRGBA{R: 178, G: 0, B: 92, A: 255}
	polygonFill  = color.NRGBA{R: 232, G: 40, B: 140, A: 84}
	legendInk    = color.NRGBA{R: 30, G: 30, B: 34, A: 255}
)

// The indices of a picture of codes beside the probabilities 0 to 250: the
// codes of clouds stand for the lines of their hatching, tintIndex for the
// ground between the lines, and no data is clear.
const (
	clearIndex = inference.NoData
	tintIndex  = inference.NotPredicted
)

// styles lists the styles of each layer, the default first.
func styles() map[Layer][]StyleInfo {
	cloud := Legend{Label: "cloud (not mapped)", Color: hatchColor}
	values := func(what string) StyleInfo {
		return StyleInfo{ID: styleValues, Title: "Values",
			Description: what + " as numbers in image/tiff (float, no data is NaN), else as grey from 0 (black) to 1 (white).",
			Legend:      []Legend{{Label: "0", Color: color.NRGBA{A: 255}}, {Label: "1", Color: color.NRGBA{R: 255, G: 255, B: 255, A: 255}, Value: 1}}}
	}
	var gradient []Legend
	for i := range 11 {
		p := float64(i) / 10
		gradient = append(gradient, Legend{Label: fmt.Sprintf("%d %%", i*10), Color: ramp(p, 255), Value: p})
	}
	var classes []Legend
	for i, low := range classBreaks {
		high := 1.0
		if i+1 < len(classBreaks) {
			high = classBreaks[i+1]
		}
		classes = append(classes, Legend{Label: fmt.Sprintf("%.0f-%.0f %%", low*100, high*100), Color: ramp((low+high)/2, 235), Value: low})
	}
	image := []StyleInfo{
		{ID: styleNatural, Title: "True colour", Description: "Red, green and blue (B04, B03, B02) on one scale of reflectance, the same for every event and date."},
		{ID: styleStretched, Title: "True colour, stretched", Description: "Red, green and blue from the event's own darkest to brightest percent: brings out detail in dim or hazy scenes."},
	}
	return map[Layer][]StyleInfo{
		PreImage: image, PostImage: image,
		Probability: {
			{ID: styleRamp, Title: "Probability", Description: "Probability of newly triggered landslide, transparent where it is low: fading in from half the threshold, full from the threshold on.", Legend: append(gradient[:len(gradient):len(gradient)], cloud)},
			{ID: styleRampFull, Title: "Probability, all values", Description: "Probability of newly triggered landslide from 0 to 1, opaque.", Legend: append(gradient[:len(gradient):len(gradient)], cloud)},
			{ID: styleClasses, Title: "Probability in classes", Description: "Probability of newly triggered landslide in five classes, transparent below 10 %.", Legend: append(classes, cloud)},
			values("Probability"),
		},
		Mask: {
			{ID: styleSolid, Title: "Landslide mask", Description: "Where the probability is at or above the threshold.", Legend: []Legend{{Label: "landslide", Color: maskColor, Value: 1}, cloud}},
			values("Mask"),
		},
		Landslides: {
			{ID: styleOutlined, Title: "Landslides", Description: "Landslide polygons, filled and outlined.", Legend: []Legend{{Label: "landslide", Color: over(polygonFill, opaque(nil))}}},
			{ID: styleOutline, Title: "Landslide outlines", Description: "Landslide polygons, outlines only.", Legend: []Legend{{Label: "landslide", Color: outlineColor}}},
		},
	}
}

// Styles lists a layer's styles, the default first. An unknown layer has none.
func (e *Engine) Styles(l Layer) []StyleInfo { return e.styles[l] }

// style finds a style; the empty name is the layer's default.
func (e *Engine) style(l Layer, id string) (*StyleInfo, error) {
	list, ok := e.styles[l]
	if !ok {
		return nil, fmt.Errorf("%w %q; there are %v", ErrUnknownLayer, l, Layers())
	}
	if id == "" {
		return &list[0], nil
	}
	ids := make([]string, len(list))
	for i := range list {
		if list[i].ID == id {
			return &list[i], nil
		}
		ids[i] = list[i].ID
	}
	return nil, fmt.Errorf("%w %q of layer %s; there are %s", ErrUnknownStyle, id, l, strings.Join(ids, ", "))
}

// palette gives the colours of a picture of codes.
func palette(style string, threshold float64) [256]color.NRGBA {
	var p [256]color.NRGBA
	for i := range int(inference.MaxProbability) + 1 {
		v := float64(i) / float64(inference.MaxProbability)
		switch style {
		case styleRamp:
			p[i] = ramp(v, uint8(fade(v, threshold)*255+0.5))
		case styleRampFull:
			p[i] = ramp(v, 255)
		case styleClasses:
			p[i] = classColor(v)
		case styleSolid:
			if v >= threshold {
				p[i] = maskColor
			}
		case styleValues:
			g := uint8(v*255 + 0.5)
			p[i] = color.NRGBA{R: g, G: g, B: g, A: 255}
		}
	}
	if style != styleValues {
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

func classColor(v float64) color.NRGBA {
	for i := len(classBreaks) - 1; i >= 0; i-- {
		if v >= classBreaks[i] {
			high := 1.0
			if i+1 < len(classBreaks) {
				high = classBreaks[i+1]
			}
			return ramp((classBreaks[i]+high)/2, 235)
		}
	}
	return color.NRGBA{}
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
