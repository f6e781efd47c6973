package imagery

import (
	"context"
	"errors"
	"fmt"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"
)

// Catalog opens events on demand and keeps the most recently used ones open.
// It implements [Sources].
type Catalog struct {
	lookup  func(ctx context.Context, id string) (Event, error)
	options Options
	opening singleflight.Group

	mu     sync.Mutex
	open   *lru.Cache[string, *source] // by event id
	closed bool
	done   context.Context // ends when the catalog is closed
	cancel context.CancelFunc
}

var _ Sources = (*Catalog)(nil)

// NewSources returns a Catalog of the events that lookup finds by id. lookup's
// error is returned as it is. o.Sources bounds the events that are kept open.
func NewSources(lookup func(ctx context.Context, id string) (Event, error), o Options) *Catalog {
	o = o.withDefaults()
	c := &Catalog{lookup: lookup, options: o}
	c.done, c.cancel = context.WithCancel(context.Background())
	// A source that is dropped lets its files go as soon as nobody reads, and still serves those who hold it.
	c.open, _ = lru.NewWithEvict(o.Sources, func(_ string, s *source) { s.retire() }) // fails only for sizes below 1
	return c
}

// Source returns the open source of an event. It opens the event if it is not
// open yet, or if its definition or a file behind it has changed since.
// Requests that come while an event is being opened wait for it together.
func (c *Catalog) Source(ctx context.Context, eventID string) (Source, error) {
	e, err := c.lookup(ctx, eventID)
	if err != nil {
		return nil, err
	}
	s, err := c.current(e)
	if err != nil || s != nil {
		return s, err
	}
	return c.openOnce(ctx, e)
}

// current returns the open source of an event if it is still up to date.
func (c *Catalog) current(e Event) (Source, error) {
	c.mu.Lock()
	s, ok := c.open.Get(e.ID)
	closed := c.closed
	c.mu.Unlock()
	switch {
	case closed:
		return nil, errCatalogClosed
	case !ok:
		return nil, nil
	}
	if s.current(e) {
		return s, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if now, ok := c.open.Peek(e.ID); ok && now == s {
		c.open.Remove(e.ID)
	}
	return nil, nil
}

var errCatalogClosed = errors.New("imagery is closed: the server is stopping")

// openOnce opens an event, once for all who ask at the same time. Whoever
// stops waiting leaves the others undisturbed.
func (c *Catalog) openOnce(ctx context.Context, e Event) (Source, error) {
	definition, err := definitionDigest(e)
	if err != nil {
		return nil, err
	}
	result := c.opening.DoChan(e.ID+" "+definition, func() (any, error) {
		// Opened a moment ago by someone who came first?
		if s, err := c.current(e); err != nil || s != nil {
			return s, err
		}
		s, err := open(c.done, e, c.options)
		if err != nil {
			return nil, fmt.Errorf("open event %s: %w", e.ID, err)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.closed {
			s.Close()
			return nil, errCatalogClosed
		}
		c.open.Remove(e.ID)
		c.open.Add(e.ID, s)
		return s, nil
	})
	select {
	case r := <-result:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(Source), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Forget drops an event, so that its files are let go; for events that were removed.
func (c *Catalog) Forget(eventID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open.Remove(eventID)
}

// Close closes all sources once their reads have finished, and refuses to open more.
func (c *Catalog) Close() error {
	c.mu.Lock()
	c.closed = true
	c.cancel()
	sources := c.open.Values()
	c.open.Purge()
	c.mu.Unlock()
	var errs []error
	for _, s := range sources {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
