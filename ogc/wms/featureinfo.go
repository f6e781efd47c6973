package wms

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"scarp/ogc/common"
	"scarp/tiles"
)

// answer is what is known of a layer at a point.
type answer struct {
	layer string
	title string
	lon   float64
	lat   float64
	facts []fact
}

// fact is a named value: a number, string, boolean, or list of ids.
type fact struct {
	name  string
	label string
	value any
}

// infoFormats lists the media types of answers, the default first.
func infoFormats() []string {
	return []string{"text/plain", "application/json", "text/html", "text/xml", "application/vnd.ogc.gml"}
}

func (a *API) getFeatureInfo(c echo.Context, p params, v version) error {
	ctx := c.Request().Context()
	names := p["QUERY_LAYERS"]
	if names == "" {
		return fault("LayerNotDefined", "QUERY_LAYERS is missing")
	}
	layers, err := a.parseLayers(ctx, names, "")
	if err != nil {
		return err
	}
	if p["LAYERS"] != "" {
		if _, err := a.parseLayers(ctx, p["LAYERS"], p["STYLES"]); err != nil {
			return err
		}
	}
	f, err := a.parseFrame(p, v, ownCRS(layers))
	if err != nil {
		return err
	}
	format, err := infoFormat(p["INFO_FORMAT"])
	if err != nil {
		return err
	}
	i, err := parsePixel(p, "I", "X", f.width)
	if err != nil {
		return err
	}
	j, err := parsePixel(p, "J", "Y", f.height)
	if err != nil {
		return err
	}
	x := f.box[0] + (float64(i)+0.5)/float64(f.width)*(f.box[2]-f.box[0])
	y := f.box[3] - (float64(j)+0.5)/float64(f.height)*(f.box[3]-f.box[1])
	lon, lat, err := a.Projector.ToLonLat(f.epsg, x, y)
	if err != nil {
		return err
	}
	known := map[string]tiles.PointInfo{} // the layers of an event share what is known
	var answers []answer
	for _, l := range layers {
		info, ok := known[l.col.Event]
		if !ok {
			if info, err = a.Renderer.Point(ctx, l.col.Event, p["MODEL"], lon, lat); err != nil {
				return err
			}
			known[l.col.Event] = info
		}
		answers = append(answers, answer{l.col.ID(), l.col.Title, lon, lat, facts(l.col.Layer, info)})
	}
	c.Response().Header().Set("Cache-Control", "no-cache")
	return writeInfo(c, format, answers)
}

func infoFormat(s string) (string, error) {
	if s == "" {
		return infoFormats()[0], nil
	}
	name, _, _ := strings.Cut(strings.ToLower(s), ";")
	name = strings.TrimSpace(name)
	switch name {
	case "application/geo+json", "application/geojson":
		return "application/json", nil
	case "application/xml":
		return "text/xml", nil
	}
	for _, f := range infoFormats() {
		if f == name {
			return f, nil
		}
	}
	return "", fault("InvalidFormat", "INFO_FORMAT=%s is not offered; there are %s", common.Quote(s), strings.Join(infoFormats(), ", "))
}

// parsePixel reads a pixel's coordinate under the name of 1.3.0 or of 1.1.1.
func parsePixel(p params, name, old string, size int) (int, error) {
	s, ok := p[name]
	if !ok {
		s = p[old]
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n >= size {
		return 0, fault("InvalidPoint", "%s=%s must be an integer from 0 to %d", name, common.Quote(s), size-1)
	}
	return n, nil
}

// facts chooses what matters for the layer.
func facts(l tiles.Layer, p tiles.PointInfo) []fact {
	var out []fact
	add := func(name, label string, value any) { out = append(out, fact{name, label, value}) }
	switch l {
	case tiles.PreImage:
		if !p.PreDate.IsZero() {
			add("pre_date", "Image before", day(p.PreDate))
		}
	case tiles.PostImage:
		if !p.PostDate.IsZero() {
			add("post_date", "Image after", day(p.PostDate))
		}
	default:
		if p.Probability != nil {
			add("probability", "Probability of a new landslide", rounded(*p.Probability, 3))
		}
		if p.Landslide != nil {
			add("landslide", "Landslide", *p.Landslide)
		}
		if p.Reason != "" {
			add("reason", "Why there is no prediction", p.Reason)
		}
		if p.Model != "" {
			add("model", "Model", p.Model)
		}
		if l == tiles.Landslides {
			ids := p.LandslideIDs
			if ids == nil {
				ids = []int64{}
			}
			add("landslide_ids", "Mapped landslides here", ids)
		}
	}
	if p.Elevation != nil {
		add("elevation_m", "Elevation, m", rounded(*p.Elevation, 1))
	}
	if p.Slope != nil {
		add("slope_deg", "Slope, °", rounded(*p.Slope, 1))
	}
	return out
}

func rounded(v float64, digits int) json.Number {
	return json.Number(strconv.FormatFloat(v, 'f', digits, 64))
}

func (f fact) text() string {
	if ids, ok := f.value.([]int64); ok {
		if len(ids) == 0 {
			return "none"
		}
		s := make([]string, len(ids))
		for i, id := range ids {
			s[i] = strconv.FormatInt(id, 10)
		}
		return strings.Join(s, ", ")
	}
	return fmt.Sprint(f.value)
}

func writeInfo(c echo.Context, format string, answers []answer) error {
	var b bytes.Buffer
	switch format {
	case "application/json":
		body, err := infoJSON(answers)
		if err != nil {
			return err
		}
		return common.Blob(c, http.StatusOK, format, body)
	case "text/html":
		b.WriteString("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Information</title></head><body style=\"font:14px system-ui,sans-serif\">")
		for _, a := range answers {
			fmt.Fprintf(&b, "<h3>%s</h3><table>", html.EscapeString(a.title))
			for _, f := range a.facts {
				fmt.Fprintf(&b, "<tr><th style=\"text-align:left;padding-right:1em\">%s</th><td>%s</td></tr>", html.EscapeString(f.label), html.EscapeString(f.text()))
			}
			b.WriteString("</table>")
		}
		b.WriteString("</body></html>\n")
		format += "; charset=utf-8"
	case "text/xml", "application/vnd.ogc.gml":
		if err := infoXML(&b, answers); err != nil {
			return err
		}
	default:
		for _, a := range answers {
			fmt.Fprintf(&b, "%s (%.6f, %.6f)\n", a.title, a.lon, a.lat)
			for _, f := range a.facts {
				fmt.Fprintf(&b, "  %s: %s\n", f.label, f.text())
			}
		}
		format += "; charset=utf-8"
	}
	return common.Blob(c, http.StatusOK, format, b.Bytes())
}

// infoJSON is GeoJSON, which QGIS and OpenLayers read.
func infoJSON(answers []answer) ([]byte, error) {
	type point struct {
		Type        string     `json:"type"`
		Coordinates [2]float64 `json:"coordinates"`
	}
	type feature struct {
		Type       string         `json:"type"`
		ID         string         `json:"id"`
		Geometry   point          `json:"geometry"`
		Properties map[string]any `json:"properties"`
	}
	doc := struct {
		Type     string    `json:"type"`
		Features []feature `json:"features"`
	}{Type: "FeatureCollection", Features: []feature{}}
	for _, a := range answers {
		f := feature{"Feature", a.layer, point{"Point", [2]float64{a.lon, a.lat}}, map[string]any{"layer": a.layer}}
		for _, x := range a.facts {
			f.Properties[x.name] = x.value
		}
		doc.Features = append(doc.Features, f)
	}
	return common.EncodeJSON(doc)
}

// infoXML is GML as simple servers write it: a collection with a member a layer.
func infoXML(b *bytes.Buffer, answers []answer) error {
	b.WriteString(xml.Header)
	b.WriteString(`<FeatureCollection xmlns="http://www.opengis.net/ogc" xmlns:gml="http://www.opengis.net/gml">` + "\n")
	for _, a := range answers {
		fmt.Fprintf(b, "  <gml:featureMember>\n    <feature layer=\"%s\">\n      <gml:Point srsName=\"EPSG:4326\"><gml:coordinates>%g,%g</gml:coordinates></gml:Point>\n", a.layer, a.lon, a.lat)
		for _, f := range a.facts {
			fmt.Fprintf(b, "      <%s>", f.name)
			if err := xml.EscapeText(b, []byte(f.text())); err != nil {
				return fmt.Errorf("encode %s: %w", f.name, err)
			}
			fmt.Fprintf(b, "</%s>\n", f.name)
		}
		b.WriteString("    </feature>\n  </gml:featureMember>\n")
	}
	b.WriteString("</FeatureCollection>\n")
	return nil
}
