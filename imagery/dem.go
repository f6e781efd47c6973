package imagery

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/scarp-map/scarp/imagery/terrain"
)

// dem is an opened elevation raster.
type dem struct {
	*raster
	// dx and dy are a pixel's width and height in metres; in a geographic CRS
	// the width depends on the row, see rowWidth.
	dx, dy     float64
	geographic bool
}

var nan = float32(math.NaN())

// Elevations outside of this range, in metres, are no data even where a file does not say so.
const (
	lowestElevation  = -1000
	highestElevation = 9500
)

func (o *opener) dem(ref string) (*dem, error) {
	loc, err := o.allow.locate(ref)
	if err != nil {
		return nil, fmt.Errorf("dem: %w", err)
	}
	r, err := o.raster(loc)
	if err != nil {
		return nil, fmt.Errorf("dem: %w", err)
	}
	if !r.northUp() {
		return nil, fmt.Errorf("dem: %s is rotated or upside down: bring it north up (gdalwarp)", ref)
	}
	if len(r.bands) != 1 {
		return nil, fmt.Errorf("dem: %s has %d bands: expected one with elevation in metres", ref, len(r.bands))
	}
	return &dem{raster: r}, nil
}

// settle works out the pixel's size in metres, for slopes, and checks that the DEM is where the grid is.
func (d *dem) settle(s *source) error {
	footprint, err := s.footprint(d.geometry)
	if err != nil {
		return fmt.Errorf("dem: %s: %w", d.ref, err)
	}
	if footprint.Empty() {
		return fmt.Errorf("dem: %s does not overlap the post scenes", d.ref)
	}
	sr, err := newCRS(d.crs)
	if err != nil {
		return fmt.Errorf("dem: %s: %w", d.ref, err)
	}
	defer sr.Close()
	switch {
	case sr.Geographic():
		d.geographic = true
		lat := []float64{s.grid.OriginY - float64(s.grid.Height)*PixelSize/2}
		lon := []float64{s.grid.OriginX + float64(s.grid.Width)*PixelSize/2}
		if err := s.transforms.apply(crsName(s.grid.EPSG), d.crs, lon, lat); err != nil {
			return fmt.Errorf("dem: %s: %w", d.ref, err)
		}
		_, d.dy = metresPerDegree(lat[0])
		d.dy *= -d.gt[5]
	case d.crs == crsName(s.grid.EPSG):
		d.dx, d.dy = d.gt[1], -d.gt[5]
	default:
		// Measured on the ground, so that projections that stretch (Web Mercator) don't flatten the slopes.
		perX, perY, err := s.transforms.density(s.grid, d.geometry)
		if err != nil {
			return fmt.Errorf("dem: %s: %w", d.ref, err)
		}
		d.dx, d.dy = PixelSize/perX, PixelSize/perY
	}
	if !(d.dy > 0) {
		return fmt.Errorf("dem: %s: the size of its pixels can't be told in metres", d.ref)
	}
	return nil
}

// metresPerDegree returns the length of a degree of longitude and of latitude on WGS 84.
func metresPerDegree(lat float64) (lon, lati float64) {
	const a, e2 = 6378137.0, 0.00669437999014
	sin, cos := math.Sincos(lat * math.Pi / 180)
	w := math.Sqrt(1 - e2*sin*sin)
	return math.Pi / 180 * a * cos / w, math.Pi / 180 * a * (1 - e2) / (w * w * w)
}

// rowWidth returns the width in metres of a pixel in a row of the whole raster.
func (d *dem) rowWidth(row int) float64 {
	if !d.geographic {
		return d.dx
	}
	lon, _ := metresPerDegree(d.gt[3] + (float64(row)+0.5)*d.gt[5])
	return math.Max(lon*d.gt[1], 1e-3)
}

// relief is a window of the DEM's level: elevation, slope and the vector of the
// aspect (sine and cosine; null on flat ground), NaN where there is no data.
// Layers that were not asked for are nil.
type relief struct {
	elevation, slope, sin, cos []float32
	aspect                     []float32 // at factor 1 only: as Horn's method gave it
}

// terrain fills layers with the terrain layers named, and valid where the DEM has data.
func (rd *reading) terrain(ctx context.Context, names []string, layers [][]float32, valid []uint8) error {
	d := rd.dem
	if len(names) == 0 || d == nil {
		return nil // without a DEM layers and validity stay 0
	}
	c, err := rd.place(d.geometry)
	if err != nil {
		return fmt.Errorf("dem: %s: %w", d.ref, err)
	}
	if c.window.Empty() {
		return nil // layers and validity are 0 as they came
	}
	slopes := slices.Contains(names, Slope) || slices.Contains(names, Aspect)
	r, err := d.read(ctx, c.factor, c.window, slopes)
	if err != nil {
		return fmt.Errorf("dem: %w", err)
	}
	if c.exact {
		r.copy(rd.view, c, names, layers, valid)
		return nil
	}
	for k := range c.cells {
		if own := c.cells[k].own; own >= 0 && r.elevation[own] == r.elevation[own] {
			valid[k] = 1
		}
	}
	for i, name := range names {
		switch name {
		case Elevation:
			interpolate(c.cells, r.elevation, valid, layers[i])
		case Slope:
			interpolate(c.cells, r.slope, valid, layers[i])
		case Aspect:
			cos := make([]float32, len(valid))
			interpolate(c.cells, r.cos, valid, cos)
			interpolate(c.cells, r.sin, valid, layers[i])
			for k, sin := range layers[i] {
				if valid[k] == 1 {
					layers[i][k] = heading(sin, cos[k])
				}
			}
		}
	}
	return nil
}

// read reads a window of the DEM's level and derives slope and aspect at the
// DEM's own resolution; where the level is coarser they are averaged.
func (d *dem) read(ctx context.Context, factor int, win Rect, slopes bool) (*relief, error) {
	n := win.W * win.H
	r := &relief{elevation: make([]float32, n)}
	if slopes {
		r.slope, r.sin, r.cos = make([]float32, n), make([]float32, n), make([]float32, n)
		if factor == 1 {
			r.aspect = make([]float32, n)
		}
	}
	rows := max(stripPixels/2/(win.W*factor*factor), 1) // level rows a strip
	for y := 0; y < win.H; y += rows {
		part := Rect{X: win.X, Y: win.Y + y, W: win.W, H: min(rows, win.H-y)}
		if err := d.readStrip(ctx, factor, part, r, y*win.W); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// readStrip reads full-resolution pixels with a margin of one for the slope, and puts the level's pixels at index start.
func (d *dem) readStrip(ctx context.Context, factor int, part Rect, r *relief, start int) error {
	whole := Rect{W: d.width, H: d.height}
	inner := Rect{X: part.X * factor, Y: part.Y * factor, W: part.W * factor, H: part.H * factor}.Intersect(whole)
	outer := Rect{X: inner.X - 1, Y: inner.Y - 1, W: inner.W + 2, H: inner.H + 2}.Intersect(whole)
	elev := make([]float32, outer.W*outer.H)
	if err := d.raster.read(ctx, 0, nil, outer.X, outer.Y, outer.W, outer.H, elev, outer.W); err != nil {
		return err
	}
	b := d.bands[0]
	nodata := float32(b.nodata)
	for i, v := range elev {
		if b.hasNodata && v == nodata || !(v > lowestElevation && v < highestElevation) {
			elev[i] = nan
		}
	}
	var slope, aspect []float32
	if r.slope != nil {
		slope, aspect = terrain.HornRows(elev, outer.W, outer.H, func(row int) float64 { return d.rowWidth(outer.Y + row) }, d.dy, nan)
	}
	if factor == 1 {
		for y := range part.H {
			from := (y+inner.Y-outer.Y)*outer.W + inner.X - outer.X
			to := start + y*part.W
			copy(r.elevation[to:to+part.W], elev[from:])
			if slope == nil {
				continue
			}
			copy(r.slope[to:to+part.W], slope[from:])
			copy(r.aspect[to:to+part.W], aspect[from:])
			for x := range part.W {
				r.sin[to+x], r.cos[to+x] = direction(slope[from+x], aspect[from+x])
			}
		}
		return nil
	}
	for y := range part.H {
		for x := range part.W {
			cell := Rect{X: (part.X + x) * factor, Y: (part.Y + y) * factor, W: factor, H: factor}.Intersect(inner)
			r.average(start+y*part.W+x, elev, slope, aspect, cell, outer)
		}
	}
	return nil
}

// average puts the means of a cell of full-resolution pixels at index k.
func (r *relief) average(k int, elev, slope, aspect []float32, cell, outer Rect) {
	var e, s, sin, cos float64
	count := 0
	for y := cell.Y; y < cell.Y+cell.H; y++ {
		for x := cell.X; x < cell.X+cell.W; x++ {
			i := (y-outer.Y)*outer.W + x - outer.X
			if elev[i] != elev[i] {
				continue
			}
			count++
			e += float64(elev[i])
			if slope != nil {
				s += float64(slope[i])
				a, b := direction(slope[i], aspect[i])
				sin, cos = sin+float64(a), cos+float64(b)
			}
		}
	}
	if count == 0 {
		r.elevation[k] = nan
		if slope != nil {
			r.slope[k], r.sin[k], r.cos[k] = nan, nan, nan
		}
		return
	}
	n := float64(count)
	r.elevation[k] = float32(e / n)
	if slope != nil {
		r.slope[k], r.sin[k], r.cos[k] = float32(s/n), float32(sin/n), float32(cos/n)
	}
}

// direction returns an aspect as a vector; flat ground has none.
func direction(slope, aspect float32) (sin, cos float32) {
	if slope == 0 {
		return 0, 0
	}
	s, c := math.Sincos(float64(aspect) * math.Pi / 180)
	return float32(s), float32(c)
}

// heading returns the compass direction of a vector in [0, 360); 0 for none.
func heading(sin, cos float32) float32 {
	if math.Abs(float64(sin))+math.Abs(float64(cos)) < 1e-6 {
		return 0
	}
	a := float32(math.Atan2(float64(sin), float64(cos)) * 180 / math.Pi)
	if a < 0 {
		a += 360
	}
	if a >= 360 {
		a = 0
	}
	return a
}

// copy fills layers where level and result pixels are the same.
func (r *relief) copy(v view, c *coords, names []string, layers [][]float32, valid []uint8) {
	for y := range c.window.H {
		for x := range c.window.W {
			own := y*c.window.W + x
			if r.elevation[own] != r.elevation[own] {
				continue
			}
			k := (y+c.window.Y-c.row)*v.width + x + c.window.X - c.col
			valid[k] = 1
			for i, name := range names {
				switch {
				case name == Elevation:
					layers[i][k] = r.elevation[own]
				case name == Slope:
					layers[i][k] = r.slope[own]
				case r.aspect != nil:
					layers[i][k] = r.aspect[own]
				default:
					layers[i][k] = heading(r.sin[own], r.cos[own])
				}
			}
		}
	}
}

// interpolate fills out bilinearly where valid is 1.
func interpolate(cells []cell, src []float32, valid []uint8, out []float32) {
	for k := range cells {
		if valid[k] == 1 {
			c := &cells[k]
			out[k] = mixReal(src[c.at], src[c.at+c.right], src[c.at+c.down], src[c.at+c.down+c.right], c.x, c.y)
		}
	}
}

// mixReal interpolates between four pixels, leaving out NaN. At least one is a number.
func mixReal(a, b, c, d, wx, wy float32) float32 {
	v := (a*(1-wx)+b*wx)*(1-wy) + (c*(1-wx)+d*wx)*wy
	if v == v {
		return v
	}
	var sum, weights float32
	for k, w := range [4]float32{(1 - wx) * (1 - wy), wx * (1 - wy), (1 - wx) * wy, wx * wy} {
		if p := [4]float32{a, b, c, d}[k]; p == p {
			sum += p * w
			weights += w
		}
	}
	return sum / weights
}
