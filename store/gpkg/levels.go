package gpkg

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/scarp-map/scarp/store"
)

// levelRuns is the migration that gives the landslides of the runs that the file
// has their levels ([store.Levels]).
func levelRuns(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT run FROM landslides GROUP BY run HAVING count(*) > ?`, store.CellLandslides)
	if err != nil {
		return err
	}
	defer rows.Close()
	var runs []string
	for rows.Next() {
		var run string
		if err := rows.Scan(&run); err != nil {
			return err
		}
		runs = append(runs, run)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, run := range runs {
		if err := levelRun(ctx, tx, run); err != nil {
			return fmt.Errorf("the levels of run %s: %w", run, err)
		}
	}
	return nil
}

// levelRun gives each landslide of a run its level.
func levelRun(ctx context.Context, tx *sql.Tx, run string) error {
	rows, err := tx.QueryContext(ctx, `SELECT l.id, l.area_m2, r.minx, r.miny, r.maxx, r.maxy
		FROM landslides l CROSS JOIN rtree_landslides_geom r ON r.id = l.id WHERE l.run = ? ORDER BY l.id`, run)
	if err != nil {
		return err
	}
	ids, levels, err := store.ReadLevels(rows)
	if err != nil {
		return err
	}
	update, err := tx.PrepareContext(ctx, `UPDATE scarp_drawn SET low = low + ?1, high = high + ?1 WHERE id = ?2`)
	if err != nil {
		return err
	}
	defer update.Close()
	for i, level := range levels {
		if level == 0 {
			continue
		}
		if _, err := update.ExecContext(ctx, level, ids[i]); err != nil {
			return err
		}
	}
	return nil
}
