package inference

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// BareRuns runs a model n times on constant tensors, with the engine's workers
// and threads and nothing beside, and returns the wall time: what benchmarks
// divide by. The session is loaded and run once before the clock starts.
func (e *Engine) BareRuns(ctx context.Context, m *Model, n int) (time.Duration, error) {
	s, err := e.sessions.acquire(ctx, m)
	if err != nil {
		return 0, err
	}
	defer e.sessions.release(s)
	slots := make(chan *slot, e.workers)
	for range e.workers {
		sl := &slot{}
		sl.fit(m)
		for _, in := range sl.inputs {
			constant(in, 0.25)
		}
		if _, _, err := s.run(ctx, m, sl.inputs, sl.output); err != nil {
			return 0, fmt.Errorf("bare run: %w", err)
		}
		slots <- sl
	}
	start := time.Now()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(e.workers)
	for range n {
		g.Go(func() error {
			sl := <-slots
			defer func() { slots <- sl }()
			_, _, err := s.run(ctx, m, sl.inputs, sl.output)
			return err
		})
	}
	err = g.Wait()
	return time.Since(start), err
}
