package imagery

import (
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"
)

// ErrNoScene is returned (wrapped, with the dates that there are) when no scene lies in a span of time.
var ErrNoScene = errors.New("no scene at that time")

// Dated is a source whose scenes can be told apart by date. What [Open] and
// [Catalog.Source] return is one.
type Dated interface {
	Source
	// During returns the source as it would be with only those scenes of the
	// side that were acquired in the span (inclusive; a zero end is open). Grid
	// and bounds stay, so that what it shows lies over what the whole source
	// shows; the revision is its own, unless all scenes lie in the span. It
	// shares the files of the source: close only that. The error is ErrNoScene.
	During(side Side, from, to time.Time) (Source, error)
}

var _ Dated = (*source)(nil)

// During implements [Dated].
func (s *source) During(side Side, from, to time.Time) (Source, error) {
	var in []*scene
	chosen := ""
	for _, sc := range s.sides[side] {
		if sc.date.IsZero() || !from.IsZero() && sc.date.Before(from) || !to.IsZero() && sc.date.After(to) {
			continue
		}
		in = append(in, sc)
		chosen += " " + strconv.Quote(sc.ref)
	}
	switch len(in) {
	case len(s.sides[side]):
		return s, nil
	case 0:
		dates := ""
		for _, d := range s.Dates(side) {
			dates += " " + d.Format(time.DateOnly)
		}
		return nil, fmt.Errorf("%w: the %s scenes of event %s are of%s", ErrNoScene, side, s.event.ID, dates)
	}
	part := *s
	part.sides = maps.Clone(s.sides)
	part.sides[side] = in
	part.stamp.definition += " " + string(side) + chosen
	return &part, nil
}
