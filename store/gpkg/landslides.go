package gpkg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"scarp/store"
)

// Landslides answers a query on one state of the file: the page and its count
// belong together whatever is published meanwhile.
func (s *Store) Landslides(ctx context.Context, q store.Query) (store.Page, error) {
	q, err := q.Normal()
	if err != nil {
		return store.Page{}, err
	}
	var page store.Page
	err = s.view(ctx, "read landslides from", func(tx *sql.Tx) error {
		where, err := selection(ctx, tx, q)
		if err != nil || where == nil {
			return err
		}
		if page.Matched, err = where.count(ctx, tx); err != nil {
			return err
		}
		page.Landslides, page.Next, err = where.page(ctx, tx, q.After, q.Limit)
		return err
	})
	return page, err
}

// Landslide reads one landslide.
func (s *Store) Landslide(ctx context.Context, event string, id int64) (store.Landslide, error) {
	l, err := scanLandslide(s.read.QueryRowContext(ctx,
		`SELECT id, `+landslideColumns+` FROM landslides WHERE id = ? AND event = ?`, id, event))
	if errors.Is(err, sql.ErrNoRows) {
		return store.Landslide{}, fmt.Errorf("landslide %d of event %q: %w", id, event, store.ErrNotFound)
	}
	if err != nil {
		return store.Landslide{}, s.explain(fmt.Sprintf("read landslide %d from", id), err)
	}
	return l, nil
}

// condition is the WHERE of a query, without its paging.
type condition struct {
	terms []string
	args  []any
}

func (c *condition) and(term string, args ...any) {
	c.terms = append(c.terms, term)
	c.args = append(c.args, args...)
}

// selection turns the query into a condition; nil means that nothing can match.
func selection(ctx context.Context, tx *sql.Tx, q store.Query) (*condition, error) {
	c := &condition{}
	run, err := runOf(ctx, tx, q)
	if err != nil {
		return nil, err
	}
	switch {
	case run != "":
		c.and(`l.run = ?`, run)
	case q.Event != "":
		return nil, nil // an event without runs
	default:
		c.and(`l.run IN (SELECT latest_run FROM events WHERE latest_run IS NOT NULL)`)
	}
	if !q.From.IsZero() {
		c.and(`l.post_date >= ?`, timeText(q.From))
	}
	if !q.To.IsZero() {
		c.and(`l.post_date <= ?`, timeText(q.To))
	}
	if q.MinArea > 0 {
		c.and(`l.area_m2 >= ?`, q.MinArea)
	}
	c.within(q)
	return c, nil
}

// runOf says which run the query is for, empty for the latest of every event.
func runOf(ctx context.Context, tx *sql.Tx, q store.Query) (string, error) {
	if q.Run != "" {
		var event string
		err := tx.QueryRowContext(ctx, `SELECT event FROM runs WHERE id = ?`, q.Run).Scan(&event)
		if errors.Is(err, sql.ErrNoRows) || err == nil && q.Event != "" && q.Event != event {
			return "", noRun(q.Run)
		}
		return q.Run, err
	}
	if q.Event == "" {
		return "", nil
	}
	var latest sql.NullString
	err := tx.QueryRowContext(ctx, `SELECT latest_run FROM events WHERE id = ?`, q.Event).Scan(&latest)
	if errors.Is(err, sql.ErrNoRows) {
		return "", noEvent(q.Event)
	}
	return latest.String, err
}

// within adds the bounding box: the spatial index finds the candidates, whose
// boxes are rounded outwards there, and those that it does not show to lie
// wholly within the box are tested exactly.
func (c *condition) within(q store.Query) {
	boxes := q.Boxes()
	if len(boxes) == 0 {
		return
	}
	var alternatives []string
	for _, b := range boxes {
		w, s, e, n := b.Min[0], b.Min[1], b.Max[0], b.Max[1]
		alternatives = append(alternatives, `SELECT r.id FROM rtree_landslides_geom r JOIN landslides g ON g.id = r.id
			WHERE r.maxx >= ? AND r.minx <= ? AND r.maxy >= ? AND r.miny <= ?
			AND (r.minx >= ? AND r.maxx <= ? AND r.miny >= ? AND r.maxy <= ? OR scarp_intersects(g.geom, ?, ?, ?, ?))`)
		c.args = append(c.args, w, e, s, n, w, e, s, n, w, s, e, n)
	}
	c.terms = append(c.terms, `l.id IN (`+strings.Join(alternatives, ` UNION `)+`)`)
}

func (c *condition) count(ctx context.Context, tx *sql.Tx) (n int, err error) {
	err = tx.QueryRowContext(ctx, `SELECT count(*) FROM landslides l WHERE `+strings.Join(c.terms, ` AND `), c.args...).Scan(&n)
	return n, err
}

// page reads one more than the limit, to know whether there is a next page.
func (c *condition) page(ctx context.Context, tx *sql.Tx, after int64, limit int) ([]store.Landslide, int64, error) {
	args := append(append([]any{}, c.args...), after, limit+1)
	rows, err := tx.QueryContext(ctx, `SELECT l.id, `+landslideColumns+` FROM landslides l
		WHERE `+strings.Join(c.terms, ` AND `)+` AND l.id > ? ORDER BY l.id LIMIT ?`, args...)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	var page []store.Landslide
	for rows.Next() {
		if len(page) == limit {
			return page, page[limit-1].ID, nil
		}
		l, err := scanLandslide(rows)
		if err != nil {
			return nil, 0, err
		}
		page = append(page, l)
	}
	return page, 0, rows.Err()
}

func scanLandslide(from row) (store.Landslide, error) {
	var l store.Landslide
	var geometry []byte
	var pre, post moment
	err := from.Scan(&l.ID, &geometry, &l.Event, &l.Run, &l.Area, &l.Perimeter, &l.Length, &l.Width, &l.ProbMean, &l.ProbMax,
		&l.ElevMin, &l.ElevMax, &l.ElevMean, &l.SlopeMean, &l.Aspect, &l.DeltaNDVI, &l.CloudAdjacent,
		&pre, &post, &l.Model, &l.ModelVersion)
	if err != nil {
		return store.Landslide{}, err
	}
	if l.Geometry, err = decode(geometry); err != nil {
		return store.Landslide{}, fmt.Errorf("landslide %d: %w", l.ID, err)
	}
	l.PreDate, l.PostDate = pre.Time, post.Time
	return l, nil
}
