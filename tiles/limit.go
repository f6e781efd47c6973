package tiles

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
)

// limiter bounds what is drawn at once: pictures by the bytes that they take,
// waiting ones by number, and those that use the processor by its cores.
type limiter struct {
	bytes   *semaphore.Weighted
	limit   int64
	queue   int64
	waiting atomic.Int64
	cores   chan struct{}
}

func newLimiter(bytes int64, queue, cores int) *limiter {
	return &limiter{bytes: semaphore.NewWeighted(bytes), limit: bytes, queue: int64(queue), cores: make(chan struct{}, cores)}
}

// enter waits until there is memory for a picture. The error is ErrBusy where
// too many wait already. Call leave with the same size in the end.
func (l *limiter) enter(ctx context.Context, size int64) (leave func(), err error) {
	size = min(size, l.limit)
	if !l.bytes.TryAcquire(size) {
		if l.waiting.Add(1) > l.queue {
			l.waiting.Add(-1)
			return nil, fmt.Errorf("%w: %d wait already; try again in a moment", ErrBusy, l.queue)
		}
		err := l.bytes.Acquire(ctx, size)
		l.waiting.Add(-1)
		if err != nil {
			return nil, err
		}
	}
	return func() { l.bytes.Release(size) }, nil
}

// work runs f when a core is free.
func (l *limiter) work(ctx context.Context, f func() error) error {
	select {
	case l.cores <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.cores }()
	return f()
}
