package common

// Link is a web link as all OGC API documents carry it. Href is absolute.
type Link struct {
	Href      string `json:"href"`
	Rel       string `json:"rel"`
	Type      string `json:"type,omitempty"`
	Title     string `json:"title,omitempty"`
	Templated bool   `json:"templated,omitempty"`
	Length    int64  `json:"length,omitempty"`
}

// relBase is where the OGC's link relations live.
const relBase = "http://www.opengis.net/def/rel/ogc/1.0/"

// The OGC's link relations that Scarp uses.
const (
	RelMap           = relBase + "map"
	RelCoverage      = relBase + "coverage"
	RelTilesetsMap   = relBase + "tilesets-map"
	RelTilesetsVec   = relBase + "tilesets-vector"
	RelTilingScheme  = relBase + "tiling-scheme"
	RelTilingSchemes = relBase + "tiling-schemes"
	RelStyles        = relBase + "styles"
	RelLegend        = relBase + "legend"
	RelQueryables    = relBase + "queryables"
	RelSchema        = relBase + "schema"
	RelGeodata       = relBase + "geodata"
	RelConformance   = relBase + "conformance"
	RelData          = relBase + "data"
	RelProcesses     = relBase + "processes"
	RelExecute       = relBase + "execute"
	RelJobList       = relBase + "job-list"
	RelResults       = relBase + "results"
)
