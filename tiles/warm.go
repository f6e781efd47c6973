package tiles

import (
	"context"
	"log/slog"
	"sync"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
)

// warmer predicts, one after the other and behind everything else, blocks that
// views asked for above their budget: the map fills in as people look at it.
// Its queue is bounded; what does not fit is asked for again by the next view.
type warmer struct {
	predictor inference.Predictor
	source    func(ctx context.Context, event string, layer Layer, during Span) (imagery.Source, error)
	log       *slog.Logger
	queue     chan warmth
	mu        sync.Mutex
	queued    map[warmth]struct{}
	stop      context.CancelFunc
	done      chan struct{}
}

// warmth is a block to predict. It names the event instead of holding its
// source, which its owner may close meanwhile.
type warmth struct {
	event, revision string
	during          Span
	model           *inference.Model
	at              inference.BlockIndex
}

// newWarmer starts a warmer for up to size blocks; with size 0 it does nothing.
func newWarmer(d Deps, source func(context.Context, string, Layer, Span) (imagery.Source, error), size int) *warmer {
	ctx, stop := context.WithCancel(context.Background())
	w := &warmer{
		predictor: d.Predictor, source: source, log: d.Log,
		queue: make(chan warmth, size), queued: make(map[warmth]struct{}, size),
		stop: stop, done: make(chan struct{}),
	}
	go w.run(ctx)
	return w
}

// offer queues as many of the blocks as fit.
func (w *warmer) offer(d drawing, blocks []inference.BlockIndex) {
	if cap(w.queue) == 0 || len(blocks) == 0 {
		return
	}
	event, revision := d.src.Event().ID, d.src.Revision()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, at := range blocks {
		if len(w.queue) == cap(w.queue) {
			return
		}
		job := warmth{event: event, revision: revision, during: d.during, model: d.model, at: at}
		if _, ok := w.queued[job]; ok {
			continue
		}
		w.queued[job] = struct{}{}
		w.queue <- job // does not block: only offer adds, under the lock, and there is room
	}
}

func (w *warmer) run(ctx context.Context) {
	defer close(w.done)
	for {
		select {
		case <-ctx.Done():
			return
		case job := <-w.queue:
			if err := w.predict(ctx, job); err != nil && ctx.Err() == nil {
				w.log.Warn("warm up a block", "event", job.event, "model", job.model.Name(), "block", job.at, "error", err)
			}
			w.mu.Lock()
			delete(w.queued, job)
			w.mu.Unlock()
		}
	}
}

func (w *warmer) predict(ctx context.Context, job warmth) error {
	src, err := w.source(ctx, job.event, Probability, job.during)
	if err != nil {
		return err
	}
	if src.Revision() != job.revision {
		return nil // the event has changed: nobody wants this block any more
	}
	_, err = w.predictor.Block(ctx, src, job.model, job.at, inference.Batch)
	return err
}

// close stops the warmer and waits for it.
func (w *warmer) close() {
	w.stop()
	<-w.done
}
