package inference

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/scarp-map/scarp/cache"
	"github.com/scarp-map/scarp/imagery"
)

// Engine predicts blocks; it is the [Predictor] that is not a test's. It is
// safe for use by many goroutines. For the best speed a job keeps several
// blocks in flight, neighbours close after each other: imagery is then read
// while the network runs, and patches are shared.
type Engine struct {
	models   []*Model
	cache    cache.Cache
	codec    *codec
	hooks    Hooks
	workers  int
	sessions *sessions

	blocks    flights[string, *Block]
	patches   flights[patchKey, patch]
	kept      *cache.LRU[patchKey, patch]
	scheduler *scheduler

	maxInteractive int64
	interactive    atomic.Int64
	batch          *semaphore.Weighted
	counts         counts

	partial *cache.LRU[string, partial]

	mu      sync.Mutex
	closed  bool
	callers sync.WaitGroup // those let in; Add under mu, while not closed
}

var _ Predictor = (*Engine)(nil)

// Block returns the block, from the cache or computed. Blocks outside the grid
// are NoData. Errors: ErrBusy (see [BusyError]), ErrClosed, [MissingError],
// ctx's, or what imagery could not read.
func (e *Engine) Block(ctx context.Context, src imagery.Source, m *Model, at BlockIndex, p Priority) (*Block, error) {
	start := time.Now()
	b, err := e.block(ctx, src, m, at, p)
	if err != nil {
		return nil, fmt.Errorf("block %d/%d/%d of event %s with model %s: %w", at.Level, at.Col, at.Row, src.Event().ID, m.Name(), err)
	}
	e.counts.delivered(b.Tier)
	if e.hooks.Block != nil {
		e.hooks.Block(b.Tier, time.Since(start))
	}
	return b, nil
}

func (e *Engine) block(ctx context.Context, src imagery.Source, m *Model, at BlockIndex, p Priority) (*Block, error) {
	if at.Level < 0 || at.Level > MaxLevel {
		return nil, fmt.Errorf("level %d is not between 0 and %d", at.Level, MaxLevel)
	}
	if !inGrid(src.Grid(), at) {
		return &Block{Index: at, Pixels: uniform(NoData), Tier: cache.Memory}, nil
	}
	if b, err := e.lookup(ctx, src, m, at); b != nil || err != nil {
		return b, err
	}
	b, err := m.prepare.bind(src)
	if err != nil {
		return nil, err
	}
	leave, err := e.admit(ctx, p)
	if err != nil {
		return nil, err
	}
	defer leave()
	return e.compute(ctx, task{src, m, b}, at, &urgency{priority: p})
}

// admit lets a caller in, or says that there are too many.
func (e *Engine) admit(ctx context.Context, p Priority) (leave func(), err error) {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil, ErrClosed
	}
	e.callers.Add(1)
	e.mu.Unlock()
	if p == Interactive {
		if e.interactive.Add(1) > e.maxInteractive {
			err = &BusyError{RetryAfter: e.backlog()}
		}
		leave = func() { e.interactive.Add(-1); e.callers.Done() }
	} else if err = e.batch.Acquire(ctx, 1); err == nil {
		leave = func() { e.batch.Release(1); e.callers.Done() }
	} else {
		leave = e.callers.Done
	}
	if err != nil {
		leave()
		return nil, err
	}
	return leave, nil
}

// backlog guesses how long the interactive queue takes: 1 to 60 s.
func (e *Engine) backlog() time.Duration {
	waiting, _, running := e.scheduler.depth()
	d := time.Duration(waiting+running) * e.counts.meanRun() / time.Duration(e.workers)
	return min(max(d.Round(time.Second), time.Second), time.Minute)
}

// compute has a block of the grid computed, once for all who want it.
func (e *Engine) compute(ctx context.Context, t task, at BlockIndex, u *urgency) (*Block, error) {
	key := blockKey(t.src, t.m, at)
	return e.blocks.do(ctx, key, u, func(ctx context.Context, u *urgency) (*Block, error) {
		if b, err := e.lookup(ctx, t.src, t.m, at); b != nil || err != nil { // finished just before
			return b, err
		}
		pixels, err := e.pixels(ctx, t, at, u)
		if err != nil {
			return nil, err
		}
		return e.store(ctx, t, at, pixels)
	})
}

func (e *Engine) pixels(ctx context.Context, t task, at BlockIndex, u *urgency) ([]uint8, error) {
	if at.Level == 0 {
		return e.computeBlock(ctx, t, at, u)
	}
	// The four children at a time, and of higher ones one after the other: four
	// blocks in flight keep readers and workers busy.
	pixels := uniform(NoData)
	g, ctx := errgroup.WithContext(ctx)
	if at.Level > 1 {
		g.SetLimit(1)
	}
	for k, child := range children(at) {
		if !inGrid(t.src.Grid(), child) {
			continue
		}
		g.Go(func() error {
			b, err := e.lookup(ctx, t.src, t.m, child)
			if b == nil && err == nil {
				b, err = e.compute(ctx, t, child, u)
			}
			if err != nil {
				return err
			}
			quarter(pixels, b.Pixels, k%2, k/2)
			return nil
		})
	}
	return pixels, g.Wait()
}

// store puts a computed block into the cache.
func (e *Engine) store(ctx context.Context, t task, at BlockIndex, pixels []uint8) (*Block, error) {
	if err := e.cache.Put(ctx, blockKey(t.src, t.m, at), e.codec.pack(pixels)); err != nil {
		return nil, fmt.Errorf("keep block: %w", err)
	}
	e.outdate(t.src, t.m, at)
	return &Block{Index: at, Pixels: pixels, Modified: time.Now(), Tier: cache.Miss}, nil
}

// lookup returns a block that was computed before, or nil.
func (e *Engine) lookup(ctx context.Context, src imagery.Source, m *Model, at BlockIndex) (*Block, error) {
	entry, tier, err := e.cache.Get(ctx, blockKey(src, m, at))
	if err != nil || tier == cache.Miss {
		return nil, err
	}
	pixels, err := e.codec.unpack(entry.Value)
	if err != nil {
		return nil, nil // whole, but not a block: computed again, and so replaced
	}
	return &Block{Index: at, Pixels: pixels, Modified: entry.Modified, Tier: tier}, nil
}

// Forget drops all blocks of an event's revision.
func (e *Engine) Forget(ctx context.Context, revision string) error {
	prefix := "blocks/" + revision + "/"
	e.kept.DeleteFunc(func(k patchKey) bool { return k.revision == revision })
	e.partial.DeleteFunc(func(key string) bool { return strings.HasPrefix(key, prefix) })
	return e.cache.DeletePrefix(ctx, prefix)
}

// Warm loads a model's session, so that the first block need not wait for it.
func (e *Engine) Warm(ctx context.Context, m *Model) error {
	s, err := e.sessions.acquire(ctx, m)
	if err != nil {
		return err
	}
	e.sessions.release(s)
	return nil
}

// Close waits for computations under way (end their contexts first to stop
// them), stops the goroutines and unloads the models.
func (e *Engine) Close() error {
	e.mu.Lock()
	already := e.closed
	e.closed = true
	e.mu.Unlock()
	if already {
		return nil
	}
	e.callers.Wait()
	e.blocks.wait() // what was cancelled may not have ended yet
	e.patches.wait()
	e.scheduler.close()
	e.sessions.close()
	return nil
}

func blockKey(src imagery.Source, m *Model, at BlockIndex) string {
	return fmt.Sprintf("blocks/%s/%s/%d/%d/%d", src.Revision(), m.Digest, at.Level, at.Col, at.Row)
}

// children lists the four blocks of the level below: upper left, upper right, lower left, lower right.
func children(at BlockIndex) [4]BlockIndex {
	l, c, r := at.Level-1, 2*at.Col, 2*at.Row
	return [4]BlockIndex{{l, c, r}, {l, c + 1, r}, {l, c, r + 1}, {l, c + 1, r + 1}}
}

// inGrid says whether any pixel of the block lies in the grid.
func inGrid(g imagery.Grid, at BlockIndex) bool {
	side := BlockSize << at.Level
	return at.Col >= 0 && at.Row >= 0 && at.Col <= (g.Width-1)/side && at.Row <= (g.Height-1)/side
}

// Workers returns how many patches run at a time.
func (e *Engine) Workers() int { return e.workers }
