package analysis

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"

	"github.com/airbusgeo/godal"
	"github.com/paulmach/orb"

	"github.com/scarp-map/scarp/inference/assess"
	"github.com/scarp-map/scarp/jobs"
)

// The outputs of [Compare]. All but the summary are application/geo+json.
const (
	CompareSummary jobs.Output = "summary" // application/json
	CompareMatched jobs.Output = "matched" // mapped objects that are right
	CompareFound   jobs.Output = "found"   // reference objects that were found
	CompareMissed  jobs.Output = "missed"  // reference objects that were not
	CompareFalse   jobs.Output = "false"   // mapped objects that are not right
)

// CompareInputs are the inputs of [Compare].
type CompareInputs struct {
	Mapped    Vector `json:"mapped"`
	Reference Vector `json:"reference"`
	// Area limits the comparison: both inventories are cut to it.
	Area *Vector `json:"area"`
	// MinOverlap is the least share of an object that the other inventory must cover; 0 is a half.
	MinOverlap float64 `json:"minOverlap"`
}

// CompareResult is the summary.
type CompareResult struct {
	Rule    string              `json:"rule"`
	ByArea  AreaScores          `json:"by_area"`
	Objects CountScores         `json:"by_object"`
	Classes []assess.ClassScore `json:"by_size"`
}

// AreaScores are by area, in m². A ratio without anything to divide by is null.
type AreaScores struct {
	Mapped           float64  `json:"mapped_area_m2"`
	MappedCovered    float64  `json:"mapped_area_covered_m2"`
	Reference        float64  `json:"reference_area_m2"`
	ReferenceCovered float64  `json:"reference_area_covered_m2"`
	Precision        *float64 `json:"precision"`
	Recall           *float64 `json:"recall"`
	F1               *float64 `json:"f1"`
}

// CountScores are by object.
type CountScores struct {
	Mapped    int      `json:"mapped"`
	Matched   int      `json:"matched"`
	False     int      `json:"false"`
	Reference int      `json:"reference"`
	Found     int      `json:"found"`
	Missed    int      `json:"missed"`
	Precision *float64 `json:"precision"`
	Recall    *float64 `json:"recall"`
	F1        *float64 `json:"f1"`
}

// Compare is the process that compares two inventories of landslides, one of
// which is taken for the truth.
func Compare(s Sources) jobs.Process {
	return jobs.Process{
		Check: func(ctx context.Context, raw json.RawMessage) error {
			in, err := compareInputs(raw)
			if err != nil {
				return err
			}
			if in.Area != nil {
				if err := s.check(ctx, "area", *in.Area); err != nil {
					return err
				}
			}
			if err := s.check(ctx, "mapped", in.Mapped); err != nil {
				return err
			}
			return s.check(ctx, "reference", in.Reference)
		},
		Run: func(ctx context.Context, w *jobs.Work) error {
			in, err := compareInputs(w.Inputs)
			if err != nil {
				return err
			}
			return compare(ctx, s, in, w)
		},
		Parallel: 2,
	}
}

func compareInputs(raw json.RawMessage) (in CompareInputs, err error) {
	if err := json.Unmarshal(raw, &in); err != nil {
		return in, bad("the inputs can't be read: %w", err)
	}
	if in.MinOverlap == 0 {
		in.MinOverlap = assess.DefaultRule().MinOverlap
	}
	if !(in.MinOverlap > 0 && in.MinOverlap <= 1) {
		return in, bad("minOverlap: %v must be above 0 and at most 1", in.MinOverlap)
	}
	return in, nil
}

// object is one polygon of an inventory: the parts of a MultiPolygon are objects of their own.
type object struct {
	of      *shape
	polygon orb.Polygon
}

func compare(ctx context.Context, s Sources, in CompareInputs, w *jobs.Work) error {
	if err := w.Step(ctx, 5, "reading the inventories"); err != nil {
		return err
	}
	var area *shapes
	if in.Area != nil {
		var err error
		if area, err = s.load(ctx, "area", w.Dir, *in.Area); err != nil {
			return err
		}
		if len(area.all) == 0 {
			return bad("area: it has no polygons")
		}
	}
	mapped, err := s.objects(ctx, "mapped", w.Dir, in.Mapped, area)
	if err != nil {
		return err
	}
	reference, err := s.objects(ctx, "reference", w.Dir, in.Reference, area)
	if err != nil {
		return err
	}
	if err := w.Step(ctx, 30, fmt.Sprintf("matching %d mapped with %d reference objects", len(mapped), len(reference))); err != nil {
		return err
	}
	planar, err := equalArea(mapped, reference)
	if err != nil {
		return err
	}
	rule := assess.Rule{MinOverlap: in.MinOverlap}
	match, err := assess.MatchPolygons(planar[0], planar[1], rule)
	if err != nil {
		return bad("%w", err)
	}
	if err := w.Step(ctx, 90, "writing results"); err != nil {
		return err
	}
	return writeComparison(ctx, w, mapped, reference, match, rule)
}

// objects reads an inventory and cuts it to the area.
func (s Sources) objects(ctx context.Context, name, dir string, v Vector, area *shapes) ([]object, error) {
	all, err := s.load(ctx, name, dir, v)
	if err != nil {
		return nil, err
	}
	var out []object
	for i := range all.all {
		l := &all.all[i]
		polygons := l.polygons
		if area != nil {
			inside, _, err := area.intersect(polygons, area.near(polygons))
			if err != nil {
				return nil, bad("%s: %s: cut it to the area: %w", name, l.name(i+1), err)
			}
			polygons = polygonsOf(inside)
		}
		for _, p := range polygons {
			out = append(out, object{l, p})
		}
	}
	return out, nil
}

// equalArea projects both inventories to a Lambert azimuthal equal-area
// projection about their middle: areas in it are true, wherever they lie.
func equalArea(inventories ...[]object) ([2][]orb.Polygon, error) {
	var out [2][]orb.Polygon
	first := true
	var b orb.Bound
	for _, list := range inventories {
		for _, o := range list {
			if first {
				b, first = o.polygon.Bound(), false
			} else {
				b = b.Union(o.polygon.Bound())
			}
		}
	}
	if first {
		return out, nil
	}
	middle := b.Center()
	degrees, err := godal.NewSpatialRefFromEPSG(4326)
	if err != nil {
		return out, fmt.Errorf("look up EPSG:4326: %w", err)
	}
	defer degrees.Close()
	metres, err := godal.NewSpatialRefFromProj4(fmt.Sprintf("+proj=laea +lat_0=%.6f +lon_0=%.6f +datum=WGS84 +units=m +no_defs", middle[1], middle[0]))
	if err != nil {
		return out, fmt.Errorf("make an equal-area projection: %w", err)
	}
	defer metres.Close()
	project, err := godal.NewTransform(degrees, metres)
	if err != nil {
		return out, fmt.Errorf("make an equal-area projection: %w", err)
	}
	defer project.Close()
	for k, list := range inventories {
		for _, o := range list {
			p := make(orb.Polygon, len(o.polygon))
			for i, r := range o.polygon {
				x, y := make([]float64, len(r)), make([]float64, len(r))
				for j, at := range r {
					x[j], y[j] = at[0], at[1]
				}
				if err := project.TransformEx(x, y, nil, nil); err != nil {
					return out, bad("project a polygon near %v: %w", o.polygon.Bound().Center(), err)
				}
				p[i] = make(orb.Ring, len(r))
				for j := range r {
					p[i][j] = orb.Point{x[j], y[j]}
				}
			}
			out[k] = append(out[k], p)
		}
	}
	return out, nil
}

func writeComparison(ctx context.Context, w *jobs.Work, mapped, reference []object, match *assess.Objects, rule assess.Rule) error {
	partners := [2]map[int][]any{{}, {}}
	for _, p := range match.Pairs {
		partners[0][p.Mapped] = append(partners[0][p.Mapped], idOf(reference[p.True]))
		partners[1][p.True] = append(partners[1][p.True], idOf(mapped[p.Mapped]))
	}
	for _, o := range []struct {
		id       jobs.Output
		objects  []object
		scores   []assess.Object
		partners map[int][]any
		matched  bool
	}{
		{CompareMatched, mapped, match.Mapped, partners[0], true}, {CompareFalse, mapped, match.Mapped, partners[0], false},
		{CompareFound, reference, match.True, partners[1], true}, {CompareMissed, reference, match.True, partners[1], false},
	} {
		kept := jobs.Kept{ID: o.id, MediaType: "application/geo+json", Name: string(o.id) + ".geojson"}
		err := w.Write(ctx, kept, func(out io.Writer) error {
			f := newWriter(out)
			for i, one := range o.objects {
				if o.scores[i].Matched != o.matched {
					continue
				}
				properties := maps.Clone(one.of.Properties)
				if properties == nil {
					properties = map[string]any{}
				}
				properties["compare_area_m2"] = round(o.scores[i].Area)
				properties["compare_covered_m2"] = round(o.scores[i].Overlap)
				properties["compare_partners"] = append([]any{}, o.partners[i][:min(len(o.partners[i]), maxNamed)]...)
				if err := f.add(one.of.ID, one.polygon, properties); err != nil {
					return err
				}
			}
			return f.close()
		})
		if err != nil {
			return err
		}
	}
	r := scores(match, rule)
	w.Message = fmt.Sprintf("%d of %d reference landslides found, %d of %d mapped ones right", r.Objects.Found, r.Objects.Reference, r.Objects.Matched, r.Objects.Mapped)
	return w.WriteJSON(ctx, CompareSummary, r)
}

func idOf(o object) any { return o.of.ID }

func scores(match *assess.Objects, rule assess.Rule) CompareResult {
	r := CompareResult{Classes: match.ByClass(),
		Rule: fmt.Sprintf("Each polygon is an object. A mapped object is right, and a reference object is found, where objects of the other inventory "+
			"cover at least %g %% of its area. Areas are true, of an equal-area projection; what overlaps within one inventory counts for each object. "+
			"Precision by area is the covered share of the mapped area, recall that of the reference area.", 100*rule.MinOverlap)}
	all := r.Classes[len(r.Classes)-1]
	c := &r.Objects
	c.Mapped, c.Matched, c.False, c.Precision = all.Mapped, all.Right, all.Mapped-all.Right, all.Precision
	c.Reference, c.Found, c.Missed, c.Recall = all.True, all.Found, all.True-all.Found, all.Recall
	c.F1 = f1(c.Precision, c.Recall)
	a := &r.ByArea
	for _, o := range match.Mapped {
		a.Mapped += o.Area
		a.MappedCovered += o.Overlap
	}
	for _, o := range match.True {
		a.Reference += o.Area
		a.ReferenceCovered += o.Overlap
	}
	a.Precision, a.Recall = ratio(a.MappedCovered, a.Mapped), ratio(a.ReferenceCovered, a.Reference)
	a.F1 = f1(a.Precision, a.Recall)
	for _, v := range []*float64{&a.Mapped, &a.MappedCovered, &a.Reference, &a.ReferenceCovered} {
		*v = round(*v)
	}
	return r
}

func ratio(a, of float64) *float64 {
	if of <= 0 {
		return nil
	}
	v := min(a/of, 1)
	return &v
}

// f1 is the harmonic mean, nil where precision or recall is not known.
func f1(p, r *float64) *float64 {
	if p == nil || r == nil {
		return nil
	}
	v := 0.0
	if *p+*r > 0 {
		v = 2 * *p * *r / (*p + *r)
	}
	return &v
}
