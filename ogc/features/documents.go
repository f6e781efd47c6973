package features

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/filter"
)

type collectionDoc struct {
	Type      string        `json:"type"`
	TimeStamp string        `json:"timeStamp"`
	Matched   *int          `json:"numberMatched,omitempty"` // none where there are too many to count
	Returned  int           `json:"numberReturned"`
	Links     []common.Link `json:"links"`
	Features  []featureDoc  `json:"features"`
}

type featureDoc struct {
	Type       string            `json:"type"`
	ID         int64             `json:"id"`
	Geometry   *geojson.Geometry `json:"geometry"`
	Properties properties        `json:"properties"`
	Links      []common.Link     `json:"links,omitempty"`
}

// properties are the attributes of a landslide that were asked for, in the
// order and under the names of the store's fields.
type properties struct {
	store.Landslide
	fields []store.Field
}

// MarshalJSON leaves out dates that are not known; other values that are not known are null.
func (p properties) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for _, f := range p.fields {
		v := f.Of(&p.Landslide)
		if v == nil && f.Type == filter.Time {
			continue
		}
		text, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("encode %s: %w", f.Name, err)
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(strconv.AppendQuote(out, f.Name), ':')
		out = append(out, text...)
	}
	return append(out, '}'), nil
}

func feature(l store.Landslide, p parsed, convert func(orb.Polygon) (orb.Polygon, error)) (featureDoc, error) {
	outline, err := convert(l.Geometry)
	return featureDoc{Type: "Feature", ID: l.ID, Geometry: geojson.NewGeometry(outline), Properties: properties{l, p.fields}}, err
}

type itemsPage struct {
	collectionDoc
	Columns   []string
	Downloads []file
	ID        string
	Next      string
}

// file is a link to all that is selected.
type file struct{ Name, Href string }

type itemPage struct {
	featureDoc
	Rows []row
}

type row struct{ Name, Value, Meaning string }

// columns are the table's: the attributes that people compare.
func columns() []string {
	return []string{"Area, m²", "Length, m", "Probability", "Elevation, m", "Slope, °", "ΔNDVI", "By cloud", "After"}
}

// Cells returns the table's cells of one feature in the order of columns.
func (f featureDoc) Cells() []string {
	l := f.Properties.Landslide
	ndvi, cloud := "–", ""
	if l.DeltaNDVI != nil {
		ndvi = fmt.Sprintf("%.2f", *l.DeltaNDVI)
	}
	if l.CloudAdjacent {
		cloud = "yes"
	}
	return []string{fmt.Sprintf("%.0f", l.Area), fmt.Sprintf("%.0f", l.Length), fmt.Sprintf("%.2f", l.ProbMean),
		fmt.Sprintf("%.0f–%.0f", l.ElevMin, l.ElevMax), fmt.Sprintf("%.0f", l.SlopeMean), ndvi, cloud, known(l.PostDate, time.DateOnly)}
}

// known writes a date that the scenes may not have told.
func known(date time.Time, layout string) string {
	if date.IsZero() {
		return "unknown"
	}
	return date.UTC().Format(layout)
}

// rows lists all attributes of one landslide.
func rows(l store.Landslide) []row {
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	ndvi := "unknown"
	if l.DeltaNDVI != nil {
		ndvi = number(*l.DeltaNDVI)
	}
	values := [][2]string{
		{"area_m2", number(l.Area)}, {"perimeter_m", number(l.Perimeter)}, {"length_m", number(l.Length)}, {"width_m", number(l.Width)},
		{"probability_mean", number(l.ProbMean)}, {"probability_max", number(l.ProbMax)},
		{"elevation_min_m", number(l.ElevMin)}, {"elevation_max_m", number(l.ElevMax)}, {"elevation_mean_m", number(l.ElevMean)},
		{"slope_mean_deg", number(l.SlopeMean)}, {"aspect_deg", number(l.Aspect)}, {"delta_ndvi_mean", ndvi},
		{"cloud_adjacent", strconv.FormatBool(l.CloudAdjacent)}, {"pre_date", known(l.PreDate, time.RFC3339)}, {"post_date", known(l.PostDate, time.RFC3339)},
		{"model", l.Model}, {"model_version", l.ModelVersion}, {"event", l.Event}, {"run", l.Run},
	}
	out := make([]row, len(values))
	for i, v := range values {
		out[i] = row{v[0], v[1], common.LandslideFields()[v[0]]}
	}
	return out
}
