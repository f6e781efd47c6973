package common

import (
	"math"
	"net/url"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// CheckParams returns a problem that names the query parameters which are not
// known, and those that are; f is always known. Parameters may not be repeated.
func CheckParams(q url.Values, known ...string) error {
	var unknown, repeated []string
	for k, v := range q {
		if k != "f" && !slices.Contains(known, k) {
			unknown = append(unknown, Quote(k))
		} else if len(v) > 1 {
			repeated = append(repeated, k)
		}
	}
	sort.Strings(unknown)
	sort.Strings(repeated)
	if len(unknown) > 0 {
		all := append([]string{"f"}, known...)
		sort.Strings(all)
		return BadRequest("unknown query parameter %s; known here: %s", strings.Join(unknown, ", "), strings.Join(all, ", "))
	}
	if len(repeated) > 0 {
		return BadRequest("query parameter %s is given more than once", strings.Join(repeated, ", "))
	}
	return nil
}

// Int reads the integer parameter, or returns def where it is absent.
func Int(q url.Values, name string, def, lowest, highest int) (int, error) {
	s := q.Get(name)
	if s == "" {
		if q.Has(name) {
			return 0, BadRequest("%s is empty; give an integer from %d to %d", name, lowest, highest)
		}
		return def, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < lowest || n > highest {
		return 0, BadRequest("%s=%s must be an integer from %d to %d", name, Quote(s), lowest, highest)
	}
	return n, nil
}

// Float reads the number parameter, or returns def where it is absent.
func Float(q url.Values, name string, def, lowest, highest float64) (float64, error) {
	s := q.Get(name)
	if s == "" {
		return def, nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v >= lowest && v <= highest) {
		return 0, BadRequest("%s=%s must be a number from %g to %g", name, Quote(s), lowest, highest)
	}
	return v, nil
}

// ParseBBox reads four numbers, or six of which the heights are dropped, in
// the axis order of the CRS: min first, min second, max first, max second. It
// checks that they are finite; the second axis' minimum must be below its maximum.
func ParseBBox(s string) ([4]float64, error) {
	var b [4]float64
	parts := strings.Split(s, ",")
	if len(parts) != 4 && len(parts) != 6 {
		return b, BadRequest("bbox=%s must have 4 or 6 numbers with commas between them", Quote(s))
	}
	v := make([]float64, len(parts))
	for i, p := range parts {
		f, err := strconv.ParseFloat(strings.TrimSpace(p), 64)
		if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
			return b, BadRequest("bbox=%s: %s is not a number", Quote(s), Quote(p))
		}
		v[i] = f
	}
	if len(v) == 6 {
		if v[2] > v[5] {
			return b, BadRequest("bbox=%s: its lowest height is above its highest", Quote(s))
		}
		v = []float64{v[0], v[1], v[3], v[4]}
	}
	copy(b[:], v)
	return b, nil
}

// CheckLonLat returns a problem where the bbox (west, south, east, north) is
// not on the globe. West may be greater than east: such a box crosses the antimeridian.
func CheckLonLat(b [4]float64) error {
	switch {
	case b[0] < -180 || b[0] > 180 || b[2] < -180 || b[2] > 180:
		return BadRequest("bbox: longitudes must be from -180 to 180 (the order is west, south, east, north)")
	case b[1] < -90 || b[1] > 90 || b[3] < -90 || b[3] > 90:
		return BadRequest("bbox: latitudes must be from -90 to 90 (the order is west, south, east, north)")
	case b[1] > b[3]:
		return BadRequest("bbox: south %g is above north %g", b[1], b[3])
	}
	return nil
}

// ParseDatetime reads an instant or an interval (start/end, where .. or nothing
// is open, or one is an ISO 8601 duration such as P2D) of RFC 3339 date-times or dates. Both ends are
// inclusive; a date means its whole day in UTC. Zero is open.
func ParseDatetime(s string) (from, to time.Time, err error) {
	start, end, interval := strings.Cut(s, "/")
	if !interval {
		from, to, err = parseInstant(s, start)
		return from, to, err
	}
	open := func(p string) bool { return p == "" || p == ".." }
	lasts := func(p string) bool { return strings.HasPrefix(p, "P") }
	switch {
	case (open(start) || lasts(start)) && (open(end) || lasts(end)):
		return from, to, BadRequest("datetime=%s: one end of the interval must be given", Quote(s))
	case lasts(start):
		if _, to, err = parseInstant(s, end); err == nil {
			from, err = after(s, to, start, -1)
		}
		return from, to, err
	case lasts(end):
		if from, _, err = parseInstant(s, start); err == nil {
			to, err = after(s, from, end, 1)
		}
		return from, to, err
	}
	if !open(start) {
		if from, _, err = parseInstant(s, start); err != nil {
			return from, to, err
		}
	}
	if !open(end) {
		if _, to, err = parseInstant(s, end); err != nil {
			return from, to, err
		}
	}
	if !from.IsZero() && !to.IsZero() && from.After(to) {
		return from, to, BadRequest("datetime=%s: the interval ends before it starts", Quote(s))
	}
	return from, to, nil
}

// lasting is an ISO 8601 duration of up to four digits a unit; of seconds there may be decimals.
var lasting = regexp.MustCompile(`^P(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,4})H)?(?:(\d{1,4})M)?(?:(\d{1,4}(?:\.\d{1,9})?)S)?)?$`)

// after is the time that lies a duration after (sign 1) or before (-1) another.
func after(whole string, t time.Time, s string, sign int) (time.Time, error) {
	parts := lasting.FindStringSubmatch(s)
	if parts == nil || strings.HasSuffix(s, "P") || strings.HasSuffix(s, "T") {
		return t, BadRequest("datetime=%s: %s is no ISO 8601 duration such as P2D or PT12H, with whole numbers of up to four digits", Quote(whole), Quote(s))
	}
	var n [8]float64
	for i, part := range parts[1:] {
		n[i+1], _ = strconv.ParseFloat(part, 64) // the expression lets nothing else through; absent is 0
	}
	clock := (n[5]*60+n[6])*60 + n[7]
	out := t.AddDate(sign*int(n[1]), sign*int(n[2]), sign*int(7*n[3]+n[4])).Add(time.Duration(float64(sign) * clock * float64(time.Second)))
	if out.Year() < 1 || out.Year() > 9999 {
		return t, BadRequest("datetime=%s: the interval reaches beyond the years 1 to 9999", Quote(whole))
	}
	return out, nil
}

func parseInstant(whole, s string) (first, last time.Time, err error) {
	// The standard allows lower-case t and z, Go's parser does not.
	if t, err := time.Parse(time.RFC3339, strings.ToUpper(s)); err == nil && t.Year() > 0 {
		return t, t, nil
	}
	if d, err := time.Parse(time.DateOnly, s); err == nil && d.Year() > 0 {
		return d, d.Add(24*time.Hour - time.Nanosecond), nil
	}
	return first, last, BadRequest("datetime=%s: %s is neither an RFC 3339 date-time such as 2024-04-03T12:00:00Z nor a date such as 2024-04-03", Quote(whole), Quote(s))
}

// Threshold reads the parameter threshold, a probability above 0 and below 1; 0 stands for absent.
func Threshold(q url.Values) (float64, error) {
	s := q.Get("threshold")
	if s == "" {
		return 0, nil
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v > 0 && v < 1) {
		return 0, BadRequest("threshold=%s must be a probability above 0 and below 1", Quote(s))
	}
	return v, nil
}
