package imagery

import (
	"time"

	"github.com/paulmach/orb/geojson"
)

// Side says on which side of the trigger a scene lies.
type Side string

// The two sides of an event.
const (
	Pre  Side = "pre"
	Post Side = "post"
)

// Event is what happened and the files that show it. It is data: a YAML file
// in the data folder, or a JSON body sent to the API. File references are
// paths (relative ones are relative to the YAML file), or URLs that the
// configuration allows.
type Event struct {
	// ID names the event in URLs: lower-case letters, digits and hyphens, 1–64 characters.
	ID          string  `yaml:"id" json:"id"`
	Title       string  `yaml:"title" json:"title"`
	Description string  `yaml:"description,omitempty" json:"description,omitempty"`
	Trigger     Trigger `yaml:"trigger" json:"trigger"`
	// Pre and Post list the scenes of each side. Without pre scenes only
	// single-date models suit the event; post has at least one. Where scenes of
	// a side overlap, the clearest pixel is taken.
	Pre  []Scene `yaml:"pre,omitempty" json:"pre,omitempty"`
	Post []Scene `yaml:"post" json:"post"`
	// DEM is any raster of elevation in metres that GDAL reads; empty for none,
	// which suits models that can do without terrain.
	DEM string `yaml:"dem,omitempty" json:"dem,omitempty"`
	// AOI limits mapping to an area (GeoJSON geometry, longitude and latitude). Nil means the whole grid.
	AOI *geojson.Geometry `yaml:"-" json:"aoi,omitempty"`
	// Model is the name of the event's default model; empty means the server's default.
	Model string `yaml:"model,omitempty" json:"model,omitempty"`
}

// Trigger is the earthquake or storm that set the slopes off.
type Trigger struct {
	Time time.Time `yaml:"time" json:"time"`
	// Type is earthquake, rainfall, snowmelt, volcanic, human or other.
	Type string `yaml:"type,omitempty" json:"type,omitempty"`
}

// Scene is one Sentinel-2 acquisition: a GeoTIFF or COG stack, a folder with a
// file per band, a SAFE folder, or a zipped SAFE.
type Scene struct {
	Path string `yaml:"path" json:"path"`
	// Date of acquisition; zero means: read it from the metadata or the file's name.
	Date time.Time `yaml:"date,omitempty" json:"date,omitzero"`
	// SCL is the file with the scene classification where it is not part of Path.
	SCL string `yaml:"scl,omitempty" json:"scl,omitempty"`
	// Bands names the bands of a stack in order where its band descriptions do not (B02, B03, …).
	Bands []string `yaml:"bands,omitempty" json:"bands,omitempty"`
	// Offset is added to every digital number, and overrides what metadata and
	// date say about the processing baseline (−1000 from 04.00 on, 0 before).
	Offset *int `yaml:"offset,omitempty" json:"offset,omitempty"`
	// Level is L2A or L1C; empty means: from metadata, else L2A.
	Level string `yaml:"level,omitempty" json:"level,omitempty"`
}
