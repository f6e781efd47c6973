package postgis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/store"
)

// PutEvent adds or replaces the event; its runs stay.
func (s *Store) PutEvent(ctx context.Context, e imagery.Event) error {
	definition, err := store.EventJSON(e)
	if err != nil {
		return err
	}
	return s.update(ctx, "store event "+e.ID+" in", func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO scarp.events (id, title, trigger_time, trigger_type, definition) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (id) DO UPDATE SET title = excluded.title, trigger_time = excluded.trigger_time,
				trigger_type = excluded.trigger_type, definition = excluded.definition`,
			e.ID, e.Title, e.Trigger.Time, e.Trigger.Type, definition)
		return err
	})
}

// Event reads one event.
func (s *Store) Event(ctx context.Context, id string) (imagery.Event, error) {
	rows, err := s.pool.Query(ctx, `SELECT definition FROM scarp.events WHERE id = $1`, id)
	if err != nil {
		return imagery.Event{}, s.explain("read event "+id+" from", err)
	}
	e, err := pgx.CollectExactlyOneRow(rows, scanEvent)
	if errors.Is(err, pgx.ErrNoRows) {
		return imagery.Event{}, noEvent(id)
	}
	if err != nil {
		return imagery.Event{}, s.explain("read event "+id+" from", err)
	}
	return e, nil
}

// Events lists the events.
func (s *Store) Events(ctx context.Context) ([]imagery.Event, error) {
	rows, err := s.pool.Query(ctx, `SELECT definition FROM scarp.events ORDER BY trigger_time DESC, id COLLATE "C"`)
	if err != nil {
		return nil, s.explain("list the events of", err)
	}
	events, err := pgx.CollectRows(rows, scanEvent)
	if err != nil {
		return nil, s.explain("list the events of", err)
	}
	return events, nil
}

func scanEvent(row pgx.CollectableRow) (e imagery.Event, err error) {
	var definition []byte
	if err := row.Scan(&definition); err != nil {
		return e, err
	}
	return e, json.Unmarshal(definition, &e)
}

// DeleteEvent removes the event; its runs and landslides go with it by foreign key.
func (s *Store) DeleteEvent(ctx context.Context, id string) error {
	return s.update(ctx, "remove event "+id+" from", func(tx pgx.Tx) error {
		result, err := tx.Exec(ctx, `DELETE FROM scarp.events WHERE id = $1`, id)
		if err == nil && result.RowsAffected() == 0 {
			err = noEvent(id)
		}
		return err
	})
}

func noEvent(id string) error { return fmt.Errorf("event %q: %w", id, store.ErrNotFound) }
