package mapping

import (
	"fmt"
	"math"

	"github.com/airbusgeo/godal"
	"github.com/paulmach/orb"

	"github.com/scarp-map/scarp/imagery"
)

// projector turns grid pixels (column, row; fractions allowed) into longitude
// and latitude and back. It is not safe for concurrent use.
type projector struct {
	grid        imagery.Grid
	toLonLat    *godal.Transform
	fromLonLat  *godal.Transform
	utm, lonLat *godal.SpatialRef
}

func newProjector(g imagery.Grid) (p *projector, err error) {
	p = &projector{grid: g}
	defer func() {
		if err != nil {
			p.close()
		}
	}()
	if p.utm, err = godal.NewSpatialRefFromEPSG(g.EPSG); err != nil {
		return nil, fmt.Errorf("look up the grid's CRS EPSG:%d: %w", g.EPSG, err)
	}
	if p.lonLat, err = godal.NewSpatialRefFromEPSG(4326); err != nil {
		return nil, fmt.Errorf("look up EPSG:4326: %w", err)
	}
	if p.toLonLat, err = godal.NewTransform(p.utm, p.lonLat); err != nil {
		return nil, fmt.Errorf("transform EPSG:%d to longitude and latitude: %w", g.EPSG, err)
	}
	if p.fromLonLat, err = godal.NewTransform(p.lonLat, p.utm); err != nil {
		return nil, fmt.Errorf("transform longitude and latitude to EPSG:%d: %w", g.EPSG, err)
	}
	return p, nil
}

func (p *projector) close() {
	for _, t := range []*godal.Transform{p.toLonLat, p.fromLonLat} {
		if t != nil {
			t.Close()
		}
	}
	for _, s := range []*godal.SpatialRef{p.utm, p.lonLat} {
		if s != nil {
			s.Close()
		}
	}
}

// degrees is the precision of published coordinates: 1e-8° is about a
// millimetre. It keeps files small and independent of the last bits of PROJ.
const degrees = 1e8

// lonLatPolygon turns a polygon in pixels into longitude and latitude. One
// across the antimeridian stays in one piece: its longitudes go on beyond ±180.
func (p *projector) lonLatPolygon(poly orb.Polygon) (orb.Polygon, error) {
	out := make(orb.Polygon, len(poly))
	for i, ring := range poly {
		x, y := make([]float64, len(ring)), make([]float64, len(ring))
		for j, pt := range ring {
			x[j] = p.grid.OriginX + pt[0]*imagery.PixelSize
			y[j] = p.grid.OriginY - pt[1]*imagery.PixelSize
		}
		if err := p.toLonLat.TransformEx(x, y, nil, nil); err != nil {
			return nil, fmt.Errorf("reproject a polygon from EPSG:%d to EPSG:4326: %w", p.grid.EPSG, err)
		}
		out[i] = make(orb.Ring, len(ring))
		for j := range x {
			if first := out[0][0][0]; i > 0 || j > 0 {
				x[j] -= 360 * math.Round((x[j]-first)/360)
			}
			out[i][j] = orb.Point{math.Round(x[j]*degrees) / degrees, math.Round(y[j]*degrees) / degrees}
		}
	}
	return out, nil
}

// pixelRing turns a ring in longitude and latitude into pixels. Long edges get
// points between, because a straight line in degrees is none on the grid.
func (p *projector) pixelRing(ring orb.Ring) (orb.Ring, error) {
	// 0.02° is 2 km: the sagitta of such an edge is less than a tenth of a pixel.
	const step = 0.02
	var x, y []float64
	for i, pt := range ring {
		if i > 0 {
			prev := ring[i-1]
			n := int(math.Ceil(max(math.Abs(pt[0]-prev[0]), math.Abs(pt[1]-prev[1])) / step))
			for k := 1; k < n; k++ {
				f := float64(k) / float64(n)
				x, y = append(x, prev[0]+f*(pt[0]-prev[0])), append(y, prev[1]+f*(pt[1]-prev[1]))
			}
		}
		x, y = append(x, pt[0]), append(y, pt[1])
	}
	if err := p.fromLonLat.TransformEx(x, y, nil, nil); err != nil {
		return nil, fmt.Errorf("reproject the AOI to EPSG:%d: %w", p.grid.EPSG, err)
	}
	out := make(orb.Ring, len(x))
	for i := range x {
		out[i] = orb.Point{(x[i] - p.grid.OriginX) / imagery.PixelSize, (p.grid.OriginY - y[i]) / imagery.PixelSize}
	}
	return out, nil
}

// bounds returns the grid's extent in longitude and latitude; across the
// antimeridian the longitudes go on beyond 180.
func (p *projector) bounds() (orb.Bound, error) {
	const n = 16 // points an edge: its curvature between them is below a pixel
	w, h := float64(p.grid.Width), float64(p.grid.Height)
	outline := orb.Ring{{w / 2, h / 2}}
	for i := range n + 1 {
		f := float64(i) / n
		outline = append(outline, orb.Point{f * w, 0}, orb.Point{f * w, h}, orb.Point{0, f * h}, orb.Point{w, f * h})
	}
	poly, err := p.lonLatPolygon(orb.Polygon{outline})
	if err != nil {
		return orb.Bound{}, err
	}
	return poly.Bound(), nil
}

// pixelArea returns the true area in m² of one pixel of r: UTM pixels are
// 100 m² on the map, and up to 0.2 % more or less on the ground.
func (p *projector) pixelArea(r imagery.Rect) (float64, error) {
	x0, y0, x1, y1 := float64(r.X), float64(r.Y), float64(r.X+r.W), float64(r.Y+r.H)
	poly, err := p.lonLatPolygon(orb.Polygon{{{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}, {x0, y0}}})
	if err != nil {
		return 0, err
	}
	area, _ := geodesic(poly)
	return area / float64(r.W*r.H), nil
}
