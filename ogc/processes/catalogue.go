package processes

import (
	"github.com/scarp-map/scarp/inference/assess"
	"github.com/scarp-map/scarp/jobs/analysis"
	"github.com/scarp-map/scarp/jobs/echo"
	"github.com/scarp-map/scarp/ogc/common"
)

// vectorSchema describes an input with vector data; what says which geometries.
func vectorSchema(example string) object {
	return object{"oneOf": []any{
		object{"title": "A collection of landslides here", "type": "object", "required": []any{"collection"}, "additionalProperties": false, "properties": object{
			"collection": object{"type": "string", "pattern": "^[a-z0-9-]{1,64}_landslides$", "example": "hokkaido-2018_landslides"},
			"run":        object{"type": "string", "maxLength": 100, "description": "Of the event's runs; without it the latest."}}},
		object{"title": "A file in a place that the server allows", "type": "object", "required": []any{"href"}, "properties": object{
			"href":  object{"type": "string", "minLength": 1, "maxLength": 2048, "example": example},
			"layer": object{"type": "string", "maxLength": 200, "description": "Where the file has several."},
			"type":  object{"type": "string", "example": "application/geopackage+sqlite3"}}},
		object{"title": "GeoJSON", "type": "object", "format": "geojson-feature-collection", "contentMediaType": "application/geo+json",
			"required": []any{"type"}, "properties": object{
				"type": object{"type": "string", "enum": []any{"FeatureCollection", "Feature", "Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"}}}},
	}}
}

func vectorInput(place int, required bool, title, description, example string) inputDoc {
	in := inputDoc{Title: title, MaxOccurs: 1, Schema: vectorSchema(example), place: place, bulk: true,
		Description: description + " A collection of this server, GeoJSON, or a reference to GeoJSON, a GeoPackage, FlatGeobuf or Shapefile in a place that the server allows."}
	if required {
		in.MinOccurs = 1
	}
	return in
}

func geoJSONOutput(title, description string) outputDoc {
	return outputDoc{Title: title, Description: description, mediaType: "application/geo+json",
		Schema: object{"type": "object", "contentMediaType": "application/geo+json", "format": "geojson-feature-collection"}}
}

func counts(members ...string) object {
	p := object{}
	for _, m := range members {
		p[m] = object{"type": "number", "nullable": true}
	}
	return object{"type": "object", "properties": p}
}

func assessImpact() description {
	unit := counts("landslides", "landslide_area_m2", "lines_hit", "blocked_length_m", "polygons_hit", "hit_area_m2", "points_hit")
	unit["properties"].(object)["name"] = object{"type": "string"}
	return description{
		summaryDoc: summary(impactID, "Assess the impact of landslides",
			"Says what landslides hit in any vector layer: lines that they cut, such as roads, with the length of the blocked parts; polygons and points that they reach, such as buildings, "+
				"with the area that is hit; in all and for each administrative unit. Lengths and areas are geodesic.", "landslide", "impact", "exposure", "roads", "buildings"),
		Inputs: inputDocs{
			"landslides":    vectorInput(1, true, "Landslides", "Polygons.", "landslides.gpkg"),
			"exposed":       vectorInput(2, true, "What is exposed", "Lines, polygons or points, such as roads or buildings.", "roads.gpkg"),
			"adminUnits":    vectorInput(3, false, "Administrative units", "Polygons to add up by.", "districts.gpkg"),
			"adminUnitName": {Title: "Name of units", Description: "The property of units that names them.", MaxOccurs: 1, Schema: object{"type": "string", "minLength": 1, "maxLength": 100, "default": "name"}, place: 4},
		},
		Outputs: map[string]outputDoc{
			string(analysis.ImpactSummary): {Title: "Summary", Description: "How much is hit of how much, by kind of geometry and by unit.", mediaType: "application/json",
				Schema: object{"type": "object", "properties": object{
					"landslides": object{"type": "integer"}, "landslide_area_m2": object{"type": "number"}, "exposed_features": object{"type": "integer"},
					"features_without_geometry": object{"type": "integer"},
					"lines":                     counts("features", "length_m", "hit", "blocked_segments", "blocked_length_m"),
					"polygons":                  counts("features", "area_m2", "hit", "hit_area_m2"), "points": counts("features", "hit"),
					"admin_units": object{"type": "array", "items": unit}, "outside_of_admin_units": unit}}},
			string(analysis.ImpactHit): geoJSONOutput("Features that are hit", "Of lines the blocked parts, polygons and points whole, each with its own properties, "+
				"what was measured (impact_length_m, impact_blocked_length_m, impact_hit_area_m2, impact_hit_share and so on) and the ids of the landslides (impact_landslides)."),
			string(analysis.ImpactTable): {Title: "Table", Description: "A row for each administrative unit and one for what lies outside of all, or one for everything.", mediaType: "text/csv; charset=utf-8",
				Schema: object{"type": "string", "contentMediaType": "text/csv"}},
		},
	}
}

func compareInventory() description {
	return description{
		summaryDoc: summary(compareID, "Compare two inventories of landslides",
			"Scores an inventory against another that is taken for the truth: precision, recall and F1 by area and by object, by size, and the objects that are right, found, missed and false. "+
				"Each polygon is an object; a mapped one is right, and a reference one is found, where objects of the other inventory cover at least a given share of its area.",
			"landslide", "accuracy", "validation"),
		Inputs: inputDocs{
			"mapped":    vectorInput(1, true, "Mapped landslides", "Polygons that are judged.", "landslides.gpkg"),
			"reference": vectorInput(2, true, "Reference", "Polygons that are taken for the truth.", "inventory.gpkg"),
			"area":      vectorInput(3, false, "Area", "Polygons that both inventories are cut to, where they do not cover the same ground.", "mapped-area.geojson"),
			"minOverlap": {Title: "Least overlap", Description: "Share of an object's area that the other inventory must cover.", MaxOccurs: 1, place: 4,
				Schema: object{"type": "number", "minimum": 0, "exclusiveMinimum": true, "maximum": 1, "default": assess.DefaultRule().MinOverlap}},
		},
		Outputs: map[string]outputDoc{
			string(analysis.CompareSummary): {Title: "Summary", Description: "The scores, and the rule that they go by.", mediaType: "application/json",
				Schema: object{"type": "object", "properties": object{
					"rule":      object{"type": "string"},
					"by_area":   counts("mapped_area_m2", "mapped_area_covered_m2", "reference_area_m2", "reference_area_covered_m2", "precision", "recall", "f1"),
					"by_object": counts("mapped", "matched", "false", "reference", "found", "missed", "precision", "recall", "f1"),
					"by_size":   object{"type": "array", "items": object{"type": "object"}}}}},
			string(analysis.CompareMatched): geoJSONOutput("Matched", "Mapped landslides that are right, with their area, how much of it is covered, and the ids of those that cover it (compare_area_m2, compare_covered_m2, compare_partners)."),
			string(analysis.CompareFound):   geoJSONOutput("Found", "Landslides of the reference that were found, with the same properties."),
			string(analysis.CompareMissed):  geoJSONOutput("Missed", "Landslides of the reference that were not found."),
			string(analysis.CompareFalse):   geoJSONOutput("False", "Mapped landslides that are not right."),
		},
	}
}

// echoProcess has an input of every kind, and an output for each.
func echoProcess() description {
	box := object{"allOf": []any{
		object{"format": "ogc-bbox"},
		object{"type": "object", "required": []any{"bbox"}, "additionalProperties": false, "properties": object{
			"bbox": object{"type": "array", "minItems": 4, "maxItems": 4, "items": object{"type": "number"}, "example": []any{7.0, 51.9, 7.1, 52.0}},
			"crs":  object{"type": "string", "format": "uri", "enum": []any{common.CRS84URI, common.EPSGURI(4326)}, "default": common.CRS84URI}}},
	}}
	// In an anyOf, since the OGC's test suite sends {"value": …} for what is plainly an object.
	place := object{"anyOf": []any{object{"type": "object", "format": "geojson-geometry", "required": []any{"type", "coordinates"}, "properties": object{
		"type": object{"type": "string", "enum": []any{"Point"}}, "coordinates": object{"type": "array", "minItems": 2, "maxItems": 3, "items": object{"type": "number"}}}}},
		"example": object{"type": "Point", "coordinates": []any{7.6, 51.95}}}
	inputs := []struct {
		id, title, description string
		schema                 object
		qualified              bool // in results, since it may be an object
	}{
		{"message", "Message", "Text.", object{"type": "string", "maxLength": 65536, "example": "hello"}, false},
		{"count", "Count", "An integer in a range.", object{"type": "integer", "minimum": 0, "maximum": 100, "example": 7}, false},
		{"ratio", "Ratio", "A number in a range whose ends are excluded.", object{"type": "number", "minimum": 0, "exclusiveMinimum": true, "maximum": 1, "exclusiveMaximum": true, "example": 0.5}, false},
		{"flag", "Flag", "True or false.", object{"type": "boolean", "example": true}, false},
		{"colour", "Colour", "One of a few.", object{"enum": []any{"red", "green", "blue"}, "example": "green"}, false},
		{"numbers", "Numbers", "An array of integers.", object{"type": "array", "minItems": 1, "maxItems": 100, "items": object{"type": "integer"}, "example": []any{1, 2, 3}}, false},
		{"box", "Bounding box", "An area in longitude and latitude.", box, false},
		{"document", "Document", "Text by value, or a reference to it in a place that the server allows.", object{"oneOf": []any{
			object{"type": "string", "maxLength": 65536, "contentMediaType": "text/plain"},
			object{"type": "object", "required": []any{"href"}, "additionalProperties": false, "properties": object{
				"href": object{"type": "string", "minLength": 1, "maxLength": 2048}, "type": object{"type": "string"}, "rel": object{"type": "string"}, "title": object{"type": "string"}}}},
			"example": "a line of text"}, false},
		{"mixed", "Mixed", "Text or an object.", object{"oneOf": []any{object{"type": "string", "maxLength": 65536}, object{"type": "object"}}, "example": object{"any": "thing"}}, true},
		{"place", "Place", "An object: a point in GeoJSON.", place, true},
	}
	d := description{
		summaryDoc: summary(echoID, "Echo", "Returns what it is given, after a pause where one is asked for: for trying out clients. At least one input beside the pause is needed, and each that is given comes back as the output of its name.", "test"),
		Inputs: inputDocs{"pause": {Title: "Pause in seconds", Description: "How long the job takes.", MaxOccurs: 1, place: len(inputs) + 1,
			Schema: object{"type": "number", "minimum": 0, "maximum": echo.MaxPause, "default": 0}}},
		Outputs: map[string]outputDoc{},
	}
	for i, in := range inputs {
		d.Inputs[in.id] = inputDoc{Title: in.title, Description: in.description, Schema: in.schema, MaxOccurs: 1, place: i + 1}
		out := outputDoc{Title: in.title, Description: "What was sent as " + in.id + ".", Schema: in.schema, mediaType: "application/json", plain: !in.qualified}
		if in.id == "message" || in.id == "document" {
			out.mediaType, out.Schema = "text/plain", object{"type": "string"}
		}
		d.Outputs[in.id] = out
	}
	return d
}

// byEngine says which processes the job engine is given apart from mapping.
func byEngine() []description {
	return []description{assessImpact(), compareInventory(), echoProcess()}
}
