// Package pointinfo says what is at a place, in the forms in which map services
// answer: plain text, GeoJSON, HTML and GML. WMS, WMTS and Maps share it.
package pointinfo

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/tiles"
)

// Query is a place and what of it is asked for.
type Query struct {
	Lon, Lat float64
	// Model, Run, Threshold and During are those of a [tiles.PointQuery].
	Model, Run string
	Threshold  float64
	During     tiles.Span
	// Limit bounds the mapped landslides that each collection tells of; 0 is all.
	Limit int
}

// Answer is what is known of a collection at a place.
type Answer struct {
	collection, title string
	lon, lat          float64
	facts             []fact
	landslides        []landslide
}

// fact is a named value: a number, string or boolean.
type fact struct {
	name, label string
	value       any
}

// landslide is a polygon at the place.
type landslide struct {
	ID   int64   `json:"id"`
	Area float64 `json:"area_m2"`
	Link string  `json:"link"`
}

// Ask finds out what is known of collections at a place. base is the public
// URL of the server, for links. Collections of one event share one look.
func Ask(ctx context.Context, r tiles.Renderer, base string, q Query, cols ...common.Collection) ([]Answer, error) {
	known := map[string]tiles.PointInfo{}
	var answers []Answer
	for _, col := range cols {
		q := q
		if col.Layer == tiles.PreImage {
			q.During = tiles.Span{} // its dates are not those of the images after
		}
		info, ok := known[col.Event]
		if !ok || col.Layer == tiles.PreImage {
			var err error
			info, err = r.Point(ctx, tiles.PointQuery{Event: col.Event, Model: q.Model, Run: q.Run, Lon: q.Lon, Lat: q.Lat, Threshold: q.Threshold, During: q.During})
			if err != nil {
				return nil, err
			}
			known[col.Event] = info
		}
		a := Answer{collection: col.ID(), title: col.Title, lon: q.Lon, lat: q.Lat, facts: facts(col.Layer, info)}
		there := info.Landslides
		if q.Limit > 0 {
			there = there[:min(q.Limit, len(there))]
		}
		for _, l := range there {
			items := common.Ref{Event: col.Event, Layer: tiles.Landslides}.ID()
			a.landslides = append(a.landslides, landslide{l.ID, l.Area, base + "/collections/" + items + "/items/" + strconv.FormatInt(l.ID, 10)})
		}
		answers = append(answers, a)
	}
	return answers, nil
}

// facts chooses what matters for the layer.
func facts(l tiles.Layer, p tiles.PointInfo) []fact {
	var out []fact
	add := func(name, label string, value any) { out = append(out, fact{name, label, value}) }
	date := func(name, label string, t time.Time) {
		if !t.IsZero() {
			add(name, label, t.UTC().Format(time.DateOnly))
		}
	}
	if l != tiles.PreImage && l != tiles.PostImage {
		if p.Probability != nil {
			add("probability", "Probability of a new landslide", rounded(*p.Probability, 3))
		}
		if p.Class != "" {
			add("class", "Class", p.Class)
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
	}
	if p.Elevation != nil {
		add("elevation_m", "Elevation, m", rounded(*p.Elevation, 1))
	}
	if p.Slope != nil {
		add("slope_deg", "Slope, °", rounded(*p.Slope, 1))
	}
	if l != tiles.PostImage {
		date("pre_date", "Image before", p.PreDate)
	}
	if l != tiles.PreImage {
		date("post_date", "Image after", p.PostDate)
	}
	return out
}

func rounded(v float64, digits int) json.Number {
	return json.Number(strconv.FormatFloat(v, 'f', digits, 64))
}

// text writes a landslide for people.
func (l landslide) text() string {
	return fmt.Sprintf("%d (%s m²) %s", l.ID, strconv.FormatFloat(l.Area, 'f', 0, 64), l.Link)
}

// Formats lists the media types of answers, the default first.
func Formats() []string {
	return []string{"text/plain", "application/json", "text/html", "text/xml", "application/vnd.ogc.gml"}
}

// Format finds the media type that a client means; empty is the default. It is
// not ok for what is not offered.
func Format(s string) (format string, ok bool) {
	name, _, _ := strings.Cut(strings.ToLower(s), ";")
	name = strings.TrimSpace(name)
	switch name {
	case "":
		return Formats()[0], true
	case "application/geo+json", "application/geojson":
		return "application/json", true
	case "application/xml":
		return "text/xml", true
	}
	for _, f := range Formats() {
		if f == name {
			return f, true
		}
	}
	return "", false
}
