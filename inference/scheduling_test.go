package inference_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/inference"
)

// eventually waits for a condition that is bound to come, for at most 10 s.
func eventually(condition func() bool) bool {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); runtime.Gosched() {
		if condition() {
			return true
		}
	}
	return false
}

// isPatch tells reads of patches from reads of a block's validity, which take one band a side.
func isPatch(r imagery.Request) bool { return len(r.Post) > 1 }

// fourPatches is a lattice on which every block takes four patches, shared with its neighbours.
func fourPatches(t *testing.T) []*inference.Model {
	return tinyModels(t, map[string]inference.LatticeConfig{"": {PatchSize: 288, Overlap: 32}})
}

func TestOneComputationHoweverManyWait(t *testing.T) {
	e := newEngine(t, func(c *inference.Config) { c.Models = fourPatches(t) })
	src := imagerytest.New(256, 256)
	held := make(chan struct{})
	src.OnRead = func(context.Context, imagery.Request) error {
		<-held
		return nil
	}
	m := model(t, e, "")
	var g errgroup.Group
	for range 20 {
		g.Go(func() error {
			_, err := e.Block(t.Context(), src, m, inference.BlockIndex{}, inference.Interactive)
			return err
		})
	}
	arrived := eventually(func() bool { return e.Waiters() == 20 })
	close(held)
	require.NoError(t, g.Wait())
	assert.True(t, arrived)
	assert.EqualValues(t, 4, e.Stats().Runs)
	assert.EqualValues(t, 5, src.Reads(), "four patches, and once the clouds")
}

// A computation goes on while anybody waits for it, and stops when the last one leaves.
func TestComputationStopsWhenNobodyWaits(t *testing.T) {
	e := newEngine(t, nil)
	src := imagerytest.New(256, 256)
	reading, stopped := make(chan struct{}), make(chan struct{})
	var once sync.Once
	src.OnRead = func(ctx context.Context, _ imagery.Request) error {
		once.Do(func() { close(reading) })
		<-ctx.Done()
		close(stopped)
		return ctx.Err()
	}
	m := model(t, e, "")
	ask := func() (leave context.CancelFunc, left chan error) {
		ctx, cancel := context.WithCancel(t.Context())
		left = make(chan error, 1)
		go func() {
			_, err := e.Block(ctx, src, m, inference.BlockIndex{}, inference.Interactive)
			left <- err
		}()
		return cancel, left
	}
	leave1, left1 := ask()
	<-reading
	leave2, left2 := ask()
	joined := eventually(func() bool { return e.Waiters() == 2 })
	leave1()
	assert.True(t, joined)
	assert.ErrorIs(t, <-left1, context.Canceled)
	select {
	case <-stopped:
		t.Fatal("stopped though somebody waits")
	default:
	}
	leave2()
	assert.ErrorIs(t, <-left2, context.Canceled)
	<-stopped
	assert.Zero(t, e.Stats().Runs)
}

// A run inside ONNX Runtime is cut short.
func TestRunStopsWhenNobodyWaits(t *testing.T) {
	models := tinyModels(t, map[string]inference.LatticeConfig{"": {PatchSize: 1024, Overlap: 64}})
	e := newEngine(t, func(c *inference.Config) { c.Models, c.Workers, c.Readers, c.Threads = models, 1, 1, 1 })
	m := model(t, e, "tiny-bitemporal")
	require.NoError(t, e.Warm(t.Context(), m))
	src := imagerytest.New(256, 256)
	src.Flat = true
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := e.Block(ctx, src, m, inference.BlockIndex{}, inference.Interactive)
		left <- err
	}()
	for e.Stats().Running == 0 {
		select {
		case err := <-left:
			t.Fatalf("ended before it ran: %v", err)
		default:
		}
	}
	cancel()
	assert.ErrorIs(t, <-left, context.Canceled)
	require.NoError(t, e.Close())
	assert.Zero(t, e.Stats().Runs, "a run went on to its end")
}

func TestInteractiveBeforeBatch(t *testing.T) {
	e := newEngine(t, func(c *inference.Config) {
		c.Models, c.Workers, c.Readers, c.Threads, c.MaxBatch = fourPatches(t), 1, 1, 1, 8
	})
	m := model(t, e, "tiny-bitemporal")
	var mu sync.Mutex
	var order []string
	held, first := make(chan struct{}), make(chan struct{})
	var once sync.Once
	source := func(id string) *imagerytest.Source {
		src := imagerytest.New(256*6, 256)
		src.ID, src.Flat = id, true
		src.OnRead = func(_ context.Context, r imagery.Request) error {
			if !isPatch(r) {
				return nil
			}
			once.Do(func() { close(first) })
			<-held
			mu.Lock()
			defer mu.Unlock()
			order = append(order, id)
			return nil
		}
		return src
	}
	batch, person := source("batch"), source("person")
	var g errgroup.Group
	for col := range 6 {
		g.Go(func() error {
			_, err := e.Block(t.Context(), batch, m, inference.BlockIndex{Col: col}, inference.Batch)
			return err
		})
	}
	<-first // one batch patch is being read
	// Six blocks in a row have 14 patches; the first is being read.
	queued := eventually(func() bool { return e.Stats().WaitingBatch == 13 })
	g.Go(func() error {
		_, err := e.Block(t.Context(), person, m, inference.BlockIndex{Col: 3}, inference.Interactive)
		return err
	})
	queued = queued && eventually(func() bool { return e.Stats().WaitingInteractive == 4 })
	close(held)
	require.NoError(t, g.Wait())
	require.True(t, queued)
	assert.Equal(t, []string{"batch", "person", "person", "person", "person", "batch"}, order[:6])
}

// Somebody at a map who waits for a block of a job takes the block to the front.
func TestInteractiveCallerRaisesABatchBlock(t *testing.T) {
	e := newEngine(t, func(c *inference.Config) {
		c.Models, c.Workers, c.Readers, c.Threads, c.MaxBatch = fourPatches(t), 1, 1, 1, 8
	})
	m := model(t, e, "tiny-bitemporal")
	src := imagerytest.New(256*6, 256)
	src.Flat = true
	held, first := make(chan struct{}), make(chan struct{})
	var once sync.Once
	src.OnRead = func(_ context.Context, r imagery.Request) error {
		if isPatch(r) {
			once.Do(func() { close(first) })
			<-held
		}
		return nil
	}
	var g errgroup.Group
	for col := range 6 {
		g.Go(func() error {
			_, err := e.Block(t.Context(), src, m, inference.BlockIndex{Col: col}, inference.Batch)
			return err
		})
	}
	<-first
	queued := eventually(func() bool { return e.Stats().WaitingBatch == 13 })
	g.Go(func() error {
		_, err := e.Block(t.Context(), src, m, inference.BlockIndex{Col: 5}, inference.Interactive)
		return err
	})
	raised := eventually(func() bool {
		s := e.Stats()
		return s.WaitingInteractive >= 3 && s.WaitingInteractive+s.WaitingBatch == 13
	})
	close(held)
	require.NoError(t, g.Wait())
	assert.True(t, queued)
	assert.True(t, raised)
}

func TestFullQueueSaysWhenToTryAgain(t *testing.T) {
	e := newEngine(t, func(c *inference.Config) { c.MaxInteractive = 1 })
	src := imagerytest.New(600, 256)
	held, first := make(chan struct{}), make(chan struct{})
	var once sync.Once
	src.OnRead = func(context.Context, imagery.Request) error {
		once.Do(func() { close(first) })
		<-held
		return nil
	}
	var g errgroup.Group
	g.Go(func() error {
		_, err := e.Block(t.Context(), src, model(t, e, ""), inference.BlockIndex{}, inference.Interactive)
		return err
	})
	<-first
	_, err := e.Block(t.Context(), src, model(t, e, ""), inference.BlockIndex{Col: 1}, inference.Interactive)
	require.ErrorIs(t, err, inference.ErrBusy)
	var busy *inference.BusyError
	require.ErrorAs(t, err, &busy)
	assert.GreaterOrEqual(t, busy.RetryAfter, time.Second)
	close(held)
	require.NoError(t, g.Wait())
}

func TestErrorsOfImageryReachTheCallerAndAreNotKept(t *testing.T) {
	e := newEngine(t, nil)
	src := imagerytest.New(256, 256)
	broken := errors.New("event synthetic: pre.tif: band B04 can't be read")
	var mended atomic.Bool // other patches of the block may still be read after its error
	src.OnRead = func(_ context.Context, r imagery.Request) error {
		if isPatch(r) && !mended.Load() {
			return broken
		}
		return nil
	}
	_, err := e.Block(t.Context(), src, model(t, e, ""), inference.BlockIndex{}, inference.Batch)
	assert.ErrorIs(t, err, broken)
	mended.Store(true)
	block(t, e, src, model(t, e, ""), 0, 0, 0)
}

func TestModelsAreUnloadedWhenMemoryIsShort(t *testing.T) {
	e := newEngine(t, func(c *inference.Config) { c.SessionBytes = 1 })
	src := imagerytest.New(64, 64)
	var first []uint8
	for range 2 {
		first = block(t, e, src, model(t, e, "tiny-bitemporal"), 0, 0, 0)
		block(t, e, src, model(t, e, "tiny-single"), 0, 0, 0)
		src.Seed++ // not from the cache
	}
	assert.NotEmpty(t, first)
	assert.Zero(t, e.Stats().Models, "nothing stays beyond the budget when idle")
}

func TestClosedEngine(t *testing.T) {
	e := newEngine(t, nil)
	require.NoError(t, e.Close())
	_, err := e.Block(t.Context(), imagerytest.New(64, 64), model(t, e, ""), inference.BlockIndex{}, inference.Interactive)
	assert.ErrorIs(t, err, inference.ErrClosed)
}
