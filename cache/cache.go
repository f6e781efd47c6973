// Package cache keeps computed bytes: in memory, bounded in bytes, over a blob
// store that several machines may share. It does not know what it stores.
package cache

import (
	"context"
	"time"
)

// Tier says where an entry was found, for metrics.
type Tier string

// The tiers of a lookup.
const (
	Miss   Tier = "miss"
	Memory Tier = "memory"
	Blob   Tier = "blob"
)

// Entry is a cached value. Value must not be written to: it is shared.
type Entry struct {
	Value    []byte
	Modified time.Time
}

// Cache holds entries under keys of letters, digits, and "/._-". An entry that
// can't be read or whose checksum is wrong counts as absent and is dropped, so
// that it is computed again. It is safe for use by many goroutines.
type Cache interface {
	// Get returns the entry and the tier that it came from (Miss when absent).
	Get(ctx context.Context, key string) (Entry, Tier, error)
	// Put stores value. Writing to the blob store may happen after it returns; Close waits for it.
	Put(ctx context.Context, key string, value []byte) error
	// DeletePrefix drops all entries under a prefix.
	DeletePrefix(ctx context.Context, prefix string) error
	// Bytes returns what the memory tier holds and its bound.
	Bytes() (used, limit int64)
	Close() error
}
