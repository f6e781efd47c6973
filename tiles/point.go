package tiles

import (
	"context"
	"fmt"
	"math"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/planar"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/store"
)

// reason says in words why a code is not a probability.
func reason(code uint8) string {
	switch code {
	case inference.CloudPre:
		return "cloud before"
	case inference.CloudPost:
		return "cloud after"
	case inference.CloudBoth:
		return "cloud before and after"
	case inference.NotPredicted:
		return "not predicted yet"
	}
	return "no data"
}

// Point says what is at a place: its block is predicted if it is not yet.
func (e *Engine) Point(ctx context.Context, q PointQuery) (PointInfo, error) {
	lon, lat := q.Lon, q.Lat
	info := PointInfo{Lon: lon, Lat: lat}
	if !(math.Abs(lon) <= 540 && math.Abs(lat) <= 90) {
		return info, fmt.Errorf("%w: longitude %g, latitude %g is no place on Earth", ErrBadView, lon, lat)
	}
	d, err := e.resolve(ctx, request{event: q.Event, layer: Probability, model: q.Model, threshold: q.Threshold, during: q.During})
	if err != nil {
		return info, err
	}
	info.Model = d.model.Name()
	if dates := d.src.Dates(imagery.Pre); len(dates) > 0 {
		info.PreDate = dates[len(dates)-1]
	}
	if dates := d.src.Dates(imagery.Post); len(dates) > 0 {
		info.PostDate = dates[0]
	}
	x, y, ok, err := e.projections.pixelAt(d.src.Grid(), lon, lat)
	if err != nil {
		return info, err
	}
	if !ok {
		info.Reason = "outside the event"
		return info, nil
	}
	if err := e.pointPrediction(ctx, d, x, y, &info); err != nil {
		return info, err
	}
	if err := pointTerrain(ctx, d.src, x, y, &info); err != nil {
		return info, err
	}
	return info, e.pointLandslides(ctx, q, &info)
}

// pixelAt finds the grid pixel at a place; ok is false outside the grid.
func (p *projections) pixelAt(g imagery.Grid, lon, lat float64) (x, y int, ok bool, err error) {
	project, err := p.get(lonLatEPSG, g.EPSG)
	if err != nil {
		return 0, 0, false, err
	}
	defer project.release()
	px, py, good := []float64{lon}, []float64{lat}, []bool{false}
	project.transform(px, py, good)
	gx, gy := math.Floor((px[0]-g.OriginX)/imagery.PixelSize), math.Floor((g.OriginY-py[0])/imagery.PixelSize)
	if !good[0] || !(gx >= 0 && gy >= 0 && gx < float64(g.Width) && gy < float64(g.Height)) {
		return 0, 0, false, nil
	}
	return int(gx), int(gy), true, nil
}

func (e *Engine) pointPrediction(ctx context.Context, d drawing, x, y int, info *PointInfo) error {
	const side = inference.BlockSize
	at := inference.BlockIndex{Col: x / side, Row: y / side}
	b, err := e.deps.Predictor.Block(ctx, d.src, d.model, at, inference.Interactive)
	if err != nil {
		return fmt.Errorf("predict block %v of %s: %w", at, d.src.Event().ID, err)
	}
	code := b.Pixels[y%side*side+x%side]
	if code > inference.MaxProbability {
		info.Reason = reason(code)
		return nil
	}
	p := float64(code) / float64(inference.MaxProbability)
	over := p >= d.threshold
	info.Probability, info.Landslide, info.Class = &p, &over, e.styles.className(p)
	return nil
}

func pointTerrain(ctx context.Context, src imagery.Source, x, y int, info *PointInfo) error {
	w, err := src.Read(ctx, imagery.Request{
		Rect: imagery.Rect{X: x, Y: y, W: 1, H: 1}, Terrain: []string{imagery.Elevation, imagery.Slope}})
	if err != nil {
		return fmt.Errorf("read terrain of %s: %w", src.Event().ID, err)
	}
	if len(w.TerrainValid) == 1 && w.TerrainValid[0] != 0 {
		elevation, slope := float64(w.Terrain[0][0]), float64(w.Terrain[1][0])
		info.Elevation, info.Slope = &elevation, &slope
	}
	return nil
}

// pointLandslides finds the polygons of the run at the point.
func (e *Engine) pointLandslides(ctx context.Context, q PointQuery, info *PointInfo) error {
	run, err := e.runs.resolve(ctx, q.Event, q.Run)
	if err != nil || run == "" {
		return err
	}
	const near = 1e-7 // degrees
	lon := info.Lon - 360*math.Round(info.Lon/360)
	page, err := e.deps.Store.Landslides(ctx, store.Query{Event: q.Event, Run: run, From: q.During.From, To: q.During.To,
		BBox: &[4]float64{lon - near, info.Lat - near, lon + near, info.Lat + near}})
	if err != nil {
		return fmt.Errorf("read landslides of run %s: %w", run, err)
	}
	for _, l := range page.Landslides {
		if planar.PolygonContains(l.Geometry, orb.Point{lon, info.Lat}) {
			info.Landslides = append(info.Landslides, PointLandslide{l.ID, l.Area})
		}
	}
	return nil
}
