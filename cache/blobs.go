package cache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
	"golang.org/x/sync/semaphore"
)

// maxEntryBytes is the largest entry that is read or written: a larger file is not one of ours.
const maxEntryBytes = 256 << 20

// writeTimeout bounds one write to the blob store, so that Close ends.
const writeTimeout = time.Minute

// ErrClosed is returned by Put after Close.
var ErrClosed = errors.New("cache is closed")

// blobs is the blob tier. Writes happen behind the callers' backs, at most
// Writers at a time and PendingBytes in all; get sees them at once.
type blobs struct {
	bucket *blob.Bucket
	prefix string
	owned  bool // whether close closes the bucket
	failed func(op, key string, err error)
	room   *semaphore.Weighted
	limit  int64
	sweep  *sweeper // nil where the folder is not bounded
	wg     sync.WaitGroup

	mu      sync.Mutex
	changed *sync.Cond        // on mu: queue, writing or closed changed
	queue   []string          // keys to write, oldest first
	pending map[string]*write // by key: the newest value that is not written yet
	writing map[string]bool   // keys that a writer is at
	closed  bool
}

type write struct {
	entry Entry
	cost  int64
}

func newBlobs(bucket *blob.Bucket, c Config, failed func(op, key string, err error)) *blobs {
	b := &blobs{
		bucket: bucket, prefix: c.Prefix, owned: c.Bucket == nil, failed: failed, limit: c.PendingBytes,
		room:    semaphore.NewWeighted(c.PendingBytes),
		pending: map[string]*write{}, writing: map[string]bool{},
	}
	b.changed = sync.NewCond(&b.mu)
	if c.FolderBytes > 0 {
		b.sweep = newSweeper(b, c.FolderBytes, c.Hooks)
	}
	for range c.Writers {
		b.wg.Go(b.writer)
	}
	return b
}

// get returns the entry from the store, or (pending) what waits to be written there.
func (b *blobs) get(ctx context.Context, key string) (e Entry, pending, ok bool) {
	b.mu.Lock()
	w := b.pending[key]
	b.mu.Unlock()
	if w != nil {
		return w.entry, true, true
	}
	f, modified, err := b.read(ctx, key)
	if err == nil {
		var value []byte
		if value, err = unframe(key, f); err == nil {
			return Entry{Value: value, Modified: modified}, false, true
		}
	}
	switch {
	case gcerrors.Code(err) == gcerrors.NotFound:
	case errors.Is(err, errDamaged):
		b.failed("damaged", key, err)
		b.delete(ctx, key)
	default:
		b.failed("read", key, err)
	}
	return Entry{}, false, false
}

func (b *blobs) read(ctx context.Context, key string) ([]byte, time.Time, error) {
	r, err := b.bucket.NewReader(ctx, b.prefix+key, nil)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer r.Close()
	if r.Size() > maxEntryBytes {
		return nil, time.Time{}, errDamaged
	}
	f := make([]byte, r.Size())
	if _, err := io.ReadFull(r, f); err != nil {
		return nil, time.Time{}, err
	}
	return f, r.ModTime(), nil
}

func (b *blobs) delete(ctx context.Context, key string) {
	if err := b.bucket.Delete(ctx, b.prefix+key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		b.failed("delete", key, err)
	}
}

// put queues the write. It waits while the queue is full.
func (b *blobs) put(ctx context.Context, key string, e Entry) error {
	w := &write{entry: e, cost: int64(len(e.Value)) + entryOverhead}
	if w.cost > maxEntryBytes {
		return fmt.Errorf("%d bytes are too many for an entry (at most %d)", len(e.Value), maxEntryBytes)
	}
	w.cost = min(w.cost, b.limit) // an entry larger than the bound waits for an empty queue
	if err := b.room.Acquire(ctx, w.cost); err != nil {
		return err
	}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		b.room.Release(w.cost)
		return ErrClosed
	}
	old := b.pending[key]
	b.pending[key] = w
	if old == nil {
		b.queue = append(b.queue, key)
		b.changed.Broadcast()
	}
	b.mu.Unlock()
	if old != nil {
		b.room.Release(old.cost) // replaced before it was written
	}
	return nil
}

// writer writes pending entries until the cache is closed and none is left.
func (b *blobs) writer() {
	for {
		key, w := b.next()
		if w == nil {
			return
		}
		b.write(key, w.entry)
		b.done(key, w)
	}
}

// next waits for a key to write; nil means that there will be none.
func (b *blobs) next() (string, *write) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for len(b.queue) == 0 {
		if b.closed {
			return "", nil
		}
		b.changed.Wait()
	}
	key := b.queue[0]
	b.queue = b.queue[1:]
	b.writing[key] = true
	return key, b.pending[key]
}

// done forgets a written entry, or queues the key again if a newer value came meanwhile.
func (b *blobs) done(key string, w *write) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.writing, key)
	switch b.pending[key] {
	case w:
		delete(b.pending, key)
		b.room.Release(w.cost)
	case nil: // deleted meanwhile
	default:
		b.queue = append(b.queue, key)
	}
	b.changed.Broadcast()
}

func (b *blobs) write(key string, e Entry) {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	f := frame(key, e.Value)
	if err := b.bucket.WriteAll(ctx, b.prefix+key, f, &blob.WriterOptions{ContentType: "application/octet-stream"}); err != nil {
		b.failed("write", key, err)
		return
	}
	if b.sweep != nil {
		b.sweep.wrote(int64(len(f)))
	}
}

// deletePrefix drops what is pending, waits for writes under way, and deletes what is stored.
func (b *blobs) deletePrefix(ctx context.Context, prefix string) error {
	b.drop(prefix)
	it := b.bucket.List(&blob.ListOptions{Prefix: b.prefix + prefix})
	for {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := b.bucket.Delete(ctx, o.Key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return err
		}
	}
}

func (b *blobs) drop(prefix string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.queue = slices.DeleteFunc(b.queue, func(key string) bool { return strings.HasPrefix(key, prefix) })
	for key, w := range b.pending {
		if strings.HasPrefix(key, prefix) {
			delete(b.pending, key)
			b.room.Release(w.cost)
		}
	}
	under := func() bool {
		for key := range b.writing {
			if strings.HasPrefix(key, prefix) {
				return true
			}
		}
		return false
	}
	for under() {
		b.changed.Wait()
	}
}

// close writes what is pending and stops.
func (b *blobs) close() error {
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return nil
	}
	b.closed = true
	b.changed.Broadcast()
	b.mu.Unlock()
	b.wg.Wait()
	if b.sweep != nil {
		b.sweep.close()
	}
	if b.owned {
		return b.bucket.Close()
	}
	return nil
}
