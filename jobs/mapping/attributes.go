package mapping

import (
	"context"
	"fmt"
	"math"

	"github.com/paulmach/orb"
	"golang.org/x/sync/errgroup"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/store"
)

// stats gathers what the pixels of one polygon say. The sums are taken in the
// order of blocks and rows, so that they do not depend on who read first.
type stats struct {
	prob, probMax, probN   uint64
	elev, elevMin, elevMax float64
	slope, sin, cos        float64
	terrainN, slopeN       int
	ndvi                   float64
	ndviN                  int
	cloud                  bool
}

// piece is a run of pixels of a polygon in one block.
type piece struct{ poly, y, x0, x1 int32 }

// statistics reads the imagery under the polygons (in grid pixels), block by
// block, only where there are polygons.
func (m *Mosaic) statistics(ctx context.Context, polys []orb.Polygon) ([]stats, error) {
	out := make([]stats, len(polys))
	for i := range out {
		out[i].elevMin, out[i].elevMax = math.Inf(1), math.Inf(-1)
	}
	byBlock, err := m.pieces(polys, out)
	if err != nil {
		return nil, err
	}
	req := m.request()
	type read struct {
		pieces []piece
		window chan *imagery.Window
	}
	// Windows are read ahead by several goroutines and added up in order by one.
	const ahead = 4
	reads := make(chan read, ahead)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(reads)
		readers, rctx := errgroup.WithContext(ctx)
		readers.SetLimit(ahead)
		for _, at := range m.plan.Blocks {
			pieces := byBlock[at]
			if len(pieces) == 0 {
				continue
			}
			r := read{pieces, make(chan *imagery.Window, 1)}
			select {
			case reads <- r:
			case <-rctx.Done():
				return readers.Wait()
			}
			readers.Go(func() error {
				req := req
				req.Rect = piecesRect(pieces)
				w, err := m.plan.Source.Read(rctx, req)
				if err != nil {
					return fmt.Errorf("read the imagery under landslides of event %q: %w", m.plan.Source.Event().ID, err)
				}
				r.window <- w
				return nil
			})
		}
		return readers.Wait()
	})
	g.Go(func() error {
		for r := range reads {
			select {
			case w := <-r.window:
				m.add(out, r.pieces, w, req)
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// request asks for what the attributes need. Vegetation needs red and near infrared on both sides.
func (m *Mosaic) request() imagery.Request {
	req := imagery.Request{Terrain: []string{imagery.Elevation, imagery.Slope, imagery.Aspect}}
	src := m.plan.Source
	for _, side := range []imagery.Side{imagery.Pre, imagery.Post} {
		if !src.HasBand(side, "B04") || !src.HasBand(side, "B08") {
			return req
		}
	}
	req.Pre, req.Post = []string{"B04", "B08"}, []string{"B04", "B08"}
	return req
}

// pieces sorts the polygons' pixels by block, and takes from the mosaic what it says about them.
func (m *Mosaic) pieces(polys []orb.Polygon, out []stats) (map[inference.BlockIndex][]piece, error) {
	const n = inference.BlockSize
	byBlock := make(map[inference.BlockIndex][]piece)
	for i, p := range polys {
		c, err := cover(orb.MultiPolygon{p}, boundsOf(p))
		if err != nil {
			return nil, fmt.Errorf("polygon at column %v row %v: %w", p[0][0][0], p[0][0][1], err)
		}
		c.each(c.rect, func(y, x0, x1 int) {
			m.addProbability(&out[i], y, x0, x1)
			for x := x0; x < x1; {
				at := inference.BlockIndex{Col: x / n, Row: y / n}
				end := min(x1, (at.Col+1)*n)
				byBlock[at] = append(byBlock[at], piece{int32(i), int32(y), int32(x), int32(end)})
				x = end
			}
		})
	}
	return byBlock, nil
}

func boundsOf(p orb.Polygon) imagery.Rect {
	b := p.Bound()
	return imagery.Rect{X: int(b.Min[0]), Y: int(b.Min[1]), W: int(b.Max[0] - b.Min[0]), H: int(b.Max[1] - b.Min[1])}
}

func piecesRect(pieces []piece) imagery.Rect {
	var r imagery.Rect
	for _, p := range pieces {
		r = union(r, imagery.Rect{X: int(p.x0), Y: int(p.y), W: int(p.x1 - p.x0), H: 1})
	}
	return r
}

// cloudReach is how near, in pixels, a cloud must be for a polygon to count as
// touching it: the edge of a mask is not exact, and what lies under the cloud
// may belong to the landslide.
const cloudReach = 2

func (m *Mosaic) addProbability(s *stats, y, x0, x1 int) {
	w := m.plan.window
	for _, v := range m.row(y)[x0-w.X : x1-w.X] {
		if v <= inference.MaxProbability {
			s.prob += uint64(v)
			s.probN++
			s.probMax = max(s.probMax, uint64(v))
		}
	}
	near := imagery.Rect{X: x0 - cloudReach, Y: y - cloudReach, W: x1 - x0 + 2*cloudReach, H: 2*cloudReach + 1}.Intersect(w)
	for row := near.Y; row < near.Y+near.H && !s.cloud; row++ {
		for _, v := range m.row(row)[near.X-w.X : near.X-w.X+near.W] {
			if isCloud(v) {
				s.cloud = true
				break
			}
		}
	}
}

// add adds the pieces' pixels of w. Pixels in filled holes without a prediction count for none of the means.
func (m *Mosaic) add(out []stats, pieces []piece, w *imagery.Window, req imagery.Request) {
	ndvi := len(req.Pre) == 2 && w.Pre[0] != nil && w.Pre[1] != nil && w.Post[0] != nil && w.Post[1] != nil
	elevation, slope, aspect := w.Terrain[0], w.Terrain[1], w.Terrain[2]
	for _, p := range pieces {
		s := &out[p.poly]
		mosaic := m.row(int(p.y))
		for x := int(p.x0); x < int(p.x1); x++ {
			if mosaic[x-m.plan.window.X] > inference.MaxProbability {
				continue
			}
			i := (int(p.y)-w.Rect.Y)*w.Width + x - w.Rect.X
			if w.TerrainValid[i] == 1 {
				s.addTerrain(float64(elevation[i]), float64(slope[i]), float64(aspect[i]))
			}
			if ndvi {
				pre, ok1 := normalizedDifference(w.Pre[1][i], w.Pre[0][i])
				post, ok2 := normalizedDifference(w.Post[1][i], w.Post[0][i])
				if ok1 && ok2 {
					s.ndvi += post - pre
					s.ndviN++
				}
			}
		}
	}
}

func (s *stats) addTerrain(elevation, slope, aspect float64) {
	if !math.IsNaN(elevation) {
		s.elev += elevation
		s.elevMin, s.elevMax = min(s.elevMin, elevation), max(s.elevMax, elevation)
		s.terrainN++
	}
	if math.IsNaN(slope) {
		return
	}
	s.slope += slope
	s.slopeN++
	if slope > 0 && !math.IsNaN(aspect) { // flat ground faces nowhere
		sin, cos := math.Sincos(aspect * math.Pi / 180)
		s.sin, s.cos = s.sin+sin, s.cos+cos
	}
}

func normalizedDifference(a, b uint16) (float64, bool) {
	if a == 0 || b == 0 {
		return 0, false
	}
	return (float64(a) - float64(b)) / (float64(a) + float64(b)), true
}

// fill writes the means into a landslide's attributes.
func (s *stats) fill(l *store.Landslide) {
	if s.probN > 0 {
		l.ProbMean = float64(s.prob) / float64(s.probN) / float64(inference.MaxProbability)
		l.ProbMax = float64(s.probMax) / float64(inference.MaxProbability)
	}
	if s.terrainN > 0 {
		l.ElevMin, l.ElevMax, l.ElevMean = s.elevMin, s.elevMax, s.elev/float64(s.terrainN)
	}
	if s.slopeN > 0 {
		l.SlopeMean = s.slope / float64(s.slopeN)
	}
	if a := math.Atan2(s.sin, s.cos) * 180 / math.Pi; s.sin != 0 || s.cos != 0 {
		l.Aspect = math.Mod(a+360, 360)
	}
	if s.ndviN > 0 {
		d := s.ndvi / float64(s.ndviN)
		l.DeltaNDVI = &d
	}
	l.CloudAdjacent = s.cloud
}
