package common

import (
	"slices"
	"strings"
	"time"

	"github.com/scarp-map/scarp/tiles"
)

// Chosen is what a value of the dimension time of WMS or WMTS selects.
type Chosen struct {
	// During is the span to draw; the zero span is all dates.
	During tiles.Span
	// Used is the value in effect, as the standards write it; empty where the
	// collection has no dates.
	Used string
	// Default says that no value was given, Nearest that the closest date took
	// the place of the one that was.
	Default, Nearest bool
}

// AllTimes is the value of time that stands for all dates together.
const AllTimes = "all"

// DefaultTime is the value in effect where none is given: all dates, of which
// the clearest pixels are drawn.
func (c Collection) DefaultTime() string {
	switch len(c.Dates) {
	case 0:
		return ""
	case 1:
		return Instant(c.Dates[0])
	}
	return Instant(c.Dates[0]) + "/" + Instant(c.Dates[len(c.Dates)-1])
}

// Instant writes a time as the standards' dimensions have it.
func Instant(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// Time reads a value of the dimension time: nothing, default or all (all dates),
// current (the latest), an instant (the closest date), an interval (the dates
// in it), or a list of these that leaves no date out between them. Years,
// months, and days stand for the whole of them. A collection without dates
// takes any value. The error is a [Problem] that lists the dates.
func (c Collection) Time(value string) (Chosen, error) {
	value = strings.TrimSpace(value)
	if len(c.Dates) == 0 {
		return Chosen{}, nil
	}
	if value == "" || strings.EqualFold(value, "default") || strings.EqualFold(value, AllTimes) {
		return Chosen{Used: c.DefaultTime(), Default: true}, nil
	}
	var out Chosen
	in := make([]bool, len(c.Dates))
	for i, part := range strings.Split(value, ",") {
		first, last, nearest, ok := c.match(strings.TrimSpace(part))
		if !ok || i >= 64 {
			return out, c.noSuchTime(value)
		}
		for j := first; j <= last; j++ {
			in[j] = true
		}
		out.Nearest = out.Nearest || nearest
	}
	first := slices.Index(in, true)
	last := first
	for last+1 < len(in) && in[last+1] {
		last++
	}
	if slices.Contains(in[last+1:], true) {
		return out, c.noSuchTime(value)
	}
	out.During = tiles.Span{From: c.Dates[first], To: c.Dates[last]}
	out.Used = Instant(c.Dates[first])
	if last > first {
		out.Used += "/" + Instant(c.Dates[last])
	}
	return out, nil
}

// match finds the dates that an instant or interval means.
func (c Collection) match(s string) (first, last int, nearest, ok bool) {
	n := len(c.Dates)
	if strings.EqualFold(s, "current") {
		return n - 1, n - 1, false, true
	}
	start, rest, interval := strings.Cut(s, "/")
	from, to, ok := period(start)
	if !ok {
		return 0, 0, false, false
	}
	if interval {
		end, _, _ := strings.Cut(rest, "/") // the resolution behind it says nothing of what there is
		if strings.EqualFold(end, "current") {
			to = c.Dates[n-1]
		} else if _, to, ok = period(end); !ok || to.Before(from) {
			return 0, 0, false, false
		}
	}
	first = slices.IndexFunc(c.Dates, func(d time.Time) bool { return !d.Before(from) && !d.After(to) })
	if first >= 0 {
		for last = first; last+1 < n && !c.Dates[last+1].After(to); last++ {
		}
		return first, last, false, true
	}
	if interval {
		return 0, 0, false, false
	}
	closest := 0
	for i, d := range c.Dates {
		if d.Sub(from).Abs() < c.Dates[closest].Sub(from).Abs() {
			closest = i
		}
	}
	return closest, closest, true, true
}

// period reads a date-time, day, month or year: its first and last instant.
func period(s string) (from, to time.Time, ok bool) {
	if t, err := time.Parse(time.RFC3339, strings.ToUpper(s)); err == nil {
		return t, t, true
	}
	for _, p := range []struct {
		layout              string
		years, months, days int
	}{{"2006-01-02T15:04:05", 0, 0, 0}, {"2006-01-02T15:04", 0, 0, 0}, {time.DateOnly, 0, 0, 1}, {"2006-01", 0, 1, 0}, {"2006", 1, 0, 0}} {
		t, err := time.Parse(p.layout, strings.ToUpper(strings.TrimSuffix(strings.TrimSuffix(s, "Z"), "z")))
		if err != nil {
			continue
		}
		if end := t.AddDate(p.years, p.months, p.days); end.After(t) {
			return t, end.Add(-time.Nanosecond), true
		}
		return t, t, true
	}
	return from, to, false
}

func (c Collection) noSuchTime(value string) error {
	dates := make([]string, len(c.Dates))
	for i, d := range c.Dates {
		dates[i] = Instant(d)
	}
	return BadRequest("time=%s selects no image of %s: give one of %s (the closest is taken), an interval that holds some of them, or current",
		Quote(value), c.ID(), strings.Join(dates, ", "))
}

// Datetime turns the parameter datetime of the OGC APIs into a span. The error
// is a [Problem]: 400 where it can't be read, 404 where no image is of that time.
func (c Collection) Datetime(s string) (tiles.Span, error) {
	if s == "" {
		return tiles.Span{}, nil
	}
	from, to, err := ParseDatetime(s)
	if err != nil || len(c.Dates) == 0 {
		return tiles.Span{}, err
	}
	inside := func(d time.Time) bool {
		return (from.IsZero() || !d.Before(from)) && (to.IsZero() || !d.After(to))
	}
	if !slices.ContainsFunc(c.Dates, inside) {
		p := c.noSuchTime(s).(*Problem)
		return tiles.Span{}, NotFound("%s", strings.Replace(p.Detail, "time=", "datetime=", 1))
	}
	return tiles.Span{From: from, To: to}, nil
}
