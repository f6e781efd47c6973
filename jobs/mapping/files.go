package mapping

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/airbusgeo/godal"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"
	"github.com/paulmach/orb/geojson"

	"scarp/store"
)

// properties are a landslide's attributes in files: those of the store without
// the id, which the store gives only when the run is published.
type properties struct {
	store.Landslide
	// These hide Landslide's: no id, and null where a date is not known.
	ID       any        `json:"id,omitempty"`
	PreDate  *time.Time `json:"pre_date"`
	PostDate *time.Time `json:"post_date"`
}

func propertiesOf(l store.Landslide) properties {
	p := properties{Landslide: l}
	if !l.PreDate.IsZero() {
		p.PreDate = &l.PreDate
	}
	if !l.PostDate.IsZero() {
		p.PostDate = &l.PostDate
	}
	return p
}

// WriteGeoJSON writes the landslides as a GeoJSON feature collection (RFC 7946).
// The same landslides give the same bytes.
func WriteGeoJSON(w io.Writer, landslides []store.Landslide) error {
	buf := bufio.NewWriter(w)
	io.WriteString(buf, `{"type":"FeatureCollection","features":[`)
	for i, l := range landslides {
		if i > 0 {
			buf.WriteByte(',')
		}
		b, err := json.Marshal(struct {
			Type       string            `json:"type"`
			Geometry   *geojson.Geometry `json:"geometry"`
			Properties properties        `json:"properties"`
		}{"Feature", geojson.NewGeometry(l.Geometry), propertiesOf(l)})
		if err != nil {
			return fmt.Errorf("write landslide %d as GeoJSON: %w", i, err)
		}
		buf.WriteByte('\n')
		buf.Write(b)
	}
	io.WriteString(buf, "\n]}\n")
	if err := buf.Flush(); err != nil {
		return fmt.Errorf("write GeoJSON: %w", err)
	}
	return nil
}

// fields are the columns of a GeoPackage of results, in order.
var fields = []struct {
	name  string
	kind  godal.FieldType
	value func(*store.Landslide) any // nil is NULL
}{
	{"event", godal.FTString, func(l *store.Landslide) any { return l.Event }},
	{"run", godal.FTString, func(l *store.Landslide) any { return l.Run }},
	{"area_m2", godal.FTReal, func(l *store.Landslide) any { return l.Area }},
	{"perimeter_m", godal.FTReal, func(l *store.Landslide) any { return l.Perimeter }},
	{"length_m", godal.FTReal, func(l *store.Landslide) any { return l.Length }},
	{"width_m", godal.FTReal, func(l *store.Landslide) any { return l.Width }},
	{"probability_mean", godal.FTReal, func(l *store.Landslide) any { return l.ProbMean }},
	{"probability_max", godal.FTReal, func(l *store.Landslide) any { return l.ProbMax }},
	{"elevation_min_m", godal.FTReal, func(l *store.Landslide) any { return l.ElevMin }},
	{"elevation_max_m", godal.FTReal, func(l *store.Landslide) any { return l.ElevMax }},
	{"elevation_mean_m", godal.FTReal, func(l *store.Landslide) any { return l.ElevMean }},
	{"slope_mean_deg", godal.FTReal, func(l *store.Landslide) any { return l.SlopeMean }},
	{"aspect_deg", godal.FTReal, func(l *store.Landslide) any { return l.Aspect }},
	{"delta_ndvi_mean", godal.FTReal, func(l *store.Landslide) any {
		if l.DeltaNDVI == nil {
			return nil
		}
		return *l.DeltaNDVI
	}},
	{"cloud_adjacent", godal.FTInt, func(l *store.Landslide) any {
		if l.CloudAdjacent {
			return 1
		}
		return 0
	}},
	{"pre_date", godal.FTDateTime, func(l *store.Landslide) any { return date(l.PreDate) }},
	{"post_date", godal.FTDateTime, func(l *store.Landslide) any { return date(l.PostDate) }},
	{"model", godal.FTString, func(l *store.Landslide) any { return l.Model }},
	{"model_version", godal.FTString, func(l *store.Landslide) any { return l.ModelVersion }},
}

func date(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC()
}

// WriteGeoPackage writes the landslides as layer "landslides" of a new GeoPackage at path.
func WriteGeoPackage(path string, landslides []store.Landslide) (err error) {
	if err := registerDrivers(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("write GeoPackage %s: %w", path, err)
		}
	}()
	// A new file that a crash spoils is written again: no need to wait for the disk.
	ds, err := godal.CreateVector(godal.GeoPackage, path, godal.ConfigOption("OGR_SQLITE_SYNCHRONOUS=OFF"))
	if err != nil {
		return err
	}
	defer func() {
		if e := ds.Close(); err == nil {
			err = e
		}
	}()
	crs, err := godal.NewSpatialRefFromEPSG(4326)
	if err != nil {
		return err
	}
	defer crs.Close()
	var opts []godal.CreateLayerOption
	for _, f := range fields {
		opts = append(opts, godal.NewFieldDefinition(f.name, f.kind))
	}
	layer, err := ds.CreateLayer("landslides", crs, godal.GTPolygon, opts...)
	if err != nil {
		return err
	}
	if err := ds.StartTransaction(); err != nil {
		return err
	}
	for i := range landslides {
		if err := addFeature(layer, crs, &landslides[i]); err != nil {
			return fmt.Errorf("landslide %d: %w", i, err)
		}
	}
	return ds.CommitTransaction()
}

func addFeature(layer godal.Layer, crs *godal.SpatialRef, l *store.Landslide) error {
	b, err := wkb.Marshal(orb.Geometry(l.Geometry))
	if err != nil {
		return err
	}
	g, err := godal.NewGeometryFromWKB(b, crs)
	if err != nil {
		return err
	}
	defer g.Close()
	f, err := layer.NewFeature(g)
	if err != nil {
		return err
	}
	defer f.Close()
	columns := f.Fields()
	for _, field := range fields {
		v := field.value(l)
		if v == nil {
			continue
		}
		if err := f.SetFieldValue(columns[field.name], v); err != nil {
			return fmt.Errorf("column %s: %w", field.name, err)
		}
	}
	return layer.UpdateFeature(f)
}
