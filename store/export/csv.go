package export

import (
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"strconv"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkt"

	"github.com/scarp-map/scarp/store"
)

// CSV writes a table with a header: the fields, and the outline as well-known
// text in the column WKT, by which GDAL and QGIS know it. outline converts the
// outline first; nil leaves it in longitude and latitude.
func CSV(w io.Writer, fields []store.Field, outline func(orb.Polygon) (orb.Polygon, error), landslides iter.Seq2[store.Landslide, error]) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true // RFC 4180
	header := make([]string, 0, len(fields)+1)
	for _, f := range fields {
		header = append(header, f.Name)
	}
	if err := out.Write(append(header, "WKT")); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	record := make([]string, len(fields)+1)
	for l, err := range landslides {
		if err != nil {
			return err
		}
		for i, f := range fields {
			record[i] = cell(f.Of(&l))
		}
		p := l.Geometry
		if outline != nil {
			if p, err = outline(p); err != nil {
				return fmt.Errorf("write landslide %d as CSV: %w", l.ID, err)
			}
		}
		record[len(fields)] = wkt.MarshalString(p)
		if err := out.Write(record); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

func cell(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case nil:
		return ""
	}
	return fmt.Sprint(v)
}
