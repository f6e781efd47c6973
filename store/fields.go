package store

import (
	"time"

	"github.com/scarp-map/scarp/store/filter"
)

// Field is one attribute of landslides, by which they can be selected and
// sorted. Its name is that of the column and of [Landslide]'s JSON.
type Field struct {
	Name string
	Type filter.Type
	// Optional fields may be without a value.
	Optional bool
	// Of returns a landslide's value: a string, float64, int64, bool or
	// time.Time, or nil where there is none. It is nil for the geometry.
	Of func(*Landslide) any
}

// GeometryField is the name of the outline in filters.
const GeometryField = "geometry"

// Fields lists the attributes in the order in which tables show them; the id
// is the first and the geometry the last.
func Fields() []Field {
	number := func(name string, of func(*Landslide) float64) Field {
		return Field{Name: name, Type: filter.Number, Of: func(l *Landslide) any { return of(l) }}
	}
	text := func(name string, of func(*Landslide) string) Field {
		return Field{Name: name, Type: filter.Text, Of: func(l *Landslide) any { return of(l) }}
	}
	date := func(name string, of func(*Landslide) time.Time) Field {
		return Field{Name: name, Type: filter.Time, Optional: true, Of: func(l *Landslide) any {
			if t := of(l); !t.IsZero() {
				return t
			}
			return nil
		}}
	}
	return []Field{
		{Name: "id", Type: filter.Number, Of: func(l *Landslide) any { return l.ID }},
		text("event", func(l *Landslide) string { return l.Event }),
		text("run", func(l *Landslide) string { return l.Run }),
		number("area_m2", func(l *Landslide) float64 { return l.Area }),
		number("perimeter_m", func(l *Landslide) float64 { return l.Perimeter }),
		number("length_m", func(l *Landslide) float64 { return l.Length }),
		number("width_m", func(l *Landslide) float64 { return l.Width }),
		number("probability_mean", func(l *Landslide) float64 { return l.ProbMean }),
		number("probability_max", func(l *Landslide) float64 { return l.ProbMax }),
		number("elevation_min_m", func(l *Landslide) float64 { return l.ElevMin }),
		number("elevation_max_m", func(l *Landslide) float64 { return l.ElevMax }),
		number("elevation_mean_m", func(l *Landslide) float64 { return l.ElevMean }),
		number("slope_mean_deg", func(l *Landslide) float64 { return l.SlopeMean }),
		number("aspect_deg", func(l *Landslide) float64 { return l.Aspect }),
		{Name: "delta_ndvi_mean", Type: filter.Number, Optional: true, Of: func(l *Landslide) any {
			if l.DeltaNDVI == nil {
				return nil
			}
			return *l.DeltaNDVI
		}},
		{Name: "cloud_adjacent", Type: filter.Bool, Of: func(l *Landslide) any { return l.CloudAdjacent }},
		date("pre_date", func(l *Landslide) time.Time { return l.PreDate }),
		date("post_date", func(l *Landslide) time.Time { return l.PostDate }),
		text("model", func(l *Landslide) string { return l.Model }),
		text("model_version", func(l *Landslide) string { return l.ModelVersion }),
		{Name: GeometryField, Type: filter.Geometry},
	}
}

// FieldNamed finds a field.
func FieldNamed(name string) (Field, bool) {
	for _, f := range Fields() {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// FieldTypes are the fields' types by name, as [filter.Check] takes them.
func FieldTypes() map[string]filter.Type {
	types := map[string]filter.Type{}
	for _, f := range Fields() {
		types[f.Name] = f.Type
	}
	return types
}
