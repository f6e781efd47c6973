package jobs

import (
	"context"
	"errors"
	"time"
)

// beatInterval is how often, at most, progress is written.
const beatInterval = 500 * time.Millisecond

// beat says that the attempt lives and how far it is, and notices when the job
// has been ended by another machine.
func (a *attempt) beat(ctx context.Context) {
	tick := time.NewTicker(min(beatInterval, a.engine.config.Lease/8))
	defer tick.Stop()
	var told int64
	last := time.Now()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		done := a.done.Load()
		due := done != told || time.Since(last) >= a.engine.config.Lease/4
		if !due && !a.engine.queue.shared() {
			continue // nobody else can have ended the job
		}
		err := a.engine.queue.inTx(ctx, func(t tx) error {
			if !due {
				return a.alive(ctx, t)
			}
			if err := a.lock(ctx, t); err != nil {
				return err
			}
			if _, err := t.exec(ctx, `UPDATE scarp_job_task SET lease = {now}, done = CASE WHEN done < ? THEN ? ELSE done END WHERE job = ? AND n = ?`,
				done, done, a.task.Job, a.task.N); err != nil {
				return err
			}
			last = time.Now()
			return a.countBlocks(ctx, t)
		})
		switch {
		case errors.Is(err, errDismissed):
			a.cancel(errDismissed)
			return
		case ctx.Err() != nil:
			return
		case err != nil: // a database that is away for a moment stops nothing
			a.engine.config.Logger.Warn("the progress of a mapping job can't be recorded", "job", a.task.Job, "error", err)
		case done != told:
			told = done
			a.engine.changed(a.task.Job)
		}
	}
}

// alive returns errDismissed when the job has ended.
func (a *attempt) alive(ctx context.Context, t tx) error {
	found := false
	err := t.query(ctx, `SELECT 1 FROM scarp_job WHERE id = ? AND status IN ('accepted', 'running')`, []any{a.task.Job}, func(row) error { found = true; return nil })
	if err == nil && !found {
		err = errDismissed
	}
	return err
}

// keepUp sweeps until ctx ends.
func (e *Engine) keepUp(ctx context.Context) {
	tick := time.NewTicker(e.config.Lease / 3)
	defer tick.Stop()
	for {
		if err := e.sweep(ctx); err != nil && ctx.Err() == nil {
			e.config.Logger.Warn("the upkeep of mapping jobs failed, it is tried again", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// sweep gives the tasks of dead workers to others, fails jobs whose tasks the
// queue has given up, and removes what is older than the retention. Several
// machines may do it at once.
func (e *Engine) sweep(ctx context.Context) error {
	n, err := e.queue.reclaim(ctx, e.config.Lease)
	if err != nil {
		return err
	}
	if n > 0 {
		e.config.Logger.Warn("tasks of dead workers were put back", "tasks", n)
	}
	lost, err := e.ids(ctx, `SELECT DISTINCT j.id FROM scarp_job j JOIN scarp_job_task t ON t.job = j.id LEFT JOIN river_job r ON r.id = t.queue_id
		WHERE j.status IN ('accepted', 'running') AND t.complete = 0 AND (r.id IS NULL OR r.state IN ('discarded', 'cancelled'))`)
	if err != nil {
		return err
	}
	for _, id := range lost {
		if err := e.fail(ctx, id, errLost); err != nil {
			return err
		}
	}
	if e.config.Retention < 0 {
		return nil
	}
	old, err := e.ids(ctx, `SELECT id FROM scarp_job WHERE status NOT IN ('accepted', 'running') AND finished < {now} - ?`, e.config.Retention.Microseconds())
	if err != nil {
		return err
	}
	for _, id := range old {
		if err := e.remove(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

var errLost = errors.New("the queue gave the job up after repeated failures: see the server's log")

func (e *Engine) ids(ctx context.Context, query string, args ...any) (ids []string, err error) {
	err = e.queue.inTx(ctx, func(t tx) error {
		return t.query(ctx, query, args, func(r row) error {
			var id string
			err := r.Scan(&id)
			ids = append(ids, id)
			return err
		})
	})
	return ids, err
}
