package imagery

import "fmt"

// PixelSize is the side of a grid pixel in metres.
const PixelSize = 10.0

// Grid is an event's pixel grid: 10 m pixels, north up, in the UTM zone EPSG.
// Column 0 and row 0 are at the upper left; OriginX and OriginY are that
// pixel's upper-left corner in metres and multiples of 10.
type Grid struct {
	EPSG             int
	OriginX, OriginY float64
	Width, Height    int
}

// Rect is a rectangle of grid pixels: columns [X, X+W), rows [Y, Y+H).
type Rect struct{ X, Y, W, H int }

// Bounds returns the grid's extent in its own CRS, in metres.
func (g Grid) Bounds() (minX, minY, maxX, maxY float64) {
	return g.OriginX, g.OriginY - float64(g.Height)*PixelSize, g.OriginX + float64(g.Width)*PixelSize, g.OriginY
}

// GeoTransform returns GDAL's six numbers for a window that starts at r's upper left.
func (g Grid) GeoTransform(r Rect) [6]float64 {
	return [6]float64{g.OriginX + float64(r.X)*PixelSize, PixelSize, 0, g.OriginY - float64(r.Y)*PixelSize, 0, -PixelSize}
}

// Rect returns the whole grid.
func (g Grid) Rect() Rect { return Rect{W: g.Width, H: g.Height} }

// Intersect returns the common part of r and s; it is empty (W or H 0) if there is none.
func (r Rect) Intersect(s Rect) Rect {
	x0, y0 := max(r.X, s.X), max(r.Y, s.Y)
	x1, y1 := min(r.X+r.W, s.X+s.W), min(r.Y+r.H, s.Y+s.H)
	if x1 <= x0 || y1 <= y0 {
		return Rect{}
	}
	return Rect{X: x0, Y: y0, W: x1 - x0, H: y1 - y0}
}

// Empty says whether r has no pixels.
func (r Rect) Empty() bool { return r.W <= 0 || r.H <= 0 }

// Contains says whether s lies in r.
func (r Rect) Contains(s Rect) bool {
	return s.X >= r.X && s.Y >= r.Y && s.X+s.W <= r.X+r.W && s.Y+s.H <= r.Y+r.H
}

// String writes r as width×height+column+row, for errors and logs.
func (r Rect) String() string { return fmt.Sprintf("%d×%d%+d%+d", r.W, r.H, r.X, r.Y) }
