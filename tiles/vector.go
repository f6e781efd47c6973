package tiles

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
	"github.com/paulmach/orb/geojson"
	"github.com/paulmach/orb/planar"
	"github.com/paulmach/orb/simplify"

	"github.com/scarp-map/scarp/store"
)

const (
	// vectorLayer is the name of the layer in vector tiles.
	vectorLayer = "landslides"
	// extent is the side of a vector tile in its own units, 16 a pixel.
	extent       = mvt.DefaultExtent
	unitsPerPix  = extent / tileSize
	vectorMargin = 4 * unitsPerPix // outlines of neighbours reach in
	// vectorMost is how many landslides a tile has at most: the largest. A tile of
	// so many is full to the eye, and has some hundred kilobytes. Those of its own
	// zoom's level are about as many, and the same in the tiles beside it, but for
	// some of the smallest where a full tile's neighbours reach in.
	vectorMost = store.CellLandslides
	// tolerance is how far simplified outlines may be off: an eighth of a pixel.
	tolerance = unitsPerPix / 8.0
)

// vectorTile encodes the landslides of a run that a tile shows, as Mapbox vector
// tile or as GeoJSON, with the tile's grid for a frame.
func (e *Engine) vectorTile(ctx context.Context, d drawing) ([]byte, error) {
	f := d.finish.frame
	f.width, f.height = extent, extent
	leave, err := e.limiter.enter(ctx, 8<<20)
	if err != nil {
		return nil, err
	}
	defer leave()
	if d.finish.format == formatJSON {
		return e.geoJSONTile(ctx, d, f)
	}
	return e.mapboxTile(ctx, d, f)
}

// mapboxTile encodes a tile as the Mapbox Vector Tile specification has it. Polygons below
// a pixel become squares of one pixel, one a pixel (the largest), so that
// nothing vanishes when zooming out and a tile stays small. Of more than
// vectorMost landslides the largest are shown.
func (e *Engine) mapboxTile(ctx context.Context, d drawing, f frame) ([]byte, error) {
	layer := &mvt.Layer{Name: vectorLayer, Version: 2, Extent: extent}
	small := specks{}
	err := e.largest(ctx, d, f, vectorMargin, vectorMost, func(s *store.Landslide, whole orb.Polygon) {
		p := f.clip(whole, vectorMargin)
		if len(p) == 0 {
			return
		}
		if outline := vectorPolygon(p); outline != nil {
			layer.Features = append(layer.Features, vectorFeature(s, outline))
			return
		}
		small.add(s, p.Bound().Center())
	})
	if err != nil {
		return nil, err
	}
	for cell, s := range small {
		x, y := float64(cell[0]*unitsPerPix), float64(cell[1]*unitsPerPix)
		ring := square(orb.Point{x + unitsPerPix/2, y + unitsPerPix/2}, unitsPerPix)
		layer.Features = append(layer.Features, vectorFeature(s, orb.Polygon{ring}))
	}
	if len(layer.Features) == 0 {
		return []byte{}, nil
	}
	slices.SortFunc(layer.Features, byID)
	data, err := mvt.Marshal(mvt.Layers{layer})
	if err != nil {
		return nil, fmt.Errorf("encode vector tile: %w", err)
	}
	return data, nil
}

// specks are the landslides that are smaller than a pixel: the largest of each.
type specks map[[2]int]*store.Landslide

func (s specks) add(l *store.Landslide, at orb.Point) {
	cell := [2]int{int(math.Floor(at[0] / unitsPerPix)), int(math.Floor(at[1] / unitsPerPix))}
	if there := s[cell]; there == nil || l.Area > there.Area {
		s[cell] = l
	}
}

func byID(a, b *geojson.Feature) int { return cmp.Compare(a.ID.(int64), b.ID.(int64)) }

// vectorPolygon simplifies a polygon and puts it on the tile's units, exterior
// rings clockwise on screen as the specification wants. Nil is a polygon below a pixel.
func vectorPolygon(p orb.Polygon) orb.Polygon {
	b := p.Bound()
	if max(b.Max[0]-b.Min[0], b.Max[1]-b.Min[1]) < unitsPerPix {
		return nil
	}
	reduce := simplify.DouglasPeucker(tolerance)
	var out orb.Polygon
	for i, ring := range p {
		ring = whole(reduce.Ring(ring.Clone()))
		if len(ring) < 4 || planar.Area(ring) == 0 {
			if i == 0 {
				return nil
			}
			continue
		}
		turn := orb.CCW // in coordinates whose y goes down, this is clockwise on screen
		if i > 0 {
			turn = orb.CW
		}
		if ring.Orientation() != turn {
			ring.Reverse()
		}
		out = append(out, ring)
	}
	return out
}

// whole rounds to whole units and drops points that fall together.
func whole(ring orb.Ring) orb.Ring {
	out := ring[:0]
	for _, p := range ring {
		p = orb.Point{math.Round(p[0]), math.Round(p[1])}
		if len(out) == 0 || out[len(out)-1] != p {
			out = append(out, p)
		}
	}
	if len(out) > 0 && out[0] != out[len(out)-1] {
		out = append(out, out[0])
	}
	return out
}

// vectorFeature gives a polygon the attributes of its landslide.
func vectorFeature(s *store.Landslide, p orb.Polygon) *geojson.Feature {
	f := geojson.NewFeature(p)
	f.ID = s.ID
	f.Properties = geojson.Properties{
		"id": s.ID, "event": s.Event, "run": s.Run,
		"area_m2": s.Area, "perimeter_m": s.Perimeter, "length_m": s.Length, "width_m": s.Width,
		"probability_mean": s.ProbMean, "probability_max": s.ProbMax,
		"elevation_min_m": s.ElevMin, "elevation_max_m": s.ElevMax, "elevation_mean_m": s.ElevMean,
		"slope_mean_deg": s.SlopeMean, "aspect_deg": s.Aspect, "cloud_adjacent": s.CloudAdjacent,
		"model": s.Model, "model_version": s.ModelVersion,
	}
	if s.DeltaNDVI != nil {
		f.Properties["delta_ndvi_mean"] = *s.DeltaNDVI
	}
	for name, date := range map[string]time.Time{"pre_date": s.PreDate, "post_date": s.PostDate} {
		if !date.IsZero() { // nobody recorded it
			f.Properties[name] = date.Format(time.DateOnly)
		}
	}
	return f
}
