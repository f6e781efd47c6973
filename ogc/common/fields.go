package common

// LandslideFields describes the attributes that landslides carry in GeoJSON
// and in vector tiles, by name. The names are those of the store's JSON.
func LandslideFields() map[string]string {
	return map[string]string{
		"event":            "Event's id",
		"run":              "Id of the mapping job that found it",
		"area_m2":          "Geodesic area in m²",
		"perimeter_m":      "Perimeter in metres",
		"length_m":         "Length of the minimum rotated rectangle in metres",
		"width_m":          "Width of the minimum rotated rectangle in metres",
		"probability_mean": "Mean probability, 0 to 1",
		"probability_max":  "Highest probability, 0 to 1",
		"elevation_min_m":  "Lowest elevation in metres",
		"elevation_max_m":  "Highest elevation in metres",
		"elevation_mean_m": "Mean elevation in metres",
		"slope_mean_deg":   "Mean slope in degrees",
		"aspect_deg":       "Circular mean of aspect in degrees clockwise from north",
		"delta_ndvi_mean":  "Mean change of NDVI; null where there is no near infrared",
		"cloud_adjacent":   "Whether it touches cloud, so that more of it may be hidden",
		"pre_date":         "Acquisition before the event",
		"post_date":        "Acquisition after the event",
		"model":            "Model's name",
		"model_version":    "Model's version",
	}
}
