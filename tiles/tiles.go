// Package tiles turns blocks and imagery into pictures: any bounding box in
// any CRS that PROJ knows, any tile of the tile matrix sets, styled and encoded;
// and landslides into vector tiles. It caches encoded tiles, and those views that
// are read in pieces. It does not know HTTP parameters.
package tiles

import (
	"context"
	"errors"
	"image"
	"image/color"
	"time"

	"github.com/scarp-map/scarp/cache"
	"github.com/scarp-map/scarp/imagery"
)

// Layer names what of an event is drawn.
type Layer string

// The layers of an event.
const (
	PreImage    Layer = "pre"         // true colour before
	PostImage   Layer = "post"        // true colour after
	Probability Layer = "probability" // of newly triggered landslide
	Mask        Layer = "mask"        // probability at or above the threshold
	Landslides  Layer = "landslides"  // polygons of a run (vector; drawn by Render too)
)

// Layers lists the layers in drawing order.
func Layers() []Layer { return []Layer{PreImage, PostImage, Probability, Mask, Landslides} }

// Errors that callers turn into their standard's own (returned wrapped, with what would be right).
var (
	ErrUnknownLayer  = errors.New("unknown layer")
	ErrUnknownStyle  = errors.New("unknown style")
	ErrUnknownFormat = errors.New("unknown format")
	ErrUnknownCRS    = errors.New("unknown CRS")
	ErrUnknownTMS    = errors.New("unknown tile matrix set")
	ErrOutsideLimits = errors.New("tile outside the limits")
	ErrBadView       = errors.New("bad view") // empty bbox, size 0 or too large
	ErrBusy          = errors.New("too many maps are being drawn")
	// ErrNoImage says that no image of the layer is of the dates asked for.
	ErrNoImage = imagery.ErrNoScene
)

// View is a map to draw.
type View struct {
	Event string
	Layer Layer
	// Model by name; empty is the event's, then the server's default. Style
	// empty is the layer's default. Run is for Landslides; empty is the latest.
	Model, Style, Run string
	// EPSG is the code of the CRS of BBox and picture; 4326 with BBox in longitude, latitude order.
	EPSG          int
	BBox          [4]float64 // min x, min y, max x, max y
	Width, Height int
	Format        string // media type: image/png, image/jpeg, image/webp, image/tiff
	// Transparent leaves what has no data transparent (PNG, WebP); otherwise Background (nil is white) shows.
	Transparent bool
	Background  color.Color
	// Threshold overrides the model's for Mask and for the transparency of Probability; 0 is the model's.
	Threshold float64
	// During selects scenes by date.
	During Span
	// Bytes makes image/tiff of the style of values hold bytes, probability × 250
	// with 251 for no data, instead of floats with NaN.
	Bytes bool
	// Keep keeps what was encoded in the cache, for files that clients read in
	// pieces. Boxes of maps hardly ever recur: those are drawn anew.
	Keep bool
}

// Span is a time in which images were acquired, ends inclusive; a zero end is
// open. The zero Span is all there are. It selects scenes before the event for
// [PreImage], scenes after it for the other layers, and landslides by the date
// of the image after.
type Span struct{ From, To time.Time }

// IsZero says whether the span leaves nothing out.
func (s Span) IsZero() bool { return s.From.IsZero() && s.To.IsZero() }

// Tile is one tile of a tile matrix set.
type Tile struct {
	Event             string
	Layer             Layer
	Model, Style, Run string
	MatrixSet         string // WebMercatorQuad, WorldCRS84Quad
	Matrix, Row, Col  int
	Format            string // media type; for Landslides application/vnd.mapbox-vector-tile and application/geo+json too
	Scale             int    // 1: 256 px, 2: 512 px
	// Threshold and During are those of a [View].
	Threshold float64
	During    Span
}

// Rendered is an encoded picture or vector tile.
type Rendered struct {
	Bytes       []byte // shared: do not write to it
	ContentType string
	// ETag is strong and quoted; Modified is the time of computation.
	ETag     string
	Modified time.Time
	// Complete is false where blocks above the budget of the request were left
	// out: such a picture must not be kept by anybody.
	Complete bool
	Tier     cache.Tier
	// Quality says what may make the predictions shown worse, as inference.Quality
	// writes it; empty where nothing does.
	Quality string
}

// Legend is one entry of a style, for legends and for the web page.
type Legend struct {
	Label string      `json:"label"`
	Color color.NRGBA `json:"color"`
	// Value is the probability 0–1 for ramps, else 0.
	Value float64 `json:"value"`
}

// PointQuery asks what is at a place.
type PointQuery struct {
	Event, Model string // the model by name; empty is the event's
	// Run is that of the landslides; empty is the latest.
	Run      string
	Lon, Lat float64
	// Threshold overrides the model's; 0 is the model's.
	Threshold float64
	During    Span // of the images after
}

// PointInfo says what is at a point, for GetFeatureInfo and pop-ups. Nil means unknown there.
type PointInfo struct {
	Lon, Lat    float64
	Model       string
	Probability *float64
	// Class names the probability's class in the first style of classes; empty where there is none.
	Class             string
	Reason            string // why there is no probability: "no data", "cloud before", …
	Landslide         *bool
	Elevation         *float64 // metres
	Slope             *float64 // degrees
	PreDate, PostDate time.Time
	Landslides        []PointLandslide // polygons of the run there
}

// PointLandslide is a landslide at a point.
type PointLandslide struct {
	ID   int64
	Area float64 // m²
}

// Renderer is what the OGC packages draw with. [Engine] is the real one.
type Renderer interface {
	Render(ctx context.Context, v View) (Rendered, error)
	Tile(ctx context.Context, t Tile) (Rendered, error)
	// Check says whether Render would draw a view, without drawing it.
	Check(ctx context.Context, v View) error
	Point(ctx context.Context, q PointQuery) (PointInfo, error)
	// Styles lists a layer's styles, the default first.
	Styles(l Layer) []StyleInfo
	// LegendImage draws a legend as PNG.
	LegendImage(l Layer, style string, width, height int) ([]byte, error)
	// MatrixSets lists the tile matrix sets, WebMercatorQuad first.
	MatrixSets() []MatrixSet
	// Limits returns the tiles that touch the bounds (west, south, east, north) in a matrix.
	Limits(set MatrixSet, matrix int, bounds [4]float64) Limits
}

// StyleInfo describes a style.
type StyleInfo struct {
	ID, Title, Description string
	// Kind is ramp, classes, threshold, values, image or polygons.
	Kind   string
	Legend []Legend
	// LegendSize is the size in pixels of the drawn legend that shows all entries.
	LegendSize image.Point
}

// MatrixSet is a tile matrix set (OGC 17-083r4).
type MatrixSet struct {
	ID, Title, URI string
	// CRS is the URI, for example http://www.opengis.net/def/crs/EPSG/0/3857.
	CRS  string
	EPSG int
	// LatLon says that the CRS's axis order is latitude, longitude (pointOfOrigin is written so).
	LatLon   bool
	Matrices []Matrix
}

// Matrix is one zoom level. X is easting or longitude whatever the CRS's axis order.
type Matrix struct {
	ID                         string
	ScaleDenominator, CellSize float64
	OriginX, OriginY           float64 // upper left
	TileSize                   int
	Width, Height              int // in tiles
}

// Limits bounds tiles, inclusive.
type Limits struct{ MinRow, MaxRow, MinCol, MaxCol int }
