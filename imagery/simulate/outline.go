package simulate

import (
	"cmp"
	"slices"

	"github.com/paulmach/orb"
)

// outline turns the mask into landslides: one for each patch of pixels that share edges, in reading order.
func outline(e *Event, slides []*slide) []Landslide {
	w, h := e.Width, e.Height
	label := make([]int32, w*h)
	var areas []int
	var stack []int32
	for start := range label {
		if e.Mask[start] == 0 || label[start] != 0 {
			continue
		}
		areas = append(areas, 0)
		id := int32(len(areas))
		label[start] = id
		stack = append(stack[:0], int32(start))
		for len(stack) > 0 {
			i := int(stack[len(stack)-1])
			stack = stack[:len(stack)-1]
			areas[id-1]++
			x, y := i%w, i/w
			for _, n := range neighbours[:4] {
				nx, ny := x+n.dx, y+n.dy
				if nx < 0 || ny < 0 || nx >= w || ny >= h {
					continue
				}
				if j := ny*w + nx; e.Mask[j] != 0 && label[j] == 0 {
					label[j] = id
					stack = append(stack, int32(j))
				}
			}
		}
	}
	out := make([]Landslide, len(areas))
	for k, n := range areas {
		out[k] = Landslide{Area: float64(n) * 100}
	}
	for k, rings := range trace(label, w, h, len(areas)) {
		out[k].Polygon = place(rings, e.Config)
	}
	name(out, label, slides)
	return out
}

// name gives each patch the kind of the slide that covers most of it; several large ones together are coalesced.
func name(out []Landslide, label []int32, slides []*slide) {
	type part struct {
		kind   string
		pixels int
	}
	parts := make([][]part, len(out))
	for _, s := range slides {
		counts := map[int32]int{}
		for _, px := range s.pixels {
			if id := label[px.i]; id != 0 && px.cover >= 0.5 {
				counts[id]++
			}
		}
		for id, n := range counts {
			parts[id-1] = append(parts[id-1], part{s.kind, n})
		}
	}
	for k, ps := range parts {
		if len(ps) == 0 {
			out[k].Kind = debrisSlide
			continue
		}
		slices.SortStableFunc(ps, func(a, b part) int { return cmp.Compare(b.pixels, a.pixels) })
		out[k].Kind = ps[0].kind
		if len(ps) > 2 && ps[2].pixels >= 20 && ps[2].pixels*5 > ps[0].pixels {
			out[k].Kind = coalescedSlides
		}
	}
}

// corner is a point between pixels.
type corner struct{ x, y int32 }

// trace follows the edges of every labelled patch, patch on the left hand in map view (y up), and returns each patch's
// rings: the outer one counter-clockwise, holes clockwise. Where two pixels of a patch meet only in a corner it turns so that
// they stay apart, so that no ring touches itself.
func trace(label []int32, w, h, patches int) [][][]corner {
	at := func(x, y int) int32 {
		if x < 0 || y < 0 || x >= w || y >= h {
			return 0
		}
		return label[y*w+x]
	}
	// An edge starts at corner (x, y) and goes in direction d: 0 east, 1 north, 2 west, 3 south (y grows southwards).
	// Its left pixel, seen with north up, belongs to the patch, its right one does not.
	step := [4][2]int{{1, 0}, {0, -1}, {-1, 0}, {0, 1}}
	left := [4][2]int{{0, -1}, {-1, -1}, {-1, 0}, {0, 0}}
	right := [4][2]int{{0, 0}, {0, -1}, {-1, -1}, {-1, 0}}
	edge := func(x, y, d int) int32 {
		id := at(x+left[d][0], y+left[d][1])
		if id != 0 && at(x+right[d][0], y+right[d][1]) != id {
			return id
		}
		return 0
	}
	stride := w + 1
	seen := make([]uint8, stride*(h+1))
	out := make([][][]corner, patches)
	for y0 := range h + 1 {
		for x0 := range stride {
			for d0 := range 4 {
				id := edge(x0, y0, d0)
				if id == 0 || seen[y0*stride+x0]&(1<<d0) != 0 {
					continue
				}
				var ring []corner
				for x, y, d := x0, y0, d0; seen[y*stride+x]&(1<<d) == 0; {
					seen[y*stride+x] |= 1 << d
					x, y = x+step[d][0], y+step[d][1]
					turned := d
					for _, t := range [3]int{1, 0, 3} { // left keeps pixels that meet in a corner apart
						if next := (d + t) % 4; edge(x, y, next) == id {
							turned = next
							break
						}
					}
					if turned != d {
						ring = append(ring, corner{int32(x), int32(y)})
					}
					d = turned
				}
				out[id-1] = append(out[id-1], ring)
			}
		}
	}
	return out
}

// place turns rings of pixel corners into a polygon in map coordinates, its outer ring first.
func place(rings [][]corner, c Config) orb.Polygon {
	poly := make(orb.Polygon, 0, len(rings))
	for _, ring := range rings {
		r := make(orb.Ring, 0, len(ring)+1)
		for _, p := range ring {
			r = append(r, orb.Point{c.OriginX + 10*float64(p.x), c.OriginY - 10*float64(p.y)})
		}
		r = append(r, r[0])
		poly = append(poly, r)
	}
	slices.SortStableFunc(poly, func(a, b orb.Ring) int {
		return cmp.Compare(outer(b), outer(a))
	})
	return poly
}

func outer(r orb.Ring) int {
	if r.Orientation() == orb.CCW {
		return 1
	}
	return 0
}
