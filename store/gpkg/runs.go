package gpkg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"

	"github.com/scarp-map/scarp/store"
)

const runColumns = `id, event, model, model_version, threshold, min_area_m2, started, published, aoi,
	landslides, total_area_m2, largest_area_m2, mapped_area_m2, cloud_share, nodata_share, quality`

const landslideColumns = `geom, event, run, area_m2, perimeter_m, length_m, width_m, probability_mean, probability_max,
	elevation_min_m, elevation_max_m, elevation_mean_m, slope_mean_deg, aspect_deg, delta_ndvi_mean, cloud_adjacent,
	pre_date, post_date, model, model_version`

// Publish stores a run.
func (s *Store) Publish(ctx context.Context, r store.Run, landslides []store.Landslide) error {
	r, landslides, err := store.Prepare(r, landslides, time.Now())
	if err != nil {
		return err
	}
	return s.update(ctx, "publish run "+r.ID+" in", func(tx *sql.Tx) error {
		if err := replaceRun(ctx, tx, r, landslides); err != nil {
			return err
		}
		if err := pointToLatest(ctx, tx, r.Event); err != nil {
			return err
		}
		return touch(ctx, tx, "runs", "landslides")
	})
}

func replaceRun(ctx context.Context, tx *sql.Tx, r store.Run, landslides []store.Landslide) error {
	var exists bool
	if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM events WHERE id = ?)`, r.Event).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		return fmt.Errorf("publish run %s: %w", r.ID, noEvent(r.Event))
	}
	var owner string
	switch err := tx.QueryRowContext(ctx, `SELECT event FROM runs WHERE id = ?`, r.ID).Scan(&owner); {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return err
	case owner != r.Event:
		return fmt.Errorf("%w run %s: it belongs to event %s, not to %s", store.ErrInvalid, r.ID, owner, r.Event)
	default:
		if _, err := tx.ExecContext(ctx, `DELETE FROM runs WHERE id = ?`, r.ID); err != nil {
			return err
		}
	}
	if err := insertRun(ctx, tx, r, landslides); err != nil {
		return err
	}
	if err := insertLandslides(ctx, tx, landslides); err != nil || len(landslides) <= store.CellLandslides {
		return err
	}
	return levelRun(ctx, tx, r.ID)
}

func insertRun(ctx context.Context, tx *sql.Tx, r store.Run, landslides []store.Landslide) error {
	var aoi any
	if r.AOI != nil {
		text, err := geojson.NewGeometry(r.AOI).MarshalJSON()
		if err != nil {
			return fmt.Errorf("%w run %s: its area of interest: %w", store.ErrInvalid, r.ID, err)
		}
		aoi = string(text)
	}
	extent := make([]any, 4)
	if len(landslides) > 0 {
		b := landslides[0].Geometry.Bound()
		for _, l := range landslides[1:] {
			b = b.Union(l.Geometry.Bound())
		}
		extent = []any{b.Min[0], b.Min[1], b.Max[0], b.Max[1]}
	}
	const columns = runColumns + `, min_x, min_y, max_x, max_y`
	values := append([]any{r.ID, r.Event, r.Model, r.ModelVersion, r.Threshold, r.MinArea, timeText(r.Started), timeText(r.Published), aoi,
		r.Summary.Landslides, r.Summary.TotalArea, r.Summary.LargestArea, r.Summary.MappedArea, r.Summary.CloudShare, r.Summary.NoDataShare, r.Quality},
		extent...)
	_, err := tx.ExecContext(ctx, `INSERT INTO runs (`+columns+`) VALUES (`+placeholders(columns)+`)`, values...)
	return err
}

func insertLandslides(ctx context.Context, tx *sql.Tx, landslides []store.Landslide) error {
	insert, err := tx.PrepareContext(ctx, `INSERT INTO landslides (`+landslideColumns+`) VALUES (`+placeholders(landslideColumns)+`)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for i, l := range landslides {
		values, err := values(l)
		if err != nil {
			return fmt.Errorf("landslide %d: %w", i+1, err)
		}
		_, err = insert.ExecContext(ctx, values...)
		if err != nil {
			return fmt.Errorf("landslide %d of %d: %w", i+1, len(landslides), err)
		}
	}
	return nil
}

// pointToLatest makes the event show the run published last, of those at the
// same time the one stored last.
func pointToLatest(ctx context.Context, tx *sql.Tx, event string) error {
	_, err := tx.ExecContext(ctx, `
		UPDATE events SET latest_run =
			(SELECT r.id FROM runs r WHERE r.event = events.id ORDER BY r.published DESC, r.fid DESC LIMIT 1)
		WHERE id = ?`, event)
	return err
}

// Runs lists an event's runs.
func (s *Store) Runs(ctx context.Context, event string) ([]store.Run, error) {
	var runs []store.Run
	doing := "list the runs of event " + event + " in"
	err := s.view(ctx, doing, func(tx *sql.Tx) error {
		var exists bool
		if err := tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM events WHERE id = ?)`, event).Scan(&exists); err != nil {
			return err
		}
		if !exists {
			return noEvent(event)
		}
		rows, err := tx.QueryContext(ctx, `SELECT `+runColumns+` FROM runs WHERE event = ? ORDER BY published DESC, fid DESC`, event)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			r, err := scanRun(rows)
			if err != nil {
				return err
			}
			runs = append(runs, r)
		}
		return rows.Err()
	})
	return runs, err
}

// Run reads one run.
func (s *Store) Run(ctx context.Context, id string) (store.Run, error) {
	r, err := scanRun(s.read.QueryRowContext(ctx, `SELECT `+runColumns+` FROM runs WHERE id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return store.Run{}, noRun(id)
	}
	if err != nil {
		return store.Run{}, s.explain("read run "+id+" from", err)
	}
	return r, nil
}

// DeleteRun removes the run with its landslides; the event shows the run before it.
func (s *Store) DeleteRun(ctx context.Context, id string) error {
	return s.update(ctx, "remove run "+id+" from", func(tx *sql.Tx) error {
		var event string
		err := tx.QueryRowContext(ctx, `DELETE FROM runs WHERE id = ? RETURNING event`, id).Scan(&event)
		if errors.Is(err, sql.ErrNoRows) {
			return noRun(id)
		}
		if err != nil {
			return err
		}
		if err := pointToLatest(ctx, tx, event); err != nil {
			return err
		}
		return touch(ctx, tx, "runs", "landslides")
	})
}

func noRun(id string) error { return fmt.Errorf("run %q: %w", id, store.ErrNotFound) }

// row is a [sql.Row] or [sql.Rows].
type row interface{ Scan(dest ...any) error }

func scanRun(from row) (store.Run, error) {
	var r store.Run
	var started, published moment
	var aoi []byte
	err := from.Scan(&r.ID, &r.Event, &r.Model, &r.ModelVersion, &r.Threshold, &r.MinArea, &started, &published, &aoi,
		&r.Summary.Landslides, &r.Summary.TotalArea, &r.Summary.LargestArea, &r.Summary.MappedArea, &r.Summary.CloudShare, &r.Summary.NoDataShare, &r.Quality)
	if err != nil {
		return store.Run{}, err
	}
	r.Started, r.Published = started.Time, published.Time
	if r.AOI, err = geometry(aoi); err != nil {
		return store.Run{}, fmt.Errorf("the area of interest of run %s: %w", r.ID, err)
	}
	return r, nil
}

func geometry(text []byte) (orb.Geometry, error) {
	if len(text) == 0 {
		return nil, nil
	}
	g, err := geojson.UnmarshalGeometry(text)
	if err != nil {
		return nil, err
	}
	return g.Geometry(), nil
}
