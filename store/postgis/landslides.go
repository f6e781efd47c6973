package postgis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/ewkb"
	"github.com/paulmach/orb/encoding/wkb"

	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/filter"
)

var selectLandslide = `SELECT id, ST_AsBinary(geom), ` + strings.TrimPrefix(landslideColumns, "geom, ") + ` `

// Landslides answers a query on one state of the database: the page and its
// count belong together whatever is published meanwhile.
func (s *Store) Landslides(ctx context.Context, q store.Query) (store.Page, error) {
	q, err := q.Normal()
	if err != nil {
		return store.Page{}, err
	}
	var page store.Page
	err = s.view(ctx, "read landslides from", func(tx pgx.Tx) error {
		run, mark, err := runOf(ctx, tx, q)
		if err != nil || run == "" && q.Event != "" {
			return err
		}
		if q.Sketch > 0 {
			page, err = sketch(ctx, tx, q, run)
			return err
		}
		where, err := selection(q, run)
		if err != nil {
			return err
		}
		extent, err := s.counts.Extent(q, mark, func() (store.Extent, error) { return where.extent(ctx, tx) })
		if err != nil {
			return err
		}
		page, err = where.page(ctx, tx, q, extent)
		return err
	})
	var pg *pgconn.PgError
	if q.Filter != nil && errors.As(err, &pg) && slices.Contains([]string{"22003", "22012", "2201F"}, pg.Code) {
		return page, fmt.Errorf("%w query: the numbers of the filter overflow", store.ErrInvalid)
	}
	return page, err
}

// Landslide reads one landslide.
func (s *Store) Landslide(ctx context.Context, event string, id int64) (store.Landslide, error) {
	rows, err := s.pool.Query(ctx, selectLandslide+`FROM scarp.landslides l WHERE id = $1 AND event = $2`, id, event)
	if err != nil {
		return store.Landslide{}, s.explain(fmt.Sprintf("read landslide %d from", id), err)
	}
	l, err := pgx.CollectExactlyOneRow(rows, scanLandslide)
	if errors.Is(err, pgx.ErrNoRows) {
		return store.Landslide{}, fmt.Errorf("landslide %d of event %q: %w", id, event, store.ErrNotFound)
	}
	if err != nil {
		return store.Landslide{}, s.explain(fmt.Sprintf("read landslide %d from", id), err)
	}
	return l, nil
}

// condition is the WHERE of a query, without its paging.
type condition struct {
	terms   []string
	args    []any
	whole   bool   // all of a run
	run     string // "" for every event's latest
	boxes   []orb.Bound
	spatial int // the number of the term that is the bounding box, 0 where there is none
}

// and adds a term in which each ? is one of args.
func (c *condition) and(term string, args ...any) {
	var text strings.Builder
	for i, part := range strings.Split(term, "?") {
		if i > 0 {
			text.WriteString("$" + strconv.Itoa(len(c.args)+i))
		}
		text.WriteString(part)
	}
	c.args = append(c.args, args...)
	c.terms = append(c.terms, text.String())
}

// selection selects from the run, or from every event's latest where it is empty.
func selection(q store.Query, run string) (*condition, error) {
	c := &condition{whole: q.WholeRun(), run: run, boxes: q.Boxes()}
	c.ofRun(run)
	if !q.From.IsZero() {
		c.and(`l.post_date >= ?`, q.From)
	}
	if !q.To.IsZero() {
		c.and(`l.post_date <= ?`, q.To)
	}
	if q.MinArea > 0 {
		c.and(`l.area_m2 >= ?`, q.MinArea)
	}
	if q.Filter != nil {
		term, err := filter.Compile(q.Filter, store.FieldTypes(), dialect{})
		if err != nil {
			return nil, err
		}
		c.and(term.Text, term.Args...)
	}
	return c, c.within()
}

// ofRun adds that it is of the run, or of any event's latest.
func (c *condition) ofRun(run string) {
	if run != "" {
		c.and(`l.run = ?`, run)
	} else {
		c.and(`l.run IN (SELECT latest_run FROM scarp.events)`)
	}
}

// runOf says which run the query is for, and a mark that no other run has, nor
// the one that replaces it. Both are empty for the latest of every event and
// for an event without runs.
func runOf(ctx context.Context, tx pgx.Tx, q store.Query) (run, mark string, err error) {
	if q.Run == "" && q.Event == "" {
		return "", "", nil
	}
	run = q.Run
	if run == "" {
		var latest *string
		err := tx.QueryRow(ctx, `SELECT latest_run FROM scarp.events WHERE id = $1`, q.Event).Scan(&latest)
		if errors.Is(err, pgx.ErrNoRows) {
			return "", "", noEvent(q.Event)
		}
		if err != nil || latest == nil {
			return "", "", err
		}
		run = *latest
	}
	var event string
	err = tx.QueryRow(ctx, `SELECT event, seq::text FROM scarp.runs WHERE id = $1`, run).Scan(&event, &mark)
	if errors.Is(err, pgx.ErrNoRows) || err == nil && q.Event != "" && q.Event != event {
		return "", "", noRun(run)
	}
	return run, mark, err
}

// within adds the bounding box; ST_Intersects uses the spatial index.
func (c *condition) within() error {
	if len(c.boxes) == 0 {
		return nil
	}
	var terms []string
	var args []any
	for _, b := range c.boxes {
		box, err := ewkb.Marshal(shape(b), srid)
		if err != nil {
			return fmt.Errorf("encode bounding box: %w", err)
		}
		terms = append(terms, `ST_Intersects(l.geom, ST_GeomFromEWKB(?::bytea))`)
		args = append(args, box)
	}
	c.and(`(`+strings.Join(terms, ` OR `)+`)`, args...)
	c.spatial = len(c.terms)
	return nil
}

// shape is the box as a valid geometry: a point or a line where it has no area.
func shape(b orb.Bound) orb.Geometry {
	switch {
	case b.Min == b.Max:
		return b.Min
	case b.Min[0] == b.Max[0] || b.Min[1] == b.Max[1]:
		return orb.LineString{b.Min, b.Max}
	}
	return b.ToPolygon()
}

// extent counts what is selected, unless it is more than is counted.
func (c *condition) extent(ctx context.Context, tx pgx.Tx) (e store.Extent, err error) {
	limit := ` LIMIT ` + strconv.Itoa(store.CountLimit+1)
	if c.whole {
		limit = ``
	}
	err = tx.QueryRow(ctx, `SELECT count(*), coalesce(min(id), 0), coalesce(max(id), 0) FROM
		(SELECT id FROM scarp.landslides l WHERE `+strings.Join(c.terms, ` AND `)+limit+`) l`, c.args...).Scan(&e.Matched, &e.First, &e.Last)
	if err == nil && !c.whole && e.Matched > store.CountLimit {
		e = store.Extent{More: true}
	}
	return e, err
}

// page reads one landslide more than the limit, to know whether there is a next page.
func (c *condition) page(ctx context.Context, tx pgx.Tx, q store.Query, e store.Extent) (store.Page, error) {
	behind, paged, err := q.Behind(dialect{}, `l.id`)
	if err != nil {
		return store.Page{}, err
	}
	if paged {
		c.and(behind.Text, behind.Args...)
	}
	order := ` ORDER BY ` + q.Order(dialect{}, `l.id`)
	limit := ` LIMIT ` + strconv.Itoa(q.Limit+1)
	terms := slices.Clone(c.terms)
	if c.spatial > 0 && len(q.Sort) == 0 && !e.More && e.Scan(q.Limit) {
		// The same truth, but nothing that the spatial index answers: the planner
		// doesn't know that matches abound, and takes the index on the id so.
		terms[c.spatial-1] += ` IS TRUE`
		terms = append(terms, fmt.Sprintf(`l.id >= %d`, e.First))
	}
	switch {
	case e.More && len(q.Sort) == 0 && len(c.boxes) > 0:
		found, err := c.walk(ctx, tx, q)
		return q.Page(found, e), err
	case e.More && q.Indexed():
		// Where matches abound a page is full soon.
		first := c.terms[0] // the run
		if paged {
			first += ` AND ` + c.terms[len(c.terms)-1]
		}
		found, err := c.read(ctx, tx, beginning(first+order), terms, order+limit)
		if err != nil || len(found) > q.Limit {
			return q.Page(found, e), err
		}
	}
	found, err := c.read(ctx, tx, `scarp.landslides l`, terms, order+limit)
	return q.Page(found, e), err
}

const (
	// scanned is how many landslides are looked at for a page before the spatial index is asked.
	scanned = 20_000
	// ranged is how many ids make a range, of which scarp.ranges knows where its landslides lie.
	ranged = 1000
)

// beginning is the landslides to be scanned in the order of an index.
func beginning(ordered string) string {
	return `(SELECT * FROM scarp.landslides l WHERE ` + ordered + ` LIMIT ` + strconv.Itoa(scanned) + `) l`
}

// walk reads a page in order of id from the ranges that reach into the box: jobs write what is
// near to each other together, so that a box may begin late, and have gaps. Where the first
// ranges do not fill the page, the planner finds the rest behind them.
func (c *condition) walk(ctx context.Context, tx pgx.Tx, q store.Query) (found []store.Landslide, err error) {
	near, err := c.near(ctx, tx, q.After/ranged)
	if err != nil {
		return nil, err
	}
	read := func(from string, terms ...string) error {
		more, err := c.read(ctx, tx, from, append(slices.Clone(c.terms), terms...), ` ORDER BY l.id LIMIT `+strconv.Itoa(q.Limit+1-len(found)))
		found = append(found, more...)
		return err
	}
	for rest := near; len(rest) > 0 && len(found) <= q.Limit; {
		n := 1 // so many follow each other
		for n < len(rest) && rest[n] == rest[0]+int64(n) {
			n++
		}
		ids := fmt.Sprintf(`%s AND l.id >= %d AND l.id < %d ORDER BY l.id`, c.terms[0], max(rest[0]*ranged, q.After), (rest[n-1]+1)*ranged)
		if err := read(beginning(ids)); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	if len(found) > q.Limit || len(near) < scanned/ranged { // these are all
		return found, nil
	}
	err = read(`scarp.landslides l`, fmt.Sprintf(`l.id >= %d`, (near[len(near)-1]+1)*ranged))
	return found, err
}

// near are the numbers of the first ranges that reach into the box, from the given one on.
func (c *condition) near(ctx context.Context, tx pgx.Tx, from int64) ([]int64, error) {
	r := &condition{}
	r.ofRun(c.run)
	r.and(`l.number >= ?`, from)
	var terms []string
	var args []any
	for _, b := range c.boxes {
		terms = append(terms, `l.east >= ? AND l.west <= ? AND l.north >= ? AND l.south <= ?`)
		args = append(args, b.Min[0], b.Max[0], b.Min[1], b.Max[1])
	}
	r.and(`(`+strings.Join(terms, ` OR `)+`)`, args...)
	rows, err := tx.Query(ctx, `SELECT DISTINCT l.number FROM scarp.ranges l WHERE `+strings.Join(r.terms, ` AND `)+
		` ORDER BY l.number LIMIT `+strconv.Itoa(scanned/ranged), r.args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// sketch reads a page of what is to be drawn, the largest first, from an index of boxes
// at the heights of their runs and levels: it finds those to be drawn, and no others.
func sketch(ctx context.Context, tx pgx.Tx, q store.Query, run string) (store.Page, error) {
	boxes, level := q.Drawn(), q.Level()
	q.BBox = nil
	c, err := selection(q, run)
	if err != nil {
		return store.Page{}, err
	}
	var number int64
	if run != "" {
		if err := tx.QueryRow(ctx, `SELECT seq FROM scarp.runs WHERE id = $1`, run).Scan(&number); err != nil {
			return store.Page{}, err
		}
	}
	var found []string
	var args []any
	for _, b := range boxes {
		west, south, east, north := b.Min[0], b.Min[1], b.Max[0], b.Max[1]
		term := `geom && ST_MakeEnvelope(?::float8, ?::float8, ?::float8, ?::float8, 4326)`
		args = append(args, west, south, east, north)
		if run != "" {
			// The index has boxes in single precision, rounded outwards. It is the one to be taken.
			term = `(` + term + `) IS TRUE AND ` + drawn + ` &&& ST_SetSRID(ST_3DMakeBox(ST_MakePoint(?::float8, ?::float8, ?::float8), ST_MakePoint(?::float8, ?::float8, ?::float8))::geometry, 4326)`
			args = append(args, west, south, store.Height(number, 0), east, north, store.Height(number, level))
		}
		found = append(found, term)
	}
	if run == "" { // each event's latest
		c.and(`mod(l.height::bigint, `+strconv.Itoa(store.LastLevel+1)+`) <= ?`, level)
	}
	c.and(`(`+strings.Join(found, ` OR `)+`)`, args...)
	behind, paged, err := q.Behind(dialect{}, `l.id`)
	if err != nil {
		return store.Page{}, err
	}
	if paged {
		c.and(behind.Text, behind.Args...)
	}
	// The expression keeps the planner from walking the index on the area.
	landslides, err := c.read(ctx, tx, `scarp.landslides l`, c.terms, ` ORDER BY l.area_m2 + 0 DESC, l.id LIMIT `+strconv.Itoa(q.Limit+1))
	return q.Page(landslides, store.Extent{More: true}), err
}

func (c *condition) read(ctx context.Context, tx pgx.Tx, from string, terms []string, order string) ([]store.Landslide, error) {
	rows, err := tx.Query(ctx, selectLandslide+`FROM `+from+` WHERE `+strings.Join(terms, ` AND `)+order, c.args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, scanLandslide)
}

// known returns a date in UTC; zero where there is none.
func known(t pgtype.Timestamptz) time.Time {
	if !t.Valid {
		return time.Time{}
	}
	return t.Time.UTC()
}

// date is the opposite of known.
func date(t time.Time) pgtype.Timestamptz { return pgtype.Timestamptz{Time: t, Valid: !t.IsZero()} }

func scanLandslide(row pgx.CollectableRow) (store.Landslide, error) {
	var l store.Landslide
	var geometry []byte
	var pre, post pgtype.Timestamptz // NULL where the scenes have no date
	err := row.Scan(&l.ID, &geometry, &l.Event, &l.Run, &l.Area, &l.Perimeter, &l.Length, &l.Width, &l.ProbMean, &l.ProbMax,
		&l.ElevMin, &l.ElevMax, &l.ElevMean, &l.SlopeMean, &l.Aspect, &l.DeltaNDVI, &l.CloudAdjacent,
		&pre, &post, &l.Model, &l.ModelVersion)
	if err != nil {
		return store.Landslide{}, err
	}
	g, err := wkb.Unmarshal(geometry)
	if err != nil {
		return store.Landslide{}, fmt.Errorf("landslide %d: %w", l.ID, err)
	}
	polygon, ok := g.(orb.Polygon)
	if !ok {
		return store.Landslide{}, fmt.Errorf("landslide %d is a %s, not a polygon", l.ID, g.GeoJSONType())
	}
	l.Geometry, l.PreDate, l.PostDate = polygon, known(pre), known(post)
	return l, nil
}
