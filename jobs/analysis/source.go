package analysis

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/airbusgeo/godal"
	"github.com/paulmach/orb/geojson"

	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/store"
)

// Sources finds vector data.
type Sources struct {
	Store store.Store
	// Locate lets a reference through that clients may name, and returns what GDAL opens.
	Locate func(ref string) (string, error)
}

// Vector is an input with vector data, as clients send it: a GeoJSON
// FeatureCollection, Feature or geometry, {"href": …} with an optional layer, or
// {"collection": …} with an optional run.
type Vector struct {
	Type       string `json:"type"`
	Href       string `json:"href"`
	Layer      string `json:"layer"`
	Collection string `json:"collection"`
	Run        string `json:"run"`

	raw json.RawMessage
}

// UnmarshalJSON keeps what was sent.
func (v *Vector) UnmarshalJSON(b []byte) error {
	type plain Vector
	if err := json.Unmarshal(b, (*plain)(v)); err != nil {
		return err
	}
	v.raw = bytes.Clone(b)
	return nil
}

// feature is one feature in longitude and latitude. Geometry is nil where it has none.
type feature struct {
	ID         any               `json:"id"`
	Geometry   *geojson.Geometry `json:"geometry"`
	Properties map[string]any    `json:"properties"`
}

// name says which feature an error is about.
func (f feature) name(n int) string {
	if f.ID != nil {
		return fmt.Sprintf("feature %d (id %v)", n, f.ID)
	}
	return fmt.Sprintf("feature %d", n)
}

// bad makes an error that is the client's fault.
func bad(format string, args ...any) error {
	return fmt.Errorf("%w: %w", jobs.ErrBadSpec, fmt.Errorf(format, args...))
}

const (
	// maxStreamed bounds the features of a layer that is read one at a time.
	maxStreamed = 5_000_000
	// maxFileBytes bounds a file of GeoJSON.
	maxFileBytes = 8 << 30
)

// check says without reading whether the data can be had.
func (s Sources) check(ctx context.Context, name string, v Vector) error {
	switch {
	case v.Collection != "":
		event, ok := strings.CutSuffix(v.Collection, "_landslides")
		if !ok {
			return bad("%s: collection %q has no landslides; those that do end in _landslides", name, v.Collection)
		}
		if _, err := s.Store.Event(ctx, event); errors.Is(err, store.ErrNotFound) {
			return bad("%s: there is no collection %q", name, v.Collection)
		} else if err != nil {
			return err
		}
		if v.Run != "" {
			run, err := s.Store.Run(ctx, v.Run)
			if errors.Is(err, store.ErrNotFound) || err == nil && run.Event != event {
				return bad("%s: collection %q has no run %q", name, v.Collection, v.Run)
			}
			return err
		}
		return nil
	case v.Href != "":
		if _, err := s.Locate(v.Href); err != nil {
			return bad("%s: %w", name, err)
		}
		return nil
	case v.Type != "":
		return nil
	}
	return bad("%s: expected GeoJSON, {\"href\": …} or {\"collection\": …}", name)
}

// each calls visit for every feature, until it returns an error. n counts from 1.
func (s Sources) each(ctx context.Context, name, dir string, v Vector, visit func(n int, f feature) error) error {
	n := 0
	counted := func(f feature) error {
		if n++; n > maxStreamed {
			return bad("%s: more than %d features: cut it to the area of interest", name, maxStreamed)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return visit(n, f)
	}
	var err error
	switch {
	case v.Collection != "":
		err = s.landslides(ctx, v, counted)
	case v.Href != "":
		err = s.file(ctx, dir, v, counted)
	default:
		err = readGeoJSON(bytes.NewReader(v.raw), counted)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// pageSize is how many landslides are read from the store at a time.
const pageSize = 5000

// landslides reads a run of the store page by page.
func (s Sources) landslides(ctx context.Context, v Vector, visit func(feature) error) error {
	event := strings.TrimSuffix(v.Collection, "_landslides")
	if v.Run == "" {
		// The run is fixed, so that one published meanwhile does not mix in.
		runs, err := s.Store.Runs(ctx, event)
		if err != nil {
			return err
		}
		if len(runs) == 0 {
			return bad("event %s has not been mapped yet: execute map-landslides first", event)
		}
		v.Run = runs[0].ID
	}
	q := store.Query{Event: event, Run: v.Run, Limit: pageSize}
	for {
		page, err := s.Store.Landslides(ctx, q)
		if errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("%w: %w", jobs.ErrBadSpec, err)
		}
		if err != nil {
			return err
		}
		for _, l := range page.Landslides {
			f := feature{ID: l.ID, Geometry: geojson.NewGeometry(l.Geometry), Properties: map[string]any{"area_m2": l.Area, "probability_mean": l.ProbMean}}
			if err := visit(f); err != nil {
				return err
			}
		}
		if q.After = page.Next; q.After == 0 {
			return nil
		}
	}
}

// registerDrivers makes GDAL know what files are read from and converted to.
var registerDrivers = sync.OnceValue(func() error {
	if err := godal.RegisterVector(godal.GeoPackage, godal.Shapefile, "FlatGeobuf", "GeoJSONSeq"); err != nil {
		return fmt.Errorf("register GDAL's vector drivers: %w", err)
	}
	return nil
})

// quiet makes GDAL's failures errors and lets its warnings pass.
var quiet = godal.ErrLogger(func(ec godal.ErrorCategory, _ int, msg string) error {
	if ec > godal.CE_Warning {
		return errors.New(msg)
	}
	return nil
})

// file reads a file. Other formats than GeoJSON are converted to it first, in
// longitude and latitude and without a third dimension.
func (s Sources) file(ctx context.Context, dir string, v Vector, visit func(feature) error) error {
	path, err := s.Locate(v.Href)
	if err != nil {
		return fmt.Errorf("%w: %w", jobs.ErrBadSpec, err)
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".geojson", ".json", ".geojsonl":
		r, err := open(path)
		if err != nil {
			return bad("open %s: %w", v.Href, err)
		}
		defer r.Close()
		return readGeoJSON(r, visit)
	}
	converted, err := convert(ctx, path, dir, v)
	if err != nil {
		return err
	}
	defer os.Remove(converted)
	r, err := os.Open(converted)
	if err != nil {
		return fmt.Errorf("read what was converted: %w", err)
	}
	defer r.Close()
	return readSequence(r, visit)
}

func open(path string) (io.ReadCloser, error) {
	if strings.HasPrefix(path, "/vsi") {
		f, err := godal.VSIOpen(path)
		if err != nil {
			return nil, err
		}
		return f, nil
	}
	return os.Open(path)
}

func convert(_ context.Context, path, dir string, v Vector) (string, error) {
	if err := registerDrivers(); err != nil {
		return "", err
	}
	ds, err := godal.Open(path, godal.VectorOnly(), godal.Drivers("GPKG", "FlatGeobuf", "ESRI Shapefile"), quiet)
	if err != nil {
		return "", bad("open %s: %w (expected GeoJSON, a GeoPackage, FlatGeobuf or Shapefile)", v.Href, err)
	}
	defer ds.Close()
	layer, err := chooseLayer(ds, v)
	if err != nil {
		return "", err
	}
	out := filepath.Join(dir, "layer.geojsonl")
	made, err := ds.VectorTranslate(out, []string{"-f", "GeoJSONSeq", "-t_srs", "EPSG:4326", "-dim", "XY", "-nlt", "CONVERT_TO_LINEAR", "-lco", "COORDINATE_PRECISION=9", layer}, quiet)
	if err != nil {
		return "", bad("read layer %s of %s: %w", layer, v.Href, err)
	}
	if err := made.Close(); err != nil {
		return "", fmt.Errorf("convert layer %s of %s: %w", layer, v.Href, err)
	}
	return out, nil
}

func chooseLayer(ds *godal.Dataset, v Vector) (string, error) {
	var names []string
	for _, l := range ds.Layers() {
		if l.Type() == godal.GTNone || v.Layer != "" && l.Name() != v.Layer {
			continue
		}
		names = append(names, l.Name())
		if n, err := l.FeatureCount(quiet); err == nil && n > maxStreamed {
			return "", bad("layer %s of %s has %d features; at most %d are read: cut it to the area of interest", l.Name(), v.Href, n, maxStreamed)
		}
	}
	switch {
	case len(names) == 1:
		return names[0], nil
	case v.Layer != "":
		return "", bad("%s has no layer %q with geometries", v.Href, v.Layer)
	case len(names) == 0:
		return "", bad("%s has no layer with geometries", v.Href)
	}
	return "", bad("%s has the layers %s: name one of them as layer", v.Href, strings.Join(names, ", "))
}
