package cache

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// sweeper keeps a folder within a bound: when more than the bound is there,
// the oldest entries go until a tenth of the bound is free.
type sweeper struct {
	b     *blobs
	limit int64
	hooks Hooks
	stop  context.CancelFunc
	wg    sync.WaitGroup
	kick  chan struct{}

	mu      sync.Mutex
	size    int64 // what was counted last, and written since
	counted bool
}

func newSweeper(b *blobs, limit int64, hooks Hooks) *sweeper {
	ctx, stop := context.WithCancel(context.Background())
	s := &sweeper{b: b, limit: limit, hooks: hooks, stop: stop, kick: make(chan struct{}, 1)}
	s.kick <- struct{}{} // count what is there from earlier runs
	s.wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-s.kick:
				s.sweep(ctx)
			}
		}
	})
	return s
}

// wrote counts a written entry (a rewritten one twice, until the next sweep counts anew).
func (s *sweeper) wrote(n int64) {
	s.mu.Lock()
	s.size += n
	over := s.size > s.limit
	s.mu.Unlock()
	if over {
		select {
		case s.kick <- struct{}{}:
		default:
		}
	}
}

// close leaves the folder within its bound.
func (s *sweeper) close() {
	s.stop()
	s.wg.Wait()
	if s.size > s.limit || !s.counted {
		s.sweep(context.Background())
	}
}

type stored struct {
	key  string
	size int64
	time time.Time
}

func (s *sweeper) sweep(ctx context.Context) {
	s.mu.Lock()
	before := s.size
	s.mu.Unlock()
	entries, total, err := s.list(ctx)
	if err != nil {
		s.b.failed("list", "", err)
		return
	}
	removed, freed := 0, int64(0)
	if total > s.limit {
		slices.SortFunc(entries, func(a, b stored) int { return a.time.Compare(b.time) })
		for _, e := range entries {
			if total-freed <= s.limit-s.limit/10 || ctx.Err() != nil {
				break
			}
			if err := s.b.bucket.Delete(ctx, e.key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
				s.b.failed("delete", e.key, err)
				continue
			}
			removed, freed = removed+1, freed+e.size
		}
	}
	s.mu.Lock()
	s.size += total - freed - before // keep what was written during the sweep
	s.counted = ctx.Err() == nil
	s.mu.Unlock()
	if removed > 0 && s.hooks.Swept != nil {
		s.hooks.Swept(removed, freed)
	}
}

func (s *sweeper) list(ctx context.Context) (entries []stored, total int64, err error) {
	it := s.b.bucket.List(&blob.ListOptions{Prefix: s.b.prefix})
	for {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return entries, total, nil
		}
		if err != nil {
			return nil, 0, err
		}
		entries = append(entries, stored{o.Key, o.Size, o.ModTime})
		total += o.Size
	}
}
