package inference

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/scarp-map/scarp/imagery"
)

// preparer turns windows of imagery into a network's input tensors, as its
// manifest says.
type preparer struct {
	model  string
	inputs [][]channel // by input, then channel
	// validity says that bands need the masks of valid pixels: a digital number
	// of 0, which is what layers hold where there is no data, would not become
	// what the manifest wants there.
	validity bool
}

// channel is a manifest's [Channel], ready for use.
type channel struct {
	side     imagery.Side // of a band
	bands    []string     // the band and its substitutes
	layer    string       // terrain layer
	fill     *float32     // instead of a missing band or terrain; nil: required
	constant bool         // fill everywhere
	nodata   float32
	lut      *[1 << 16]float32     // of a band: what the network sees, by digital number
	terrain  func(float32) float32 // of a terrain layer
}

func newPreparer(m *Manifest) *preparer {
	p := &preparer{model: m.Name}
	luts := map[string]*[1 << 16]float32{} // channels that are prepared alike share a table
	for _, in := range m.Inputs {
		var channels []channel
		for _, c := range in.Channels {
			ch := channel{nodata: float32(*c.NoData)}
			if c.Missing != nil && c.Missing.Fill != nil {
				f := float32(*c.Missing.Fill)
				ch.fill = &f
			}
			switch {
			case c.Constant != nil:
				f := float32(*c.Constant)
				ch.fill, ch.constant = &f, true
			case c.Band != "":
				ch.side, ch.bands = imagery.Side(c.Date), []string{c.Band}
				if c.Missing != nil {
					ch.bands = append(ch.bands, c.Missing.Substitute...)
				}
				key := fmt.Sprint(*c.Divisor, *c.Offset, c.Clip)
				if luts[key] == nil {
					luts[key] = lookupTable(c.Preparation)
				}
				ch.lut = luts[key]
				p.validity = p.validity || ch.lut[0] != ch.nodata
			default:
				ch.layer, ch.terrain = terrainChannel(c)
			}
			channels = append(channels, ch)
		}
		p.inputs = append(p.inputs, channels)
	}
	return p
}

// lookupTable holds the prepared value of every digital number (whole already, so rounding changes none).
func lookupTable(p Preparation) *[1 << 16]float32 {
	lut := new([1 << 16]float32)
	for dn := range lut {
		lut[dn] = float32(p.apply(float64(dn)))
	}
	return lut
}

func (p *Preparation) apply(raw float64) float64 {
	if *p.Round {
		raw = math.Round(raw)
	}
	x := raw / *p.Divisor + *p.Offset
	if len(p.Clip) == 2 {
		x = min(max(x, p.Clip[0]), p.Clip[1])
	}
	return x
}

// terrainChannel returns the layer that a terrain channel is made of and how.
func terrainChannel(c Channel) (layer string, f func(float32) float32) {
	p := c.Preparation
	radians := *c.AngleFactor * math.Pi / 180
	switch c.Terrain {
	case "aspect_sin":
		return imagery.Aspect, byTable(func(degrees float64) float64 { return p.apply(math.Sin(degrees * radians)) }, *p.Round)
	case "aspect_cos":
		return imagery.Aspect, byTable(func(degrees float64) float64 { return p.apply(math.Cos(degrees * radians)) }, *p.Round)
	}
	return c.Terrain, func(v float32) float32 { return float32(p.apply(float64(v))) }
}

// byTable interpolates f of an angle from 0 to 360 degrees in a table whose
// steps are so small (1/16 degree) that the error is under 1e-6 for the angle
// factors in use. Functions with steps in them are not interpolated.
func byTable(f func(degrees float64) float64, steps bool) func(float32) float32 {
	exact := func(degrees float32) float32 { return float32(f(float64(degrees))) }
	if steps {
		return exact
	}
	const perDegree = 16
	table := make([]float32, 360*perDegree+2)
	for i := range table {
		table[i] = float32(f(float64(i) / perDegree))
	}
	return func(degrees float32) float32 {
		if !(degrees >= 0 && degrees <= 360) {
			return exact(degrees)
		}
		at := degrees * perDegree
		i := int(at)
		return table[i] + (table[i+1]-table[i])*(at-float32(i))
	}
}

// binding is a preparer's channels resolved for one source: what to read, and
// which layer of it each channel takes.
type binding struct {
	p                  *preparer
	pre, post, terrain []string
	layers             [][]int // by input and channel: index in pre, post or terrain; −1 is fill
	needsTerrain       bool    // a terrain channel is required, so pixels without terrain get no prediction
}

// bind resolves missing bands. The error names every band that is missing and required.
func (p *preparer) bind(src imagery.Source) (*binding, error) {
	b := &binding{p: p}
	var missing []string
	for _, in := range p.inputs {
		var layers []int
		for _, c := range in {
			layer := -1
			switch {
			case c.constant:
			case c.layer != "":
				if src.Event().DEM == "" {
					if c.fill == nil {
						missing = append(missing, fmt.Sprintf("terrain layer %s, and the event has no DEM", c.layer))
					}
					break
				}
				b.needsTerrain = b.needsTerrain || c.fill == nil
				layer = index(&b.terrain, c.layer)
			default:
				i := slices.IndexFunc(c.bands, func(band string) bool { return src.HasBand(c.side, band) })
				if i < 0 {
					if c.fill == nil {
						missing = append(missing, missingBand(c))
					}
					break
				}
				names := &b.post
				if c.side == imagery.Pre {
					names = &b.pre
				}
				layer = index(names, c.bands[i])
			}
			layers = append(layers, layer)
		}
		b.layers = append(b.layers, layers)
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return nil, &MissingError{Event: src.Event().ID, Model: p.model, Missing: slices.Compact(missing)}
	}
	return b, nil
}

// MissingError says what an event lacks that a model requires.
type MissingError struct {
	Event, Model string
	Missing      []string // "band B10 of the pre scenes", …
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("event %s can't be mapped with model %s, which needs %s", e.Event, e.Model, strings.Join(e.Missing, "; "))
}

func missingBand(c channel) string {
	s := fmt.Sprintf("band %s of the %s scenes", c.bands[0], c.side)
	if len(c.bands) > 1 {
		s += fmt.Sprintf(" (or %s instead)", strings.Join(c.bands[1:], " or "))
	}
	return s
}

// index returns name's place in names, where it puts it if absent.
func index(names *[]string, name string) int {
	i := slices.Index(*names, name)
	if i < 0 {
		i = len(*names)
		*names = append(*names, name)
	}
	return i
}

// request asks for what the channels need of a rectangle.
func (b *binding) request(r imagery.Rect) imagery.Request {
	return imagery.Request{Rect: r, Pre: b.pre, Post: b.post, Terrain: b.terrain, Clouds: b.p.validity}
}
