package tiles

import (
	"context"
	"fmt"
	"math"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/clip"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/store"
)

const (
	lonLatEPSG = 4326
	// pageSize is how many landslides are held at once while they are drawn.
	pageSize = 2000
)

// largest calls visit for the largest landslides of a run around a frame, at
// most so many, the largest first, with their whole polygons in pixels of the
// frame. A polygon may lie beside the frame: [frame.clip] says what of it shows.
func (e *Engine) largest(ctx context.Context, d drawing, f frame, margin float64, most int, visit func(*store.Landslide, orb.Polygon)) error {
	if d.run == "" || e.deps.Store == nil {
		return nil
	}
	box, err := e.projections.lonLatBox(f, d.src.Grid(), margin)
	if err != nil {
		return err
	}
	if box == nil {
		return nil
	}
	project, err := e.projections.get(lonLatEPSG, f.epsg)
	if err != nil {
		return err
	}
	defer project.release()
	q := store.Query{Event: d.src.Event().ID, Run: d.run, BBox: box, From: d.during.From, To: d.during.To, Sketch: most}
	for left := most; left > 0; left -= q.Limit {
		q.Limit = min(left, pageSize)
		page, err := e.deps.Store.Landslides(ctx, q)
		if err != nil {
			return fmt.Errorf("read landslides of run %s: %w", d.run, err)
		}
		for i := range page.Landslides {
			if s := f.shape(project, page.Landslides[i].Geometry); len(s) > 0 {
				visit(&page.Landslides[i], s)
			}
		}
		if page.Next == 0 {
			return nil
		}
		q.After, q.AfterKeys = page.Next, page.NextKeys
	}
	return nil
}

// shape projects a polygon into pixels of the frame; nil is a polygon that has no place there.
func (f frame) shape(project *projection, p orb.Polygon) orb.Polygon {
	dx, dy := f.pixel()
	period := project.period()
	middle := (f.bbox[0] + f.bbox[2]) / 2
	if len(p) == 0 || len(p[0]) == 0 {
		return nil
	}
	out := make(orb.Polygon, 0, len(p))
	for _, ring := range p {
		if len(ring) == 0 {
			out = append(out, nil)
			continue
		}
		x, y, ok := make([]float64, len(ring)), make([]float64, len(ring)), make([]bool, len(ring))
		for i, v := range ring {
			x[i], y[i] = v[0], v[1]
		}
		project.transform(x, y, ok)
		r := make(orb.Ring, len(ring))
		shift := 0.0
		if period > 0 && ok[0] { // the copy of the world that is next to the frame, for the whole polygon
			shift = period * math.Round((x[0]-middle)/period)
		}
		for i := range ring {
			if !ok[i] {
				return nil
			}
			if period > 0 { // a ring across the antimeridian stays in one piece
				x[i] -= shift
				x[i] -= period * math.Round((x[i]-(x[0]))/period)
			}
			r[i] = orb.Point{(x[i] - f.bbox[0]) / dx, (f.bbox[3] - y[i]) / dy}
		}
		out = append(out, r)
	}
	return out
}

// clip cuts a polygon in pixels to the frame with a margin, using its memory;
// what is empty does not show.
func (f frame) clip(p orb.Polygon, margin float64) orb.Polygon {
	bound := orb.Bound{Min: orb.Point{-margin, -margin}, Max: orb.Point{float64(f.width) + margin, float64(f.height) + margin}}
	if in := p.Bound(); bound.Contains(in.Min) && bound.Contains(in.Max) {
		return p
	}
	return clip.Polygon(bound, p)
}

// lonLatBox returns the box in degrees (west > east across the antimeridian)
// of a frame with a margin of pixels, or of the grid where the frame reaches
// beyond its projection. Nil means that the frame is nowhere.
func (p *projections) lonLatBox(f frame, g imagery.Grid, margin float64) (*[4]float64, error) {
	const steps = 8
	toDegrees, err := p.get(f.epsg, lonLatEPSG)
	if err != nil {
		return nil, err
	}
	defer toDegrees.release()
	dx, dy := f.pixel()
	minX, minY, maxX, maxY := f.bbox[0]-margin*dx, f.bbox[1]-margin*dy, f.bbox[2]+margin*dx, f.bbox[3]+margin*dy
	if box := degreesBox(toDegrees, minX, minY, maxX, maxY, steps); box != nil {
		return box, nil
	}
	fromGrid, err := p.get(g.EPSG, lonLatEPSG)
	if err != nil {
		return nil, err
	}
	defer fromGrid.release()
	minX, minY, maxX, maxY = g.Bounds()
	return degreesBox(fromGrid, minX, minY, maxX, maxY, steps), nil
}

// degreesBox is the box in degrees around a box of another CRS; nil where a part of it has no place on Earth.
func degreesBox(t *projection, minX, minY, maxX, maxY float64, steps int) *[4]float64 {
	n := (steps + 1) * (steps + 1)
	x, y, ok := make([]float64, 0, n), make([]float64, 0, n), make([]bool, n)
	for i := range steps + 1 {
		for j := range steps + 1 {
			x = append(x, minX+(maxX-minX)*float64(j)/float64(steps))
			y = append(y, minY+(maxY-minY)*float64(i)/float64(steps))
		}
	}
	t.transform(x, y, ok)
	box := [4]float64{math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)}
	for i := range x {
		if !ok[i] || math.Abs(y[i]) > 90 {
			return nil
		}
		// Neighbours are less than half the Earth apart: follow them across the antimeridian.
		if j := i - 1; i > 0 {
			if i%(steps+1) == 0 {
				j = i - (steps + 1)
			}
			x[i] -= 360 * math.Round((x[i]-x[j])/360)
		}
		box = [4]float64{min(box[0], x[i]), min(box[1], y[i]), max(box[2], x[i]), max(box[3], y[i])}
	}
	// Edges bend between the points.
	padX, padY := (box[2]-box[0])/20, (box[3]-box[1])/20
	box = [4]float64{box[0] - padX, max(box[1]-padY, -90), box[2] + padX, min(box[3]+padY, 90)}
	if box[2]-box[0] >= 360 {
		box[0], box[2] = -180, 180
		return &box
	}
	for k := 0; k < 4; k += 2 {
		if box[k] < -180 || box[k] > 180 {
			box[k] -= 360 * math.Floor((box[k]+180)/360)
		}
	}
	return &box
}
