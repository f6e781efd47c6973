package gpkg

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/store"
)

// timeFormat is GeoPackage's DATETIME; its text sorts as its time does.
const timeFormat = "2006-01-02T15:04:05.000Z"

func timeText(t time.Time) string { return t.UTC().Format(timeFormat) }

// dateText writes an acquisition date; NULL where the scenes have none.
func dateText(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return timeText(t)
}

// moment reads a DATETIME, also one that a GIS wrote in another form of ISO 8601.
type moment struct{ time.Time }

// Scan implements [sql.Scanner].
func (m *moment) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		m.Time = time.Time{}
		return nil
	case time.Time:
		m.Time = v.UTC()
		return nil
	case string:
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999", time.DateTime, time.DateOnly} {
			if t, err := time.Parse(layout, v); err == nil {
				m.Time = t.UTC()
				return nil
			}
		}
	}
	return fmt.Errorf("%v is not a date and time", src)
}

// PutEvent adds or replaces the event; its runs stay.
func (s *Store) PutEvent(ctx context.Context, e imagery.Event) error {
	definition, err := store.EventJSON(e)
	if err != nil {
		return err
	}
	return s.update(ctx, "store event "+e.ID+" in", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO events (id, title, trigger_time, trigger_type, definition) VALUES (?, ?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET title = excluded.title, trigger_time = excluded.trigger_time,
				trigger_type = excluded.trigger_type, definition = excluded.definition`,
			e.ID, e.Title, timeText(e.Trigger.Time), e.Trigger.Type, string(definition))
		if err != nil {
			return err
		}
		return touch(ctx, tx, "events")
	})
}

// Event reads one event.
func (s *Store) Event(ctx context.Context, id string) (imagery.Event, error) {
	var definition []byte
	err := s.read.QueryRowContext(ctx, `SELECT definition FROM events WHERE id = ?`, id).Scan(&definition)
	if errors.Is(err, sql.ErrNoRows) {
		return imagery.Event{}, noEvent(id)
	}
	if err != nil {
		return imagery.Event{}, s.explain("read event "+id+" from", err)
	}
	return s.event(id, definition)
}

func (s *Store) event(id string, definition []byte) (imagery.Event, error) {
	var e imagery.Event
	if err := json.Unmarshal(definition, &e); err != nil {
		return imagery.Event{}, s.explain("read event "+id+" from", fmt.Errorf("its definition is damaged: %w", err))
	}
	return e, nil
}

// Events lists the events.
func (s *Store) Events(ctx context.Context) ([]imagery.Event, error) {
	rows, err := s.read.QueryContext(ctx, `SELECT id, definition FROM events ORDER BY trigger_time DESC, id`)
	if err != nil {
		return nil, s.explain("list the events of", err)
	}
	defer rows.Close()
	var events []imagery.Event
	for rows.Next() {
		var id string
		var definition []byte
		if err := rows.Scan(&id, &definition); err != nil {
			return nil, s.explain("list the events of", err)
		}
		e, err := s.event(id, definition)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	if err := rows.Err(); err != nil {
		return nil, s.explain("list the events of", err)
	}
	return events, nil
}

// DeleteEvent removes the event; its runs and landslides go with it by foreign key.
func (s *Store) DeleteEvent(ctx context.Context, id string) error {
	return s.update(ctx, "remove event "+id+" from", func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM events WHERE id = ?`, id)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, noEvent(id))
		}
		return touch(ctx, tx, "events", "runs", "landslides")
	})
}

func noEvent(id string) error { return fmt.Errorf("event %q: %w", id, store.ErrNotFound) }

// touch notes the tables' change and the landslides' extent in gpkg_contents.
func touch(ctx context.Context, tx *sql.Tx, tables ...string) error {
	now := timeText(time.Now())
	for _, table := range tables {
		if _, err := tx.ExecContext(ctx, `UPDATE gpkg_contents SET last_change = ? WHERE table_name IN (?, 'latest_' || ?)`, now, table, table); err != nil {
			return err
		}
		if table != "landslides" {
			continue
		}
		_, err := tx.ExecContext(ctx, `
			UPDATE gpkg_contents SET (min_x, min_y, max_x, max_y) =
				(SELECT min(min_x), min(min_y), max(max_x), max(max_y) FROM runs)
			WHERE table_name IN ('landslides', 'latest_landslides')`)
		if err != nil {
			return err
		}
	}
	return nil
}
