package inference

import (
	"fmt"
	"math"
)

// The ways to weigh overlapping patches.
const (
	blendUniform = "uniform"
	blendLinear  = "linear"
	blendCosine  = "cosine"
	blendNone    = "none" // overlaps are cut in their middle
)

// LatticeConfig overrides a manifest's patch lattice. Zero fields are the
// manifest's. All lengths in pixels.
type LatticeConfig struct {
	// PatchSize is the side of a patch: a multiple of the manifest's multiple_of.
	PatchSize int
	// Overlap is how many pixels neighbouring patches share; −1 means none.
	Overlap int
	// Margin is dropped from every side of a patch before blending; twice the margin must not exceed the overlap.
	Margin int
	// Blend is uniform, linear, cosine or none; none drops a margin of half the overlap.
	Blend string
}

// Lattice places a network's patches on the grid: patch (i, j) has its upper
// left corner at (Offset + i·Stride, Offset + j·Stride), for all whole i and j.
// It depends on nothing but the model and the configuration, so every pixel is
// always seen by the same patches, at the same places in them.
type Lattice struct {
	Patch, Stride, Margin, Offset int
	Blend                         string
}

func newLattice(p PatchSpec, c LatticeConfig) (Lattice, error) {
	size, overlap, blend := p.Size, *p.Overlap, p.Blend
	if c.PatchSize != 0 {
		size = c.PatchSize
	}
	if c.Overlap != 0 {
		overlap = max(c.Overlap, 0)
	}
	if c.Blend != "" {
		blend = c.Blend
	}
	if blend == blendNone && c.Margin == 0 {
		c.Margin = overlap / 2
	}
	switch {
	case size < 16 || size > 4096 || size%p.MultipleOf != 0:
		return Lattice{}, fmt.Errorf("patch size %d is not a multiple of %d between 16 and 4096", size, p.MultipleOf)
	case p.Fixed && size != p.Size:
		return Lattice{}, fmt.Errorf("patch size %d: the network takes %d only", size, p.Size)
	case overlap >= size:
		return Lattice{}, fmt.Errorf("overlap %d is not less than patch size %d", overlap, size)
	case c.Margin < 0 || 2*c.Margin > overlap:
		return Lattice{}, fmt.Errorf("margin %d: twice of it must not exceed overlap %d", c.Margin, overlap)
	case blend != blendUniform && blend != blendLinear && blend != blendCosine && blend != blendNone:
		return Lattice{}, fmt.Errorf("blend %q is not %s, %s, %s or %s", blend, blendUniform, blendLinear, blendCosine, blendNone)
	}
	l := Lattice{Patch: size, Stride: size - overlap, Margin: c.Margin, Blend: blend}
	l.Offset = l.bestOffset()
	return l, nil
}

// String writes the lattice as it goes into model digests.
func (l Lattice) String() string {
	return fmt.Sprintf("%d/%d/%d/%d/%s", l.Patch, l.Stride, l.Margin, l.Offset, l.Blend)
}

// used is the side of what is left of a patch when its margins are dropped.
func (l Lattice) used() int { return l.Patch - 2*l.Margin }

// start returns the first pixel of the used part of patch i along an axis.
func (l Lattice) start(i int) int { return l.Offset + i*l.Stride + l.Margin }

// over returns the first and last patch along an axis whose used parts touch pixels [a, b).
func (l Lattice) over(a, b int) (from, to int) {
	origin := l.Offset + l.Margin
	return floorDiv(a-origin-l.used(), l.Stride) + 1, floorDiv(b-1-origin, l.Stride)
}

// bestOffset finds the offset at which blocks touch the fewest patches, and of
// those the one with the most room to either side: with stride 256 that puts
// the patches' centres on the blocks' corners, so that a cold block takes four.
func (l Lattice) bestOffset() int {
	period := l.Stride / gcd(l.Stride, BlockSize) // in blocks
	touched := make([]int, l.Stride)
	least := math.MaxInt
	for off := range touched {
		l.Offset = off
		for b := range period {
			from, to := l.over(b*BlockSize, (b+1)*BlockSize)
			touched[off] += to - from + 1
		}
		least = min(least, touched[off])
	}
	// The middle of the longest run of best offsets, going round.
	best, longest, run := 0, 0, 0
	for k := range 2 * l.Stride {
		if touched[k%l.Stride] != least {
			run = 0
			continue
		}
		if run++; run > longest && run <= l.Stride {
			longest, best = run, k-run/2
		}
	}
	return best%l.Stride - l.Stride
}

// weights returns the weight of each pixel of a patch's used part along an
// axis. Where two patches overlap (and no more than two) the weights sum to 1.
func (l Lattice) weights() []float32 {
	n := l.used()
	ramp := min(n-l.Stride, n/2) // how far weights rise: the overlap, at most to the middle
	w := make([]float32, n)
	for i := range w {
		d := min(i, n-1-i) // pixels to the edge
		w[i] = 1
		if d < ramp {
			t := (float64(d) + 0.5) / float64(ramp)
			switch l.Blend {
			case blendLinear:
				w[i] = float32(t)
			case blendCosine:
				w[i] = float32((1 - math.Cos(math.Pi*t)) / 2)
			}
		}
	}
	return w
}

// reflect maps pixel x, which may lie outside [0, n), into it as if the image
// went on mirrored, without repeating the edge pixel: −1 is 1, n is n−2.
func reflect(x, n int) int {
	if n == 1 {
		return 0
	}
	period := 2 * (n - 1)
	x = ((x % period) + period) % period
	return min(x, period-x)
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
