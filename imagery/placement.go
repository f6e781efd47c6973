package imagery

import (
	"fmt"
	"math"
)

// latticeStep is the distance, in result pixels, between the points whose
// place in the source is worked out by PROJ; between them it is interpolated.
// Over 640 m UTM departs from a straight line by less than a centimetre.
const latticeStep = 64

// view is a strip of a request's result: whole rows of it, first to first+height.
// Its numbers decide where every result pixel lies, and do so without regard to
// where the rectangle begins: at full size the same grid pixel always gets the same place.
type view struct {
	grid          Grid
	rect          Rect // of the whole request
	width, height int
	first         int
	sx, sy        float64 // grid pixels a result pixel spans
}

// strip returns rows first to first+n of v.
func (v view) strip(first, n int) view {
	v.first, v.height = first, n
	return v
}

// area returns the grid pixels that the strip touches.
func (v view) area() Rect {
	top := math.Floor(float64(v.rect.Y) + float64(v.first)*v.sy)
	bottom := math.Ceil(float64(v.rect.Y) + float64(v.first+v.height)*v.sy)
	return Rect{X: v.rect.X, Y: int(top), W: v.rect.W, H: int(bottom - top)}.Intersect(v.rect)
}

// gridX and gridY return the place of a result column's or row's centre in grid pixels.
func (v view) gridX(i int) float64 { return float64(v.rect.X) + (float64(i)+0.5)*v.sx }
func (v view) gridY(j int) float64 { return float64(v.rect.Y) + (float64(v.first+j)+0.5)*v.sy }

// coords says where the centres of a view's pixels lie in a source, in pixels
// of the source's level: level pixel i covers the source's pixels [i·factor, (i+1)·factor).
type coords struct {
	factor int
	// When exact, result pixel (i, j) is level pixel (col+i, row+j) and nothing is interpolated.
	exact    bool
	col, row int
	// window is the part of the level that bilinear interpolation of the view needs; empty if it misses the source.
	window Rect
	// cells says for every result pixel between which pixels of the window it lies.
	cells []cell
}

// cell is the place of a result pixel among the pixels of a window, row by row.
type cell struct {
	own   int32 // the pixel it lies in; negative outside of the source
	at    int32 // the upper left of the four pixels around it
	right int32 // from there to the upper right one; 0 where the edge repeats
	down  int32 // from there to the lower left one; 0 where the edge repeats
	x, y  float32
}

// place works out coords of a view in a source.
func (t *transforms) place(v view, g geometry) (*coords, error) {
	if g.crs == crsName(v.grid.EPSG) && g.gt[2] == 0 && g.gt[4] == 0 {
		return placeAffine(v, g), nil
	}
	return t.placeLattice(v, g)
}

// placeAffine places a view in a source in the grid's CRS, of which columns depend on columns only and rows on rows.
func placeAffine(v view, g geometry) *coords {
	// Grid column u (0 at the grid's left edge) is source column ax + bx·u.
	ax, bx := (v.grid.OriginX-g.gt[0])/g.gt[1], PixelSize/g.gt[1]
	ay, by := (v.grid.OriginY-g.gt[3])/g.gt[5], -PixelSize/g.gt[5]
	c := &coords{factor: levelFactor(math.Min(math.Abs(bx)*v.sx, math.Abs(by)*v.sy))}
	f := float64(c.factor)
	x, y := make([]float64, v.width), make([]float64, v.height)
	for i := range x {
		x[i] = (ax + bx*v.gridX(i)) / f
	}
	for j := range y {
		y[j] = (ay + by*v.gridY(j)) / f
	}
	if near(bx*v.sx/f, 1) && near(by*v.sy/f, 1) && near(x[0]-0.5, math.Round(x[0]-0.5)) && near(y[0]-0.5, math.Round(y[0]-0.5)) {
		c.exact, c.col, c.row = true, int(math.Round(x[0]-0.5)), int(math.Round(y[0]-0.5))
		lw, lh := c.levelSize(g)
		c.window = Rect{X: c.col, Y: c.row, W: v.width, H: v.height}.Intersect(Rect{W: lw, H: lh})
		return c
	}
	if !c.findWindow(g, x, y) {
		return c
	}
	c.cells = make([]cell, v.width*v.height)
	columns := make([]cell, v.width)
	lw, lh := float64(g.width)/f, float64(g.height)/f
	for i := range columns {
		columns[i] = cellAt(x[i], lw, c.window.X, c.window.W)
	}
	for j := range y {
		row := cellAt(y[j], lh, c.window.Y, c.window.H)
		line := c.cells[j*v.width : (j+1)*v.width]
		for i, col := range columns {
			line[i] = col.under(row, c.window.W)
		}
	}
	return c
}

// cellAt places a coordinate among n pixels of a line, the first of which is
// pixel start of a level that ends at size.
func cellAt(v, size float64, start, n int) cell {
	if !(v >= 0 && v < size) {
		return cell{own: -1}
	}
	f := math.Floor(v - 0.5)
	a, b := min(max(int(f)-start, 0), n-1), min(max(int(f)+1-start, 0), n-1)
	c := cell{own: int32(a), at: int32(a), right: int32(b - a), x: float32(v - 0.5 - f)}
	if c.x >= 0.5 {
		c.own = int32(b)
	}
	return c
}

// under joins places in a row (c) and in a column (r) of a window that is width pixels wide.
func (c cell) under(r cell, width int) cell {
	if c.own < 0 || r.own < 0 {
		return cell{own: -1}
	}
	w := int32(width)
	return cell{own: r.own*w + c.own, at: r.at*w + c.at, right: c.right, down: r.right * w, x: c.x, y: r.x}
}

// near says whether two coordinates in pixels are the same but for rounding.
func near(a, b float64) bool { return math.Abs(a-b) < 1e-4 }

// levelFactor is the largest power of two that keeps a level at least as fine as the result.
func levelFactor(sourcePixelsPerResultPixel float64) int {
	f := 1
	for float64(2*f) <= sourcePixelsPerResultPixel*(1+1e-6) && f < 1<<16 {
		f *= 2
	}
	return f
}

// placeLattice places a view in a source in any CRS.
func (t *transforms) placeLattice(v view, g geometry) (*coords, error) {
	// Nodes are at multiples of the step from the grid's origin, so that every window interpolates between the same ones.
	stepX, stepY := latticeStep*v.sx, latticeStep*v.sy
	n0x, n1x := int(math.Floor(v.gridX(0)/stepX)), int(math.Floor(v.gridX(v.width-1)/stepX))+1
	n0y, n1y := int(math.Floor(v.gridY(0)/stepY)), int(math.Floor(v.gridY(v.height-1)/stepY))+1
	nw, nh := n1x-n0x+1, n1y-n0y+1
	nx, ny := make([]float64, nw*nh), make([]float64, nw*nh)
	for j := range nh {
		for i := range nw {
			nx[j*nw+i] = v.grid.OriginX + float64(n0x+i)*stepX*PixelSize
			ny[j*nw+i] = v.grid.OriginY - float64(n0y+j)*stepY*PixelSize
		}
	}
	if err := t.toPixels(v.grid.EPSG, g, nx, ny); err != nil {
		return nil, err
	}
	perX, perY, err := t.density(v.grid, g)
	if err != nil {
		return nil, err
	}
	c := &coords{factor: levelFactor(math.Min(perX*v.sx, perY*v.sy))}
	f := float64(c.factor)
	x, y := make([]float64, v.width*v.height), make([]float64, v.width*v.height)
	for j := range v.height {
		gy := v.gridY(j) / stepY
		nj := math.Floor(gy)
		ty := gy - nj
		row := (int(nj) - n0y) * nw
		for i := range v.width {
			gx := v.gridX(i) / stepX
			ni := math.Floor(gx)
			tx := gx - ni
			k := row + int(ni) - n0x
			x[j*v.width+i] = blend(nx[k], nx[k+1], nx[k+nw], nx[k+nw+1], tx, ty) / f
			y[j*v.width+i] = blend(ny[k], ny[k+1], ny[k+nw], ny[k+nw+1], tx, ty) / f
		}
	}
	if !c.findWindow(g, x, y) {
		return c, nil
	}
	c.cells = make([]cell, v.width*v.height)
	lw, lh := float64(g.width)/f, float64(g.height)/f
	for k := range c.cells {
		c.cells[k] = cellAt(x[k], lw, c.window.X, c.window.W).under(cellAt(y[k], lh, c.window.Y, c.window.H), c.window.W)
	}
	return c, nil
}

func blend(a, b, c, d, tx, ty float64) float64 {
	top := a + (b-a)*tx
	bottom := c + (d-c)*tx
	return top + (bottom-top)*ty
}

// toPixels turns coordinates in the grid's CRS into columns and rows of a source, in place.
func (t *transforms) toPixels(epsg int, g geometry, x, y []float64) error {
	if err := t.apply(crsName(epsg), g.crs, x, y); err != nil {
		return err
	}
	det := g.gt[1]*g.gt[5] - g.gt[2]*g.gt[4]
	for i := range x {
		dx, dy := x[i]-g.gt[0], y[i]-g.gt[3]
		x[i] = (dx*g.gt[5] - dy*g.gt[2]) / det
		y[i] = (dy*g.gt[1] - dx*g.gt[4]) / det
	}
	return nil
}

// density returns how many source pixels a grid pixel spans in x and y, at the grid's centre.
func (t *transforms) density(grid Grid, g geometry) (x, y float64, err error) {
	const reach = 1000 // metres either side
	minX, minY, maxX, maxY := grid.Bounds()
	cx, cy := (minX+maxX)/2, (minY+maxY)/2
	px := []float64{cx - reach, cx + reach, cx, cx}
	py := []float64{cy, cy, cy - reach, cy + reach}
	if err := t.toPixels(grid.EPSG, g, px, py); err != nil {
		return 0, 0, err
	}
	const pixels = 2 * reach / PixelSize
	x = math.Hypot(px[1]-px[0], py[1]-py[0]) / pixels
	y = math.Hypot(px[3]-px[2], py[3]-py[2]) / pixels
	if math.IsNaN(x) || math.IsNaN(y) {
		return 0, 0, fmt.Errorf("the grid's centre can't be expressed in the file's coordinate reference system")
	}
	return x, y, nil
}

// levelSize returns the size of the source's level in level pixels.
func (c *coords) levelSize(g geometry) (w, h int) {
	return ceilDiv(g.width, c.factor), ceilDiv(g.height, c.factor)
}

// findWindow sets the window that points x, y need, and says whether there is one.
func (c *coords) findWindow(g geometry, x, y []float64) bool {
	lw, lh := c.levelSize(g)
	x0, x1 := bounds(x)
	y0, y1 := bounds(y)
	if !(x1 >= 0 && y1 >= 0 && x0 <= float64(lw) && y0 <= float64(lh)) {
		return false
	}
	// The neighbours of a point are pixel floor(v−0.5) and the next.
	left, top := math.Max(math.Floor(x0-0.5), 0), math.Max(math.Floor(y0-0.5), 0)
	right, bottom := math.Min(math.Floor(x1-0.5)+2, float64(lw)), math.Min(math.Floor(y1-0.5)+2, float64(lh))
	c.window = Rect{X: int(left), Y: int(top), W: max(int(right-left), 0), H: max(int(bottom-top), 0)}
	return !c.window.Empty()
}

// bounds returns the least and greatest value, leaving out NaN; of none, +Inf and −Inf.
func bounds(v []float64) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, x := range v {
		if x < lo {
			lo = x
		}
		if x > hi {
			hi = x
		}
	}
	return lo, hi
}
