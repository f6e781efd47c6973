// Package terrain derives slope and aspect from an elevation grid, and resamples all three to a finer grid.
//
// Grids are row-major with row 0 in the north, as rasters are. Angles are in degrees.
package terrain

import "math"

// Horn returns the slope and the aspect of an elevation grid by Horn's third-order finite difference
// (B. K. P. Horn, "Hill shading and the reflectance map", Proc. IEEE 69(1), 1981), the method of gdaldem.
//
// elev holds width×height elevations in metres; dx and dy are the pixel's width and height in metres, both positive.
// slope is in degrees, 0 to 90. aspect is the compass direction that the slope faces (downhill), in degrees clockwise
// from north, in [0, 360); flat ground has aspect 0. Beyond its edges the grid is continued by replication, which
// makes slopes across an edge come out too gentle by up to half: give a DEM that reaches a pixel beyond what is used.
// Where a pixel itself is nodata (NaN always is), slope and aspect are nodata; a neighbour that is nodata
// counts as being as high as the pixel itself.
func Horn(elev []float32, width, height int, dx, dy float64, nodata float32) (slope, aspect []float32) {
	return HornRows(elev, width, height, func(int) float64 { return dx }, dy, nodata)
}

// HornRows is Horn for grids whose pixel width in metres changes from row to row, such as grids in degrees:
// dx gives the width of a pixel in the given row.
func HornRows(elev []float32, width, height int, dx func(row int) float64, dy float64, nodata float32) (slope, aspect []float32) {
	n := width * height
	slope, aspect = make([]float32, n), make([]float32, n)
	missing := func(v float32) bool { return v == nodata || v != v }
	for y := range height {
		up, down := max(y-1, 0)*width, min(y+1, height-1)*width
		here := y * width
		inv8dx, inv8dy := 1/(8*dx(y)), 1/(8*dy)
		for x := range width {
			centre := elev[here+x]
			if missing(centre) {
				slope[here+x], aspect[here+x] = nodata, nodata
				continue
			}
			at := func(i int) float64 {
				if v := elev[i]; !missing(v) {
					return float64(v)
				}
				return float64(centre)
			}
			l, r := max(x-1, 0), min(x+1, width-1)
			a, b, c := at(up+l), at(up+x), at(up+r)
			d, f := at(here+l), at(here+r)
			g, h, i := at(down+l), at(down+x), at(down+r)
			east := ((c + 2*f + i) - (a + 2*d + g)) * inv8dx  // rise towards the east
			north := ((a + 2*b + c) - (g + 2*h + i)) * inv8dy // rise towards the north
			slope[here+x] = float32(math.Atan(math.Sqrt(east*east+north*north)) * 180 / math.Pi)
			aspect[here+x] = compass(-east, -north)
		}
	}
	return slope, aspect
}

// compass turns a vector (east, north) into degrees clockwise from north in [0, 360), and the null vector into 0.
func compass(east, north float64) float32 {
	if east == 0 && north == 0 {
		return 0
	}
	deg := float32(math.Atan2(east, north) * 180 / math.Pi)
	if deg < 0 {
		deg += 360
	}
	if deg >= 360 {
		deg = 0
	}
	return deg
}
