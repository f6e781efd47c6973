package tiles

import (
	"context"
	"fmt"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/scarp-map/scarp/store"
)

// runs remembers for a short time which run of an event is the latest, so that
// a kept tile is served without asking the store.
type runs struct {
	store store.Store
	ttl   time.Duration
	known *lru.Cache[runKey, knownRun]
}

// runKey is an event and the run that was asked for, empty for the latest.
type runKey struct{ event, run string }

type knownRun struct {
	id    string
	until time.Time
}

func newRuns(s store.Store, ttl time.Duration) (*runs, error) {
	known, err := lru.New[runKey, knownRun](4096)
	if err != nil {
		return nil, err
	}
	return &runs{store: s, ttl: ttl, known: known}, nil
}

// resolve returns the id of the run asked for, or of the event's latest: empty
// when it has none. The error is store.ErrNotFound for a run that is not the event's.
func (r *runs) resolve(ctx context.Context, event, run string) (string, error) {
	if r.store == nil {
		if run != "" {
			return "", fmt.Errorf("run %q: %w", run, store.ErrNotFound)
		}
		return "", nil
	}
	key := runKey{event, run}
	if k, ok := r.known.Get(key); ok && time.Now().Before(k.until) {
		return k.id, nil
	}
	id, err := r.find(ctx, event, run)
	if err != nil {
		return "", err
	}
	r.known.Add(key, knownRun{id: id, until: time.Now().Add(r.ttl)})
	return id, nil
}

func (r *runs) find(ctx context.Context, event, run string) (string, error) {
	if run == "" {
		list, err := r.store.Runs(ctx, event)
		if err != nil {
			return "", fmt.Errorf("find the latest run: %w", err)
		}
		if len(list) == 0 {
			return "", nil
		}
		return list[0].ID, nil
	}
	found, err := r.store.Run(ctx, run)
	if err != nil {
		return "", fmt.Errorf("find run %q: %w", run, err)
	}
	if found.Event != event {
		return "", fmt.Errorf("run %q is not one of this event: %w", run, store.ErrNotFound)
	}
	return found.ID, nil
}

// forget drops what is known of an event.
func (r *runs) forget(event string) {
	for _, k := range r.known.Keys() {
		if k.event == event {
			r.known.Remove(k)
		}
	}
}
