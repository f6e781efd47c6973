package mapping

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/clip"
	"github.com/paulmach/orb/encoding/wkb"
	"github.com/peterstace/simplefeatures/geom"
	"golang.org/x/sync/errgroup"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/store"
)

// ErrInput is returned (wrapped) by [NewPlan] when the inputs are wrong; the
// text gives every reason and how to mend it.
var ErrInput = errors.New("bad inputs")

// DefaultMinArea is the area in m² below which polygons are dropped and holes filled unless told otherwise: five pixels.
const DefaultMinArea = 500.0

// Inputs says what to map.
type Inputs struct {
	// Model predicts the blocks.
	Model *inference.Model
	// AOI limits the area (Polygon or MultiPolygon, longitude and latitude). Nil
	// is the event's AOI, and where it has none the whole grid.
	AOI orb.Geometry
	// Threshold is a probability in (0, 1); 0 means the model's.
	Threshold float64
	// MinArea in m² of the grid; nil means [DefaultMinArea].
	MinArea *float64
}

// Plan says which blocks an area needs and what to make of them.
type Plan struct {
	Source    imagery.Source
	Model     *inference.Model
	AOI       orb.MultiPolygon // nil is the whole grid
	Threshold float64
	MinArea   float64
	// Quality says what the event lacks, Warnings the same in words: what may make the predictions worse, such as bands that the scenes lack.
	Quality  *inference.Quality
	Warnings []string
	// Blocks are the blocks with a pixel of the area, row by row.
	Blocks []inference.BlockIndex

	area   *coverage    // the AOI's pixels
	window imagery.Rect // the part of the grid that Blocks cover
}

// maxAOIVertices bounds an AOI's detail; its check is superlinear.
const maxAOIVertices = 100_000

// NewPlan checks the inputs (ErrInput) and plans the blocks of the area.
func NewPlan(src imagery.Source, in Inputs) (*Plan, error) {
	if err := registerDrivers(); err != nil {
		return nil, err
	}
	p := &Plan{Source: src, Model: in.Model, Threshold: in.Threshold, MinArea: DefaultMinArea}
	if in.Threshold == 0 {
		p.Threshold = in.Model.Manifest.Threshold
	}
	if in.MinArea != nil {
		p.MinArea = *in.MinArea
	}
	reasons := in.checkNumbers()
	if err := p.setArea(in.AOI); err != nil {
		reasons = append(reasons, err)
	}
	var err error
	if p.Quality, err = in.Model.Quality(src); err != nil {
		reasons = append(reasons, err)
	} else {
		p.Warnings = p.Quality.Warnings(in.Model.Name())
	}
	if len(reasons) > 0 {
		return nil, fmt.Errorf("%w: %w", ErrInput, errors.Join(reasons...))
	}
	p.planBlocks()
	return p, nil
}

// Check says what of the inputs is wrong whatever the event and the model (ErrInput).
// [NewPlan] checks this too: it is for when there is no event to plan with.
func (in Inputs) Check() error {
	reasons := in.checkNumbers()
	if in.AOI != nil {
		if _, err := checkAOI(in.AOI); err != nil {
			reasons = append(reasons, err)
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrInput, errors.Join(reasons...))
}

func (in Inputs) checkNumbers() (reasons []error) {
	if in.Threshold != 0 && !(in.Threshold > 0 && in.Threshold < 1) {
		reasons = append(reasons, fmt.Errorf("threshold %v: give a probability between 0 and 1, both excluded", in.Threshold))
	}
	if in.MinArea != nil && !(*in.MinArea >= 0 && *in.MinArea <= 1e12) {
		reasons = append(reasons, fmt.Errorf("minimum area %v m²: give a number from 0 to 1e12", *in.MinArea))
	}
	return reasons
}

// setArea finds the pixels of the AOI.
func (p *Plan) setArea(aoi orb.Geometry) error {
	if aoi == nil {
		if g := p.Source.Event().AOI; g != nil {
			aoi = g.Geometry()
		}
	}
	grid := p.Source.Grid()
	if aoi == nil {
		p.area = &coverage{rect: grid.Rect()}
		return nil
	}
	polys, err := checkAOI(aoi)
	if err != nil {
		return err
	}
	p.AOI = polys
	proj, err := newProjector(grid)
	if err != nil {
		return err
	}
	defer proj.close()
	pixels, err := p.aoiPixels(proj, polys)
	if err != nil {
		return err
	}
	if p.area, err = cover(pixels, grid.Rect()); err != nil {
		return fmt.Errorf("AOI: %w", err)
	}
	if p.area.bounds().Empty() {
		b, err := proj.bounds()
		if err != nil {
			return err
		}
		a := polys.Bound()
		return fmt.Errorf("AOI: none of it lies in event %q, which covers longitude %.5f to %.5f and latitude %.5f to %.5f; the AOI covers longitude %.5f to %.5f and latitude %.5f to %.5f (coordinates are longitude first)",
			p.Source.Event().ID, b.Min[0], b.Max[0], b.Min[1], b.Max[1], a.Min[0], a.Max[0], a.Min[1], a.Max[1])
	}
	return nil
}

// checkAOI returns the AOI as valid polygons, or says what is wrong.
func checkAOI(aoi orb.Geometry) (orb.MultiPolygon, error) {
	var polys orb.MultiPolygon
	switch g := aoi.(type) {
	case orb.Polygon:
		polys = orb.MultiPolygon{g}
	case orb.MultiPolygon:
		polys = g
	default:
		return nil, fmt.Errorf("AOI: a %s can't be mapped: give a Polygon or MultiPolygon", aoi.GeoJSONType())
	}
	vertices := 0
	for _, poly := range polys {
		for _, ring := range poly {
			vertices += len(ring)
			for _, pt := range ring {
				if !(math.Abs(pt[0]) <= 360 && math.Abs(pt[1]) <= 90) {
					return nil, fmt.Errorf("AOI: %v is no longitude and latitude in degrees", pt)
				}
			}
		}
	}
	if vertices == 0 {
		return nil, errors.New("AOI: it is empty: give a Polygon or MultiPolygon with at least one ring")
	}
	if vertices > maxAOIVertices {
		return nil, fmt.Errorf("AOI: %d vertices are too many: simplify it to at most %d", vertices, maxAOIVertices)
	}
	if b := polys.Bound(); b.Max[0]-b.Min[0] > 360 {
		return nil, fmt.Errorf("AOI: longitudes from %v to %v go round the world more than once", b.Min[0], b.Max[0])
	}
	if err := validate(polys); err != nil {
		return nil, fmt.Errorf("AOI: not a valid polygon: %w", err)
	}
	return polys, nil
}

// validate checks a geometry against the OGC simple features' rules.
func validate(g orb.Geometry) error {
	b, err := wkb.Marshal(g)
	if err != nil {
		return err
	}
	_, err = geom.UnmarshalWKB(b)
	return err
}

// aoiPixels brings the part of the AOI near the grid into grid pixels.
func (p *Plan) aoiPixels(proj *projector, polys orb.MultiPolygon) (orb.MultiPolygon, error) {
	near, err := proj.bounds()
	if err != nil {
		return nil, err
	}
	near = near.Pad(0.1) // far parts of an AOI are cut off first: UTM is no use there
	var out orb.MultiPolygon
	for _, poly := range polys {
		for _, turn := range []float64{-360, 0, 360} {
			shifted := make(orb.Polygon, len(poly))
			for i, ring := range poly {
				shifted[i] = make(orb.Ring, len(ring))
				for j, pt := range ring {
					shifted[i][j] = orb.Point{pt[0] + turn, pt[1]}
				}
			}
			if !shifted.Bound().Intersects(near) {
				continue
			}
			var pixels orb.Polygon
			for _, ring := range clip.Polygon(near, shifted) {
				if len(ring) == 0 {
					continue
				}
				r, err := proj.pixelRing(ring)
				if err != nil {
					return nil, err
				}
				pixels = append(pixels, r)
			}
			if len(pixels) > 0 {
				out = append(out, pixels)
			}
		}
	}
	return out, nil
}

func (p *Plan) planBlocks() {
	const n = inference.BlockSize
	b := p.area.bounds()
	var window imagery.Rect
	for row := b.Y / n; row*n < b.Y+b.H; row++ {
		for col := b.X / n; col*n < b.X+b.W; col++ {
			r := p.blockRect(inference.BlockIndex{Col: col, Row: row})
			if p.area.touches(r) {
				p.Blocks = append(p.Blocks, inference.BlockIndex{Col: col, Row: row})
				window = union(window, r)
			}
		}
	}
	p.window = window
}

// blockRect returns the pixels of the grid that a block shows.
func (p *Plan) blockRect(at inference.BlockIndex) imagery.Rect {
	const n = inference.BlockSize
	return imagery.Rect{X: at.Col * n, Y: at.Row * n, W: n, H: n}.Intersect(p.Source.Grid().Rect())
}

func union(a, b imagery.Rect) imagery.Rect {
	if a.Empty() {
		return b
	}
	x0, y0 := min(a.X, b.X), min(a.Y, b.Y)
	return imagery.Rect{X: x0, Y: y0, W: max(a.X+a.W, b.X+b.W) - x0, H: max(a.Y+a.H, b.Y+b.H) - y0}
}

// inFlight is how many blocks are asked for at once: enough that reading the
// next overlaps the network's run, few enough that stopping is quick.
const inFlight = 4

// Predict asks for the blocks, as batch work, and calls done (from several
// goroutines) as each arrives. It stops at the first error.
func (p *Plan) Predict(ctx context.Context, pred inference.Predictor, blocks []inference.BlockIndex, done func()) error {
	return p.each(ctx, pred, blocks, func(*inference.Block) { done() })
}

func (p *Plan) each(ctx context.Context, pred inference.Predictor, blocks []inference.BlockIndex, f func(*inference.Block)) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(inFlight)
	for _, at := range blocks {
		if gctx.Err() != nil {
			break
		}
		g.Go(func() error {
			b, err := pred.Block(gctx, p.Source, p.Model, at, inference.Batch)
			if err != nil {
				return fmt.Errorf("predict block column %d row %d of event %q: %w", at.Col, at.Row, p.Source.Event().ID, err)
			}
			if len(b.Pixels) != inference.BlockSize*inference.BlockSize {
				return fmt.Errorf("predict block column %d row %d of event %q: got %d pixels", at.Col, at.Row, p.Source.Event().ID, len(b.Pixels))
			}
			f(b)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx)
}

// Run describes the run of an id that mapped the plan, without its times.
func (p *Plan) Run(id string, s store.Summary) store.Run {
	r := store.Run{
		ID: id, Event: p.Source.Event().ID, Model: p.Model.Name(), ModelVersion: p.Model.Manifest.Version,
		Threshold: p.Threshold, MinArea: p.MinArea, Summary: s, Quality: p.Quality.String(),
	}
	switch {
	case len(p.AOI) == 1:
		r.AOI = p.AOI[0]
	case len(p.AOI) > 1:
		r.AOI = p.AOI
	}
	return r
}
