package analysis

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
)

// readGeoJSON reads a FeatureCollection, one feature at a time, or a single
// Feature or geometry (RFC 7946).
func readGeoJSON(r io.Reader, visit func(feature) error) error {
	limited := &io.LimitedReader{R: r, N: maxFileBytes}
	d := json.NewDecoder(bufio.NewReaderSize(limited, 1<<16))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return bad("it is not a GeoJSON object")
	}
	rest := map[string]json.RawMessage{}
	collection := false
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return malformed(err)
		}
		name, _ := key.(string)
		if name == "features" {
			collection = true
			if err := readFeatures(d, visit); err != nil {
				return err
			}
			continue
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return malformed(err)
		}
		rest[name] = raw
	}
	if _, err := d.Token(); err != nil {
		return malformed(err)
	}
	if limited.N <= 0 {
		return bad("it is larger than %d GiB", maxFileBytes>>30)
	}
	if err := checkCRS(rest["crs"]); err != nil {
		return err
	}
	var kind string
	_ = json.Unmarshal(rest["type"], &kind)
	switch {
	case kind == "FeatureCollection" && collection:
		return nil
	case collection:
		return bad("its type is %q; with features it must be FeatureCollection", kind)
	case kind == "FeatureCollection":
		return bad("it is a FeatureCollection without features")
	}
	return readSingle(kind, rest, visit)
}

func malformed(err error) error { return bad("it is not GeoJSON: %w", err) }

func readFeatures(d *json.Decoder, visit func(feature) error) error {
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return bad("features must be an array")
	}
	for n := 1; d.More(); n++ {
		f, err := decodeFeature(d)
		if err != nil {
			return bad("feature %d: %w", n, err)
		}
		if err := visit(f); err != nil {
			return err
		}
	}
	if _, err := d.Token(); err != nil {
		return malformed(err)
	}
	return nil
}

func decodeFeature(d *json.Decoder) (feature, error) {
	var f struct {
		feature
		Type string          `json:"type"`
		CRS  json.RawMessage `json:"crs"`
	}
	if err := d.Decode(&f); err != nil {
		return f.feature, err
	}
	if f.Type != "Feature" {
		return f.feature, fmt.Errorf("its type is %q instead of Feature", f.Type)
	}
	return f.feature, checkPositions(f.feature)
}

func readSingle(kind string, rest map[string]json.RawMessage, visit func(feature) error) error {
	whole, err := json.Marshal(rest)
	if err != nil {
		return malformed(err)
	}
	if kind != "Feature" {
		if whole, err = json.Marshal(map[string]any{"type": "Feature", "geometry": json.RawMessage(whole)}); err != nil {
			return malformed(err)
		}
	}
	d := json.NewDecoder(strings.NewReader(string(whole)))
	d.UseNumber()
	f, err := decodeFeature(d)
	if err != nil {
		return malformed(err)
	}
	return visit(f)
}

// readSequence reads one feature a line.
func readSequence(r io.Reader, visit func(feature) error) error {
	d := json.NewDecoder(bufio.NewReaderSize(r, 1<<16))
	d.UseNumber()
	for n := 1; ; n++ {
		f, err := decodeFeature(d)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return bad("feature %d: %w", n, err)
		}
		if err := visit(f); err != nil {
			return err
		}
	}
}

// checkCRS accepts names of longitude and latitude on WGS 84 only, which is
// what GeoJSON is in by RFC 7946.
func checkCRS(raw json.RawMessage) error {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	var c struct {
		Properties struct{ Name string } `json:"properties"`
	}
	_ = json.Unmarshal(raw, &c)
	name := strings.ToUpper(c.Properties.Name)
	if strings.HasSuffix(name, "CRS84") || name == "EPSG:4326" || strings.HasSuffix(name, ":EPSG::4326") {
		return nil
	}
	return bad("it has a crs of its own; GeoJSON must be in longitude and latitude (RFC 7946): reproject it, or refer to a GeoPackage")
}

// checkPositions refuses coordinates that are no degrees.
func checkPositions(f feature) error {
	if f.Geometry == nil {
		return nil
	}
	g := f.Geometry.Geometry()
	if g == nil {
		return fmt.Errorf("its geometry %q is empty or unknown", f.Geometry.Type)
	}
	b := g.Bound()
	if _, collection := g.(orb.Collection); !collection && emptyBound(b) {
		return nil
	}
	// Longitudes go beyond 180 where a shape crosses the antimeridian in one piece.
	if !(b.Min[0] >= -360 && b.Max[0] <= 360 && b.Min[1] >= -90 && b.Max[1] <= 90) {
		return fmt.Errorf("its coordinates reach from %v to %v, which are no longitudes and latitudes", b.Min, b.Max)
	}
	return nil
}

func emptyBound(b orb.Bound) bool { return b.Min[0] > b.Max[0] || b.Min[1] > b.Max[1] }

// writer writes a FeatureCollection, one feature a line.
type writer struct {
	out *bufio.Writer
	n   int
}

func newWriter(w io.Writer) *writer { return &writer{out: bufio.NewWriterSize(w, 1<<16)} }

// outFeature is a feature that is written.
type outFeature struct {
	Type       string            `json:"type"`
	ID         any               `json:"id,omitempty"`
	Geometry   *geojson.Geometry `json:"geometry"`
	Properties map[string]any    `json:"properties"`
}

func (w *writer) add(id any, g orb.Geometry, properties map[string]any) error {
	lead := ",\n"
	if w.n == 0 {
		lead = `{"type":"FeatureCollection","features":[` + "\n"
	}
	w.n++
	w.out.WriteString(lead) // a bufio.Writer keeps its first error for Flush
	text, err := json.Marshal(outFeature{"Feature", id, geojson.NewGeometry(g), properties})
	if err != nil {
		return fmt.Errorf("write feature %d as GeoJSON: %w", w.n, err)
	}
	_, err = w.out.Write(text)
	return err
}

func (w *writer) close() error {
	if w.n == 0 {
		w.out.WriteString(`{"type":"FeatureCollection","features":[`)
	}
	w.out.WriteString("\n]}\n")
	return w.out.Flush()
}

// round keeps measures readable: to a centimetre.
func round(v float64) float64 { return math.Round(v*100) / 100 }
