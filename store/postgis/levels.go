package postgis

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"

	"github.com/scarp-map/scarp/store"
)

// drawn is a landslide's box at its height ([store.Height]), by which landslides_drawn finds it.
const drawn = `ST_SetSRID(ST_3DMakeBox(ST_MakePoint(ST_XMin(geom), ST_YMin(geom), height), ST_MakePoint(ST_XMax(geom), ST_YMax(geom), height))::geometry, 4326)`

// addLevels is the migration to landslides that have a height, of their run and level
// ([store.Levels]), and an index in which a map finds those that it draws and no others.
func addLevels(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `
		DROP INDEX scarp.landslides_area;
		ALTER TABLE scarp.landslides DROP COLUMN west, DROP COLUMN south, DROP COLUMN east, DROP COLUMN north, ADD COLUMN height double precision;
		CREATE INDEX landslides_area ON scarp.landslides (run, area_m2 DESC, id);
		UPDATE scarp.landslides l SET height = r.seq * `+strconv.Itoa(store.LastLevel+1)+` FROM scarp.runs r WHERE r.id = l.run;
		ALTER TABLE scarp.landslides ALTER COLUMN height SET NOT NULL`)
	if err != nil {
		return err
	}
	runs, err := largeRuns(ctx, tx)
	if err != nil {
		return err
	}
	for _, run := range runs {
		if err := level(ctx, tx, run); err != nil {
			return fmt.Errorf("the levels of run %s: %w", run, err)
		}
	}
	// The updates have written every row anew: back into the order of ids, in which pages are read.
	_, err = tx.ExecContext(ctx, `CLUSTER scarp.landslides USING landslides_pkey; ALTER TABLE scarp.landslides SET WITHOUT CLUSTER;
		CREATE INDEX landslides_drawn ON scarp.landslides USING gist (`+drawn+` gist_geometry_ops_nd)`)
	return err
}

// largeRuns are those whose landslides are not all on the first level.
func largeRuns(ctx context.Context, tx *sql.Tx) (runs []string, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT run FROM scarp.landslides GROUP BY run HAVING count(*) > $1`, store.CellLandslides)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var run string
		if err := rows.Scan(&run); err != nil {
			return nil, err
		}
		runs = append(runs, run)
	}
	return runs, rows.Err()
}

// level gives each landslide of a run its level.
func level(ctx context.Context, tx *sql.Tx, run string) error {
	rows, err := tx.QueryContext(ctx, `SELECT id, area_m2, ST_XMin(geom), ST_YMin(geom), ST_XMax(geom), ST_YMax(geom) FROM scarp.landslides WHERE run = $1 ORDER BY id`, run)
	if err != nil {
		return err
	}
	ids, levels, err := store.ReadLevels(rows)
	if err != nil {
		return err
	}
	numbers := make([]int16, len(levels)) // bytes would be sent as binary data
	for i, l := range levels {
		numbers[i] = int16(l)
	}
	_, err = tx.ExecContext(ctx, `UPDATE scarp.landslides l SET height = height + u.level FROM unnest($1::bigint[], $2::smallint[]) u(id, level) WHERE l.id = u.id AND u.level > 0`, ids, numbers)
	return err
}
