package common

import (
	"net/http"
	"strconv"
	"strings"
)

// Format is a representation of a resource, named as in the parameter f.
type Format string

// The formats that Scarp writes.
const (
	JSON     Format = "json"
	HTML     Format = "html"
	GeoJSON  Format = "geojson"
	TileJSON Format = "tilejson"
	OpenAPI  Format = "openapi"
	Schema   Format = "schema"
	PNG      Format = "png"
	JPEG     Format = "jpeg"
	WebP     Format = "webp"
	TIFF     Format = "tiff"
	MVT      Format = "mvt"
	Text     Format = "txt"
	JSONFG   Format = "jsonfg"
	// GeoJSONSeq is one GeoJSON feature after the other (RFC 8142).
	GeoJSONSeq Format = "geojsonseq"
	CSV        Format = "csv"
	GPKG       Format = "gpkg"
	FlatGeobuf Format = "fgb"
	Parquet    Format = "parquet"
)

// GeoTIFFType is the media type of GeoTIFF in full (OGC 19-008r4), under which
// GDAL looks for links to coverages.
const GeoTIFFType = "image/tiff; application=geotiff"

// MediaType returns the format's media type, without a charset.
func (f Format) MediaType() string {
	switch f {
	case JSON:
		return "application/json"
	case HTML:
		return "text/html"
	case GeoJSON:
		return "application/geo+json"
	case TileJSON:
		return "application/vnd.mapbox.tile+json"
	case OpenAPI:
		return "application/vnd.oai.openapi+json;version=3.0"
	case Schema:
		return "application/schema+json"
	case PNG:
		return "image/png"
	case JPEG:
		return "image/jpeg"
	case WebP:
		return "image/webp"
	case TIFF:
		return "image/tiff"
	case MVT:
		return "application/vnd.mapbox-vector-tile"
	case Text:
		return "text/plain"
	case JSONFG:
		return "application/vnd.ogc.fg+json"
	case GeoJSONSeq:
		return "application/geo+json-seq"
	case CSV:
		return "text/csv"
	case GPKG:
		return "application/geopackage+sqlite3"
	case FlatGeobuf:
		return "application/flatgeobuf"
	case Parquet:
		return "application/vnd.apache.parquet"
	}
	return ""
}

// Title names the format for people.
func (f Format) Title() string {
	switch f {
	case GeoJSON:
		return "GeoJSON"
	case Schema:
		return "JSON Schema"
	case OpenAPI:
		return "OpenAPI"
	case HTML:
		return "HTML"
	case JSONFG:
		return "JSON-FG"
	case GeoJSONSeq:
		return "GeoJSON text sequence"
	case CSV:
		return "CSV"
	case WebP:
		return "WebP"
	case GPKG:
		return "GeoPackage"
	case FlatGeobuf:
		return "FlatGeobuf"
	case Parquet:
		return "GeoParquet"
	}
	return strings.ToUpper(string(f))
}

// names lists what f may be set to for the format, beside its media type.
func (f Format) names() []string {
	switch f {
	case GeoJSON:
		return []string{"geojson", "json"}
	case OpenAPI:
		return []string{"openapi", "json"}
	case Schema:
		return []string{"schema", "json"}
	case JPEG:
		return []string{"jpeg", "jpg"}
	case TIFF:
		return []string{"tiff", "tif", "geotiff"}
	case MVT:
		return []string{"mvt", "pbf"}
	case FlatGeobuf:
		return []string{"fgb", "flatgeobuf"}
	case GPKG:
		return []string{"gpkg", "geopackage"}
	case Parquet:
		return []string{"parquet", "geoparquet"}
	}
	return []string{string(f)}
}

// mediaTypes lists the media types under which clients ask for the format.
func (f Format) mediaTypes() []string {
	switch f {
	case GeoJSON:
		return []string{"application/geo+json", "application/json"}
	case OpenAPI:
		return []string{"application/vnd.oai.openapi+json", "application/openapi+json", "application/json"}
	case Schema:
		return []string{"application/schema+json", "application/json"}
	case HTML:
		return []string{"text/html", "application/xhtml+xml"}
	case TIFF:
		return []string{"image/tiff", "image/geotiff"}
	case MVT:
		return []string{"application/vnd.mapbox-vector-tile", "application/x-protobuf"}
	case TileJSON:
		return []string{"application/vnd.mapbox.tile+json"}
	case JSONFG:
		return []string{"application/vnd.ogc.fg+json", "application/fg+json"}
	case FlatGeobuf:
		return []string{"application/flatgeobuf", "application/vnd.flatgeobuf"}
	case Parquet:
		return []string{"application/vnd.apache.parquet", "application/x-parquet"}
	}
	return []string{f.MediaType()}
}

// Negotiate chooses among the offered formats, the preferred one first. The
// parameter f beats the Accept header; no header and */* give the first. The
// error is a [Problem]: 400 for an f that is not offered, 406 for a header
// that nothing on offer satisfies.
func Negotiate(r *http.Request, offered ...Format) (Format, error) {
	if r.URL.RawQuery != "" {
		if f := r.URL.Query().Get("f"); f != "" {
			return byName(f, offered)
		}
	}
	accept := r.Header.Values("Accept")
	if len(accept) == 0 {
		return offered[0], nil
	}
	return byAccept(strings.Join(accept, ","), offered)
}

func byName(f string, offered []Format) (Format, error) {
	want := strings.ToLower(f)
	for _, o := range offered {
		for _, n := range o.names() {
			if want == n {
				return o, nil
			}
		}
		for _, m := range o.mediaTypes() {
			if strings.HasPrefix(want, m) && (len(want) == len(m) || want[len(m)] == ';') {
				return o, nil
			}
		}
	}
	return "", BadRequest("f=%s is not offered here; choose one of %s", Quote(f), formatNames(offered))
}

func formatNames(offered []Format) string {
	names := make([]string, len(offered))
	for i, o := range offered {
		names[i] = o.names()[0]
	}
	return strings.Join(names, ", ")
}

// byAccept picks the offered format with the highest quality; the order of
// the offer decides between equals.
func byAccept(accept string, offered []Format) (Format, error) {
	best, bestQ := Format(""), 0.0
	ranges := parseAccept(accept)
	for _, o := range offered {
		if q := quality(ranges, o); q > bestQ {
			best, bestQ = o, q
		}
	}
	if bestQ > 0 {
		return best, nil
	}
	types := make([]string, len(offered))
	for i, o := range offered {
		types[i] = o.MediaType()
	}
	return "", &Problem{Status: http.StatusNotAcceptable,
		Detail: "nothing here satisfies the Accept header; on offer: " + strings.Join(types, ", ")}
}

// mediaRange is one entry of an Accept header.
type mediaRange struct {
	name string // type/subtype, type/* or */*
	q    float64
}

// parseAccept reads at most 32 ranges; what it can't read it leaves out.
func parseAccept(header string) []mediaRange {
	var ranges []mediaRange
	for part := range strings.SplitSeq(header, ",") {
		if len(ranges) == 32 {
			break
		}
		name, params, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name == "" {
			continue
		}
		m := mediaRange{name: name, q: 1}
		for p := range strings.SplitSeq(params, ";") {
			k, v, _ := strings.Cut(strings.TrimSpace(p), "=")
			if !strings.EqualFold(k, "q") {
				continue
			}
			q, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			if err != nil || !(q >= 0 && q <= 1) {
				q = 0
			}
			m.q = q
		}
		ranges = append(ranges, m)
	}
	return ranges
}

// quality says how much the client wants the format: that of the most specific range which names it.
func quality(ranges []mediaRange, f Format) float64 {
	q, specific := 0.0, 0
	for _, name := range f.mediaTypes() {
		major, _, _ := strings.Cut(name, "/")
		for _, m := range ranges {
			s := 0
			switch m.name {
			case name:
				s = 3
			case major + "/*":
				s = 2
			case "*/*":
				s = 1
			}
			if s > specific || s == specific && s > 0 && m.q > q {
				q, specific = m.q, s
			}
		}
	}
	return q
}
