package analysis

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/paulmach/orb"

	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/jobs/geodesic"
)

// The outputs of [Impact].
const (
	ImpactSummary jobs.Output = "summary" // application/json
	ImpactHit     jobs.Output = "hit"     // application/geo+json
	ImpactTable   jobs.Output = "table"   // text/csv, a row for each administrative unit
)

// ImpactInputs are the inputs of [Impact].
type ImpactInputs struct {
	Landslides Vector  `json:"landslides"`
	Exposed    Vector  `json:"exposed"`
	Units      *Vector `json:"adminUnits"`
	// UnitName is the property that names units; empty is "name", else their ids.
	UnitName string `json:"adminUnitName"`
}

// ImpactResult is the summary. Lengths are in m and areas in m².
type ImpactResult struct {
	Landslides     int          `json:"landslides"`
	LandslideArea  float64      `json:"landslide_area_m2"`
	Exposed        int          `json:"exposed_features"`
	WithoutShape   int          `json:"features_without_geometry"`
	Lines          LineImpact   `json:"lines"`
	Polygons       AreaImpact   `json:"polygons"`
	Points         PointImpact  `json:"points"`
	Units          []UnitImpact `json:"admin_units,omitempty"`
	OutsideOfUnits *UnitImpact  `json:"outside_of_admin_units,omitempty"`
}

// LineImpact is what landslides do to lines, such as roads.
type LineImpact struct {
	Features      int     `json:"features"`
	Length        float64 `json:"length_m"`
	Hit           int     `json:"hit"`
	Segments      int     `json:"blocked_segments"`
	BlockedLength float64 `json:"blocked_length_m"`
}

// AreaImpact is what landslides do to polygons, such as buildings.
type AreaImpact struct {
	Features int     `json:"features"`
	Area     float64 `json:"area_m2"`
	Hit      int     `json:"hit"`
	HitArea  float64 `json:"hit_area_m2"`
}

// PointImpact is what landslides do to points.
type PointImpact struct {
	Features int `json:"features"`
	Hit      int `json:"hit"`
}

// UnitImpact is what happened in an administrative unit. A feature that is hit
// in several units counts in each; lengths and areas are those inside.
type UnitImpact struct {
	Name          string  `json:"name"`
	Landslides    int     `json:"landslides"`
	LandslideArea float64 `json:"landslide_area_m2"`
	LinesHit      int     `json:"lines_hit"`
	BlockedLength float64 `json:"blocked_length_m"`
	PolygonsHit   int     `json:"polygons_hit"`
	HitArea       float64 `json:"hit_area_m2"`
	PointsHit     int     `json:"points_hit"`
}

// Impact is the process that says what landslides hit: roads and other lines
// that they cut, buildings and other polygons or points that they reach. The
// landslides and the units are held in memory, bounded; what is exposed is read
// one feature at a time, and what is hit is written as it is found.
func Impact(s Sources) jobs.Process {
	return jobs.Process{
		Check: func(ctx context.Context, raw json.RawMessage) error {
			in, err := impactInputs(raw)
			if err != nil {
				return err
			}
			if err := s.check(ctx, "landslides", in.Landslides); err != nil {
				return err
			}
			if in.Units != nil {
				if err := s.check(ctx, "adminUnits", *in.Units); err != nil {
					return err
				}
			}
			return s.check(ctx, "exposed", in.Exposed)
		},
		Run: func(ctx context.Context, w *jobs.Work) error {
			in, err := impactInputs(w.Inputs)
			if err != nil {
				return err
			}
			return (&impact{Sources: s, in: in, work: w}).run(ctx)
		},
		Parallel: 2,
	}
}

func impactInputs(raw json.RawMessage) (in ImpactInputs, err error) {
	if err := json.Unmarshal(raw, &in); err != nil {
		return in, bad("the inputs can't be read: %w", err)
	}
	return in, nil
}

// impact is an [Impact] under way.
type impact struct {
	Sources
	in     ImpactInputs
	work   *jobs.Work
	slides *shapes
	units  *shapes // nil without
	result ImpactResult
	byUnit []UnitImpact // the last is outside of all
	hit    *writer
}

func (p *impact) run(ctx context.Context) (err error) {
	if err := p.work.Step(ctx, 5, "reading landslides"); err != nil {
		return err
	}
	if p.slides, err = p.load(ctx, "landslides", p.work.Dir, p.in.Landslides); err != nil {
		return err
	}
	p.result.Landslides = len(p.slides.all)
	for _, l := range p.slides.all {
		p.result.LandslideArea += l.area
	}
	if err := p.loadUnits(ctx); err != nil {
		return err
	}
	if err := p.work.Step(ctx, 30, "searching what is hit"); err != nil {
		return err
	}
	path := filepath.Join(p.work.Dir, "hit.geojson")
	if err := p.writeHit(ctx, path); err != nil {
		return err
	}
	if err := p.work.Step(ctx, 95, "writing results"); err != nil {
		return err
	}
	return p.write(ctx, path)
}

func (p *impact) loadUnits(ctx context.Context) (err error) {
	if p.in.Units == nil {
		return nil
	}
	if err := p.work.Step(ctx, 15, "reading administrative units"); err != nil {
		return err
	}
	if p.units, err = p.load(ctx, "adminUnits", p.work.Dir, *p.in.Units); err != nil {
		return err
	}
	p.byUnit = make([]UnitImpact, len(p.units.all)+1)
	for i, u := range p.units.all {
		p.byUnit[i].Name = p.unitName(u, i)
	}
	p.byUnit[len(p.units.all)].Name = "outside of all units"
	for i, l := range p.slides.all {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := p.share(l.polygons, geodesic.Area, func(u *UnitImpact, area float64) { u.Landslides++; u.LandslideArea += area })
		if err != nil {
			return bad("landslides: %s: %w", l.name(i+1), err)
		}
	}
	return nil
}

func (p *impact) unitName(u shape, i int) string {
	key := p.in.UnitName
	if key == "" {
		key = "name"
	}
	for _, v := range []any{u.Properties[key], u.ID} {
		if v != nil {
			return fmt.Sprint(v)
		}
	}
	return "unit " + strconv.Itoa(i+1)
}

// share gives each unit the part of a geometry that lies in it, and what lies
// in none to the last. A part goes to one unit only: what runs along a border,
// or where units overlap, to the first of them.
func (p *impact) share(g orb.Geometry, measure func(orb.Geometry) float64, add func(u *UnitImpact, part float64)) error {
	if p.units == nil {
		return nil
	}
	whole, rest, given := measure(g), g, false
	for _, i := range p.units.near(g) {
		part, met, err := p.units.intersect(rest, []int{i})
		if err != nil {
			return err
		}
		if len(met) == 0 {
			continue
		}
		if size := measure(part); size > 0 || whole == 0 {
			add(&p.byUnit[i], size)
			given = true
		}
		if rest, err = p.units.without(rest, i); err != nil {
			return err
		}
		if emptyBound(rest.Bound()) {
			break
		}
	}
	// Borders that are not quite the same leave slivers.
	if left := measure(rest); !given || left > 1e-6*whole {
		add(&p.byUnit[len(p.byUnit)-1], left)
	}
	return nil
}

func (p *impact) writeHit(ctx context.Context, path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write what is hit: %w", err)
	}
	defer f.Close()
	p.hit = newWriter(f)
	if err := p.each(ctx, "exposed", p.work.Dir, p.in.Exposed, func(n int, f feature) error { return p.expose(ctx, n, f) }); err != nil {
		return err
	}
	if err := p.hit.close(); err != nil {
		return fmt.Errorf("write what is hit: %w", err)
	}
	return f.Close()
}

// expose counts one feature, and writes it where a landslide meets it.
func (p *impact) expose(ctx context.Context, n int, f feature) (err error) {
	p.result.Exposed++
	if n%50_000 == 0 {
		if err := p.work.Step(ctx, 50, fmt.Sprintf("%d features read, %d are hit", n, p.hit.n)); err != nil {
			return err
		}
	}
	if f.Geometry == nil {
		p.result.WithoutShape++
		return nil
	}
	switch g := f.Geometry.Geometry().(type) {
	case orb.LineString, orb.MultiLineString:
		err = p.line(g, f)
	case orb.Polygon:
		err = p.polygon(orb.MultiPolygon{g}, f)
	case orb.MultiPolygon:
		err = p.polygon(g, f)
	case orb.Point, orb.MultiPoint:
		err = p.point(g, f)
	default:
		return bad("%s is a %s; lines, polygons and points can be assessed", f.name(n), f.Geometry.Type)
	}
	if err != nil {
		return bad("%s: %w", f.name(n), err)
	}
	return nil
}

func (p *impact) line(g orb.Geometry, f feature) error {
	r := &p.result.Lines
	r.Features++
	length := geodesic.Length(g)
	r.Length += length
	shared, met, err := p.slides.intersect(g, p.slides.near(g))
	if err != nil || len(met) == 0 {
		return err
	}
	blocked := joined(linesOf(shared))
	cut := geodesic.Length(blocked)
	if cut == 0 {
		return nil // it only touches
	}
	r.Hit++
	r.Segments += len(blocked)
	r.BlockedLength += cut
	if err := p.share(blocked, geodesic.Length, func(u *UnitImpact, part float64) { u.LinesHit++; u.BlockedLength += part }); err != nil {
		return err
	}
	return p.add(f, blocked, met, map[string]any{"length_m": round(length), "blocked_length_m": round(cut), "blocked_segments": len(blocked)})
}

// joined puts lines together that follow each other: where a line bends or
// landslides meet, GEOS cuts it.
func joined(lines orb.MultiLineString) (out orb.MultiLineString) {
	for _, l := range lines {
		if n := len(out); n > 0 && out[n-1][len(out[n-1])-1] == l[0] {
			out[n-1] = append(slices.Clone(out[n-1]), l[1:]...)
			continue
		}
		out = append(out, l)
	}
	return out
}

func (p *impact) polygon(g orb.MultiPolygon, f feature) error {
	r := &p.result.Polygons
	r.Features++
	area := geodesic.Area(g)
	r.Area += area
	near := p.slides.near(g)
	if len(near) == 0 {
		return nil
	}
	valid, err := repaired(g)
	if err != nil {
		return err
	}
	shared, met, err := p.slides.intersect(valid, near)
	if err != nil || len(met) == 0 {
		return err
	}
	covered := polygonsOf(shared)
	hit := geodesic.Area(covered)
	if hit == 0 {
		return nil // it only touches
	}
	r.Hit++
	r.HitArea += hit
	if err := p.share(covered, geodesic.Area, func(u *UnitImpact, part float64) { u.PolygonsHit++; u.HitArea += part }); err != nil {
		return err
	}
	share := 1.0
	if area > 0 {
		share = min(hit/area, 1)
	}
	return p.add(f, g, met, map[string]any{"area_m2": round(area), "hit_area_m2": round(hit), "hit_share": round(share)})
}

func (p *impact) point(g orb.Geometry, f feature) error {
	p.result.Points.Features++
	_, met, err := p.slides.intersect(g, p.slides.near(g))
	if err != nil || len(met) == 0 {
		return err
	}
	p.result.Points.Hit++
	if err := p.share(g, func(orb.Geometry) float64 { return 0 }, func(u *UnitImpact, _ float64) { u.PointsHit++ }); err != nil {
		return err
	}
	return p.add(f, g, met, map[string]any{})
}

// maxNamed bounds the landslides that a feature names.
const maxNamed = 100

// add writes a feature that is hit: its own properties, and what was measured
// under names with a prefix that keeps the two apart.
func (p *impact) add(f feature, g orb.Geometry, met []int, measured map[string]any) error {
	properties := maps.Clone(f.Properties)
	if properties == nil {
		properties = map[string]any{}
	}
	for k, v := range measured {
		properties["impact_"+k] = v
	}
	ids := []any{}
	for _, i := range met[:min(len(met), maxNamed)] {
		id := p.slides.all[i].ID
		if id == nil {
			id = i + 1
		}
		ids = append(ids, id)
	}
	properties["impact_landslides"] = ids
	return p.hit.add(f.ID, g, properties)
}

func (p *impact) write(ctx context.Context, hit string) error {
	r := &p.result
	for _, v := range []*float64{&r.LandslideArea, &r.Lines.Length, &r.Lines.BlockedLength, &r.Polygons.Area, &r.Polygons.HitArea} {
		*v = round(*v)
	}
	for i := range p.byUnit {
		u := &p.byUnit[i]
		u.LandslideArea, u.BlockedLength, u.HitArea = round(u.LandslideArea), round(u.BlockedLength), round(u.HitArea)
	}
	if n := len(p.byUnit); n > 0 {
		r.Units, r.OutsideOfUnits = p.byUnit[:n-1], &p.byUnit[n-1]
	}
	if err := p.work.WriteFile(ctx, jobs.Kept{ID: ImpactHit, MediaType: "application/geo+json", Name: "hit.geojson"}, hit); err != nil {
		return err
	}
	if err := p.work.Write(ctx, jobs.Kept{ID: ImpactTable, MediaType: "text/csv; charset=utf-8", Name: "units.csv"}, p.table); err != nil {
		return err
	}
	p.work.Message = fmt.Sprintf("%d of %d features are hit: %.0f m of lines, %.0f m² of polygons, %d points", r.Lines.Hit+r.Polygons.Hit+r.Points.Hit, r.Exposed,
		r.Lines.BlockedLength, r.Polygons.HitArea, r.Points.Hit)
	return p.work.WriteJSON(ctx, ImpactSummary, r)
}

// table writes a row for each unit; without units one for everything.
func (p *impact) table(w io.Writer) error {
	rows := p.byUnit
	if len(rows) == 0 {
		r := p.result
		rows = []UnitImpact{{Name: "everywhere", Landslides: r.Landslides, LandslideArea: r.LandslideArea, LinesHit: r.Lines.Hit,
			BlockedLength: r.Lines.BlockedLength, PolygonsHit: r.Polygons.Hit, HitArea: r.Polygons.HitArea, PointsHit: r.Points.Hit}}
	}
	out := csv.NewWriter(w)
	_ = out.Write([]string{"name", "landslides", "landslide_area_m2", "lines_hit", "blocked_length_m", "polygons_hit", "hit_area_m2", "points_hit"})
	for _, u := range rows {
		number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
		_ = out.Write([]string{plainCell(u.Name), strconv.Itoa(u.Landslides), number(u.LandslideArea), strconv.Itoa(u.LinesHit), number(u.BlockedLength),
			strconv.Itoa(u.PolygonsHit), number(u.HitArea), strconv.Itoa(u.PointsHit)})
	}
	out.Flush()
	return out.Error() // a csv.Writer keeps its first error
}

// plainCell keeps spreadsheets from taking a name for a formula.
func plainCell(s string) string {
	if s != "" && (s[0] == '=' || s[0] == '+' || s[0] == '-' || s[0] == '@' || s[0] == '\t' || s[0] == '\r') {
		return "'" + s
	}
	return s
}
