package tiles

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
)

// flights lets callers that want the same thing at once share one computation.
// Unlike singleflight's, a computation ends when the last caller has left, not
// when the first one does.
type flights struct {
	mu    sync.Mutex
	calls map[string]*flight
}

type flight struct {
	done    chan struct{}
	waiters int
	cancel  context.CancelFunc
	result  Rendered
	err     error
}

// do returns compute's result for the key, which it starts unless it is under way.
func (f *flights) do(ctx context.Context, key string, compute func(context.Context) (Rendered, error)) (Rendered, error) {
	f.mu.Lock()
	if f.calls == nil {
		f.calls = make(map[string]*flight)
	}
	c, ok := f.calls[key]
	if !ok {
		c = &flight{done: make(chan struct{})}
		var own context.Context
		own, c.cancel = context.WithCancel(context.WithoutCancel(ctx))
		f.calls[key] = c
		go func() {
			c.result, c.err = guarded(own, key, compute)
			f.mu.Lock()
			f.forget(key, c)
			f.mu.Unlock()
			c.cancel()
			close(c.done)
		}()
	}
	c.waiters++
	f.mu.Unlock()
	select {
	case <-c.done:
		return c.result, c.err
	case <-ctx.Done():
		f.mu.Lock()
		if c.waiters--; c.waiters == 0 {
			c.cancel()
			f.forget(key, c) // who comes now starts anew
		}
		f.mu.Unlock()
		return Rendered{}, ctx.Err()
	}
}

// guarded turns a panic into an error: the goroutine is nobody's request, so
// that nobody else would recover it.
func guarded(ctx context.Context, key string, compute func(context.Context) (Rendered, error)) (r Rendered, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("draw %s: panic: %v\n%s", key, p, debug.Stack())
		}
	}()
	return compute(ctx)
}

func (f *flights) forget(key string, c *flight) {
	if f.calls[key] == c {
		delete(f.calls, key)
	}
}
