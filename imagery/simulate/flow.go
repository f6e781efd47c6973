package simulate

import "math"

// flow routes water over a grid: every cell gives to one neighbour, and all reach the grid's border.
type flow struct {
	w, h  int
	to    []int32   // the cell that each cell drains to; itself at the border
	far   []float32 // distance to it in cells
	order []int32   // cells, each after the one that it drains to
	area  []float32 // cells drained, itself included
	heap  []flowCell
	state []uint8
}

type flowCell struct {
	z float32
	i int32
}

func newFlow(w, h int) *flow {
	n := w * h
	return &flow{w: w, h: h, to: make([]int32, n), far: make([]float32, n), order: make([]int32, 0, n), area: make([]float32, n), state: make([]uint8, n)}
}

var neighbours = [8]struct {
	dx, dy int
	far    float32
}{{1, 0, 1}, {-1, 0, 1}, {0, 1, 1}, {0, -1, 1}, {1, 1, math.Sqrt2}, {-1, 1, math.Sqrt2}, {1, -1, math.Sqrt2}, {-1, -1, math.Sqrt2}}

// route floods the grid from its border upwards (priority flood, after Barnes et al. 2014): a cell drains to its steepest lower
// neighbour or, in a hollow, back the way that the flood came, over the lowest spill.
func (f *flow) route(z []float32) {
	const queued, done = 1, 2
	clear(f.state)
	f.order, f.heap = f.order[:0], f.heap[:0]
	for y := range f.h {
		for x := range f.w {
			i := y*f.w + x
			f.area[i] = 1
			if x == 0 || y == 0 || x == f.w-1 || y == f.h-1 {
				f.to[i], f.far[i], f.state[i] = int32(i), 1, queued
				f.push(flowCell{z[i], int32(i)})
			}
		}
	}
	for len(f.heap) > 0 {
		c := f.pop()
		i := int(c.i)
		f.state[i] = done
		f.order = append(f.order, c.i)
		x, y := i%f.w, i/f.w
		border := x == 0 || y == 0 || x == f.w-1 || y == f.h-1
		var steepest float32
		for _, n := range neighbours {
			nx, ny := x+n.dx, y+n.dy
			if nx < 0 || ny < 0 || nx >= f.w || ny >= f.h {
				continue
			}
			j := ny*f.w + nx
			switch f.state[j] {
			case done:
				if s := (z[i] - z[j]) / n.far; s > steepest && !border {
					steepest, f.to[i], f.far[i] = s, int32(j), n.far
				}
			case 0:
				f.state[j], f.to[j], f.far[j] = queued, c.i, n.far
				f.push(flowCell{max(z[j], c.z), int32(j)})
			}
		}
	}
	for k := len(f.order) - 1; k >= 0; k-- {
		i := f.order[k]
		if j := f.to[i]; j != i {
			f.area[j] += f.area[i]
		}
	}
}

// erode lets the land rise by uplift (in cells) and the rivers cut it, in one implicit step. Slopes stand no steeper than the
// threshold, which varies with hard; channels begin where head cells are drained.
func (f *flow) erode(z, hard []float32, head, uplift float32) {
	const concavity = 0.45
	for _, i := range f.order {
		j := f.to[i]
		if i == j {
			continue
		}
		threshold := clamp(0.7+0.16*hard[i], 0.3, 1.2)
		cut := uplift / threshold * float32(math.Pow(float64(f.area[i]/head), concavity)) / f.far[i]
		v := (z[i] + uplift + cut*z[j]) / (1 + cut)
		z[i] = min(max(v, z[j]+1e-3), z[j]+threshold*f.far[i])
	}
}

// fillValleys lays flat floors along the channels, the wider the larger the river (depth scales the fill, in metres), and
// returns each cell's height above the channel that it drains to, and that channel's size (1 is a river that drains 3 km²).
// z is in metres.
func (f *flow) fillValleys(z []float32, depth float32) (hand, size []float32) {
	n := len(z)
	hand, size = make([]float32, n), make([]float32, n)
	bed, fill := make([]float32, n), make([]float32, n)
	filled := make([]float32, n)
	const channelCells = 150
	for _, i := range f.order {
		j := f.to[i]
		switch {
		case f.area[i] >= channelCells || i == j:
			bed[i] = z[i]
			size[i] = float32(math.Pow(float64(f.area[i])/3300, 0.75))
			fill[i] = depth * min(size[i], 2)
		default:
			bed[i], fill[i], size[i] = bed[j], fill[j], size[j]
		}
		above := max(z[i]-bed[i], 0)
		hand[i] = max(above-fill[i], 0) + 0.06*min(above, fill[i])
		filled[i] = bed[i] + fill[i] + hand[i]
	}
	copy(z, filled)
	return hand, size
}

// channels lists the river reaches inside the w×h event.
func (f *flow) channels(w, h int) []channel {
	const least = 400                // cells: 0.36 km²
	into := make([]int32, len(f.to)) // the largest tributary
	for i := range into {
		into[i] = -1
	}
	for _, i := range f.order {
		if j := f.to[i]; i != j && f.area[i] >= least && (into[j] < 0 || f.area[i] > f.area[into[j]]) {
			into[j] = i
		}
	}
	at := func(i int32) (x, y float32) {
		return float32((int(i)%f.w-margin)*demFactor) + 1, float32((int(i)/f.w-margin)*demFactor) + 1
	}
	// Cell paths turn by 45°: averaging with the next and the previous cells makes the river bend.
	bend := func(i int32) (x, y float32) {
		var weight float32
		add := func(i int32, k float32) {
			px, py := at(i)
			x, y, weight = x+k*px, y+k*py, weight+k
		}
		add(i, 2)
		down, up := i, i
		for _, k := range [3]float32{1.6, 1.2, 0.8} {
			down = f.to[down]
			add(down, k)
			if into[up] >= 0 {
				up = into[up]
			}
			add(up, k)
		}
		return x / weight, y / weight
	}
	var out []channel
	for _, i := range f.order {
		j := f.to[i]
		if i == j || f.area[i] < least {
			continue
		}
		x0, y0 := bend(i)
		x1, y1 := bend(j)
		if x0 < -20 || y0 < -20 || x0 > float32(w+20) || y0 > float32(h+20) {
			continue
		}
		out = append(out, channel{x0, y0, x1, y1, f.area[i] * 0.0009})
	}
	return out
}

func (f *flow) push(c flowCell) {
	f.heap = append(f.heap, c)
	i := len(f.heap) - 1
	for i > 0 {
		up := (i - 1) / 2
		if f.heap[up].z <= c.z {
			break
		}
		f.heap[i] = f.heap[up]
		i = up
	}
	f.heap[i] = c
}

func (f *flow) pop() flowCell {
	top := f.heap[0]
	last := f.heap[len(f.heap)-1]
	f.heap = f.heap[:len(f.heap)-1]
	n := len(f.heap)
	if n == 0 {
		return top
	}
	i := 0
	for {
		k := 2*i + 1
		if k >= n {
			break
		}
		if k+1 < n && f.heap[k+1].z < f.heap[k].z {
			k++
		}
		if f.heap[k].z >= last.z {
			break
		}
		f.heap[i] = f.heap[k]
		i = k
	}
	f.heap[i] = last
	return top
}
