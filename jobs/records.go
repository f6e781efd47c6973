package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/riverqueue/river"

	"github.com/scarp-map/scarp/store"
)

// record is a job with what the engine alone needs to know of it.
type record struct {
	Job
	Revision, Model, Digest string
}

const recordColumns = `id, process, spec, request, revision, model, digest, status, progress, message,
	blocks_done, blocks_planned, created, started, updated, finished, summary, outputs, bad_inputs`

func scanRecord(r row) (rec record, err error) {
	var spec, request, status, summary, outputs string
	var created, started, updated, finished, badInputs int64
	if err := r.Scan(&rec.ID, &rec.Process, &spec, &request, &rec.Revision, &rec.Model, &rec.Digest, &status, &rec.Progress, &rec.Message,
		&rec.BlocksDone, &rec.BlocksPlanned, &created, &started, &updated, &finished, &summary, &outputs, &badInputs); err != nil {
		return rec, err
	}
	if err := json.Unmarshal([]byte(spec), &rec.Spec); err != nil {
		return rec, fmt.Errorf("job %s: its inputs: %w", rec.ID, err)
	}
	if request != "" {
		rec.Request = json.RawMessage(request)
	}
	if summary != "" {
		rec.Summary = new(store.Summary)
		if err := json.Unmarshal([]byte(summary), rec.Summary); err != nil {
			return rec, fmt.Errorf("job %s: its summary: %w", rec.ID, err)
		}
	}
	if outputs != "" {
		if err := json.Unmarshal([]byte(outputs), &rec.Outputs); err != nil {
			return rec, fmt.Errorf("job %s: its outputs: %w", rec.ID, err)
		}
	}
	rec.BadInputs = badInputs == 1
	rec.Status = Status(status)
	rec.Created, rec.Started, rec.Updated, rec.Finished = micros(created), micros(started), micros(updated), micros(finished)
	return rec, nil
}

func micros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// readRecord returns a job with its log (ErrNotFound).
func readRecord(ctx context.Context, t tx, id string) (rec record, err error) {
	found := false
	err = t.query(ctx, `SELECT `+recordColumns+` FROM scarp_job WHERE id = ?`, []any{id}, func(r row) (err error) {
		found = true
		rec, err = scanRecord(r)
		return err
	})
	if err != nil {
		return rec, err
	}
	if !found {
		return rec, fmt.Errorf("%w: %q", ErrNotFound, id)
	}
	err = t.query(ctx, `SELECT time, message FROM scarp_job_log WHERE job = ? ORDER BY n`, []any{id}, func(r row) error {
		var us int64
		var l LogLine
		if err := r.Scan(&us, &l.Message); err != nil {
			return err
		}
		l.Time = micros(us)
		rec.Log = append(rec.Log, l)
		return nil
	})
	return rec, err
}

// addLog adds a line to a job's log. The job's row must be locked, by an update before.
func addLog(ctx context.Context, t tx, id, message string) error {
	_, err := t.exec(ctx, `INSERT INTO scarp_job_log (job, n, time, message)
		SELECT CAST(? AS TEXT), COALESCE(MAX(n), 0) + 1, {now}, CAST(? AS TEXT) FROM scarp_job_log WHERE job = ?`, id, message, id)
	return err
}

// insertJob records a new job with its batches.
func insertJob(ctx context.Context, t tx, rec record, batchBlocks int) error {
	spec, err := json.Marshal(rec.Spec)
	if err != nil {
		return fmt.Errorf("record job %s: %w", rec.ID, err)
	}
	if _, err := t.exec(ctx, `INSERT INTO scarp_job (id, process, event, spec, request, revision, model, digest, status, stage, message, blocks_planned, created, updated)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'predict', ?, ?, {now}, {now})`,
		rec.ID, rec.Process, rec.Spec.Event, string(spec), string(rec.Request), rec.Revision, rec.Model, rec.Digest, string(Accepted), rec.Message, rec.BlocksPlanned); err != nil {
		return err
	}
	var tasks []task
	for n := 0; n*batchBlocks < rec.BlocksPlanned; n++ {
		tasks = append(tasks, task{Job: rec.ID, N: n})
	}
	queue := river.QueueDefault
	if rec.Process != MapLandslides {
		queue, tasks = rec.Process, []task{{Job: rec.ID}}
	}
	ids, err := t.enqueue(ctx, queue, tasks, batchPriority)
	if err != nil {
		return err
	}
	for n, id := range ids {
		blocks := max(0, min(batchBlocks, rec.BlocksPlanned-n*batchBlocks))
		if _, err := t.exec(ctx, `INSERT INTO scarp_job_task (job, n, blocks, queue_id) VALUES (?, ?, ?, ?)`, rec.ID, n, blocks, id); err != nil {
			return err
		}
	}
	return addLog(ctx, t, rec.ID, rec.Message)
}

// Priorities in the queue: a job that is all predicted is finished before others go on.
const (
	finishPriority = 1
	batchPriority  = 2
)

// maxPage bounds a page of jobs.
const maxPage = 1000

// listJobs returns the jobs of a filter, newest first and without their logs.
func listJobs(ctx context.Context, t tx, f Filter) (jobs []Job, matched int, err error) {
	where, args := "WHERE 1 = 1", []any{}
	if f.Event != "" {
		where, args = where+" AND event = ?", append(args, f.Event)
	}
	if len(f.Processes) > 0 {
		where += " AND process IN (" + marks(len(f.Processes)) + ")"
		for _, p := range f.Processes {
			args = append(args, p)
		}
	}
	if len(f.Status) > 0 {
		where += " AND status IN (" + marks(len(f.Status)) + ")"
		for _, s := range f.Status {
			args = append(args, string(s))
		}
	}
	if err := t.query(ctx, `SELECT COUNT(*) FROM scarp_job `+where, args, func(r row) error { return r.Scan(&matched) }); err != nil {
		return nil, 0, err
	}
	limit := min(f.Limit, maxPage)
	if limit <= 0 {
		limit = 100
	}
	args = append(args, limit, max(f.Offset, 0))
	err = t.query(ctx, `SELECT `+recordColumns+` FROM scarp_job `+where+` ORDER BY created DESC, id DESC LIMIT ? OFFSET ?`, args, func(r row) error {
		rec, err := scanRecord(r)
		jobs = append(jobs, rec.Job)
		return err
	})
	return jobs, matched, err
}

// marks are n placeholders of arguments.
func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// endJob ends a job that has not ended yet, takes its tasks out of the queue and says whether it did.
func endJob(ctx context.Context, t tx, id string, status Status, message string, badInputs bool) (bool, error) {
	bad := 0
	if badInputs {
		bad = 1
	}
	n, err := t.exec(ctx, `UPDATE scarp_job SET status = ?, message = ?, bad_inputs = ?, finished = {now}, updated = {now}
		WHERE id = ? AND status IN ('accepted', 'running')`, string(status), message, bad, id)
	if err != nil || n == 0 {
		return false, err
	}
	if err := addLog(ctx, t, id, message); err != nil {
		return false, err
	}
	if err := tellSubscriber(ctx, t, id, status); err != nil {
		return false, err
	}
	var ids []int64
	if err := t.query(ctx, `SELECT queue_id FROM scarp_job_task WHERE job = ? AND complete = 0 ORDER BY n`, []any{id}, func(r row) error {
		var queueID int64
		err := r.Scan(&queueID)
		ids = append(ids, queueID)
		return err
	}); err != nil {
		return false, err
	}
	for _, queueID := range ids {
		if err := t.cancel(ctx, queueID); err != nil {
			return false, err
		}
	}
	return true, nil
}
