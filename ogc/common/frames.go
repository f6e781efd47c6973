package common

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/scarp-map/scarp/tiles"
)

// Frames reads where and when a picture or coverage is to be: the parameters
// crs, bbox, bbox-crs, center, center-crs, subset, subset-crs and datetime.
type Frames struct {
	Projector Projector
	// LatLon says whether a code's axis order is northing first.
	LatLon func(epsg int) bool
	// CRS lists the EPSG codes that may be asked for, beside CRS84 and the collection's own.
	CRS []int
}

// FrameParams lists the parameters but for center and center-crs, which are for
// what has a size of its own.
func FrameParams() []string {
	return []string{"crs", "bbox", "bbox-crs", "subset", "subset-crs", "datetime"}
}

// ReadCRS reads the parameter that names a CRS; def where it is absent.
func (f Frames) ReadCRS(q url.Values, name string, col Collection, def CRS) (CRS, error) {
	s := q.Get(name)
	if s == "" {
		return def, nil
	}
	crs, err := ParseCRS(s, f.LatLon)
	if err != nil {
		return crs, err
	}
	if crs.EPSG != 4326 && crs.EPSG != col.EPSG && !slices.Contains(f.CRS, crs.EPSG) {
		return crs, BadRequest("%s=%s is not offered; the collection's document lists what is", name, Quote(s))
	}
	return crs, nil
}

// Area is what of a collection is asked for.
type Area struct {
	// Box is in the CRS of the answer, x before y; Given says that a parameter names it.
	Box   [4]float64
	Given bool
	// Center is the middle of the answer where only that was given.
	Center *[2]float64
	During tiles.Span
}

// Area reads the area and the time. The box of a collection that can't be
// opened now is a problem with status 503.
func (f Frames) Area(q url.Values, col Collection, to CRS) (Area, error) {
	var a Area
	subset, err := ParseSubset(q["subset"])
	if err != nil {
		return a, err
	}
	when := q.Get("datetime")
	if t, ok := subset["time"]; ok {
		if when != "" {
			return a, BadRequest("give the time as datetime or in subset, not both")
		}
		when = strings.Trim(t[0], `"`)
		if t[1] != t[0] {
			when += "/" + strings.Trim(t[1], `"`)
		}
		delete(subset, "time")
	}
	if a.During, err = col.Datetime(when); err != nil {
		return a, err
	}
	ways := 0
	for _, given := range []bool{q.Has("bbox"), q.Has("center"), len(subset) > 0} {
		if given {
			ways++
		}
	}
	if ways > 1 {
		return a, BadRequest("give the area in one way: as bbox, as center with width and height, or as subset")
	}
	for _, crs := range []struct {
		name, of string
		given    bool
	}{{"bbox-crs", "bbox", q.Has("bbox")}, {"center-crs", "center", q.Has("center")}, {"subset-crs", "subset of an axis", len(subset) > 0}} {
		if q.Has(crs.name) && !crs.given {
			return a, BadRequest("%s is given without %s", crs.name, crs.of)
		}
	}
	switch {
	case q.Get("bbox") != "":
		a.Given = true
		a.Box, err = f.bbox(q, col, to)
	case q.Get("center") != "":
		a.Center, err = f.center(q, col, to)
	case len(subset) > 0:
		a.Given = true
		a.Box, err = f.subset(q, subset, col, to)
	case !col.Known:
		err = &Problem{Status: http.StatusServiceUnavailable, Detail: "the images of this event can't be opened now", RetryAfter: 60}
	default:
		a.Box, err = f.whole(col, to)
	}
	return a, err
}

// whole returns the collection's box: on its own grid exactly that.
func (f Frames) whole(col Collection, to CRS) ([4]float64, error) {
	if to.EPSG == col.EPSG {
		x0, y0, x1, y1 := col.Grid.Bounds()
		return [4]float64{x0, y0, x1, y1}, nil
	}
	return ProjectBounds(f.Projector, to.EPSG, col.Bounds)
}

func (f Frames) bbox(q url.Values, col Collection, to CRS) ([4]float64, error) {
	from, err := f.ReadCRS(q, "bbox-crs", col, CRS84())
	if err != nil {
		return [4]float64{}, err
	}
	b, err := ParseBBox(q.Get("bbox"))
	if err != nil {
		return b, err
	}
	if from.LatLon {
		b = [4]float64{b[1], b[0], b[3], b[2]}
	}
	if b[0] >= b[2] || b[1] >= b[3] {
		return b, BadRequest("bbox=%s is empty: its minimum must be below its maximum", Quote(q.Get("bbox")))
	}
	return f.reproject(b, from, to)
}

func (f Frames) reproject(b [4]float64, from, to CRS) ([4]float64, error) {
	if from.EPSG == to.EPSG {
		return b, nil
	}
	ll, err := UnprojectBounds(f.Projector, from.EPSG, b)
	if err != nil {
		return b, err
	}
	return ProjectBounds(f.Projector, to.EPSG, ll)
}

func (f Frames) center(q url.Values, col Collection, to CRS) (*[2]float64, error) {
	from, err := f.ReadCRS(q, "center-crs", col, CRS84())
	if err != nil {
		return nil, err
	}
	p, err := ParsePoint("center", q.Get("center"))
	if err != nil {
		return nil, err
	}
	if from.LatLon {
		p[0], p[1] = p[1], p[0]
	}
	if from.EPSG != to.EPSG {
		lon, lat, err := f.Projector.ToLonLat(from.EPSG, p[0], p[1])
		if err != nil {
			return nil, err
		}
		if p[0], p[1], err = f.Projector.FromLonLat(to.EPSG, lon, lat); err != nil {
			return nil, err
		}
	}
	return &p, nil
}

// subset cuts the collection's box along the axes that are named.
func (f Frames) subset(q url.Values, subset map[string][2]string, col Collection, to CRS) ([4]float64, error) {
	from, err := f.ReadCRS(q, "subset-crs", col, CRS84())
	if err != nil {
		return [4]float64{}, err
	}
	if !col.Known {
		return [4]float64{}, &Problem{Status: http.StatusServiceUnavailable, Detail: "the images of this event can't be opened now", RetryAfter: 60}
	}
	b, err := f.whole(col, from)
	if err != nil {
		return b, err
	}
	axes := AxisNames(from.EPSG)
	for name, ends := range subset {
		i := slices.IndexFunc(axes[:], func(names []string) bool {
			return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
		})
		if i < 0 {
			return b, BadRequest("subset: there is no axis %s; there are %s, %s and time", Quote(name), axes[0][0], axes[1][0])
		}
		for k, s := range ends {
			if s == "*" {
				continue
			}
			if b[i+2*k], err = strconv.ParseFloat(s, 64); err != nil {
				return b, BadRequest("subset: %s of axis %s is not a number", Quote(s), name)
			}
		}
	}
	if !(b[0] < b[2] && b[1] < b[3]) {
		return b, BadRequest("subset is empty: give each axis as a low and a high value, such as %s(1:2)", axes[0][0])
	}
	return f.reproject(b, from, to)
}

// AxisNames lists the names of the x and of the y axis of a CRS.
func AxisNames(epsg int) [2][]string {
	if Geographic(epsg) {
		return [2][]string{{"Lon", "Long"}, {"Lat"}}
	}
	return [2][]string{{"E", "X"}, {"N", "Y"}}
}

// ParsePoint reads two numbers with a comma between them.
func ParsePoint(name, s string) ([2]float64, error) {
	var p [2]float64
	x, y, ok := strings.Cut(s, ",")
	for i, part := range []string{x, y} {
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil || !ok || !(v > -1e12 && v < 1e12) {
			return p, BadRequest("%s=%s must be two numbers with a comma between them", name, Quote(s))
		}
		p[i] = v
	}
	return p, nil
}

// ParseSubset reads the values of the parameter subset: axes with a low and a
// high end, such as Lat(42:43),Lon(141:142) or time("2018-09-01":"2018-09-30"),
// or with one value. Names come back as written, time in lower case.
func ParseSubset(values []string) (map[string][2]string, error) {
	out := map[string][2]string{}
	for _, value := range values {
		for rest := strings.TrimSpace(value); rest != ""; {
			open, end := strings.IndexByte(rest, '('), strings.IndexByte(rest, ')')
			if open < 1 || end < open {
				return nil, BadRequest("subset=%s must be axes with their ends, such as Lat(42:43),Lon(141:142)", Quote(value))
			}
			name, inside := strings.TrimSpace(rest[:open]), rest[open+1:end]
			if strings.EqualFold(name, "time") {
				name = "time"
			}
			if _, twice := out[name]; twice || len(out) == 4 {
				return nil, BadRequest("subset=%s names axis %s more than once, or too many axes", Quote(value), Quote(name))
			}
			ends := splitEnds(inside)
			if ends[0] == "" || ends[1] == "" {
				return nil, BadRequest("subset=%s: %s has no value", Quote(value), Quote(name))
			}
			out[name] = ends
			rest = strings.TrimSpace(rest[end+1:])
			if after, comma := strings.CutPrefix(rest, ","); comma {
				rest = strings.TrimSpace(after)
			} else if rest != "" {
				return nil, BadRequest("subset=%s: a comma must stand between axes", Quote(value))
			}
		}
	}
	return out, nil
}

// splitEnds cuts at the colon that is not inside quotes; without one both ends are the same.
func splitEnds(s string) [2]string {
	quoted := false
	for i, r := range s {
		switch {
		case r == '"':
			quoted = !quoted
		case r == ':' && !quoted:
			return [2]string{strings.TrimSpace(s[:i]), strings.TrimSpace(s[i+1:])}
		}
	}
	s = strings.TrimSpace(s)
	return [2]string{s, s}
}

// FormatBBox writes a box for the header Content-Bbox in the CRS's axis order.
func FormatBBox(b [4]float64, latLon bool) string {
	if latLon {
		b = [4]float64{b[1], b[0], b[3], b[2]}
	}
	parts := make([]string, 4)
	for i, v := range b {
		parts[i] = strconv.FormatFloat(v, 'f', -1, 64)
	}
	return strings.Join(parts, ",")
}
