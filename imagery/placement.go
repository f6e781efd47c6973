package imagery

import (
	"fmt"
	"math"
)

// latticeStep is the distance, in result pixels, between the points whose
// place in the source is worked out by PROJ; between them it is interpolated.
// Over 640 m UTM departs from a straight line by less than a centimetre.
const latticeStep = 64

// view is a request's rectangle and result size on a grid. Its numbers decide
// where every result pixel lies, and do so without regard to where the
// rectangle begins: at full size the same grid pixel always gets the same place.
type view struct {
	grid          Grid
	rect          Rect
	width, height int
}

// scale returns how many grid pixels a result pixel spans.
func (v view) scale() (x, y float64) {
	return float64(v.rect.W) / float64(v.width), float64(v.rect.H) / float64(v.height)
}

// fullSize says whether result pixels are grid pixels.
func (v view) fullSize() bool { return v.width == v.rect.W && v.height == v.rect.H }

// coords says where the centres of a view's pixels lie in a source, in pixels
// of the source's level: level pixel i covers the source's pixels [i·factor, (i+1)·factor).
type coords struct {
	factor int
	// When separable, x has a value a column and y a value a row; otherwise both have one a pixel.
	separable bool
	x, y      []float64
	// When exact, result pixel (i, j) is level pixel (col+i, row+j) and nothing is interpolated.
	exact    bool
	col, row int
	// window is the part of the level that bilinear interpolation of the view needs; empty if it misses the source.
	window Rect
}

// place works out coords of a view in a source.
func (t *transforms) place(v view, g geometry) (*coords, error) {
	c := &coords{}
	var err error
	if g.crs == crsName(v.grid.EPSG) && g.gt[2] == 0 && g.gt[4] == 0 {
		c.placeAffine(v, g)
	} else {
		err = c.placeLattice(t, v, g)
	}
	if err != nil {
		return nil, err
	}
	c.findWindow(g)
	return c, nil
}

func (c *coords) placeAffine(v view, g geometry) {
	sx, sy := v.scale()
	// Grid column u (0 at the grid's left edge) is source column ax + bx·u.
	ax, bx := (v.grid.OriginX-g.gt[0])/g.gt[1], PixelSize/g.gt[1]
	ay, by := (v.grid.OriginY-g.gt[3])/g.gt[5], -PixelSize/g.gt[5]
	c.factor = levelFactor(math.Min(math.Abs(bx)*sx, math.Abs(by)*sy))
	f := float64(c.factor)
	c.separable = true
	c.x, c.y = make([]float64, v.width), make([]float64, v.height)
	for i := range c.x {
		c.x[i] = (ax + bx*(float64(v.rect.X)+(float64(i)+0.5)*sx)) / f
	}
	for j := range c.y {
		c.y[j] = (ay + by*(float64(v.rect.Y)+(float64(j)+0.5)*sy)) / f
	}
	if near(bx*sx/f, 1) && near(by*sy/f, 1) && near(c.x[0]-0.5, math.Round(c.x[0]-0.5)) && near(c.y[0]-0.5, math.Round(c.y[0]-0.5)) {
		c.exact, c.col, c.row = true, int(math.Round(c.x[0]-0.5)), int(math.Round(c.y[0]-0.5))
	}
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

func (c *coords) placeLattice(t *transforms, v view, g geometry) error {
	sx, sy := v.scale()
	// Nodes are at multiples of the step from the grid's origin, so that every window interpolates between the same ones.
	stepX, stepY := latticeStep*sx, latticeStep*sy
	n0x, n1x := int(math.Floor(float64(v.rect.X)/stepX)), int(math.Floor(float64(v.rect.X+v.rect.W)/stepX))+1
	n0y, n1y := int(math.Floor(float64(v.rect.Y)/stepY)), int(math.Floor(float64(v.rect.Y+v.rect.H)/stepY))+1
	nw, nh := n1x-n0x+1, n1y-n0y+1
	nx, ny := make([]float64, nw*nh), make([]float64, nw*nh)
	for j := range nh {
		for i := range nw {
			nx[j*nw+i] = v.grid.OriginX + float64(n0x+i)*stepX*PixelSize
			ny[j*nw+i] = v.grid.OriginY - float64(n0y+j)*stepY*PixelSize
		}
	}
	if err := t.toPixels(v.grid.EPSG, g, nx, ny); err != nil {
		return err
	}
	perX, perY, err := t.density(v.grid, g)
	if err != nil {
		return err
	}
	c.factor = levelFactor(math.Min(perX*sx, perY*sy))
	inv := 1 / float64(c.factor)
	c.x, c.y = make([]float64, v.width*v.height), make([]float64, v.width*v.height)
	for j := range v.height {
		gy := (float64(v.rect.Y) + (float64(j)+0.5)*sy) / stepY
		nj := math.Floor(gy)
		ty := gy - nj
		row := (int(nj) - n0y) * nw
		for i := range v.width {
			gx := (float64(v.rect.X) + (float64(i)+0.5)*sx) / stepX
			ni := math.Floor(gx)
			tx := gx - ni
			k := row + int(ni) - n0x
			c.x[j*v.width+i] = blend(nx[k], nx[k+1], nx[k+nw], nx[k+nw+1], tx, ty) * inv
			c.y[j*v.width+i] = blend(ny[k], ny[k+1], ny[k+nw], ny[k+nw+1], tx, ty) * inv
		}
	}
	return nil
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

func (c *coords) findWindow(g geometry) {
	lw, lh := c.levelSize(g)
	x0, x1 := bounds(c.x)
	y0, y1 := bounds(c.y)
	if !(x1 >= 0 && y1 >= 0 && x0 <= float64(lw) && y0 <= float64(lh)) {
		return
	}
	// The four neighbours of a point are within half a pixel of floor(v−0.5) and one further.
	left, top := math.Max(math.Floor(x0-0.5), 0), math.Max(math.Floor(y0-0.5), 0)
	right, bottom := math.Min(math.Floor(x1-0.5)+2, float64(lw)), math.Min(math.Floor(y1-0.5)+2, float64(lh))
	c.window = Rect{X: int(left), Y: int(top), W: max(int(right-left), 0), H: max(int(bottom-top), 0)}
}

// bounds returns the least and greatest value, leaving out NaN; both are NaN if there is none.
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
