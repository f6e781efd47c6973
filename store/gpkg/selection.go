package gpkg

import (
	"context"
	"database/sql"
	"strings"

	"github.com/paulmach/orb"

	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/filter"
)

// selection is what a query matches, without its paging.
type selection struct {
	condition // on the attributes
	boxes     []orb.Bound
	// near is where the filter's matches lie, for the spatial index.
	near  *orb.Bound
	whole bool // all of a run
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
func newSelection(q store.Query, run string) (*selection, error) {
	s := &selection{boxes: q.Boxes(), whole: q.WholeRun()}
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
	if q.Filter == nil {
		return s, nil
	}
	term, err := filter.Compile(q.Filter, store.FieldTypes(), dialect{})
	if err != nil {
		return nil, err
	}
	s.and(term.Text, term.Args...)
	if box, ok := filter.Box(q.Filter); ok && len(s.boxes) == 0 {
		low, high, _ := box.MinMaxXYs()
		s.near = &orb.Bound{Min: orb.Point{low.X, low.Y}, Max: orb.Point{high.X, high.Y}}
	}
	return s, nil
}

// indexed answers from the spatial index: it finds the candidates, whose boxes
// are rounded outwards there; those that it does not show to lie wholly within
// the box are tested exactly.
func (s *selection) indexed(columns string) (string, []any) {
	const candidates = ` FROM rtree_landslides_geom r CROSS JOIN landslides l ON l.id = r.id
		WHERE r.maxx >= ? AND r.minx <= ? AND r.maxy >= ? AND r.miny <= ? AND `
	conditions := strings.Join(s.terms, ` AND `)
	if b := s.near; b != nil {
		args := []any{b.Min[0], b.Max[0], b.Min[1], b.Max[1]}
		return `SELECT ` + columns + candidates + conditions, append(args, s.args...)
	}
	if len(s.boxes) == 0 {
		return `SELECT ` + columns + ` FROM landslides l WHERE ` + conditions, s.args
	}
	var parts []string
	var args []any
	for _, b := range s.boxes {
		west, south, east, north := b.Min[0], b.Min[1], b.Max[0], b.Max[1]
		parts = append(parts, `SELECT `+columns+candidates+conditions+`
			AND (r.minx >= ? AND r.maxx <= ? AND r.miny >= ? AND r.maxy <= ? OR scarp_intersects(l.geom, ?, ?, ?, ?))`)
		args = append(args, west, east, south, north)
		args = append(args, s.args...)
		args = append(args, west, east, south, north, west, south, east, north)
	}
	return strings.Join(parts, ` UNION `), args // one that is in both boxes counts once
}

// tests are the terms, the bounding box among them as a test of each row.
func (s *selection) tests() (string, []any) {
	var boxes []string
	args := append([]any{}, s.args...)
	for _, b := range s.boxes {
		boxes = append(boxes, `scarp_intersects(l.geom, ?, ?, ?, ?)`)
		args = append(args, b.Min[0], b.Min[1], b.Max[0], b.Max[1])
	}
	text := strings.Join(s.terms, ` AND `)
	if len(boxes) > 0 {
		text += ` AND (` + strings.Join(boxes, ` OR `) + `)`
	}
	return text, args
}

// extent counts what is selected, unless it is more than is counted.
func (s *selection) extent(ctx context.Context, tx *sql.Tx) (e store.Extent, err error) {
	matches, args := s.indexed(`l.id AS id`)
	limit := store.CountLimit + 1
	if s.whole {
		limit = -1
	}
	err = tx.QueryRowContext(ctx, `SELECT count(*), coalesce(min(id), 0), coalesce(max(id), 0) FROM (SELECT id FROM (`+matches+`) LIMIT ?)`,
		append(append([]any{}, args...), limit)...).Scan(&e.Matched, &e.First, &e.Last)
	if err == nil && !s.whole && e.Matched > store.CountLimit {
		e = store.Extent{More: true}
		e.First, err = s.first(ctx, tx)
	}
	return e, err
}

// first is an id before which nothing is selected, for the scan of a page: jobs
// write what is near to each other together, so that a box may begin late. It is
// where the first thousand begins whose landslides reach into the box.
func (s *selection) first(ctx context.Context, tx *sql.Tx) (first int64, err error) {
	boxes := s.boxes
	if s.near != nil {
		boxes = []orb.Bound{*s.near}
	}
	run, args := s.ofRun()
	var reach []string
	for _, b := range boxes {
		reach = append(reach, `east >= ? AND west <= ? AND north >= ? AND south <= ?`)
		args = append(args, b.Min[0], b.Max[0], b.Min[1], b.Max[1])
	}
	if len(reach) == 0 {
		return 0, nil
	}
	err = tx.QueryRowContext(ctx, `SELECT coalesce(min(number), 0) FROM scarp_ranges l WHERE `+run+` AND (`+strings.Join(reach, ` OR `)+`)`, args...).Scan(&first)
	return ranged * first, err
}

// ofRun is the term that selects the run, or every event's latest.
func (s *selection) ofRun() (string, []any) {
	return s.terms[0], append([]any{}, s.args[:strings.Count(s.terms[0], "?")]...)
}

const (
	// scanned is how many landslides are looked at for a page before the spatial index is asked.
	scanned = 20_000
	// ranged is how many ids make a range, of which scarp_ranges knows where its landslides lie.
	ranged = 1000
)

// page reads one landslide more than the limit, to know whether there is a next page.
func (s *selection) page(ctx context.Context, tx *sql.Tx, q store.Query, e store.Extent) (store.Page, error) {
	behind, paged, err := q.Behind(dialect{}, `l.id`)
	if err != nil {
		return store.Page{}, err
	}
	if paged {
		s.and(behind.Text, behind.Args...)
	}
	order := ` ORDER BY ` + q.Order(dialect{}, `l.id`)
	spatial := len(s.boxes) > 0 || s.near != nil
	var found []store.Landslide
	switch {
	case !spatial || len(q.Sort) == 0 && !e.More && e.Scan(q.Limit):
		if len(q.Sort) == 0 {
			s.and(`l.id >= ?`, e.First)
		}
		tests, args := s.tests()
		found, err = read(ctx, tx, q, tests+order, args...)
	case e.More && q.Indexed():
		// Where matches abound a page is full soon.
		tests, args := s.tests()
		from, fromArgs := s.ofRun()
		if len(q.Sort) == 0 {
			from, fromArgs = from+` AND l.id >= ?`, append(fromArgs, e.First)
		}
		if paged {
			from, fromArgs = from+` AND `+behind.Text, append(fromArgs, behind.Args...)
		}
		all := append(fromArgs, scanned)
		found, err = readFrom(ctx, tx, q, `(SELECT * FROM landslides l WHERE `+from+order+` LIMIT ?) l`, tests+order, append(all, args...)...)
		if err != nil || len(found) > q.Limit {
			break
		}
		fallthrough
	default:
		ids, args := s.indexed(`l.id AS id`)
		found, err = read(ctx, tx, q, `l.id IN (`+ids+`)`+order, args...)
	}
	if err != nil {
		return store.Page{}, err
	}
	return q.Page(found, e), nil
}

// sketch reads a page of what is to be drawn, the largest first, from an index of boxes
// at the heights of their runs and levels: it finds those to be drawn, and no others.
func (s *selection) sketch(ctx context.Context, tx *sql.Tx, q store.Query, run string) (store.Page, error) {
	behind, paged, err := q.Behind(dialect{}, `l.id`)
	if err != nil {
		return store.Page{}, err
	}
	if paged {
		s.and(behind.Text, behind.Args...)
	}
	level := q.Level()
	heights, heightArgs := `low % ? <= ?`, []any{store.LastLevel + 1, level} // of each event's latest run
	if run != "" {
		var number int64
		if err := tx.QueryRowContext(ctx, `SELECT fid FROM runs WHERE id = ?`, run).Scan(&number); err != nil {
			return store.Page{}, err
		}
		heights, heightArgs = `high >= ? AND low <= ?`, []any{store.Height(number, 0), store.Height(number, level)}
	}
	var drawn []string
	var args []any
	for _, b := range q.Drawn() {
		drawn = append(drawn, `SELECT id FROM scarp_drawn WHERE maxx >= ? AND minx <= ? AND maxy >= ? AND miny <= ? AND `+heights)
		args = append(append(args, b.Min[0], b.Max[0], b.Min[1], b.Max[1]), heightArgs...)
	}
	// The sign keeps the planner from walking the index on the area.
	found, err := readFrom(ctx, tx, q, `(`+strings.Join(drawn, ` UNION `)+`) d CROSS JOIN landslides l ON l.id = d.id`,
		strings.Join(s.terms, ` AND `)+` ORDER BY +l.area_m2 DESC, l.id`, append(args, s.args...)...)
	return q.Page(found, store.Extent{More: true}), err
}

func read(ctx context.Context, tx *sql.Tx, q store.Query, where string, args ...any) ([]store.Landslide, error) {
	return readFrom(ctx, tx, q, `landslides l`, where, args...)
}

func readFrom(ctx context.Context, tx *sql.Tx, q store.Query, from, where string, args ...any) ([]store.Landslide, error) {
	rows, err := tx.QueryContext(ctx, `SELECT l.id AS id, `+landslideColumns+` FROM `+from+` WHERE `+where+` LIMIT ?`, append(append([]any{}, args...), q.Limit+1)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []store.Landslide
	for rows.Next() {
		l, err := scanLandslide(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, rows.Err()
}
