package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// entryOverhead is roughly what the list element, map slot and headers of an entry take.
const entryOverhead = 200

func entryCost(key string, e Entry) int64 { return int64(len(key)+cap(e.Value)) + entryOverhead }

// tiered is memory over blobs (nil where there is no blob store).
type tiered struct {
	memory *LRU[string, Entry]
	blobs  *blobs
	log    *slog.Logger
	hooks  Hooks
}

func (t *tiered) Get(ctx context.Context, key string) (Entry, Tier, error) {
	if err := checkKey(key); err != nil {
		return Entry{}, Miss, err
	}
	start := time.Now()
	e, tier := t.lookup(ctx, key)
	if tier == Miss && ctx.Err() != nil {
		return Entry{}, Miss, ctx.Err()
	}
	if t.hooks.Lookup != nil {
		t.hooks.Lookup(key, tier, time.Since(start))
	}
	return e, tier, nil
}

func (t *tiered) lookup(ctx context.Context, key string) (Entry, Tier) {
	if e, ok := t.memory.Get(key); ok {
		return e, Memory
	}
	if t.blobs == nil {
		return Entry{}, Miss
	}
	e, pending, ok := t.blobs.get(ctx, key)
	if !ok {
		return Entry{}, Miss
	}
	t.memory.Put(key, e)
	if pending {
		return e, Memory
	}
	return e, Blob
}

func (t *tiered) Put(ctx context.Context, key string, value []byte) error {
	if err := checkKey(key); err != nil {
		return err
	}
	e := Entry{Value: slices.Clone(value), Modified: time.Now()}
	t.memory.Put(key, e)
	if t.blobs == nil {
		return nil
	}
	if err := t.blobs.put(ctx, key, e); err != nil {
		return fmt.Errorf("cache %s: %w", key, err)
	}
	return nil
}

func (t *tiered) DeletePrefix(ctx context.Context, prefix string) error {
	if err := checkKey(strings.TrimSuffix(prefix, "/")); err != nil {
		return err
	}
	t.forget(prefix)
	if t.blobs == nil {
		return nil
	}
	if err := t.blobs.deletePrefix(ctx, prefix); err != nil {
		return fmt.Errorf("delete %s from cache: %w", prefix, err)
	}
	t.forget(prefix) // what a Get brought back meanwhile
	return nil
}

func (t *tiered) forget(prefix string) {
	t.memory.DeleteFunc(func(key string) bool { return strings.HasPrefix(key, prefix) })
}

func (t *tiered) Bytes() (used, limit int64) { return t.memory.Bytes() }

func (t *tiered) Close() error {
	if t.blobs == nil {
		return nil
	}
	return t.blobs.close()
}

// failed reports trouble with the blob store: entries are only copies of what
// can be computed again, so it is no error of the request.
func (t *tiered) failed(op, key string, err error) {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return
	}
	t.log.Warn("cache: blob store", "op", op, "key", key, "error", err)
	if t.hooks.Failed != nil {
		t.hooks.Failed(op, key, err)
	}
}
