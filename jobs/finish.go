package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/scarp-map/scarp/jobs/mapping"
	"github.com/scarp-map/scarp/store"
)

// finish joins the predicted blocks, outlines them, keeps the outputs and
// publishes the run. Done twice it gives the same, so a killed process's
// finishing is simply done again.
func (a *attempt) finish(ctx context.Context, rec record, plan *mapping.Plan) error {
	e := a.engine
	if err := a.step(ctx, predictShare, "outlining landslides"); err != nil {
		return err
	}
	m, err := plan.Mosaic(ctx, e.config.Predictor, e.config.TempDir, func() {})
	if err != nil {
		return err
	}
	defer m.Close()
	res, err := m.Landslides(ctx, rec.ID)
	if err != nil {
		return err
	}
	if err := a.step(ctx, 95, "writing results"); err != nil {
		return err
	}
	published := run(rec, plan, res.Summary)
	if err := e.keepResults(ctx, plan.Source.Event(), published, m, res); err != nil {
		return err
	}
	if err := a.step(ctx, 98, "publishing"); err != nil {
		return err
	}
	if err := e.config.Store.Publish(ctx, published, res.Landslides); err != nil {
		err = fmt.Errorf("publish the run of job %s: %w", rec.ID, err)
		return errors.Join(err, a.takeBack(context.WithoutCancel(ctx), rec.ID)) // it may have been interrupted after the commit
	}
	return a.succeed(context.WithoutCancel(ctx), rec.ID, res.Summary)
}

// run describes what the job publishes.
func run(rec record, plan *mapping.Plan, s store.Summary) store.Run {
	r := plan.Run(rec.ID, s)
	r.Started, r.Published = rec.Started, time.Now().UTC()
	return r
}

// step records what the job does now.
func (a *attempt) step(ctx context.Context, progress int, message string) error {
	err := a.engine.queue.inTx(ctx, func(t tx) error {
		if err := a.lock(ctx, t); err != nil {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE scarp_job SET progress = ?, message = ? WHERE id = ?`, progress, message, a.task.Job); err != nil {
			return err
		}
		if err := addLog(ctx, t, a.task.Job, message); err != nil {
			return err
		}
		return tellSubscriber(ctx, t, a.task.Job, Running)
	})
	a.engine.changed(a.task.Job)
	return err
}

// succeed ends the job. Where it was dismissed while the run was being
// published, the run is taken back.
func (a *attempt) succeed(ctx context.Context, id string, s store.Summary) error {
	summary, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("record the summary of job %s: %w", id, err)
	}
	err = a.end(ctx, id, mapping.Describe(s), "summary", string(summary))
	if errors.Is(err, errDismissed) {
		return errors.Join(err, a.takeBack(ctx, id))
	}
	return err
}

// end makes the job successful, with a value for a column of its record. It
// returns errDismissed where the job has ended otherwise.
func (a *attempt) end(ctx context.Context, id, message, column, value string) error {
	n := int64(0)
	err := a.engine.queue.inTx(ctx, func(t tx) (err error) {
		n, err = t.exec(ctx, `UPDATE scarp_job SET status = 'successful', progress = 100, message = ?, `+column+` = ?, finished = {now}, updated = {now}
			WHERE id = ? AND status = 'running'`, message, value, id)
		if err != nil || n == 0 {
			return err
		}
		if _, err := t.exec(ctx, `UPDATE scarp_job_task SET complete = 1 WHERE job = ? AND n = ?`, id, a.task.N); err != nil {
			return err
		}
		if err := addLog(ctx, t, id, message); err != nil {
			return err
		}
		return tellSubscriber(ctx, t, id, Successful)
	})
	if err != nil {
		return err
	}
	a.engine.changed(id)
	if n == 0 {
		return errDismissed
	}
	return nil
}

// takeBack removes the run and the results of a job that was dismissed or has
// failed. A job that another attempt has finished meanwhile keeps them.
func (a *attempt) takeBack(ctx context.Context, id string) error {
	job, err := a.engine.Job(ctx, id)
	if err != nil || job.Status != Dismissed && job.Status != Failed {
		return err
	}
	if err := a.engine.config.Store.DeleteRun(ctx, id); err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("take back the run of job %s: %w", id, err)
	}
	return a.engine.deleteResults(ctx, id)
}
