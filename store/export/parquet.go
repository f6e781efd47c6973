package export

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress/zstd"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"

	"github.com/scarp-map/scarp/store"
)

// record is a row of GeoParquet; the names are those of [store.Fields].
type record struct {
	ID            int64      `parquet:"id"`
	Event         string     `parquet:"event,dict"`
	Run           string     `parquet:"run,dict"`
	Area          float64    `parquet:"area_m2"`
	Perimeter     float64    `parquet:"perimeter_m"`
	Length        float64    `parquet:"length_m"`
	Width         float64    `parquet:"width_m"`
	ProbMean      float64    `parquet:"probability_mean"`
	ProbMax       float64    `parquet:"probability_max"`
	ElevMin       float64    `parquet:"elevation_min_m"`
	ElevMax       float64    `parquet:"elevation_max_m"`
	ElevMean      float64    `parquet:"elevation_mean_m"`
	SlopeMean     float64    `parquet:"slope_mean_deg"`
	Aspect        float64    `parquet:"aspect_deg"`
	DeltaNDVI     *float64   `parquet:"delta_ndvi_mean,optional"`
	CloudAdjacent bool       `parquet:"cloud_adjacent"`
	PreDate       *time.Time `parquet:"pre_date,optional,timestamp(millisecond)"`
	PostDate      *time.Time `parquet:"post_date,optional,timestamp(millisecond)"`
	Model         string     `parquet:"model,dict"`
	ModelVersion  string     `parquet:"model_version,dict"`
	BBox          covering   `parquet:"bbox"`
	Geometry      []byte     `parquet:"geometry"`
}

// covering is a landslide's box, by which readers leave out what they do not need.
type covering struct {
	XMin float64 `parquet:"xmin"`
	YMin float64 `parquet:"ymin"`
	XMax float64 `parquet:"xmax"`
	YMax float64 `parquet:"ymax"`
}

// rowGroup is how many landslides are held in memory and written at once.
const rowGroup = 10_000

// GeoParquet writes the landslides as GeoParquet 1.1: outlines as WKB in
// longitude and latitude, with their boxes in the column bbox.
func GeoParquet(w io.Writer, landslides iter.Seq2[store.Landslide, error]) error {
	out := parquet.NewGenericWriter[record](w, parquet.Compression(&zstd.Codec{}), parquet.MaxRowsPerRowGroup(rowGroup),
		parquet.CreatedBy("scarp", "", ""))
	var extent orb.Bound
	first := true
	for l, err := range landslides {
		if err != nil {
			return err
		}
		b := l.Geometry.Bound()
		if extent = extent.Union(b); first {
			extent, first = b, false
		}
		row, err := newRecord(l, b)
		if err != nil {
			return err
		}
		if _, err := out.Write([]record{row}); err != nil {
			return fmt.Errorf("write GeoParquet: %w", err)
		}
	}
	geo, err := geoMetadata(extent, first)
	if err != nil {
		return err
	}
	out.SetKeyValueMetadata("geo", geo)
	if err := out.Close(); err != nil {
		return fmt.Errorf("write GeoParquet: %w", err)
	}
	return nil
}

func newRecord(l store.Landslide, b orb.Bound) (record, error) {
	geometry, err := wkb.Marshal(l.Geometry, binary.LittleEndian)
	if err != nil {
		return record{}, fmt.Errorf("write landslide %d as GeoParquet: %w", l.ID, err)
	}
	return record{ID: l.ID, Event: l.Event, Run: l.Run, Area: l.Area, Perimeter: l.Perimeter, Length: l.Length, Width: l.Width,
		ProbMean: l.ProbMean, ProbMax: l.ProbMax, ElevMin: l.ElevMin, ElevMax: l.ElevMax, ElevMean: l.ElevMean, SlopeMean: l.SlopeMean,
		Aspect: l.Aspect, DeltaNDVI: l.DeltaNDVI, CloudAdjacent: l.CloudAdjacent, PreDate: known(l.PreDate), PostDate: known(l.PostDate),
		Model: l.Model, ModelVersion: l.ModelVersion, BBox: covering{b.Min[0], b.Min[1], b.Max[0], b.Max[1]}, Geometry: geometry}, nil
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// geoMetadata is the file's metadata under the key geo. Without a crs it is OGC:CRS84.
func geoMetadata(extent orb.Bound, empty bool) (string, error) {
	path := func(name string) []string { return []string{"bbox", name} }
	column := map[string]any{
		"encoding": "WKB", "geometry_types": []string{"Polygon"}, "edges": "planar",
		"covering": map[string]any{"bbox": map[string]any{"xmin": path("xmin"), "ymin": path("ymin"), "xmax": path("xmax"), "ymax": path("ymax")}},
	}
	if !empty {
		column["bbox"] = []float64{extent.Min[0], extent.Min[1], extent.Max[0], extent.Max[1]}
	}
	b, err := json.Marshal(map[string]any{"version": "1.1.0", "primary_column": "geometry", "columns": map[string]any{"geometry": column}})
	if err != nil {
		return "", fmt.Errorf("encode GeoParquet metadata: %w", err)
	}
	return string(b), nil
}
