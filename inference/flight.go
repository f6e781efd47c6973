package inference

import (
	"context"
	"sync"
)

// urgency is the priority of a piece of work. It rises when somebody more
// important joins, and takes the work that this work waits for along.
type urgency struct {
	mu       sync.Mutex
	priority Priority
	needs    []*urgency
}

func (u *urgency) get() Priority {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.priority
}

func (u *urgency) raise(p Priority) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if p >= u.priority { // smaller is more urgent
		return
	}
	u.priority = p
	for _, n := range u.needs {
		n.raise(p)
	}
}

// waitsFor makes n at least as urgent as u, from now on.
func (u *urgency) waitsFor(n *urgency) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.needs = append(u.needs, n)
	n.raise(u.priority)
}

// flights computes each value once however many wait for it. A computation is
// cancelled when the last one who waits for it leaves.
type flights[K comparable, V any] struct {
	mu    sync.Mutex
	calls map[K]*call[V]
	wg    sync.WaitGroup
}

type call[V any] struct {
	urgency *urgency
	waiters int // under flights.mu
	cancel  context.CancelFunc
	done    chan struct{}
	value   V // with err, read after done is closed
	err     error
}

// do returns the value of key, computed by compute unless it is being computed
// already. compute gets a context with the values of the first caller's, that
// ends when nobody waits any more, and the urgency of all callers together.
func (f *flights[K, V]) do(ctx context.Context, key K, u *urgency, compute func(context.Context, *urgency) (V, error)) (V, error) {
	f.mu.Lock()
	c, ok := f.calls[key]
	if !ok {
		c = f.start(ctx, key, u, compute)
	}
	c.waiters++
	f.mu.Unlock()
	u.waitsFor(c.urgency)
	select {
	case <-c.done:
		return c.value, c.err
	case <-ctx.Done():
		f.leave(key, c)
		var none V
		return none, ctx.Err()
	}
}

// start is called under mu.
func (f *flights[K, V]) start(ctx context.Context, key K, u *urgency, compute func(context.Context, *urgency) (V, error)) *call[V] {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c := &call[V]{urgency: &urgency{priority: u.get()}, cancel: cancel, done: make(chan struct{})}
	if f.calls == nil {
		f.calls = map[K]*call[V]{}
	}
	f.calls[key] = c
	f.wg.Go(func() {
		defer cancel()
		c.value, c.err = compute(ctx, c.urgency)
		f.mu.Lock()
		if f.calls[key] == c {
			delete(f.calls, key)
		}
		f.mu.Unlock()
		close(c.done)
	})
	return c
}

// leave takes a waiter off; without waiters the computation is cancelled, and
// who comes next starts anew.
func (f *flights[K, V]) leave(key K, c *call[V]) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.waiters--; c.waiters > 0 {
		return
	}
	if f.calls[key] == c {
		delete(f.calls, key)
	}
	c.cancel()
}

// wait returns when no computation is under way.
func (f *flights[K, V]) wait() { f.wg.Wait() }
