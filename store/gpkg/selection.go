package gpkg

import (
	"context"
	"database/sql"
	"strings"

	"github.com/paulmach/orb"

	"scarp/store"
)

// selection is what a query matches, without its paging.
type selection struct {
	condition // on the attributes
	boxes     []orb.Bound
}

// condition is a conjunction of SQL terms on the row l of landslides.
type condition struct {
	terms []string
	args  []any
}

func (c *condition) and(term string, args ...any) {
	c.terms = append(c.terms, term)
	c.args = append(c.args, args...)
}

// newSelection selects from the run, or from every event's latest where it is empty.
func newSelection(q store.Query, run string) *selection {
	s := &selection{boxes: q.Boxes()}
	if run != "" {
		s.and(`l.run = ?`, run)
	} else {
		s.and(`l.run IN (SELECT latest_run FROM events WHERE latest_run IS NOT NULL)`)
	}
	if !q.From.IsZero() {
		s.and(`l.post_date >= ?`, timeText(q.From))
	}
	if !q.To.IsZero() {
		s.and(`l.post_date <= ?`, timeText(q.To))
	}
	if q.MinArea > 0 {
		s.and(`l.area_m2 >= ?`, q.MinArea)
	}
	return s
}

// indexed answers from the spatial index: it finds the candidates, whose boxes
// are rounded outwards there; those that it does not show to lie wholly within
// the box are tested exactly.
func (s *selection) indexed(columns string) (string, []any) {
	if len(s.boxes) == 0 {
		return `SELECT ` + columns + ` FROM landslides l WHERE ` + strings.Join(s.terms, ` AND `), s.args
	}
	var parts []string
	var args []any
	for _, b := range s.boxes {
		west, south, east, north := b.Min[0], b.Min[1], b.Max[0], b.Max[1]
		parts = append(parts, `SELECT `+columns+` FROM rtree_landslides_geom r CROSS JOIN landslides l ON l.id = r.id
			WHERE r.maxx >= ? AND r.minx <= ? AND r.maxy >= ? AND r.miny <= ? AND `+strings.Join(s.terms, ` AND `)+`
			AND (r.minx >= ? AND r.maxx <= ? AND r.miny >= ? AND r.maxy <= ? OR scarp_intersects(l.geom, ?, ?, ?, ?))`)
		args = append(args, west, east, south, north)
		args = append(args, s.args...)
		args = append(args, west, east, south, north, west, south, east, north)
	}
	return strings.Join(parts, ` UNION `), args // one that is in both boxes counts once
}

// scanned answers by looking at every landslide in order of id.
func (s *selection) scanned(columns string) (string, []any) {
	var tests []string
	args := append([]any{}, s.args...)
	for _, b := range s.boxes {
		tests = append(tests, `scarp_intersects(l.geom, ?, ?, ?, ?)`)
		args = append(args, b.Min[0], b.Min[1], b.Max[0], b.Max[1])
	}
	return `SELECT ` + columns + ` FROM landslides l WHERE ` + strings.Join(s.terms, ` AND `) +
		` AND (` + strings.Join(tests, ` OR `) + `)`, args
}

func (s *selection) extent(ctx context.Context, tx *sql.Tx) (e store.Extent, err error) {
	matches, args := s.indexed(`l.id AS id`)
	err = tx.QueryRowContext(ctx, `SELECT count(*), coalesce(min(id), 0), coalesce(max(id), 0) FROM (`+matches+`)`, args...).
		Scan(&e.Matched, &e.First, &e.Last)
	return e, err
}

// page reads one landslide more than the limit, to know whether there is a next page.
func (s *selection) page(ctx context.Context, tx *sql.Tx, q store.Query, e store.Extent) ([]store.Landslide, int64, error) {
	query := s.indexed
	if len(s.boxes) > 0 && e.Scan(q.Limit) {
		query = s.scanned
	}
	s.and(`l.id > ?`, max(q.After, e.First-1))
	text, args := query(`l.id AS id, ` + landslideColumns)
	rows, err := tx.QueryContext(ctx, text+` ORDER BY id LIMIT ?`, append(append([]any{}, args...), q.Limit+1)...)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	var page []store.Landslide
	for rows.Next() {
		if len(page) == q.Limit {
			return page, page[q.Limit-1].ID, nil
		}
		l, err := scanLandslide(rows)
		if err != nil {
			return nil, 0, err
		}
		page = append(page, l)
	}
	return page, 0, rows.Err()
}
