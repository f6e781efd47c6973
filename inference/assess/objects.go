package assess

import "math"

// Rule says when objects count as matched.
type Rule struct {
	// MinOverlap is the least share of an object's own area that objects of the
	// other map must cover, above 0 and at most 1. Both maps are treated alike:
	// a true landslide is found, and a mapped one is right, by the same rule.
	MinOverlap float64
}

// DefaultRule asks for half of an object to be covered.
func DefaultRule() Rule { return Rule{MinOverlap: 0.5} }

// matches says whether an overlap (in the unit of area) makes a match.
func (r Rule) matches(overlap, area float64) bool {
	return overlap > 0 && overlap >= r.MinOverlap*area*(1-1e-9)
}

// Object is one landslide of a map.
type Object struct {
	Area    float64 // m²
	Overlap float64 // m² of it that objects of the other map cover
	Matched bool
}

// Pair is an overlap between two objects, by index.
type Pair struct {
	Mapped, True int
	Overlap      float64 // m²
}

// Objects says how the objects of two maps go together.
type Objects struct {
	// Mapped are the objects of the map that is judged, True those of the one
	// that it is judged by. Mapped objects that are not Matched are false, true
	// ones that are not Matched were missed.
	Mapped, True []Object
	// Pairs lists every overlap, whether it makes a match or not.
	Pairs []Pair
}

// Class is a range of sizes in m²: From ≤ area < To.
type Class struct {
	From, To float64 // To is +Inf in the last
	Name     string
}

// Classes lists the size classes, from small to large.
func Classes() []Class {
	return []Class{
		{0, 1e3, "< 0.1 ha"},
		{1e3, 5e3, "0.1–0.5 ha"},
		{5e3, 2e4, "0.5–2 ha"},
		{2e4, 1e5, "2–10 ha"},
		{1e5, math.Inf(1), "≥ 10 ha"},
	}
}

// ClassScore counts the objects of a size class. Recall goes by the size of
// true objects, precision by that of mapped ones; each is nil without any.
type ClassScore struct {
	Class     string   `json:"class"`
	True      int      `json:"true"`
	Found     int      `json:"found"`
	Recall    *float64 `json:"recall"`
	Mapped    int      `json:"mapped"`
	Right     int      `json:"right"`
	Precision *float64 `json:"precision"`
}

// ByClass counts the objects of each size class, and of all together as the last.
func (o *Objects) ByClass() []ClassScore {
	classes := append(Classes(), Class{0, math.Inf(1), "all"})
	scores := make([]ClassScore, len(classes))
	for i, c := range classes {
		s := &scores[i]
		s.Class = c.Name
		s.True, s.Found = count(o.True, c)
		s.Mapped, s.Right = count(o.Mapped, c)
		s.Recall, s.Precision = share(s.Found, s.True), share(s.Right, s.Mapped)
	}
	return scores
}

func count(objects []Object, c Class) (all, matched int) {
	for _, o := range objects {
		if o.Area >= c.From && o.Area < c.To {
			all++
			if o.Matched {
				matched++
			}
		}
	}
	return all, matched
}

func share(n, of int) *float64 {
	if of == 0 {
		return nil
	}
	s := float64(n) / float64(of)
	return &s
}
