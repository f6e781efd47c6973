package assess

import (
	"cmp"
	"slices"
)

// Matcher matches the objects of two masks, which it is shown row by row. An
// object is a group of pixels that are joined by edges, as in mapping.
type Matcher struct {
	mapped, truth labels
	overlaps      map[[2]int32]int64 // pixels, by provisional labels
}

// NewMatcher returns a matcher that has seen nothing.
func NewMatcher() *Matcher { return &Matcher{overlaps: map[[2]int32]int64{}} }

// Row shows the next row of both masks, which have the same length.
func (m *Matcher) Row(mapped, truth []bool) {
	a, b := m.mapped.row(mapped), m.truth.row(truth)
	for i, j := 0, 0; i < len(a) && j < len(b); {
		if n := min(a[i].end, b[j].end) - max(a[i].start, b[j].start); n > 0 {
			m.overlaps[[2]int32{a[i].label, b[j].label}] += int64(n)
		}
		if a[i].end < b[j].end {
			i++
		} else {
			j++
		}
	}
}

// Objects returns the match of what was shown, by the rule. Objects are in the
// order of their first pixels; a pixel has pixelArea m².
func (m *Matcher) Objects(pixelArea float64, r Rule) *Objects {
	var o Objects
	mapped, truth := m.mapped.objects(pixelArea, &o.Mapped), m.truth.objects(pixelArea, &o.True)
	sums := map[[2]int32]int64{}
	for labels, n := range m.overlaps {
		sums[[2]int32{mapped[labels[0]], truth[labels[1]]}] += n
	}
	for at, n := range sums {
		o.Pairs = append(o.Pairs, Pair{Mapped: int(at[0]), True: int(at[1]), Overlap: float64(n) * pixelArea})
	}
	slices.SortFunc(o.Pairs, comparePairs)
	o.settle(r)
	return &o
}

func comparePairs(a, b Pair) int {
	return cmp.Or(cmp.Compare(a.Mapped, b.Mapped), cmp.Compare(a.True, b.True))
}

// settle adds up the overlaps and applies the rule.
func (o *Objects) settle(r Rule) {
	for _, p := range o.Pairs {
		o.Mapped[p.Mapped].Overlap += p.Overlap
		o.True[p.True].Overlap += p.Overlap
	}
	for _, objects := range [][]Object{o.Mapped, o.True} {
		for i := range objects {
			objects[i].Overlap = min(objects[i].Overlap, objects[i].Area) // polygons of one map may overlap
			objects[i].Matched = r.matches(objects[i].Overlap, objects[i].Area)
		}
	}
}

// labels finds connected groups in rows: runs that touch a run of the row above
// share its label, and labels that turn out to be one group are united.
type labels struct {
	parent []int32
	pixels []int64
	above  []run
	spare  []run
}

// run is pixels [start, end) of a row.
type run struct {
	start, end int32
	label      int32
}

// row labels the runs of the next row. What it returns is good until the next row but one.
func (l *labels) row(mask []bool) []run {
	runs := l.spare[:0]
	above := 0
	for x := 0; x < len(mask); x++ {
		if !mask[x] {
			continue
		}
		r := run{start: int32(x), label: -1}
		for x < len(mask) && mask[x] {
			x++
		}
		r.end = int32(x)
		for above < len(l.above) && l.above[above].end <= r.start {
			above++
		}
		for k := above; k < len(l.above) && l.above[k].start < r.end; k++ {
			r.label = l.join(r.label, l.above[k].label)
		}
		if r.label < 0 {
			r.label = int32(len(l.parent))
			l.parent, l.pixels = append(l.parent, r.label), append(l.pixels, 0)
		}
		l.pixels[r.label] += int64(r.end - r.start)
		runs = append(runs, r)
	}
	l.spare, l.above = l.above, runs
	return runs
}

// join unites two labels; the earlier one stands for both. A label below 0 is none.
func (l *labels) join(a, b int32) int32 {
	if a < 0 {
		return l.root(b)
	}
	a, b = l.root(a), l.root(b)
	a, b = min(a, b), max(a, b)
	l.parent[b] = a
	return a
}

func (l *labels) root(a int32) int32 {
	for l.parent[a] != a {
		l.parent[a] = l.parent[l.parent[a]]
		a = l.parent[a]
	}
	return a
}

// objects appends the groups and returns the index of each label's.
func (l *labels) objects(pixelArea float64, to *[]Object) []int32 {
	index := make([]int32, len(l.parent))
	for a := range l.parent {
		if r := l.root(int32(a)); r != int32(a) {
			index[a] = index[r] // the root came before
		} else {
			index[a] = int32(len(*to))
			*to = append(*to, Object{})
		}
		(*to)[index[a]].Area += float64(l.pixels[a]) * pixelArea
	}
	return index
}
