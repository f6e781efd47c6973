package terrain

import "math"

// Grid places the pixels of a target raster on a source raster, both north-up: the centre of target pixel (0, 0) lies at
// source coordinates (X0, Y0), measured in source pixels with 0.5 at the centre of the first pixel, and each target
// pixel advances by StepX and StepY source pixels.
type Grid struct {
	Width, Height int
	X0, Y0        float64
	StepX, StepY  float64
}

// Refine is the Grid of width×height target pixels, factor times finer than the source, that shares its top left corner.
func Refine(width, height int, factor float64) Grid {
	step := 1 / factor
	return Grid{Width: width, Height: height, X0: step / 2, Y0: step / 2, StepX: step, StepY: step}
}

// Bilinear resamples elevations or slopes to grid. Source pixels that are nodata (or NaN) are left out of the weighted
// mean; a target pixel with no valid neighbour is nodata. Beyond its edges the source is continued by replication.
func Bilinear(src []float32, width, height int, grid Grid, nodata float32) []float32 {
	out := make([]float32, grid.Width*grid.Height)
	each(width, height, grid, func(i int, at [4]int, weight [4]float64) {
		var sum, total float64
		for k, j := range at {
			if v := src[j]; v != nodata && v == v {
				sum += weight[k] * float64(v)
				total += weight[k]
			}
		}
		if total <= 0 {
			out[i] = nodata
			return
		}
		out[i] = float32(sum / total)
	})
	return out
}

// BilinearAspect resamples aspects in degrees through their sines and cosines, so that the mean of 359° and 1° is 0°
// and not 180°. Otherwise as Bilinear. Where the neighbours cancel out exactly the aspect is 0, as on flat ground.
func BilinearAspect(src []float32, width, height int, grid Grid, nodata float32) []float32 {
	sine, cosine := make([]float64, len(src)), make([]float64, len(src))
	for i, v := range src {
		sine[i], cosine[i] = math.Sincos(float64(v) * math.Pi / 180)
	}
	out := make([]float32, grid.Width*grid.Height)
	each(width, height, grid, func(i int, at [4]int, weight [4]float64) {
		var s, c, total float64
		for k, j := range at {
			if v := src[j]; v != nodata && v == v {
				s += weight[k] * sine[j]
				c += weight[k] * cosine[j]
				total += weight[k]
			}
		}
		switch {
		case total <= 0:
			out[i] = nodata
		case math.Abs(s) < 1e-12 && math.Abs(c) < 1e-12:
			out[i] = 0
		default:
			out[i] = compass(s, c)
		}
	})
	return out
}

// each calls visit with the four source pixels around every target pixel and their bilinear weights.
func each(width, height int, grid Grid, visit func(i int, at [4]int, weight [4]float64)) {
	for y := range grid.Height {
		y0, y1, fy := between(grid.Y0+float64(y)*grid.StepY, height)
		for x := range grid.Width {
			x0, x1, fx := between(grid.X0+float64(x)*grid.StepX, width)
			visit(y*grid.Width+x,
				[4]int{y0*width + x0, y0*width + x1, y1*width + x0, y1*width + x1},
				[4]float64{(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy})
		}
	}
}

// between gives the pixels whose centres lie either side of coordinate v, and how far v is from the first to the second.
func between(v float64, size int) (lower, upper int, fraction float64) {
	v -= 0.5
	f := math.Floor(v)
	return min(max(int(f), 0), size-1), min(max(int(f)+1, 0), size-1), v - f
}
