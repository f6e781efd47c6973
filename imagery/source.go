package imagery

import (
	"context"
	"time"
)

// Bands lists the Sentinel-2 bands by the names used throughout Scarp.
func Bands() []string {
	return []string{"B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"}
}

// The terrain layers that a [Request] may name.
const (
	Elevation = "elevation" // metres
	Slope     = "slope"     // degrees, 0 to 90
	Aspect    = "aspect"    // degrees clockwise from north, 0 to 360
)

// Cloud classes, as OmniCloudMask numbers them.
const (
	Clear      uint8 = 0
	ThickCloud uint8 = 1
	ThinCloud  uint8 = 2
	Shadow     uint8 = 3
)

// Request says which pixels and layers to read.
type Request struct {
	// Rect must lie in the grid.
	Rect Rect
	// Width and Height are the size of the result in pixels; zero means Rect's
	// own. A smaller size is read from overviews where the files have them
	// (average for bands and terrain, nearest for classes).
	Width, Height int
	// Pre and Post name the bands to read of each side, Terrain the terrain layers.
	Pre, Post, Terrain []string
	// Clouds asks for the cloud classes and for validity of both sides that have bands named.
	Clouds bool
}

// Window is what a [Request] asked for. All layers are row-major, Width×Height.
type Window struct {
	Rect          Rect
	Width, Height int
	// Pre and Post hold one layer a requested band: harmonised digital numbers,
	// reflectance × 10000. Where a band is absent from every scene of the side
	// the layer is nil (see [Source.HasBand]).
	Pre, Post [][]uint16
	Terrain   [][]float32
	// PreCloud and PostCloud hold cloud classes; nil unless asked for.
	PreCloud, PostCloud []uint8
	// PreValid and PostValid are 1 where any scene of the side has data (its B04,
	// or its first band where there is no B04, is not nodata), else 0; nil unless Clouds was asked for.
	PreValid, PostValid []uint8
	// TerrainValid is 1 where the DEM has data; nil unless terrain was asked for.
	TerrainValid []uint8
}

// Share says how many scenes of a side have something.
type Share int

// The shares. A side without scenes has NoScene.
const (
	NoScene Share = iota
	SomeScenes
	AllScenes
)

// Source reads windows of one event. It is safe for use by many goroutines.
type Source interface {
	// Event returns the event's definition.
	Event() Event
	// Revision identifies the event's definition and the files behind it (16
	// hex digits): it changes when either does.
	Revision() string
	Grid() Grid
	// Bounds returns the grid's extent in longitude and latitude (EPSG:4326): west, south, east, north.
	Bounds() [4]float64
	// HasBand says whether any scene of the side has the band.
	HasBand(side Side, band string) bool
	// Classified says how many scenes of the side have a scene classification, which tells clouds.
	Classified(side Side) Share
	// Level returns L2A or L1C, or nothing for a side without scenes.
	Level(side Side) string
	// Dates returns the acquisition dates of the side's scenes, earliest first.
	Dates(side Side) []time.Time
	// Read returns the window. It returns an error that names the event, the
	// file and the band that could not be read, and ctx's error when ctx ends first.
	Read(ctx context.Context, r Request) (*Window, error)
	// Close lets the files go. Reads under way finish first.
	Close() error
}
