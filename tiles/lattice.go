package tiles

import (
	"context"
	"fmt"
	"math"

	"github.com/scarp-map/scarp/imagery"
)

// cellSize is the side in pixels of a lattice's cells. It divides the size of
// tiles, so that neighbouring tiles, and a view over both, have the same nodes.
const cellSize = 16

// maxBend is how far in pixels of the view the straight line between nodes may
// be from the truth before a cell's pixels are projected one by one.
const maxBend = 0.1

// frame is a picture's place: a bounding box in a CRS, and pixels.
type frame struct {
	epsg          int
	bbox          [4]float64 // min x, min y, max x, max y
	width, height int
}

// pixel returns the size of a pixel in units of the CRS.
func (f frame) pixel() (dx, dy float64) {
	return (f.bbox[2] - f.bbox[0]) / float64(f.width), (f.bbox[3] - f.bbox[1]) / float64(f.height)
}

// lattice says where the pixels of a frame lie on an event's grid. It asks
// PROJ at nodes 16 pixels apart and goes straight between them: a cell depends
// on its own nodes only, never on the frame's extent, so that one place is
// sampled alike in adjacent tiles. Where a straight line would not do (far
// zooms, the rims of projections) it asks PROJ for every pixel.
//
// GDAL's own warper approximates along whole scanlines of the target, which
// moves samples with the extent of the picture; exact, it costs several times
// the rest of a tile.
type lattice struct {
	frame frame
	grid  imagery.Grid
	// x0, y0, x1, y1 bound the pixels where the grid can be, on cell borders.
	x0, y0, x1, y1 int
	cells          []cell
	// ratio is how many grid pixels a pixel of the frame spans at the grid's middle.
	ratio float64
	// need bounds the grid pixels that are sampled, with a margin.
	need imagery.Rect
}

// cell is 16×16 pixels: the grid coordinates of its corners. exact says that
// pixels must be projected one by one.
type cell struct {
	col, row int
	x, y     [4]float64 // upper left, upper right, lower left, lower right
	exact    bool
}

// place finds a frame on the grid.
func (p *projections) place(f frame, g imagery.Grid) (*lattice, error) {
	l := &lattice{frame: f, grid: g}
	forward, err := p.get(g.EPSG, f.epsg)
	if err != nil {
		return nil, err
	}
	defer forward.release()
	if !l.measure(forward) {
		return l, nil // this CRS can't show the event at all: an empty picture
	}
	l.find(forward)
	if l.x0 >= l.x1 || l.y0 >= l.y1 {
		return l, nil
	}
	inverse, err := p.get(f.epsg, g.EPSG)
	if err != nil {
		return nil, err
	}
	defer inverse.release()
	l.fill(inverse)
	return l, nil
}

// empty says that no pixel of the frame lies on the grid.
func (l *lattice) empty() bool { return l.need.Empty() }

// measure sets ratio from the middle of the grid, so that all tiles of a zoom agree on it.
func (l *lattice) measure(forward *projection) bool {
	minX, minY, maxX, maxY := l.grid.Bounds()
	const arm = 100 // metres
	cx, cy := (minX+maxX)/2, (minY+maxY)/2
	x, y := []float64{cx, cx + arm, cx}, []float64{cy, cy, cy + arm}
	ok := make([]bool, 3)
	forward.transform(x, y, ok)
	if !ok[0] || !ok[1] || !ok[2] {
		return false
	}
	dx, dy := l.frame.pixel()
	area := math.Abs((x[1]-x[0])*(y[2]-y[0])-(x[2]-x[0])*(y[1]-y[0])) / (dx * dy) // frame pixels per arm²
	l.ratio = arm / imagery.PixelSize / math.Sqrt(area)
	return l.ratio > 0 && !math.IsInf(l.ratio, 0) && !math.IsNaN(l.ratio)
}

// find bounds the pixels of the frame where the grid can be: the box around
// points along the grid's edges and within it, seen through the projection.
func (l *lattice) find(forward *projection) {
	const steps = 24
	minX, minY, maxX, maxY := l.grid.Bounds()
	n := (steps + 1) * (steps + 1)
	x, y, ok := make([]float64, 0, n), make([]float64, 0, n), make([]bool, n)
	for i := range steps + 1 {
		for j := range steps + 1 {
			x = append(x, minX+(maxX-minX)*float64(j)/steps)
			y = append(y, minY+(maxY-minY)*float64(i)/steps)
		}
	}
	l.x0, l.y0, l.x1, l.y1 = 0, 0, l.frame.width, l.frame.height
	forward.transform(x, y, ok)
	period, middle := forward.period(), x[n/2]
	lowX, lowY, highX, highY := math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for i := range x {
		if !ok[i] {
			return // a part of the grid has no place here: look everywhere
		}
		if period > 0 { // an event across the antimeridian stays in one piece
			x[i] -= period * math.Round((x[i]-middle)/period)
		}
		lowX, highX = min(lowX, x[i]), max(highX, x[i])
		lowY, highY = min(lowY, y[i]), max(highY, y[i])
	}
	dx, dy := l.frame.pixel()
	padX, padY := 2*dx+(highX-lowX)/50, 2*dy+(highY-lowY)/50
	l.x0, l.x1 = l.frame.width, 0
	for turn := -2.0; turn <= 2; turn++ {
		if turn != 0 && period == 0 {
			continue
		}
		a := (lowX - padX + turn*period - l.frame.bbox[0]) / dx
		b := (highX + padX + turn*period - l.frame.bbox[0]) / dx
		if b > 0 && a < float64(l.frame.width) {
			l.x0, l.x1 = min(l.x0, clampInt(a, l.frame.width)), max(l.x1, clampInt(math.Ceil(b), l.frame.width))
		}
	}
	l.y0 = clampInt((l.frame.bbox[3]-highY-padY)/dy, l.frame.height)
	l.y1 = clampInt(math.Ceil((l.frame.bbox[3]-lowY+padY)/dy), l.frame.height)
	l.x0, l.y0 = l.x0/cellSize*cellSize, l.y0/cellSize*cellSize
}

// clampInt converts v to an integer between 0 and n.
func clampInt(v float64, n int) int { return int(min(max(v, 0), float64(n))) }

// fill projects nodes and middles of the cells onto the grid and keeps the cells that touch it.
func (l *lattice) fill(inverse *projection) {
	cols, rows := (l.x1-l.x0+cellSize-1)/cellSize, (l.y1-l.y0+cellSize-1)/cellSize
	nodes := (cols + 1) * (rows + 1)
	px, py := make([]float64, 0, nodes+cols*rows), make([]float64, 0, nodes+cols*rows)
	for r := range rows + 1 {
		for c := range cols + 1 {
			px, py = append(px, float64(l.x0+c*cellSize)), append(py, float64(l.y0+r*cellSize))
		}
	}
	for r := range rows {
		for c := range cols {
			px, py = append(px, float64(l.x0+c*cellSize)+cellSize/2), append(py, float64(l.y0+r*cellSize)+cellSize/2)
		}
	}
	ok := make([]bool, len(px))
	l.toGrid(inverse, px, py, ok)
	whole := l.grid.Rect()
	bend := maxBend * max(l.ratio, 0.5)
	first := true
	for r := range rows {
		for c := range cols {
			i, m := r*(cols+1)+c, nodes+r*cols+c
			n := [4]int{i, i + 1, i + cols + 1, i + cols + 2}
			k := cell{col: l.x0 + c*cellSize, row: l.y0 + r*cellSize}
			sound := ok[m]
			var sx, sy float64
			for j, v := range n {
				sound = sound && ok[v]
				k.x[j], k.y[j] = px[v], py[v]
				sx, sy = sx+px[v]/4, sy+py[v]/4
			}
			at := whole
			if sound {
				off := max(math.Abs(sx-px[m]), math.Abs(sy-py[m]))
				k.exact = off > bend
				slack := 3 + l.ratio + 4*off
				x0, x1 := min(k.x[0], k.x[1], k.x[2], k.x[3]), max(k.x[0], k.x[1], k.x[2], k.x[3])
				y0, y1 := min(k.y[0], k.y[1], k.y[2], k.y[3]), max(k.y[0], k.y[1], k.y[2], k.y[3])
				if x1+slack < 0 || y1+slack < 0 || x0-slack > float64(whole.W) || y0-slack > float64(whole.H) {
					continue
				}
				cx0, cy0 := clampInt(math.Floor(x0-slack), whole.W), clampInt(math.Floor(y0-slack), whole.H)
				at = imagery.Rect{X: cx0, Y: cy0,
					W: clampInt(math.Ceil(x1+slack), whole.W) - cx0, H: clampInt(math.Ceil(y1+slack), whole.H) - cy0}
				if at.Empty() {
					continue
				}
			} else {
				k.exact = true
			}
			l.cells = append(l.cells, k)
			if first {
				l.need, first = at, false
				continue
			}
			x0, y0 := min(l.need.X, at.X), min(l.need.Y, at.Y)
			l.need = imagery.Rect{X: x0, Y: y0, W: max(l.need.X+l.need.W, at.X+at.W) - x0, H: max(l.need.Y+l.need.H, at.Y+at.H) - y0}
		}
	}
}

// toGrid turns pixel coordinates of the frame into grid coordinates, in place.
func (l *lattice) toGrid(inverse *projection, x, y []float64, ok []bool) {
	dx, dy := l.frame.pixel()
	for i := range x {
		x[i], y[i] = l.frame.bbox[0]+x[i]*dx, l.frame.bbox[3]-y[i]*dy
	}
	inverse.transform(x, y, ok)
	for i := range x {
		x[i], y[i] = (x[i]-l.grid.OriginX)/imagery.PixelSize, (l.grid.OriginY-y[i])/imagery.PixelSize
	}
}

// run is n pixels of a row from column x on, whose middles lie at grid
// coordinates (gx, gy) + i·(dx, dy).
type run struct {
	x, y, n        int
	gx, gy, dx, dy float64
}

// each calls draw for runs that cover all pixels that can lie on the grid, until ctx ends.
func (p *projections) each(ctx context.Context, l *lattice, draw func(run)) error {
	var inverse *projection
	defer func() {
		if inverse != nil {
			inverse.release()
		}
	}()
	for i := range l.cells {
		if i%64 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		k := &l.cells[i]
		w, h := min(cellSize, l.frame.width-k.col), min(cellSize, l.frame.height-k.row)
		if k.exact {
			if inverse == nil {
				var err error
				if inverse, err = p.get(l.frame.epsg, l.grid.EPSG); err != nil {
					return fmt.Errorf("project pixels: %w", err)
				}
			}
			l.exact(inverse, k, w, h, draw)
			continue
		}
		for r := range h {
			t := (float64(r) + 0.5) / cellSize
			ax, ay := k.x[0]+(k.x[2]-k.x[0])*t, k.y[0]+(k.y[2]-k.y[0])*t
			bx, by := k.x[1]+(k.x[3]-k.x[1])*t, k.y[1]+(k.y[3]-k.y[1])*t
			dx, dy := (bx-ax)/cellSize, (by-ay)/cellSize
			draw(run{x: k.col, y: k.row + r, n: w, gx: ax + dx/2, gy: ay + dy/2, dx: dx, dy: dy})
		}
	}
	return nil
}

// exact draws a cell pixel by pixel, leaving out those that the projection does not have.
func (l *lattice) exact(inverse *projection, k *cell, w, h int, draw func(run)) {
	x, y, ok := make([]float64, 0, w*h), make([]float64, 0, w*h), make([]bool, w*h)
	for r := range h {
		for c := range w {
			x, y = append(x, float64(k.col+c)+0.5), append(y, float64(k.row+r)+0.5)
		}
	}
	l.toGrid(inverse, x, y, ok)
	for i := range x {
		if ok[i] {
			draw(run{x: k.col + i%w, y: k.row + i/w, n: 1, gx: x[i], gy: y[i]})
		}
	}
}
