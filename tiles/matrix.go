package tiles

import (
	"fmt"
	"math"
	"strconv"
)

// Figures of OGC 17-083r4, annex D: the scale denominators and cell sizes of
// matrix 0; each further matrix halves them.
const (
	tileSize = 256

	mercatorScale = 559082264.028717
	mercatorCell  = 156543.033928041
	mercatorEdge  = 20037508.3427892
	mercatorLast  = 24

	crs84Scale = 279541132.014358
	crs84Cell  = 0.703125
	crs84Last  = 17
)

// matrixSets builds the tile matrix sets, WebMercatorQuad first.
func matrixSets() []MatrixSet {
	mercator := MatrixSet{
		ID: "WebMercatorQuad", Title: "Google Maps Compatible for the World",
		URI: "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad",
		CRS: "http://www.opengis.net/def/crs/EPSG/0/3857", EPSG: 3857,
	}
	for z := range mercatorLast + 1 {
		n := 1 << z
		mercator.Matrices = append(mercator.Matrices, Matrix{
			ID: strconv.Itoa(z), ScaleDenominator: mercatorScale / float64(n), CellSize: mercatorCell / float64(n),
			OriginX: -mercatorEdge, OriginY: mercatorEdge, TileSize: tileSize, Width: n, Height: n,
		})
	}
	crs84 := MatrixSet{
		ID: "WorldCRS84Quad", Title: "CRS84 for the World",
		URI: "http://www.opengis.net/def/tilematrixset/OGC/1.0/WorldCRS84Quad",
		CRS: "http://www.opengis.net/def/crs/OGC/1.3/CRS84", EPSG: 4326,
	}
	for z := range crs84Last + 1 {
		n := 1 << z
		crs84.Matrices = append(crs84.Matrices, Matrix{
			ID: strconv.Itoa(z), ScaleDenominator: crs84Scale / float64(n), CellSize: crs84Cell / float64(n),
			OriginX: -180, OriginY: 90, TileSize: tileSize, Width: 2 * n, Height: n,
		})
	}
	return []MatrixSet{mercator, crs84}
}

// MatrixSets lists the tile matrix sets, WebMercatorQuad first.
func (e *Engine) MatrixSets() []MatrixSet { return e.sets }

// matrix finds a matrix of a set.
func (e *Engine) matrix(set string, matrix int) (*MatrixSet, *Matrix, error) {
	for i := range e.sets {
		s := &e.sets[i]
		if s.ID != set {
			continue
		}
		if matrix < 0 || matrix >= len(s.Matrices) {
			return nil, nil, fmt.Errorf("%w: matrix %d of %s does not exist; there are 0 to %d", ErrOutsideLimits, matrix, set, len(s.Matrices)-1)
		}
		return s, &s.Matrices[matrix], nil
	}
	return nil, nil, fmt.Errorf("%w %q; there are WebMercatorQuad and WorldCRS84Quad", ErrUnknownTMS, set)
}

// bounds returns a tile's extent in the set's CRS.
func (m *Matrix) bounds(row, col int) [4]float64 {
	side := m.CellSize * float64(m.TileSize)
	return [4]float64{
		m.OriginX + float64(col)*side, m.OriginY - float64(row+1)*side,
		m.OriginX + float64(col+1)*side, m.OriginY - float64(row)*side,
	}
}

// Limits returns the tiles that touch the bounds (west, south, east, north in
// degrees; west > east crosses the antimeridian and gives all columns). For a
// matrix that the set does not have the limits are empty: their maxima are -1.
func (e *Engine) Limits(set MatrixSet, matrix int, bounds [4]float64) Limits {
	if matrix < 0 || matrix >= len(set.Matrices) {
		return Limits{MaxRow: -1, MaxCol: -1}
	}
	m := &set.Matrices[matrix]
	x0, y0 := set.fromLonLat(bounds[0], bounds[1])
	x1, y1 := set.fromLonLat(bounds[2], bounds[3])
	side := m.CellSize * float64(m.TileSize)
	// A tile that only shares its edge with the bounds does not touch them:
	// a billionth of a tile settles what rounding leaves open.
	const edge = 1e-9
	col := func(x, nudge float64) int {
		return min(max(int(math.Floor((x-m.OriginX)/side+nudge)), 0), m.Width-1)
	}
	row := func(y, nudge float64) int {
		return min(max(int(math.Floor((m.OriginY-y)/side+nudge)), 0), m.Height-1)
	}
	l := Limits{MinRow: row(y1, edge), MaxRow: row(y0, -edge), MinCol: col(x0, edge), MaxCol: col(x1, -edge)}
	if bounds[0] > bounds[2] {
		l.MinCol, l.MaxCol = 0, m.Width-1
	}
	l.MaxRow, l.MaxCol = max(l.MaxRow, l.MinRow), max(l.MaxCol, l.MinCol)
	return l
}

// fromLonLat projects degrees into the set's CRS.
func (s *MatrixSet) fromLonLat(lon, lat float64) (x, y float64) {
	if s.EPSG != 3857 {
		return lon, lat
	}
	const maxLat = 85.0511287798066 // where the square world of Web Mercator ends
	lat = min(max(lat, -maxLat), maxLat)
	x = lon / 180 * mercatorEdge
	y = math.Log(math.Tan(math.Pi/4+lat*math.Pi/360)) / math.Pi * mercatorEdge
	return x, y
}

// contains says whether the tile is within the limits.
func (l Limits) contains(row, col int) bool {
	return row >= l.MinRow && row <= l.MaxRow && col >= l.MinCol && col <= l.MaxCol
}
