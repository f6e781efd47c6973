package gpkg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"github.com/paulmach/orb"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/store"
)

// Export makes a GeoPackage at path, where nothing may be yet, of the
// landslides that come one after the other, all of one run of the store. They
// keep their ids, and their polygons are not held in memory. The event comes without its
// files; the run's summary stays that of the whole run.
func Export(ctx context.Context, path string, e imagery.Event, r store.Run, landslides iter.Seq2[store.Landslide, error]) error {
	s, err := open(ctx, path, "DELETE")
	if err != nil {
		return err
	}
	err = s.PutEvent(ctx, shown(e))
	if err == nil {
		err = s.update(ctx, "write landslides to", func(tx *sql.Tx) error { return exportRun(ctx, tx, r, landslides) })
	}
	return errors.Join(err, s.Close())
}

// shown is what of an event may be given away.
func shown(e imagery.Event) imagery.Event {
	return imagery.Event{ID: e.ID, Title: e.Title, Description: e.Description, Trigger: e.Trigger, AOI: e.AOI, Model: e.Model}
}

func exportRun(ctx context.Context, tx *sql.Tx, r store.Run, landslides iter.Seq2[store.Landslide, error]) error {
	if err := insertRun(ctx, tx, r, nil); err != nil {
		return err
	}
	insert, err := tx.PrepareContext(ctx, `INSERT INTO landslides (id, `+landslideColumns+`) VALUES (?, `+placeholders(landslideColumns)+`)`)
	if err != nil {
		return err
	}
	defer insert.Close()
	var extent orb.Bound
	n := 0
	for l, err := range landslides {
		if err != nil {
			return err
		}
		if l.Run != r.ID {
			return fmt.Errorf("landslide %d is of run %s, not of %s", l.ID, l.Run, r.ID)
		}
		values, err := values(l)
		if err != nil {
			return err
		}
		if _, err := insert.ExecContext(ctx, append([]any{l.ID}, values...)...); err != nil {
			return fmt.Errorf("landslide %d: %w", l.ID, err)
		}
		if extent = extent.Union(l.Geometry.Bound()); n == 0 {
			extent = l.Geometry.Bound()
		}
		n++
	}
	if n > 0 {
		_, err := tx.ExecContext(ctx, `UPDATE runs SET min_x = ?, min_y = ?, max_x = ?, max_y = ? WHERE id = ?`,
			extent.Min[0], extent.Min[1], extent.Max[0], extent.Max[1], r.ID)
		if err != nil {
			return err
		}
	}
	if n > store.CellLandslides {
		if err := levelRun(ctx, tx, r.ID); err != nil {
			return err
		}
	}
	if err := pointToLatest(ctx, tx, r.Event); err != nil {
		return err
	}
	return touch(ctx, tx, "runs", "landslides")
}

// values are a landslide's columns in the order of landslideColumns.
func values(l store.Landslide) ([]any, error) {
	geometry, err := encode(l.Geometry)
	if err != nil {
		return nil, err
	}
	return []any{geometry, l.Event, l.Run, l.Area, l.Perimeter, l.Length, l.Width, l.ProbMean, l.ProbMax,
		l.ElevMin, l.ElevMax, l.ElevMean, l.SlopeMean, l.Aspect, l.DeltaNDVI, l.CloudAdjacent,
		dateText(l.PreDate), dateText(l.PostDate), l.Model, l.ModelVersion}, nil
}
