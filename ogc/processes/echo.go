package processes

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"scarp/jobs"
)

// echoKept bounds the echo jobs that are remembered.
const echoKept = 256

// echoPrefix begins the ids of echo jobs.
const echoPrefix = "echo-"

// echoJobs keeps the jobs of the echo process in memory: they are for trying
// out clients and end with the program.
type echoJobs struct {
	now  func() time.Time
	mu   sync.Mutex
	jobs []*echoJob // oldest first
}

type echoJob struct {
	jobs.Job
	message string
	timer   *time.Timer
	done    chan struct{} // closed when the job has finished
}

func newEchoJobs(now func() time.Time) *echoJobs { return &echoJobs{now: now} }

// submit records a job and starts its pause. Without a pause it has finished
// when submit returns.
func (e *echoJobs) submit(_ context.Context, in map[string]any, request json.RawMessage) (jobs.Job, error) {
	message, _ := in["message"].(string)
	pause, _ := number(in["pause"])
	now := e.now()
	j := &echoJob{message: message, done: make(chan struct{}), Job: jobs.Job{ID: echoPrefix + uuid.NewString(), Process: echoID, Request: request,
		Status: jobs.Running, Message: "pausing", Created: now, Started: now, Updated: now}}
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.makeRoom(); err != nil {
		return jobs.Job{}, err
	}
	e.jobs = append(e.jobs, j)
	if pause > 0 {
		j.timer = time.AfterFunc(time.Duration(pause*float64(time.Second)), func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.finish(j, jobs.Successful, "done")
		})
	} else {
		e.finish(j, jobs.Successful, "done")
	}
	return j.Job, nil
}

// makeRoom forgets the oldest finished job where there are too many.
func (e *echoJobs) makeRoom() error {
	if len(e.jobs) < echoKept {
		return nil
	}
	i := slices.IndexFunc(e.jobs, func(j *echoJob) bool { return !j.Finished.IsZero() })
	if i < 0 {
		return fmt.Errorf("%w: %d echoes are under way", jobs.ErrBusy, echoKept)
	}
	e.jobs = slices.Delete(e.jobs, i, i+1)
	return nil
}

// finish ends a job once; the lock is held.
func (e *echoJobs) finish(j *echoJob, s jobs.Status, message string) {
	if !j.Finished.IsZero() {
		return
	}
	j.Status, j.Message = s, message
	if s == jobs.Successful {
		j.Progress = 100
	}
	j.Finished, j.Updated = e.now(), e.now()
	close(j.done)
}

func (e *echoJobs) find(id string) (int, error) {
	i := slices.IndexFunc(e.jobs, func(j *echoJob) bool { return j.ID == id })
	if i < 0 {
		return 0, fmt.Errorf("%w: %s", jobs.ErrNotFound, id)
	}
	return i, nil
}

// snapshot returns a job's record and the channel that its end closes.
func (e *echoJobs) snapshot(id string) (jobs.Job, string, chan struct{}, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, err := e.find(id)
	if err != nil {
		return jobs.Job{}, "", nil, err
	}
	j := e.jobs[i]
	return j.Job, j.message, j.done, nil
}

func (e *echoJobs) Job(_ context.Context, id string) (jobs.Job, error) {
	j, _, _, err := e.snapshot(id)
	return j, err
}

func (e *echoJobs) Jobs(_ context.Context, f jobs.Filter) ([]jobs.Job, int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []jobs.Job
	for _, j := range slices.Backward(e.jobs) {
		if f.Event == "" && (len(f.Status) == 0 || slices.Contains(f.Status, j.Status)) {
			out = append(out, j.Job)
		}
	}
	matched := len(out)
	first := min(f.Offset, matched)
	return out[first:min(first+f.Limit, matched)], matched, nil
}

func (e *echoJobs) Wait(ctx context.Context, id string, _ func(jobs.Job)) (jobs.Job, error) {
	j, _, done, err := e.snapshot(id)
	if err != nil {
		return j, err
	}
	select {
	case <-done:
		return e.Job(ctx, id)
	case <-ctx.Done():
		return j, ctx.Err()
	}
}

func (e *echoJobs) Dismiss(_ context.Context, id string) (jobs.Job, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i, err := e.find(id)
	if err != nil {
		return jobs.Job{}, err
	}
	j := e.jobs[i]
	if !j.Finished.IsZero() {
		e.jobs = slices.Delete(e.jobs, i, i+1)
		gone := j.Job
		gone.Status, gone.Message = jobs.Dismissed, "removed"
		return gone, nil
	}
	j.timer.Stop()
	e.finish(j, jobs.Dismissed, "dismissed")
	return j.Job, nil
}

func (e *echoJobs) Result(_ context.Context, id string, o jobs.Output) (*jobs.Result, error) {
	j, message, _, err := e.snapshot(id)
	switch {
	case err != nil:
		return nil, err
	case o != "message":
		return nil, fmt.Errorf("%w: echo has no output %q", jobs.ErrNotFound, o)
	case j.Status != jobs.Successful:
		return nil, fmt.Errorf("%w: job %s is %s", jobs.ErrNotReady, id, j.Status)
	}
	return &jobs.Result{ReadSeekCloser: text{bytes.NewReader([]byte(message))}, MediaType: "text/plain; charset=utf-8", Name: "message.txt",
		Size: int64(len(message)), Modified: j.Finished}, nil
}

type text struct{ *bytes.Reader }

func (text) Close() error { return nil }
