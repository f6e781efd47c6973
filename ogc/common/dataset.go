package common

import (
	"slices"
	"strings"

	"github.com/scarp-map/scarp/tiles"
)

// Dataset describes all collections as one, without an event of its own: its
// bounds hold all that is known, and its picture is of landslides.
func Dataset(title string, all []Collection) Collection {
	d := Collection{Ref: Ref{Layer: tiles.Landslides}, Title: title + ": landslides of all events", Description: "The landslides of every event; the parameter collections chooses others."}
	for _, col := range all {
		if !col.Known {
			continue
		}
		if !d.Known {
			d.Bounds, d.Known = col.Bounds, true
		}
		b := col.Bounds
		d.Bounds = [4]float64{min(d.Bounds[0], b[0]), min(d.Bounds[1], b[1]), max(d.Bounds[2], b[2]), max(d.Bounds[3], b[3])}
	}
	return d
}

// ChooseCollections reads the parameter collections, ids with commas between
// them, for a picture of the dataset: the named ones in their order, the last
// on top, or all collections of landslides, the newest event's first. Those
// that have no image of the time are left out; spans says what to draw of the
// others. The error is a [Problem].
func ChooseCollections(all []Collection, ids, datetime string) (chosen []Collection, spans []tiles.Span, err error) {
	if datetime != "" {
		if _, _, err := ParseDatetime(datetime); err != nil {
			return nil, nil, err
		}
	}
	add := func(col Collection) {
		if span, err := col.Datetime(datetime); err == nil {
			chosen, spans = append(chosen, col), append(spans, span)
		}
	}
	if ids == "" {
		for _, col := range all {
			if col.Layer == tiles.Landslides {
				add(col)
			}
		}
		return chosen, spans, nil
	}
	list := strings.Split(ids, ",")
	if len(list) > MaxLayers {
		return nil, nil, BadRequest("collections has %d ids; at most %d are drawn at once", len(list), MaxLayers)
	}
	slices.Reverse(list) // the last is on top, as the newest is
	for _, id := range list {
		i := slices.IndexFunc(all, func(c Collection) bool { return c.ID() == id })
		if i < 0 {
			return nil, nil, BadRequest("collections: there is no collection %s", Quote(id))
		}
		add(all[i])
	}
	return chosen, spans, nil
}
