package pointinfo

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"html"

	"github.com/scarp-map/scarp/ogc/common"
)

// Encode writes answers in one of [Formats]. The media type is that to answer
// with, charset included.
func Encode(format string, answers []Answer) (body []byte, mediaType string, err error) {
	var b bytes.Buffer
	switch format {
	case "application/json":
		body, err = asGeoJSON(answers)
		return body, format, err
	case "text/html":
		asHTML(&b, answers)
		return b.Bytes(), format + "; charset=utf-8", nil
	case "text/xml", "application/vnd.ogc.gml":
		err = asGML(&b, answers)
		return b.Bytes(), format, err
	}
	for _, a := range answers {
		fmt.Fprintf(&b, "%s (%.6f, %.6f)\n", a.title, a.lon, a.lat)
		for _, f := range a.facts {
			fmt.Fprintf(&b, "  %s: %v\n", f.label, f.value)
		}
		for _, l := range a.landslides {
			fmt.Fprintf(&b, "  Mapped landslide here: %s\n", l.text())
		}
	}
	return b.Bytes(), "text/plain; charset=utf-8", nil
}

func asHTML(b *bytes.Buffer, answers []Answer) {
	b.WriteString("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Information</title></head><body style=\"font:14px system-ui,sans-serif\">")
	const row = "<tr><th style=\"text-align:left;padding-right:1em\">%s</th><td>%s</td></tr>"
	for _, a := range answers {
		fmt.Fprintf(b, "<h3>%s</h3><table>", html.EscapeString(a.title))
		for _, f := range a.facts {
			fmt.Fprintf(b, row, html.EscapeString(f.label), html.EscapeString(fmt.Sprint(f.value)))
		}
		for _, l := range a.landslides {
			fmt.Fprintf(b, row, "Mapped landslide here", fmt.Sprintf("<a href=\"%s\">%d</a>, %.0f m²", html.EscapeString(l.Link), l.ID, l.Area))
		}
		b.WriteString("</table>")
	}
	b.WriteString("</body></html>\n")
}

// asGeoJSON writes a point for each collection, which QGIS and OpenLayers read.
func asGeoJSON(answers []Answer) ([]byte, error) {
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
		f := feature{"Feature", a.collection, point{"Point", [2]float64{a.lon, a.lat}}, map[string]any{"layer": a.collection}}
		for _, x := range a.facts {
			f.Properties[x.name] = x.value
		}
		if a.landslides != nil {
			f.Properties["landslides"] = a.landslides
		}
		doc.Features = append(doc.Features, f)
	}
	return common.EncodeJSON(doc)
}

// asGML is GML 2 as simple servers write it: a collection with a member a layer.
// What is not GML's is in no namespace: clients look for the names alone.
func asGML(b *bytes.Buffer, answers []Answer) error {
	b.WriteString(xml.Header)
	b.WriteString(`<FeatureCollection xmlns:gml="http://www.opengis.net/gml">` + "\n")
	element := func(name string, value any) error {
		fmt.Fprintf(b, "      <%s>", name)
		if err := xml.EscapeText(b, fmt.Append(nil, value)); err != nil {
			return fmt.Errorf("encode %s: %w", name, err)
		}
		fmt.Fprintf(b, "</%s>\n", name)
		return nil
	}
	for _, a := range answers {
		fmt.Fprintf(b, "  <gml:featureMember>\n    <feature layer=\"%s\">\n      <gml:Point srsName=\"EPSG:4326\"><gml:coordinates>%g,%g</gml:coordinates></gml:Point>\n", a.collection, a.lon, a.lat)
		for _, f := range a.facts {
			if err := element(f.name, f.value); err != nil {
				return err
			}
		}
		for _, l := range a.landslides {
			b.WriteString("      <landslide ")
			fmt.Fprintf(b, "id=\"%d\" area_m2=\"%g\" link=\"", l.ID, l.Area)
			if err := xml.EscapeText(b, []byte(l.Link)); err != nil {
				return fmt.Errorf("encode a link: %w", err)
			}
			b.WriteString("\"/>\n")
		}
		b.WriteString("    </feature>\n  </gml:featureMember>\n")
	}
	b.WriteString("</FeatureCollection>\n")
	return nil
}
