// Package export writes landslides as files for other programs.
package export

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/gpkg"
)

// GeoPackage writes one run as a GeoPackage at path, with the tables of Scarp's
// own store: landslides, runs and events, the event without its files.
func GeoPackage(ctx context.Context, path string, e imagery.Event, r store.Run, landslides []store.Landslide) error {
	return gpkg.Write(ctx, path, e, r, landslides)
}

// GeoJSON writes the landslides as a FeatureCollection (RFC 7946), one feature
// a line, without holding the text in memory.
func GeoJSON(w io.Writer, landslides []store.Landslide) error {
	out := bufio.NewWriterSize(w, 1<<16)
	out.WriteString(`{"type":"FeatureCollection","features":[`) // a bufio.Writer keeps its first error for Flush
	for i, l := range landslides {
		if i > 0 {
			out.WriteByte(',')
		}
		text, err := json.Marshal(NewFeature(l))
		if err != nil {
			return fmt.Errorf("write landslide %d as GeoJSON: %w", i+1, err)
		}
		out.WriteByte('\n')
		if _, err := out.Write(text); err != nil {
			return fmt.Errorf("write GeoJSON: %w", err)
		}
	}
	out.WriteString("\n]}\n")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write GeoJSON: %w", err)
	}
	return nil
}

// Feature is a landslide as a GeoJSON feature; encode it with encoding/json.
type Feature struct {
	Type       string            `json:"type"`
	ID         int64             `json:"id,omitempty"` // none where the landslide is in no store
	Geometry   *geojson.Geometry `json:"geometry"`
	Properties properties        `json:"properties"`
}

// properties are a landslide's attributes; its id is the feature's.
type properties struct {
	store.Landslide
	NoID *struct{} `json:"id,omitempty"` // hides the embedded one
}

// NewFeature makes a feature with the ring order that RFC 7946 asks for (shell
// counterclockwise, holes clockwise) and positions to a millimetre.
func NewFeature(l store.Landslide) Feature {
	polygon := make(orb.Polygon, len(l.Geometry))
	for i, ring := range l.Geometry {
		ring = slices.Clone(ring)
		for j, at := range ring {
			ring[j] = orb.Point{millimetre(at[0]), millimetre(at[1])}
		}
		if shell := i == 0; shell != (ring.Orientation() == orb.CCW) {
			ring.Reverse()
		}
		polygon[i] = ring
	}
	return Feature{Type: "Feature", ID: l.ID, Geometry: geojson.NewGeometry(polygon), Properties: properties{Landslide: l}}
}

// millimetre rounds degrees to 8 decimals.
func millimetre(degrees float64) float64 { return math.Round(degrees*1e8) / 1e8 }
