package jobs

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/scarp-map/scarp/jobs/mapping"
)

// Why an attempt is interrupted.
var (
	errDismissed = errors.New("the job has ended") // by somebody else: dismissed, or failed in another task
	errChanged   = errors.New("the event or the model has changed since the job was accepted")
)

// worker hands River's tasks to the engine.
type worker struct {
	river.WorkerDefaults[task]
	engine *Engine
}

// Work tries a task once, and tells River what to make of the outcome.
func (w *worker) Work(ctx context.Context, r *river.Job[task]) error {
	e := w.engine
	if e.stopping.Load() {
		return river.JobSnooze(0)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a := &attempt{engine: e, task: r.Args, cancel: cancel}
	e.add(a)
	defer e.drop(a)

	err := a.try(ctx, r.Attempt)
	if err == nil {
		return nil
	}
	// What is still to be said must be said although the attempt is over.
	ctx = context.WithoutCancel(ctx)
	switch {
	case errors.Is(err, errDismissed) || errors.Is(err, river.ErrJobCancelledRemotely):
		return river.JobCancel(errDismissed)
	case e.stopping.Load():
		return river.JobSnooze(0) // does not count as an attempt
	case permanent(err) || r.Attempt >= r.MaxAttempts:
		if ferr := e.fail(ctx, a.task.Job, err); ferr != nil {
			return fmt.Errorf("%w (and its failure could not be recorded: %w)", err, ferr)
		}
		return river.JobCancel(err)
	default:
		e.config.Logger.Warn("a task of a job is tried again", "job", a.task.Job, "task", a.task.N, "attempt", r.Attempt, "error", err)
		e.note(ctx, a.task.Job, fmt.Sprintf("attempt %d failed, trying again: %v", r.Attempt, err))
		return err
	}
}

// permanent says whether trying again is of no use.
func permanent(err error) bool {
	return errors.Is(err, ErrBadSpec) || errors.Is(err, mapping.ErrInput) || errors.Is(err, errChanged) || errors.Is(err, errPanic)
}

var errPanic = errors.New("internal error")

// NextRetry waits 1, 4, 9 seconds after the first, second and third failure.
func (retries) NextRetry(r *rivertype.JobRow) time.Time {
	return time.Now().Add(time.Duration(r.Attempt*r.Attempt) * time.Second)
}

// attempt is one try of one task by this process.
type attempt struct {
	engine *Engine
	task   task
	cancel context.CancelCauseFunc
	done   atomic.Int64 // blocks
}

func (a *attempt) try(ctx context.Context, n int) (err error) {
	defer func() {
		if p := recover(); p != nil {
			a.engine.config.Logger.Error("panic in a job", "job", a.task.Job, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: %v", errPanic, p)
		}
	}()
	rec, finish, complete, err := a.claim(ctx)
	if err != nil || complete {
		return err
	}
	if n > maxAttempts {
		return fmt.Errorf("%w: the server was killed %d times at the same task", errPanic, n-1)
	}
	beating := make(chan struct{})
	ctx, stop := context.WithCancel(ctx)
	go func() { defer close(beating); a.beat(ctx) }()
	defer func() { stop(); <-beating }()

	if rec.Process != MapLandslides {
		return interrupted(ctx, a.run(ctx, rec))
	}
	plan, err := a.engine.plan(ctx, rec.Spec, rec.Model)
	if err != nil {
		return err
	}
	if plan.Source.Revision() != rec.Revision || plan.Model.Digest != rec.Digest {
		return fmt.Errorf("%w: submit it again", errChanged)
	}
	if finish {
		err = a.finish(ctx, rec, plan)
	} else {
		err = a.predict(ctx, plan)
	}
	return interrupted(ctx, err)
}

// interrupted adds to an error why its context ended.
func interrupted(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return fmt.Errorf("%w (%w)", cause, err)
	}
	return err
}

// claim marks the task as ours. complete says that there is nothing left to do.
func (a *attempt) claim(ctx context.Context) (rec record, finish, complete bool, err error) {
	err = a.engine.queue.inTx(ctx, func(t tx) error {
		if err := a.lock(ctx, t); err != nil {
			return err
		}
		started, err := t.exec(ctx, `UPDATE scarp_job SET status = 'running', started = {now},
			message = CASE WHEN process = 'map-landslides' THEN 'predicting' ELSE 'running' END WHERE id = ? AND status = 'accepted'`, a.task.Job)
		if err != nil {
			return err
		}
		if started > 0 {
			if err := addLog(ctx, t, a.task.Job, "started"); err != nil {
				return err
			}
			if err := tellSubscriber(ctx, t, a.task.Job, Running); err != nil {
				return err
			}
		}
		if _, err := t.exec(ctx, `UPDATE scarp_job_task SET worker = ?, lease = {now} WHERE job = ? AND n = ?`, a.engine.name, a.task.Job, a.task.N); err != nil {
			return err
		}
		if err := t.query(ctx, `SELECT blocks, complete FROM scarp_job_task WHERE job = ? AND n = ?`, []any{a.task.Job, a.task.N}, func(r row) error {
			var blocks, done int
			err := r.Scan(&blocks, &done)
			finish, complete = blocks == 0, done == 1
			return err
		}); err != nil {
			return err
		}
		rec, err = readRecord(ctx, t, a.task.Job)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		err = errDismissed
	}
	a.engine.changed(a.task.Job)
	return rec, finish, complete, err
}

// lock takes the job's row for the transaction, if the job goes on.
func (a *attempt) lock(ctx context.Context, t tx) error {
	n, err := t.exec(ctx, `UPDATE scarp_job SET updated = {now} WHERE id = ? AND status IN ('accepted', 'running')`, a.task.Job)
	if err == nil && n == 0 {
		err = errDismissed
	}
	return err
}

// predict predicts the task's blocks, which then lie in the predictor's cache,
// and enqueues the finishing if no other batch is left.
func (a *attempt) predict(ctx context.Context, plan *mapping.Plan) error {
	size := a.engine.config.BatchBlocks
	first, last := a.task.N*size, min((a.task.N+1)*size, len(plan.Blocks))
	if first >= last {
		return fmt.Errorf("%w: batch %d is not in the plan", errChanged, a.task.N)
	}
	if err := plan.Predict(ctx, a.engine.config.Predictor, plan.Blocks[first:last], func() { a.done.Add(1) }); err != nil {
		return err
	}
	err := a.engine.queue.inTx(ctx, func(t tx) error {
		if err := a.lock(ctx, t); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE scarp_job_task SET done = blocks, complete = 1 WHERE job = ? AND n = ?`, a.task.Job, a.task.N); err != nil {
			return err
		}
		if err := a.countBlocks(ctx, t); err != nil {
			return err
		}
		return a.enqueueFinish(ctx, t)
	})
	a.engine.changed(a.task.Job)
	return err
}

// enqueueFinish goes on to the next stage, once, when all batches are complete. The job's row is locked.
func (a *attempt) enqueueFinish(ctx context.Context, t tx) error {
	left, tasks := 0, 0
	if err := t.query(ctx, `SELECT COUNT(*), COALESCE(SUM(complete), 0) FROM scarp_job_task WHERE job = ?`, []any{a.task.Job}, func(r row) error {
		complete := 0
		err := r.Scan(&tasks, &complete)
		left = tasks - complete
		return err
	}); err != nil || left > 0 {
		return err
	}
	n, err := t.exec(ctx, `UPDATE scarp_job SET stage = 'finish' WHERE id = ? AND stage = 'predict'`, a.task.Job)
	if err != nil || n == 0 {
		return err
	}
	ids, err := t.enqueue(ctx, river.QueueDefault, []task{{Job: a.task.Job, N: tasks}}, finishPriority)
	if err != nil {
		return err
	}
	if _, err := t.exec(ctx, `INSERT INTO scarp_job_task (job, n, blocks, queue_id) VALUES (?, ?, 0, ?)`, a.task.Job, tasks, ids[0]); err != nil {
		return err
	}
	return addLog(ctx, t, a.task.Job, "all blocks are predicted")
}

// predictShare is the progress in percent when all blocks are predicted.
const predictShare = 90

// countBlocks brings the job's progress up to date. It never goes back, also when a batch is done again.
func (a *attempt) countBlocks(ctx context.Context, t tx) error {
	done, planned := 0, 0
	if err := t.query(ctx, `SELECT COALESCE(SUM(done), 0), COALESCE(SUM(blocks), 0) FROM scarp_job_task WHERE job = ?`, []any{a.task.Job}, func(r row) error {
		return r.Scan(&done, &planned)
	}); err != nil || planned == 0 {
		return err
	}
	n, err := t.exec(ctx, `UPDATE scarp_job SET blocks_done = ?, progress = ? WHERE id = ? AND blocks_done < ?`, done, predictShare*done/planned, a.task.Job, done)
	if err != nil || n == 0 {
		return err
	}
	return tellSubscriber(ctx, t, a.task.Job, Running)
}

// fail ends a job that can't be done. Nothing of it is published, and its log stays.
func (e *Engine) fail(ctx context.Context, id string, cause error) error {
	err := e.queue.inTx(ctx, func(t tx) error {
		_, err := endJob(ctx, t, id, Failed, cause.Error(), errors.Is(cause, ErrBadSpec) || errors.Is(cause, mapping.ErrInput))
		return err
	})
	e.config.Logger.Error("a job failed", "job", id, "error", cause)
	e.interrupt(id, errDismissed)
	e.changed(id)
	return errors.Join(err, e.deleteResults(ctx, id))
}

// note adds a line to a job's log where that is possible.
func (e *Engine) note(ctx context.Context, id, message string) {
	err := e.queue.inTx(ctx, func(t tx) error {
		if _, err := t.exec(ctx, `UPDATE scarp_job SET updated = {now} WHERE id = ?`, id); err != nil {
			return err
		}
		return addLog(ctx, t, id, message)
	})
	if err != nil {
		e.config.Logger.Warn("a line is missing in a job's log", "job", id, "message", message, "error", err)
	}
	e.changed(id)
}

func (e *Engine) add(a *attempt) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running[a.task.Job] == nil {
		e.running[a.task.Job] = make(map[*attempt]struct{})
	}
	e.running[a.task.Job][a] = struct{}{}
}

func (e *Engine) drop(a *attempt) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.running[a.task.Job], a)
	if len(e.running[a.task.Job]) == 0 {
		delete(e.running, a.task.Job)
	}
}

// interrupt cancels the attempts of this process at a job.
func (e *Engine) interrupt(id string, cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for a := range e.running[id] {
		a.cancel(cause)
	}
}
