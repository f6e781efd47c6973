package simulate

import (
	"hash/fnv"
	"math"
	"math/rand/v2"
)

// stream returns a random generator for one purpose of one event, so that a change in how much randomness one part
// of the simulator uses leaves the others as they were.
func stream(seed uint64, purpose string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// between draws from [lo, hi).
func between(r *rand.Rand, lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }

// logBetween draws from [lo, hi) evenly in the logarithm.
func logBetween(r *rand.Rand, lo, hi float64) float64 {
	return math.Exp(between(r, math.Log(lo), math.Log(hi)))
}

// latticeStd is the standard deviation of a cubic B-spline surface through unit-variance lattice values, averaged over
// the cell: the integral of the squared basis is 151/315 along each axis.
const latticeStd = 151.0 / 315.0

// noise returns a w×h field of fractal noise with mean 0 and standard deviation about 1: octaves of B-spline
// noise, the first with the given wavelength in pixels, each next half as long and gain times as strong.
func noise(r *rand.Rand, w, h int, wavelength float64, octaves int, gain float64) []float32 {
	out := make([]float32, w*h)
	var power float64
	for o, amp := 0, 1.0; o < octaves; o, amp = o+1, amp*gain {
		power += amp * amp
	}
	amp := 1 / math.Sqrt(power) / latticeStd * math.Sqrt(3)
	for range octaves {
		addLattice(r, out, w, h, math.Max(wavelength, 1), float32(amp))
		wavelength /= 2
		amp *= gain
	}
	return out
}

// addLattice adds one octave: a lattice of uniform values in [-1, 1), one each cell pixels, interpolated by a cubic
// B-spline first along rows, then along columns.
func addLattice(r *rand.Rand, out []float32, w, h int, cell float64, amp float32) {
	offX, offY := r.Float64(), r.Float64()
	lw, lh := int(float64(w)/cell)+5, int(float64(h)/cell)+5
	wx := make([][4]float32, w)
	ix := make([]int, w)
	for x := range w {
		p := float64(x)/cell + offX
		f := math.Floor(p)
		ix[x], wx[x] = int(f), bspline(float32(p-f))
	}
	lattice := make([]float32, lw)
	rows := make([][]float32, lh)
	flat := make([]float32, lh*w)
	for j := range lh {
		for i := range lattice {
			lattice[i] = amp * float32(r.Uint32()>>8) * (2.0 / (1 << 24))
			lattice[i] -= amp
		}
		row := flat[j*w : (j+1)*w]
		for x := range row {
			i, k := ix[x], &wx[x]
			l := lattice[i : i+4]
			row[x] = k[0]*l[0] + k[1]*l[1] + k[2]*l[2] + k[3]*l[3]
		}
		rows[j] = row
	}
	for y := range h {
		p := float64(y)/cell + offY
		f := math.Floor(p)
		j, k := int(f), bspline(float32(p-f))
		a, b, c, d := rows[j][:w], rows[j+1][:w], rows[j+2][:w], rows[j+3][:w]
		dst := out[y*w : (y+1)*w]
		for x := range dst {
			dst[x] += k[0]*a[x] + k[1]*b[x] + k[2]*c[x] + k[3]*d[x]
		}
	}
}

// bspline gives the uniform cubic B-spline's four weights at t in [0, 1).
func bspline(t float32) [4]float32 {
	u := 1 - t
	t2, t3 := t*t, t*t*t
	return [4]float32{u * u * u / 6, (3*t3 - 6*t2 + 4) / 6, (-3*t3 + 3*t2 + 3*t + 1) / 6, t3 / 6}
}

// upsample enlarges a field factor times by cubic B-spline (smoothing), reading a w×h window whose top left pixel
// has its centre at (x0, y0) in source pixels.
func upsample(src []float32, sw, sh int, x0, y0, step float64, w, h int) []float32 {
	out := make([]float32, w*h)
	clampIndex := func(i, n int) int { return min(max(i, 0), n-1) }
	ix := make([][4]int, w)
	wx := make([][4]float32, w)
	for x := range w {
		p := x0 + float64(x)*step
		f := math.Floor(p)
		wx[x] = bspline(float32(p - f))
		for k := range 4 {
			ix[x][k] = clampIndex(int(f)-1+k, sw)
		}
	}
	across := make([]float32, sh*w)
	for j := range sh {
		s, d := src[j*sw:(j+1)*sw], across[j*w:(j+1)*w]
		for x := range d {
			i, k := &ix[x], &wx[x]
			d[x] = k[0]*s[i[0]] + k[1]*s[i[1]] + k[2]*s[i[2]] + k[3]*s[i[3]]
		}
	}
	for y := range h {
		p := y0 + float64(y)*step
		f := math.Floor(p)
		k := bspline(float32(p - f))
		var rows [4][]float32
		for m := range 4 {
			j := clampIndex(int(f)-1+m, sh)
			rows[m] = across[j*w : (j+1)*w]
		}
		d := out[y*w : (y+1)*w]
		for x := range d {
			d[x] = k[0]*rows[0][x] + k[1]*rows[1][x] + k[2]*rows[2][x] + k[3]*rows[3][x]
		}
	}
	return out
}

func clamp(v, lo, hi float32) float32 { return min(max(v, lo), hi) }

// smoothstep rises from 0 at lo to 1 at hi.
func smoothstep(v, lo, hi float32) float32 {
	t := clamp((v-lo)/(hi-lo), 0, 1)
	return t * t * (3 - 2*t)
}
