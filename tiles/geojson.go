package tiles

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/paulmach/orb/planar"
	"github.com/paulmach/orb/simplify"

	"github.com/scarp-map/scarp/store"
)

// geoJSONTile encodes the landslides of a run that touch a tile, in longitude
// and latitude (RFC 7946), with the attributes that Mapbox vector tiles have.
//
// Outlines are whole, not cut at the tile's edge: who puts tiles together has
// each landslide once for each id, the same in every tile of a matrix, and who
// draws them sees no edges of tiles. They keep the corners that show at the
// tile's scale. As in a Mapbox vector tile, of the landslides below a pixel
// there is one a pixel (the largest, as the box around it), and of more than
// vectorMost the largest.
func (e *Engine) geoJSONTile(ctx context.Context, d drawing, f frame) ([]byte, error) {
	tile := geojson.NewFeatureCollection()
	small := specks{}
	err := e.largest(ctx, d, f, 0, vectorMost, func(s *store.Landslide, whole orb.Polygon) {
		if planar.Area(f.clip(whole.Clone(), 0)) == 0 {
			return
		}
		if outline := generalized(s.Geometry, whole); outline != nil {
			tile.Append(vectorFeature(s, outline))
			return
		}
		small.add(s, whole.Bound().Center())
	})
	if err != nil {
		return nil, err
	}
	for _, s := range small {
		tile.Append(vectorFeature(s, s.Geometry.Bound().ToPolygon()))
	}
	slices.SortFunc(tile.Features, byID)
	data, err := json.Marshal(tile)
	if err != nil {
		return nil, fmt.Errorf("encode GeoJSON tile: %w", err)
	}
	return data, nil
}

// generalized leaves out the corners of a polygon in degrees that do not show in
// the same polygon in units of a vector tile; exterior rings are anticlockwise as
// RFC 7946 wants. Nil is a polygon below a pixel.
func generalized(degrees, units orb.Polygon) orb.Polygon {
	b := units.Bound()
	if max(b.Max[0]-b.Min[0], b.Max[1]-b.Min[1]) < unitsPerPix {
		return nil
	}
	reduce := simplify.DouglasPeucker(tolerance)
	var out orb.Polygon
	for i, ring := range units {
		kept := corners(degrees[i], ring, reduce.Ring(ring.Clone()))
		turn := orb.CCW
		if i > 0 {
			turn = orb.CW
		}
		if len(kept) < 4 || planar.Area(kept) == 0 {
			if i == 0 {
				return nil
			}
			continue
		}
		if kept.Orientation() != turn {
			kept.Reverse()
		}
		out = append(out, kept)
	}
	return out
}

// corners finds the corners in degrees of those in units that were kept, which
// are in the same order.
func corners(degrees, units, kept orb.Ring) orb.Ring {
	out := make(orb.Ring, 0, len(kept))
	for i, p := range units {
		if len(out) < len(kept) && kept[len(out)] == p {
			out = append(out, degrees[i])
		}
	}
	return out
}
