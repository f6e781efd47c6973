package processes

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"

	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/ogc/common"
)

// The identifiers of the processes.
const (
	mapID     = jobs.MapLandslides
	impactID  = "assess-impact"
	compareID = "compare-inventory"
	echoID    = "echo"
)

// The documents of the OGC process description.
type (
	summaryDoc struct {
		ID                 string        `json:"id"`
		Title              string        `json:"title"`
		Description        string        `json:"description"`
		Keywords           []string      `json:"keywords,omitempty"`
		Version            string        `json:"version"`
		JobControlOptions  []string      `json:"jobControlOptions"`
		OutputTransmission []string      `json:"outputTransmission"`
		Links              []common.Link `json:"links"`
	}
	description struct {
		summaryDoc
		Inputs  inputDocs            `json:"inputs"`
		Outputs map[string]outputDoc `json:"outputs"`
	}
	inputDoc struct {
		Title       string `json:"title"`
		Description string `json:"description,omitempty"`
		// Schema describes one value; MaxOccurs above 1 allows an array of them.
		Schema    map[string]any `json:"schema"`
		MinOccurs int            `json:"minOccurs"`
		MaxOccurs any            `json:"maxOccurs"` // a number or "unbounded"
		// place orders inputs for reading; those without come last, by name.
		place int
		// bulk inputs may hold many features, which are not looked at here.
		bulk bool
		// form says how a form asks for the input where its schema doesn't: one of the constants below.
		form string
	}
	// inputDocs are written in their order.
	inputDocs map[string]inputDoc
	outputDoc struct {
		Title       string         `json:"title"`
		Description string         `json:"description,omitempty"`
		Schema      map[string]any `json:"schema"`
		mediaType   string
		// plain outputs are written as they are in a results document, others with their media type.
		plain bool
		// binary outputs go by reference unless the request asks for their value.
		binary bool
	}
)

// How a form asks for an input beside what its schema says.
const (
	eventForm  = "event"  // one of the events that are there
	modelForm  = "model"  // one of the models that are there
	areaForm   = "area"   // four numbers, or GeoJSON
	scenesForm = "scenes" // a reference a line
)

// ids lists the inputs in their order.
func (d inputDocs) ids() []string {
	last := func(place int) int { return (place - 1) & 0xffff } // 0 comes behind all
	return slices.SortedFunc(maps.Keys(d), func(a, b string) int {
		return cmp.Or(cmp.Compare(last(d[a].place), last(d[b].place)), cmp.Compare(a, b))
	})
}

// MarshalJSON writes the inputs in their order, since clients show them as they come.
func (d inputDocs) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for i, id := range d.ids() {
		b.WriteByte("{,"[min(i, 1)])
		key, err := json.Marshal(id)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(d[id])
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	if len(d) == 0 {
		b.WriteByte('{')
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// object shortens the writing of schemas.
type object = map[string]any

func summary(id, title, text string, keywords ...string) summaryDoc {
	return summaryDoc{ID: id, Title: title, Description: text, Keywords: keywords, Version: "1.0.0",
		JobControlOptions: []string{"sync-execute", "async-execute", "dismiss"}, OutputTransmission: []string{"value", "reference"}, Links: []common.Link{}}
}

// maxScenes bounds the scenes of a side that a request may name.
const maxScenes = 64

func mapLandslides(models []*inference.Model) description {
	names := make([]any, len(models))
	for i, m := range models {
		names[i] = m.Name()
	}
	model := object{"type": "string", "description": "The first is the default."}
	if len(names) > 0 {
		model["enum"], model["default"] = names, names[0]
	}
	image := func(example string) object {
		return object{"oneOf": []any{
			object{"type": "string", "minLength": 1, "maxLength": 2048, "example": example},
			object{"type": "object", "required": []any{"href"}, "properties": object{
				"href": object{"type": "string", "minLength": 1, "maxLength": 2048}, "type": object{"type": "string"}, "rel": object{"type": "string"}, "title": object{"type": "string"}}},
		}}
	}
	tiff := "image/tiff; application=geotiff; profile=cloud-optimized"
	return description{
		summaryDoc: summary(mapID, "Map newly triggered landslides",
			"Finds the landslides that are new between a Sentinel-2 image before an event and one after it, with the terrain, and publishes them as polygons. "+
				"Name an event, or the images and the elevation model themselves. Without outputs all are given: GeoJSON and the summary by value, files by reference. "+
				"Without response a single output comes raw and several as a document.", "landslide", "Sentinel-2", "change detection", "segmentation"),
		Inputs: inputDocs{
			"event": {Title: "Event", Description: "Id of a registered event. Give this, or pre, post and dem.", MaxOccurs: 1, place: 1, form: eventForm,
				Schema: object{"type": "string", "pattern": "^[a-z0-9-]{1,64}$", "example": "hokkaido-2018"}},
			"pre": {Title: "Images before", Description: "Sentinel-2 scenes before the event: a stack as GeoTIFF, a folder with a file a band, or a SAFE folder or zip, in a place that the server allows.",
				MaxOccurs: maxScenes, Schema: image("scenes/pre.tif"), place: 6, form: scenesForm},
			"post": {Title: "Images after", Description: "Sentinel-2 scenes after the event, in the same forms as pre.", MaxOccurs: maxScenes, Schema: image("scenes/post.tif"), place: 7, form: scenesForm},
			"dem":  {Title: "Elevation model", Description: "Any raster of elevations in metres, in a place that the server allows.", MaxOccurs: 1, Schema: image("scenes/dem.tif"), place: 8},
			"triggerTime": {Title: "Time of the event", Description: "When the earthquake or storm was, for pre, post and dem. Without it the day of the first image after it.", MaxOccurs: 1, place: 9,
				Schema: object{"type": "string", "format": "date-time", "example": "2018-09-05T18:07:59Z"}},
			"aoi": {Title: "Area of interest", Description: "Where to map: a GeoJSON Polygon or MultiPolygon, a Feature with one, or a bounding box, in longitude and latitude. Without it the whole event is mapped.",
				MaxOccurs: 1, Schema: aoiSchema(), place: 2, form: areaForm},
			"model": {Title: "Model", Description: "The network to map with.", MaxOccurs: 1, Schema: model, place: 3, form: modelForm},
			"threshold": {Title: "Threshold", Description: "Pixels with at least this probability are landslide. Without it the model's own threshold.", MaxOccurs: 1, place: 4,
				Schema: object{"type": "number", "minimum": 0, "exclusiveMinimum": true, "maximum": 1, "exclusiveMaximum": true, "example": 0.5}},
			"minimumArea": {Title: "Minimum area in m²", Description: "Smaller landslides are dropped and smaller holes filled.", MaxOccurs: 1, place: 5,
				Schema: object{"type": "number", "minimum": 0, "maximum": 1e9, "default": 500}},
		},
		Outputs: map[string]outputDoc{
			string(jobs.LandslidesGeoJSON): {Title: "Landslides", Description: "Polygons with their attributes as GeoJSON.", mediaType: "application/geo+json",
				Schema: object{"type": "object", "contentMediaType": "application/geo+json", "format": "geojson-feature-collection"}},
			string(jobs.LandslidesGPKG): {Title: "Landslides as GeoPackage", mediaType: "application/geopackage+sqlite3", binary: true, Schema: binarySchema("application/geopackage+sqlite3")},
			string(jobs.MaskCOG): {Title: "Mask", Description: "1 where landslide, 0 where not, 255 where unknown, as cloud-optimised GeoTIFF.", mediaType: tiff, binary: true,
				Schema: binarySchema(tiff)},
			string(jobs.ProbabilityCOG): {Title: "Probability", Description: "Byte 0 to 250 in steps of 1/250, 255 where unknown, as cloud-optimised GeoTIFF.", mediaType: tiff, binary: true,
				Schema: binarySchema(tiff)},
			string(jobs.SummaryJSON): {Title: "Summary", Description: "How many landslides, how large, and how much of the area was hidden.", mediaType: "application/json",
				Schema: object{"type": "object", "properties": object{
					"landslides":      object{"type": "integer", "title": "Number of landslides"},
					"total_area_m2":   object{"type": "number", "title": "Area of all landslides in m²"},
					"largest_area_m2": object{"type": "number", "title": "Area of the largest in m²"},
					"mapped_area_m2":  object{"type": "number", "title": "Area with a prediction in m²"},
					"cloud_share":     object{"type": "number", "title": "Share under cloud of the area with imagery, 0 to 1"},
					"nodata_share":    object{"type": "number", "title": "Share without data of the area asked for, 0 to 1"}}}},
		},
	}
}

func binarySchema(mediaType string) object {
	return object{"type": "string", "contentEncoding": "binary", "contentMediaType": mediaType}
}

// aoiSchema is complete in itself, so that clients need not fetch others to check.
func aoiSchema() object {
	position := object{"type": "array", "minItems": 2, "maxItems": 3, "items": object{"type": "number"}}
	ring := object{"type": "array", "minItems": 4, "items": position}
	polygon := object{"type": "array", "minItems": 1, "items": ring}
	geometry := func(kind string, coordinates object) object {
		return object{"type": "object", "required": []any{"type", "coordinates"}, "properties": object{"type": object{"enum": []any{kind}}, "coordinates": coordinates}}
	}
	shapes := []any{geometry("Polygon", polygon), geometry("MultiPolygon", object{"type": "array", "minItems": 1, "items": polygon})}
	return object{"oneOf": append(slices.Clone(shapes),
		object{"type": "object", "required": []any{"type", "geometry"}, "properties": object{"type": object{"enum": []any{"Feature"}}, "geometry": object{"oneOf": shapes}}},
		object{"type": "object", "required": []any{"bbox"}, "properties": object{
			"bbox": object{"type": "array", "minItems": 4, "maxItems": 4, "items": object{"type": "number"}, "example": []any{141.9, 42.6, 142.1, 42.8}},
			"crs":  object{"type": "string", "enum": []any{common.CRS84URI}, "default": common.CRS84URI}}})}
}

// outputIDs lists the outputs in a stable order.
func (d description) outputIDs() []string { return slices.Sorted(maps.Keys(d.Outputs)) }
