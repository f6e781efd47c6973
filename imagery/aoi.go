package imagery

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/peterstace/simplefeatures/geom"
)

// Bounds on an area of interest.
const (
	maxAOIBytes    = 32 << 20
	maxAOIVertices = 100_000
	maxAOIPolygons = 2_000
)

// ReadAOI reads an area of interest as GeoJSON: a geometry, a feature, or a
// collection of features, whose polygons are taken together.
func ReadAOI(r io.Reader) (*geojson.Geometry, error) {
	var value any
	if err := json.NewDecoder(io.LimitReader(r, maxAOIBytes)).Decode(&value); err != nil {
		return nil, fmt.Errorf("read GeoJSON: %w", err)
	}
	return aoiOf(value)
}

// aoiOf makes a geometry of decoded GeoJSON.
func aoiOf(value any) (*geojson.Geometry, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("read GeoJSON: %w", err)
	}
	var head struct {
		Type     string `json:"type"`
		Geometry json.RawMessage
		Features []struct{ Geometry json.RawMessage }
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return nil, fmt.Errorf("expected GeoJSON: %w", err)
	}
	var parts []json.RawMessage
	switch head.Type {
	case "Feature":
		parts = append(parts, head.Geometry)
	case "FeatureCollection":
		for _, f := range head.Features {
			parts = append(parts, f.Geometry)
		}
	default:
		parts = append(parts, text)
	}
	if len(parts) > maxAOIPolygons {
		return nil, fmt.Errorf("has %d features; at most %d are accepted: merge or simplify them", len(parts), maxAOIPolygons)
	}
	var polygons orb.MultiPolygon
	for i, p := range parts {
		var g geojson.Geometry
		if err := json.Unmarshal(p, &g); err != nil {
			return nil, fmt.Errorf("geometry %d: expected a GeoJSON geometry: %w", i+1, err)
		}
		switch g := g.Geometry().(type) {
		case orb.Polygon:
			polygons = append(polygons, g)
		case orb.MultiPolygon:
			polygons = append(polygons, g...)
		default:
			return nil, fmt.Errorf("geometry %d: expected Polygon or MultiPolygon", i+1)
		}
	}
	switch len(polygons) {
	case 0:
		return nil, errors.New("holds no polygon")
	case 1:
		return geojson.NewGeometry(polygons[0]), nil
	}
	return geojson.NewGeometry(polygons), nil
}

// checkAOI says what is wrong with an area.
func checkAOI(g *geojson.Geometry) error {
	var polygons orb.MultiPolygon
	switch p := g.Geometry().(type) {
	case orb.Polygon:
		polygons = orb.MultiPolygon{p}
	case orb.MultiPolygon:
		polygons = p
	default:
		return fmt.Errorf("expected Polygon or MultiPolygon, not %s", g.Type)
	}
	if len(polygons) > maxAOIPolygons {
		return fmt.Errorf("has %d polygons; at most %d are accepted: simplify it", len(polygons), maxAOIPolygons)
	}
	vertices := 0
	for _, p := range polygons {
		for _, ring := range p {
			vertices += len(ring)
			for _, v := range ring {
				if !(v[0] >= -180 && v[0] <= 180 && v[1] >= -90 && v[1] <= 90) {
					return fmt.Errorf("position %v is not longitude and latitude in degrees (EPSG:4326)", v)
				}
			}
		}
	}
	if vertices == 0 {
		return errors.New("holds no positions")
	}
	if vertices > maxAOIVertices {
		return fmt.Errorf("has %d vertices; at most %d are accepted: simplify it", vertices, maxAOIVertices)
	}
	text, err := g.MarshalJSON()
	if err != nil {
		return err
	}
	// The parser checks validity as OGC Simple Features define it.
	if _, err := geom.UnmarshalGeoJSON(text); err != nil {
		return fmt.Errorf("is not a valid geometry: %w", err)
	}
	return nil
}
