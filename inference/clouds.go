package inference

import (
	"context"
	"fmt"
	"slices"

	"github.com/scarp-map/scarp/imagery"
)

// The ways to find clouds, for [Config].Clouds.
const (
	// CloudsAuto takes scene classifications where scenes have them, a cloud network where they don't.
	CloudsAuto = "auto"
	// CloudsSCL takes scene classifications only.
	CloudsSCL = "scl"
	// CloudsNetwork takes the cloud network wherever its bands are there, else scene classifications.
	CloudsNetwork = "network"
	// CloudsNone looks for no clouds.
	CloudsNone = NoClouds
)

// CloudModes lists the ways to find clouds.
func CloudModes() []string { return []string{CloudsAuto, CloudsSCL, CloudsNetwork, CloudsNone} }

// cloudFinder decides by what clouds are found. Nil is scene classifications only.
type cloudFinder struct {
	mode string
	// network is the cloud network, once for each side; nil without one.
	network map[imagery.Side]*Model
}

// newCloudFinder returns the finder for a mode; network is nil without a cloud network.
func newCloudFinder(mode string, network *Model) (*cloudFinder, error) {
	switch {
	case !slices.Contains(CloudModes(), mode):
		return nil, fmt.Errorf("clouds %q: want one of %v", mode, CloudModes())
	case mode == CloudsNetwork && network == nil:
		return nil, fmt.Errorf("clouds %q: there is no model of kind %s", mode, Cloud)
	}
	f := &cloudFinder{mode: mode}
	if network != nil {
		f.network = map[imagery.Side]*Model{imagery.Pre: network.ofSide(imagery.Pre), imagery.Post: network.ofSide(imagery.Post)}
	}
	return f, nil
}

// ofSide returns a cloud network that reads the scenes of one side.
func (m *Model) ofSide(side imagery.Side) *Model {
	of := *m
	of.Digest += "-" + string(side)
	of.Manifest.Inputs = slices.Clone(m.Manifest.Inputs)
	for i := range of.Manifest.Inputs {
		in := &of.Manifest.Inputs[i]
		in.Channels = slices.Clone(in.Channels)
		for j := range in.Channels {
			in.Channels[j].Date = string(side)
		}
	}
	of.prepare = newPreparer(&of.Manifest)
	return &of
}

// key is what the finder adds to the digests of models, whose blocks it changes.
func (f *cloudFinder) key() string {
	if f.mode == CloudsSCL || f.mode == CloudsAuto && f.network == nil {
		return "" // as blocks have always been
	}
	s := "/clouds:" + f.mode
	if f.network != nil && f.mode != CloudsNone {
		s += ":" + f.network[imagery.Pre].Digest
	}
	return s
}

// of returns the network to run over a side's scenes, nil for none, and
// whether the scenes' own classification counts.
func (f *cloudFinder) of(src imagery.Source, side imagery.Side) (network *Model, scl bool) {
	if f == nil {
		return nil, true
	}
	has := src.Classified(side)
	switch f.mode {
	case CloudsNone:
		return nil, false
	case CloudsSCL:
		return nil, true
	case CloudsAuto:
		if has == imagery.AllScenes {
			return nil, true
		}
	}
	network = f.network[side]
	if network != nil {
		if _, err := network.prepare.bind(src); err != nil {
			network = nil // it lacks a band
		}
	}
	return network, f.mode == CloudsAuto && has != imagery.NoScene || network == nil
}

// provider says by what clouds of a side are found, as [CloudMask] does.
func (f *cloudFinder) provider(src imagery.Source, side imagery.Side) string {
	network, scl := f.of(src, side)
	scl = scl && src.Classified(side) != imagery.NoScene
	switch {
	case network != nil && scl:
		return "scl+" + network.Name()
	case network != nil:
		return network.Name()
	case scl:
		return "scl"
	}
	return NoClouds
}

// findClouds brings a window's cloud classes to what the finder says. classes
// has those of the scene classification, in the pixels of the rectangle in.
func (e *Engine) findClouds(ctx context.Context, t task, side imagery.Side, in imagery.Rect, at BlockIndex, classes []uint8, u *urgency) ([]uint8, error) {
	if classes == nil {
		return nil, nil
	}
	network, scl := t.m.clouds.of(t.src, side)
	if network == nil {
		if scl {
			return classes, nil
		}
		return nil, nil
	}
	found, err := e.cloudBlock(ctx, t.src, network, at, u)
	if err != nil {
		return nil, fmt.Errorf("find clouds of the %s scenes: %w", side, err)
	}
	for y := range in.H {
		row := found[(in.Y-at.Row*BlockSize+y)*BlockSize+in.X-at.Col*BlockSize:][:in.W]
		for x, class := range row {
			if i := y*in.W + x; !scl || classes[i] == imagery.Clear {
				classes[i] = class
			}
		}
	}
	return classes, nil
}

// cloudBlock returns the classes that a cloud network finds in a block, from the cache or computed.
func (e *Engine) cloudBlock(ctx context.Context, src imagery.Source, network *Model, at BlockIndex, u *urgency) ([]uint8, error) {
	if b, err := e.lookup(ctx, src, network, at); err != nil || b != nil {
		return pixelsOf(b), err
	}
	bound, err := network.prepare.bind(src)
	if err != nil {
		return nil, err
	}
	t := task{src, network, bound}
	b, err := e.blocks.do(ctx, blockKey(src, network, at), u, func(ctx context.Context, u *urgency) (*Block, error) {
		block := imagery.Rect{X: at.Col * BlockSize, Y: at.Row * BlockSize, W: BlockSize, H: BlockSize}
		pixels := uniform(pending)
		places, patches, err := e.patchesOver(ctx, t, block, pixels, u)
		if err != nil {
			return nil, err
		}
		classify(pixels, block, network, places, patches)
		return e.store(ctx, t, at, pixels)
	})
	return pixelsOf(b), err
}

func pixelsOf(b *Block) []uint8 {
	if b == nil {
		return nil
	}
	return b.Pixels
}

// classify copies the classes of patches, which share no pixel but by rounding, into a block.
func classify(pixels []uint8, block imagery.Rect, m *Model, places []place, patches []patch) {
	l, n := m.Lattice, m.Lattice.used()
	for i := range pixels {
		pixels[i] = imagery.Clear // beyond the grid
	}
	for k, at := range places {
		part := l.share(at.i, at.j, block)
		for y := range part.H {
			row := patches[k][(part.Y-l.start(at.j)+y)*n+part.X-l.start(at.i):][:part.W]
			to := pixels[(part.Y-block.Y+y)*BlockSize+part.X-block.X:]
			for x, class := range row {
				to[x] = uint8(class)
			}
		}
	}
}

// highest returns the class with the highest output at each pixel of a patch's used part.
func highest(m *Model, values []float32) patch {
	size, margin, n := m.Lattice.Patch, m.Lattice.Margin, m.Lattice.used()
	area := size * size
	p := make(patch, n*n)
	for y := range n {
		for x := range n {
			at := (y+margin)*size + x + margin
			best := 0
			for class := 1; class < cloudClasses; class++ {
				if values[class*area+at] > values[best*area+at] {
					best = class
				}
			}
			p[y*n+x] = uint16(best)
		}
	}
	return p
}
