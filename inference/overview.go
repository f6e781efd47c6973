package inference

import "math"

// A level's pixel is made of 2 × 2 of the level below: the mean of those that
// have a probability; else the reason that most of them have. Pixels that are
// not predicted yet count only where there is nothing else.

// quarter writes a child block into its quarter of the parent. Child (0, 0) is the upper left.
func quarter(parent []uint8, child []uint8, cx, cy int) {
	const half = BlockSize / 2
	for y := range half {
		above, below := child[2*y*BlockSize:][:BlockSize], child[(2*y+1)*BlockSize:][:BlockSize]
		out := parent[(cy*half+y)*BlockSize+cx*half:][:half]
		for x := range out {
			out[x] = merge(above[2*x], above[2*x+1], below[2*x], below[2*x+1])
		}
	}
}

func merge(four ...uint8) uint8 {
	sum, n := 0, 0
	for _, v := range four {
		if v <= MaxProbability {
			sum, n = sum+int(v), n+1
		}
	}
	if n > 0 {
		return uint8(math.Round(float64(sum) / float64(n)))
	}
	best, most := NotPredicted, 0
	for _, v := range four {
		count := 0
		for _, w := range four {
			if w == v {
				count++
			}
		}
		if v != NotPredicted && (count > most || count == most && v < best) {
			best, most = v, count
		}
	}
	return best
}

// uniform returns a block's pixels that are all v.
func uniform(v uint8) []uint8 {
	pixels := make([]uint8, BlockSize*BlockSize)
	for i := range pixels {
		pixels[i] = v
	}
	return pixels
}
