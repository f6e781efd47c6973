package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/store"
)

// eventTTL is how long a definition is believed before the store is asked
// again: another process may change it. Tiles would otherwise ask at each request.
const eventTTL = time.Second

// eventsKnown bounds what is remembered.
const eventsKnown = 1000

// freshStore is a store that remembers event definitions for [eventTTL], and
// tells the tiles at once what this process changes.
type freshStore struct {
	store.Store
	changed func(event string)
	mu      sync.Mutex
	known   map[string]knownEvent
}

type knownEvent struct {
	event imagery.Event
	until time.Time
}

func newFreshStore(s store.Store, changed func(event string)) *freshStore {
	return &freshStore{Store: s, changed: changed, known: map[string]knownEvent{}}
}

// Event returns the definition as it was at most [eventTTL] ago.
func (s *freshStore) Event(ctx context.Context, id string) (imagery.Event, error) {
	now := time.Now()
	s.mu.Lock()
	known, ok := s.known[id]
	s.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.event, nil
	}
	event, err := s.Store.Event(ctx, id)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case errors.Is(err, store.ErrNotFound):
		delete(s.known, id)
	case err == nil:
		if len(s.known) >= eventsKnown {
			clear(s.known)
		}
		s.known[id] = knownEvent{event, now.Add(eventTTL)}
	}
	return event, err
}

func (s *freshStore) forget(event string) {
	s.mu.Lock()
	delete(s.known, event)
	s.mu.Unlock()
	s.changed(event)
}

// PutEvent adds or replaces an event.
func (s *freshStore) PutEvent(ctx context.Context, e imagery.Event) error {
	defer s.forget(e.ID)
	return s.Store.PutEvent(ctx, e)
}

// DeleteEvent removes an event.
func (s *freshStore) DeleteEvent(ctx context.Context, id string) error {
	defer s.forget(id)
	return s.Store.DeleteEvent(ctx, id)
}

// Publish publishes a run; tiles show it at once.
func (s *freshStore) Publish(ctx context.Context, r store.Run, landslides []store.Landslide) error {
	defer s.forget(r.Event)
	return s.Store.Publish(ctx, r, landslides)
}

// DeleteRun removes a run.
func (s *freshStore) DeleteRun(ctx context.Context, id string) error {
	run, err := s.Run(ctx, id)
	if err != nil {
		return err
	}
	defer s.forget(run.Event)
	return s.Store.DeleteRun(ctx, id)
}
