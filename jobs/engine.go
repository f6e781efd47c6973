package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/paulmach/orb"
	"golang.org/x/sync/errgroup"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/jobs/mapping"
	"github.com/scarp-map/scarp/store"
)

// MapLandslides is the id of the process that maps landslides.
const MapLandslides = "map-landslides"

// Engine runs mapping jobs, and those of other processes, from a queue. It is safe for use by many goroutines.
//
// A job is planned when it is submitted, into batches of blocks; any worker of
// any machine takes any batch, and the blocks land in the predictor's cache.
// Whoever completes the last batch enqueues the finishing, which joins the
// blocks, outlines them and publishes. Every step may be done twice without
// harm, so that a task of a killed process is simply given to another.
type Engine struct {
	config Config
	queue  queue
	name   string // of this process as a worker

	stopping atomic.Bool
	news     atomic.Pointer[func(context.Context, Job) (News, error)]
	cancel   context.CancelFunc // ends the upkeep
	upkeep   errgroup.Group

	mu      sync.Mutex
	running map[string]map[*attempt]struct{}      // by job
	waiting map[string]map[chan struct{}]struct{} // by job
}

var _ Service = (*Engine)(nil)

// Open connects to the queue and brings its tables up to date. Jobs are not
// worked on before [Engine.Start].
func Open(ctx context.Context, c Config) (*Engine, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	e := &Engine{
		config: c, name: uuid.NewString(), cancel: func() {},
		running: make(map[string]map[*attempt]struct{}),
		waiting: make(map[string]map[chan struct{}]struct{}),
	}
	rc, err := c.river(e)
	if err != nil {
		return nil, err
	}
	if c.DatabaseURL != "" {
		e.queue, err = openPostgres(ctx, c.DatabaseURL, c.Schema, rc)
	} else {
		e.queue, err = openSQLite(ctx, c.SQLite, rc)
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Start begins to work on jobs, first on those that an earlier process left.
func (e *Engine) Start(ctx context.Context) error {
	if e.config.Workers > 0 {
		if err := e.queue.start(ctx); err != nil {
			return err
		}
	}
	ctx, e.cancel = context.WithCancel(context.WithoutCancel(ctx))
	e.upkeep.Go(func() error { e.keepUp(ctx); return nil })
	return nil
}

// Stop interrupts the running tasks, gives them back to the queue (their
// predicted blocks are kept), and closes the queue. ctx bounds how long it waits.
func (e *Engine) Stop(ctx context.Context) error {
	e.stopping.Store(true)
	e.cancel()
	var err error
	if e.config.Workers > 0 {
		err = e.queue.stop(ctx)
	}
	e.upkeep.Wait()
	return errors.Join(err, e.queue.close())
}

// Ping says whether the queue answers.
func (e *Engine) Ping(ctx context.Context) error {
	return e.queue.inTx(ctx, func(t tx) error {
		return t.query(ctx, `SELECT 1`, nil, func(row) error { return nil })
	})
}

// maxAOIBytes bounds an AOI, which is kept with the job and read with every list of jobs.
const maxAOIBytes = 1 << 20

// Submit checks the spec and queues the job.
func (e *Engine) Submit(ctx context.Context, s Spec, request json.RawMessage) (Job, error) {
	if b, err := json.Marshal(s.AOI); err != nil || len(b) > maxAOIBytes {
		return Job{}, fmt.Errorf("%w: AOI: larger than %d KiB as GeoJSON: simplify it to about 10 m", ErrBadSpec, maxAOIBytes>>10)
	}
	plan, err := e.plan(ctx, s, "")
	if err != nil {
		return Job{}, err
	}
	id, err := newID()
	if err != nil {
		return Job{}, err
	}
	rec := record{
		Job: Job{ID: id, Process: MapLandslides, Spec: s, Request: request, BlocksPlanned: len(plan.Blocks),
			Message: fmt.Sprintf("accepted: %d blocks of event %s with model %s %s", len(plan.Blocks), s.Event, plan.Model.Name(), plan.Model.Manifest.Version)},
		Revision: plan.Source.Revision(), Model: plan.Model.Name(), Digest: plan.Model.Digest,
	}
	if rec, err = e.record(ctx, rec, plan.Warnings); err != nil {
		return Job{}, fmt.Errorf("submit a job for event %q: %w", s.Event, err)
	}
	return rec.Job, nil
}

// newID makes a job's id; ids ascend with time.
func newID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return "", fmt.Errorf("make a job's id: %w", err)
	}
	return id.String(), nil
}

// record puts a new job into the queue, unless too many wait (ErrBusy), and returns it as it was recorded.
func (e *Engine) record(ctx context.Context, rec record, warnings []string) (record, error) {
	err := e.queue.inTx(ctx, func(t tx) error {
		unfinished := 0
		if err := t.query(ctx, `SELECT COUNT(*) FROM scarp_job WHERE status IN ('accepted', 'running')`, nil, func(r row) error {
			return r.Scan(&unfinished)
		}); err != nil {
			return err
		}
		if unfinished >= e.config.MaxUnfinished {
			return fmt.Errorf("%w: %d wait or run already: try again later", ErrBusy, unfinished)
		}
		if err := insertJob(ctx, t, rec, e.config.BatchBlocks); err != nil {
			return err
		}
		for _, warning := range warnings {
			if err := addLog(ctx, t, rec.ID, "mind: "+warning); err != nil {
				return err
			}
		}
		var err error
		rec, err = readRecord(ctx, t, rec.ID)
		return err
	})
	return rec, err
}

// plan resolves a spec. model overrides the spec's where a job has been
// accepted with a certain one. All that is wrong is said at once (ErrBadSpec).
func (e *Engine) plan(ctx context.Context, s Spec, model string) (*mapping.Plan, error) {
	in := mapping.Inputs{Threshold: s.Threshold, MinArea: s.MinArea}
	var reasons []error
	if s.AOI != nil {
		in.AOI = s.AOI.Geometry()
		if in.AOI == nil {
			in.AOI = orb.Collection{} // {} in the request: reported as what can't be mapped
		}
	}
	src, err := e.source(ctx, s.Event)
	if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, errNoEvent) {
		return nil, fmt.Errorf("open event %q: %w", s.Event, err)
	}
	if err != nil {
		reasons = append(reasons, fmt.Errorf("event: %w", err))
	} else if model == "" {
		model = s.Model
		if model == "" {
			model = src.Event().Model
		}
	}
	if model == "" {
		model = s.Model
	}
	if in.Model, err = e.config.Predictor.Model(model); err != nil && !errors.Is(err, inference.ErrUnknownModel) {
		return nil, fmt.Errorf("find model %q: %w", model, err)
	} else if err != nil {
		reasons = append(reasons, fmt.Errorf("model: %w", err))
	}
	if len(reasons) > 0 {
		reasons = append(reasons, in.Check())
		return nil, fmt.Errorf("%w: %w", ErrBadSpec, errors.Join(reasons...))
	}
	plan, err := mapping.NewPlan(src, in)
	if errors.Is(err, mapping.ErrInput) {
		return nil, fmt.Errorf("%w: %w", ErrBadSpec, err)
	}
	return plan, err
}

var errNoEvent = errors.New("none is named: give the id of an event")

func (e *Engine) source(ctx context.Context, event string) (imagery.Source, error) {
	if event == "" {
		return nil, errNoEvent
	}
	return e.config.Sources.Source(ctx, event)
}

// Job returns a job with its log.
func (e *Engine) Job(ctx context.Context, id string) (Job, error) {
	var rec record
	err := e.queue.inTx(ctx, func(t tx) (err error) {
		rec, err = readRecord(ctx, t, id)
		return err
	})
	return rec.Job, err
}

// Jobs lists jobs, newest first, without their logs.
func (e *Engine) Jobs(ctx context.Context, f Filter) (jobs []Job, matched int, err error) {
	err = e.queue.inTx(ctx, func(t tx) (err error) {
		jobs, matched, err = listJobs(ctx, t, f)
		return err
	})
	return jobs, matched, err
}

// Dismiss stops a job or, when it has ended, removes it with its results.
func (e *Engine) Dismiss(ctx context.Context, id string) (Job, error) {
	var rec record
	stopped := false
	err := e.queue.inTx(ctx, func(t tx) (err error) {
		if stopped, err = endJob(ctx, t, id, Dismissed, "dismissed", false); err != nil {
			return err
		}
		rec, err = readRecord(ctx, t, id)
		return err
	})
	if err != nil {
		return Job{}, fmt.Errorf("dismiss job: %w", err)
	}
	if stopped {
		e.interrupt(id, errDismissed)
		e.changed(id)
		return rec.Job, nil
	}
	if err := e.remove(ctx, id); err != nil {
		return Job{}, fmt.Errorf("remove job %s: %w", id, err)
	}
	rec.Status, rec.Message = Dismissed, "removed with its results"
	return rec.Job, nil
}

// remove deletes a job that has ended, with its results.
func (e *Engine) remove(ctx context.Context, id string) error {
	if err := e.deleteResults(ctx, id); err != nil {
		return err
	}
	err := e.queue.inTx(ctx, func(t tx) error {
		_, err := t.exec(ctx, `DELETE FROM scarp_job WHERE id = ? AND status NOT IN ('accepted', 'running')`, id)
		return err
	})
	e.changed(id)
	return err
}

// Ended says whether a status is final.
func (s Status) Ended() bool { return s != Accepted && s != Running }

// Wait returns when the job has ended or ctx ends.
func (e *Engine) Wait(ctx context.Context, id string, changed func(Job)) (Job, error) {
	news := make(chan struct{}, 1)
	e.mu.Lock()
	if e.waiting[id] == nil {
		e.waiting[id] = make(map[chan struct{}]struct{})
	}
	e.waiting[id][news] = struct{}{}
	e.mu.Unlock()
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.waiting[id], news)
		if len(e.waiting[id]) == 0 {
			delete(e.waiting, id)
		}
	}()
	// Work of this process is told at once; that of others has to be looked for.
	interval := 10 * time.Second
	if e.queue.shared() {
		interval = time.Second
	}
	poll := time.NewTicker(interval)
	defer poll.Stop()
	var last Job
	for {
		job, err := e.Job(ctx, id)
		if err != nil {
			return last, err
		}
		if changed != nil && (!job.Updated.Equal(last.Updated) || job.Status != last.Status) {
			changed(job)
		}
		if last = job; job.Status.Ended() {
			return job, nil
		}
		select {
		case <-news:
		case <-poll.C:
		case <-ctx.Done():
			return last, context.Cause(ctx)
		}
	}
}

// changed wakes who waits for a job.
func (e *Engine) changed(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for news := range e.waiting[id] {
		select {
		case news <- struct{}{}:
		default:
		}
	}
}
