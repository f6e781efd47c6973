package gpkg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/scarp-map/scarp/store"
)

// Landslides answers a query on one state of the file: the page and its count
// belong together whatever is published meanwhile.
func (s *Store) Landslides(ctx context.Context, q store.Query) (store.Page, error) {
	q, err := q.Normal()
	if err != nil {
		return store.Page{}, err
	}
	version, err := s.version(ctx)
	if err != nil {
		return store.Page{}, err
	}
	var page store.Page
	err = s.view(ctx, "read landslides from", func(tx *sql.Tx) error {
		run, mark, err := runOf(ctx, tx, q)
		if err != nil || run == "" && q.Event != "" {
			return err
		}
		where, err := newSelection(q, run)
		if err != nil {
			return err
		}
		if q.Sketch > 0 {
			page, err = where.sketch(ctx, tx, q, run)
			return err
		}
		if mark != "" {
			mark += " " + version
		}
		extent, err := s.counts.Extent(q, mark, func() (store.Extent, error) { return where.extent(ctx, tx) })
		if err != nil {
			return err
		}
		page, err = where.page(ctx, tx, q, extent)
		return err
	})
	if err != nil && strings.Contains(err.Error(), errArithmetic.Error()) {
		return page, fmt.Errorf("%w query: the numbers of the filter overflow", store.ErrInvalid)
	}
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

// runOf says which run the query is for, and a mark that no other run has, nor
// the one that replaces it. Both are empty for the latest of every event and
// for an event without runs.
func runOf(ctx context.Context, tx *sql.Tx, q store.Query) (run, mark string, err error) {
	if q.Run == "" && q.Event == "" {
		return "", "", nil
	}
	run = q.Run
	if run == "" {
		var latest sql.NullString
		err := tx.QueryRowContext(ctx, `SELECT latest_run FROM events WHERE id = ?`, q.Event).Scan(&latest)
		if errors.Is(err, sql.ErrNoRows) {
			return "", "", noEvent(q.Event)
		}
		if err != nil || !latest.Valid {
			return "", "", err
		}
		run = latest.String
	}
	var event string
	err = tx.QueryRowContext(ctx, `SELECT event, fid FROM runs WHERE id = ?`, run).Scan(&event, &mark)
	if errors.Is(err, sql.ErrNoRows) || err == nil && q.Event != "" && q.Event != event {
		return "", "", noRun(run)
	}
	return run, mark, err
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
