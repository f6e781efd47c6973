package mapping

import (
	"context"
	"fmt"
	"math"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"
	"github.com/paulmach/orb/planar"
	"github.com/peterstace/simplefeatures/geom"

	"github.com/airbusgeo/godal"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/store"
)

// Result is what a mapping found.
type Result struct {
	// Landslides in the order of their first pixels, row by row. ID is 0: the store gives it.
	Landslides []store.Landslide
	Summary    store.Summary
}

// Landslides outlines the landslides of the mosaic and works out their
// attributes, and sums up. run is the id of the run that they belong to. Where the area has more specks than
// can be outlined, the error is ErrInput.
//
// Areas and perimeters are geodesic, on WGS 84, of the published coordinates;
// the perimeter is that of all rings along the pixels' edges, so it
// is longer than a smooth outline would be. Length and width are of the
// least-area rotated rectangle on the grid (UTM, within 0.1 % of true).
// The dates are those of the earliest pre and the latest post scene: the
// landslide appeared between them.
func (m *Mosaic) Landslides(ctx context.Context, run string) (*Result, error) {
	polys, err := m.outlines(ctx)
	if err != nil {
		return nil, fmt.Errorf("outline landslides of event %q: %w", m.plan.Source.Event().ID, err)
	}
	m.polys = polys
	all, err := m.statistics(ctx, polys)
	if err != nil {
		return nil, err
	}
	proj, err := newProjector(m.plan.Source.Grid())
	if err != nil {
		return nil, err
	}
	defer proj.close()
	template := m.template(run)
	res := &Result{Landslides: make([]store.Landslide, 0, len(polys))}
	for i, p := range polys {
		if i%1000 == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		l := template
		if l.Length, l.Width, err = extent(p); err != nil {
			return nil, err
		}
		all[i].fill(&l)
		published, err := proj.lonLatPolygon(p)
		if err != nil {
			return nil, err
		}
		parts, err := repaired(published)
		if err != nil {
			return nil, err
		}
		for _, l.Geometry = range parts {
			l.Area, l.Perimeter = geodesic(l.Geometry)
			res.Landslides = append(res.Landslides, l)
		}
	}
	res.Summary, err = m.summary(proj, res.Landslides)
	return res, err
}

// template has what all landslides of the run share.
func (m *Mosaic) template(run string) store.Landslide {
	src := m.plan.Source
	l := store.Landslide{Event: src.Event().ID, Run: run, Model: m.plan.Model.Name(), ModelVersion: m.plan.Model.Manifest.Version}
	if d := src.Dates(imagery.Pre); len(d) > 0 {
		l.PreDate = d[0]
	}
	if d := src.Dates(imagery.Post); len(d) > 0 {
		l.PostDate = d[len(d)-1]
	}
	return l
}

// extent returns the sides in metres of the least-area rotated rectangle around a polygon in pixels.
func extent(p orb.Polygon) (length, width float64, err error) {
	b, err := wkb.Marshal(orb.Polygon{p[0]})
	if err != nil {
		return 0, 0, fmt.Errorf("measure a polygon: %w", err)
	}
	g, err := geom.UnmarshalWKB(b, geom.NoValidate{})
	if err != nil {
		return 0, 0, fmt.Errorf("measure a polygon: %w", err)
	}
	rect := geom.RotatedMinimumAreaBoundingRectangle(g)
	if !rect.IsPolygon() {
		return 0, 0, fmt.Errorf("measure a polygon: its bounding rectangle is a %s", rect.Type())
	}
	seq := rect.MustAsPolygon().ExteriorRing().Coordinates()
	side := func(i int) float64 {
		a, b := seq.GetXY(i), seq.GetXY(i+1)
		return math.Hypot(b.X-a.X, b.Y-a.Y) * imagery.PixelSize
	}
	a, c := side(0), side(1)
	return max(a, c), min(a, c), nil
}

// repaired returns p if it is valid. Where rounding has made it invalid, GEOS
// makes it valid again, which may give several parts.
func repaired(p orb.Polygon) ([]orb.Polygon, error) {
	invalid := validate(p)
	if invalid == nil {
		return []orb.Polygon{p}, nil
	}
	b, err := wkb.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("repair a polygon: %w", err)
	}
	g, err := godal.NewGeometryFromWKB(b, nil)
	if err != nil {
		return nil, fmt.Errorf("repair a polygon: %w", err)
	}
	defer g.Close()
	fixed, err := g.Buffer(0, 1)
	if err != nil {
		return nil, fmt.Errorf("repair a polygon (%w): %w", invalid, err)
	}
	defer fixed.Close()
	if b, err = fixed.WKB(); err != nil {
		return nil, fmt.Errorf("repair a polygon: %w", err)
	}
	decoded, err := wkb.Unmarshal(b)
	if err != nil {
		return nil, fmt.Errorf("repair a polygon: %w", err)
	}
	var parts []orb.Polygon
	switch d := decoded.(type) {
	case orb.Polygon:
		parts = []orb.Polygon{d}
	case orb.MultiPolygon:
		parts = d
	}
	for _, part := range parts {
		if err := validate(part); err != nil {
			return nil, fmt.Errorf("repair a polygon (%w): %w", invalid, err)
		}
		for i, r := range part {
			if (r.Orientation() == orb.CCW) != (i == 0) {
				r.Reverse()
			}
		}
	}
	if len(parts) == 0 || planar.Area(p) == 0 {
		return nil, fmt.Errorf("repair a polygon: nothing of it is left: %w", invalid)
	}
	return parts, nil
}

// summary adds up the landslides and the pixels of the area. The part of an
// AOI that lies outside the event's grid is not counted.
func (m *Mosaic) summary(proj *projector, landslides []store.Landslide) (store.Summary, error) {
	s := store.Summary{Landslides: len(landslides)}
	for _, l := range landslides {
		s.TotalArea += l.Area
		s.LargestArea = max(s.LargestArea, l.Area)
	}
	var total counts
	for _, at := range m.plan.Blocks {
		r := m.plan.blockRect(at)
		c := m.count(r)
		pixel, err := proj.pixelArea(r)
		if err != nil {
			return s, err
		}
		s.MappedArea += float64(c.predicted) * pixel
		total.predicted += c.predicted
		total.cloud += c.cloud
		total.noData += c.noData
	}
	if n := total.predicted + total.cloud; n > 0 {
		s.CloudShare = float64(total.cloud) / float64(n)
	}
	if n := total.predicted + total.cloud + total.noData; n > 0 {
		s.NoDataShare = float64(total.noData) / float64(n)
	}
	return s, nil
}

// Describe says a summary in words.
func Describe(s store.Summary) string {
	switch {
	case s.MappedArea == 0 && s.CloudShare > 0:
		return "no landslides: clouds cover all of the area that has imagery"
	case s.MappedArea == 0:
		return "no landslides: the area has no imagery on both sides of the event, or no elevation"
	}
	covered := fmt.Sprintf("; clouds hide %.2g %% of the area", 100*s.CloudShare)
	if s.Landslides == 0 {
		return "no landslides" + covered
	}
	noun := "landslides"
	if s.Landslides == 1 {
		noun = "landslide"
	}
	return fmt.Sprintf("%d %s, %.4g ha in all, the largest %.4g ha%s", s.Landslides, noun, s.TotalArea/1e4, s.LargestArea/1e4, covered)
}
