package postgis

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb/encoding/ewkb"
	"github.com/paulmach/orb/encoding/wkb"

	"github.com/scarp-map/scarp/store"
)

// srid is the CRS of every geometry: longitude and latitude.
const srid = 4326

const runColumns = `id, event, model, model_version, threshold, min_area_m2, started, published, ST_AsBinary(aoi),
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
	return s.update(ctx, "publish run "+r.ID+" in", func(tx pgx.Tx) error {
		if err := makeRoom(ctx, tx, r); err != nil {
			return err
		}
		number, err := insertRun(ctx, tx, r)
		if err != nil {
			return err
		}
		if err := copyLandslides(ctx, tx, number, landslides); err != nil {
			return err
		}
		return pointToLatest(ctx, tx, r.Event)
	})
}

// makeRoom removes the run of the same id, and checks that it may come here.
func makeRoom(ctx context.Context, tx pgx.Tx, r store.Run) error {
	var exists bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM scarp.events WHERE id = $1)`, r.Event).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		return fmt.Errorf("publish run %s: %w", r.ID, noEvent(r.Event))
	}
	var owner string
	err := tx.QueryRow(ctx, `DELETE FROM scarp.runs WHERE id = $1 RETURNING event`, r.ID).Scan(&owner)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil
	}
	if err == nil && owner != r.Event {
		return fmt.Errorf("%w run %s: it belongs to event %s, not to %s", store.ErrInvalid, r.ID, owner, r.Event)
	}
	return err
}

// insertRun gives the run's number.
func insertRun(ctx context.Context, tx pgx.Tx, r store.Run) (number int64, err error) {
	var aoi []byte
	if r.AOI != nil {
		if aoi, err = ewkb.Marshal(r.AOI, srid); err != nil {
			return 0, fmt.Errorf("%w run %s: its area of interest: %w", store.ErrInvalid, r.ID, err)
		}
	}
	err = tx.QueryRow(ctx, `
		INSERT INTO scarp.runs (id, event, model, model_version, threshold, min_area_m2, started, published, aoi,
			landslides, total_area_m2, largest_area_m2, mapped_area_m2, cloud_share, nodata_share, quality)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, ST_GeomFromEWKB($9::bytea), $10, $11, $12, $13, $14, $15, $16) RETURNING seq`,
		r.ID, r.Event, r.Model, r.ModelVersion, r.Threshold, r.MinArea, r.Started, r.Published, aoi,
		r.Summary.Landslides, r.Summary.TotalArea, r.Summary.LargestArea, r.Summary.MappedArea, r.Summary.CloudShare, r.Summary.NoDataShare, r.Quality).Scan(&number)
	return number, err
}

// analyzed is how many landslides change the table so much that the planner
// should know before the database's own upkeep comes round.
const analyzed = 1000

// copyLandslides streams the landslides in; PostGIS takes EWKB as a geometry's binary form.
func copyLandslides(ctx context.Context, tx pgx.Tx, run int64, landslides []store.Landslide) error {
	columns := append(strings.Fields(strings.ReplaceAll(landslideColumns, ",", " ")), "height")
	levels := store.LevelsOf(landslides)
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"scarp", "landslides"}, columns,
		pgx.CopyFromSlice(len(landslides), func(i int) ([]any, error) {
			l := &landslides[i]
			geometry, err := ewkb.Marshal(l.Geometry, srid)
			if err != nil {
				return nil, fmt.Errorf("encode landslide %d: %w", i+1, err)
			}
			return []any{geometry, l.Event, l.Run, l.Area, l.Perimeter, l.Length, l.Width, l.ProbMean, l.ProbMax,
				l.ElevMin, l.ElevMax, l.ElevMean, l.SlopeMean, l.Aspect, l.DeltaNDVI, l.CloudAdjacent,
				date(l.PreDate), date(l.PostDate), l.Model, l.ModelVersion, store.Height(run, int(levels[i]))}, nil
		}))
	if err != nil || len(landslides) < analyzed {
		return err
	}
	_, err = tx.Exec(ctx, `ANALYZE scarp.landslides`)
	return err
}

// pointToLatest makes the event show the run published last, of those at the
// same time the one stored last.
func pointToLatest(ctx context.Context, tx pgx.Tx, event string) error {
	_, err := tx.Exec(ctx, `
		UPDATE scarp.events SET latest_run =
			(SELECT id FROM scarp.runs WHERE event = $1 ORDER BY published DESC, seq DESC LIMIT 1)
		WHERE id = $1`, event)
	return err
}

// Runs lists an event's runs.
func (s *Store) Runs(ctx context.Context, event string) ([]store.Run, error) {
	var runs []store.Run
	err := s.view(ctx, "list the runs of event "+event+" in", func(tx pgx.Tx) error {
		var exists bool
		if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM scarp.events WHERE id = $1)`, event).Scan(&exists); err != nil {
			return err
		}
		if !exists {
			return noEvent(event)
		}
		rows, err := tx.Query(ctx, `SELECT `+runColumns+` FROM scarp.runs WHERE event = $1 ORDER BY published DESC, seq DESC`, event)
		if err != nil {
			return err
		}
		runs, err = pgx.CollectRows(rows, scanRun)
		return err
	})
	return runs, err
}

// Run reads one run.
func (s *Store) Run(ctx context.Context, id string) (store.Run, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+runColumns+` FROM scarp.runs WHERE id = $1`, id)
	if err != nil {
		return store.Run{}, s.explain("read run "+id+" from", err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, scanRun)
	if errors.Is(err, pgx.ErrNoRows) {
		return store.Run{}, noRun(id)
	}
	if err != nil {
		return store.Run{}, s.explain("read run "+id+" from", err)
	}
	return r, nil
}

// DeleteRun removes the run with its landslides; the event shows the run before it.
func (s *Store) DeleteRun(ctx context.Context, id string) error {
	return s.update(ctx, "remove run "+id+" from", func(tx pgx.Tx) error {
		var event string
		err := tx.QueryRow(ctx, `DELETE FROM scarp.runs WHERE id = $1 RETURNING event`, id).Scan(&event)
		if errors.Is(err, pgx.ErrNoRows) {
			return noRun(id)
		}
		if err != nil {
			return err
		}
		return pointToLatest(ctx, tx, event)
	})
}

func noRun(id string) error { return fmt.Errorf("run %q: %w", id, store.ErrNotFound) }

func scanRun(row pgx.CollectableRow) (store.Run, error) {
	var r store.Run
	var aoi []byte
	err := row.Scan(&r.ID, &r.Event, &r.Model, &r.ModelVersion, &r.Threshold, &r.MinArea, &r.Started, &r.Published, &aoi,
		&r.Summary.Landslides, &r.Summary.TotalArea, &r.Summary.LargestArea, &r.Summary.MappedArea, &r.Summary.CloudShare, &r.Summary.NoDataShare, &r.Quality)
	if err != nil {
		return store.Run{}, err
	}
	r.Started, r.Published = r.Started.UTC(), r.Published.UTC()
	if aoi != nil {
		if r.AOI, err = wkb.Unmarshal(aoi); err != nil {
			return store.Run{}, fmt.Errorf("the area of interest of run %s: %w", r.ID, err)
		}
	}
	return r, nil
}
