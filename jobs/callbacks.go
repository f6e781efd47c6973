package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/riverqueue/river"
)

// Subscriber says who wants to be told of a job; empty URLs are told nothing.
type Subscriber struct {
	// Success is sent the results, Failed the status of a job that failed or was
	// dismissed, InProgress the status of one that goes on.
	Success, InProgress, Failed string
}

// Urls lists those that are given.
func (s Subscriber) urls() (all []string) {
	for _, u := range []string{s.Success, s.InProgress, s.Failed} {
		if u != "" {
			all = append(all, u)
		}
	}
	return all
}

// Callbacks sends what subscribers are told. callback.Sender is the real one.
type Callbacks interface {
	// Check refuses URLs that callbacks may not go to, saying why.
	Check(url string) error
	// Send posts a body. id is the same for every attempt at the same news, so
	// that the receiver can tell them. An error that wraps ErrGone is not tried again.
	Send(ctx context.Context, url, id, mediaType string, body []byte) error
}

// ErrGone means that trying a callback again is of no use.
var ErrGone = errors.New("the receiver does not want it")

// News is what a callback tells, made when it is sent.
type News struct {
	MediaType string
	Body      []byte
}

// callbackTask is what River carries of a callback. It is put into the queue by
// the transaction that changes the job, so that a crash between loses nothing.
type callbackTask struct {
	Job    string `json:"job"`
	URL    string `json:"url"`
	Status Status `json:"status"` // what the news is about
}

// Kind names callbacks in River.
func (callbackTask) Kind() string { return "callback" }

const (
	callbackQueue    = "callbacks"
	callbackAttempts = 7
	callbackTimeout  = time.Minute
	// progressInterval is how often, at most, progress is told.
	progressInterval = 10 * time.Second
)

// Tell sets what makes the news of callbacks: a job's status, or its results
// where the job is successful. It must be set before [Engine.Start] for callbacks to be sent.
func (e *Engine) Tell(news func(ctx context.Context, j Job) (News, error)) { e.news.Store(&news) }

// Subscribe has somebody told of a job, which may have ended already. It
// returns ErrBadSpec for a URL that callbacks may not go to.
func (e *Engine) Subscribe(ctx context.Context, id string, s Subscriber) error {
	if err := e.CheckSubscriber(s); err != nil {
		return err
	}
	err := e.queue.inTx(ctx, func(t tx) error {
		n, err := t.exec(ctx, `UPDATE scarp_job SET updated = {now} WHERE id = ?`, id) // takes the row, so that it does not end meanwhile
		if err == nil && n == 0 {
			err = fmt.Errorf("%w: %q", ErrNotFound, id)
		}
		if err != nil {
			return err
		}
		if _, err := t.exec(ctx, `INSERT INTO scarp_job_subscriber (job, success, progress, failure) VALUES (?, ?, ?, ?)`, id, s.Success, s.InProgress, s.Failed); err != nil {
			return err
		}
		var status string
		if err := t.query(ctx, `SELECT status FROM scarp_job WHERE id = ?`, []any{id}, func(r row) error { return r.Scan(&status) }); err != nil {
			return err
		}
		return tellSubscriber(ctx, t, id, Status(status))
	})
	if err != nil {
		return fmt.Errorf("subscribe to job %s: %w", id, err)
	}
	return nil
}

// CheckSubscriber refuses (ErrBadSpec) URLs that callbacks may not go to.
func (e *Engine) CheckSubscriber(s Subscriber) error {
	for _, u := range s.urls() {
		if e.config.Callbacks == nil {
			return fmt.Errorf("%w: subscriber: this server sends no callbacks", ErrBadSpec)
		}
		if err := e.config.Callbacks.Check(u); err != nil {
			return fmt.Errorf("%w: subscriber: %w", ErrBadSpec, err)
		}
	}
	return nil
}

// tellSubscriber queues a callback about the job's new status where somebody
// wants it. It is part of the transaction that changes the status.
func tellSubscriber(ctx context.Context, t tx, id string, s Status) error {
	column := map[Status]string{Accepted: "progress", Running: "progress", Successful: "success", Failed: "failure", Dismissed: "failure"}[s]
	url := ""
	if err := t.query(ctx, `SELECT `+column+` FROM scarp_job_subscriber WHERE job = ?`, []any{id}, func(r row) error { return r.Scan(&url) }); err != nil || url == "" {
		return err
	}
	if column == "progress" {
		// One an interval: the next tells the newest state anyway.
		n, err := t.exec(ctx, `UPDATE scarp_job_subscriber SET told = {now} WHERE job = ? AND told < {now} - ?`, id, progressInterval.Microseconds())
		if err != nil || n == 0 {
			return err
		}
	}
	return t.notify(ctx, callbackTask{Job: id, URL: url, Status: s})
}

// caller sends callbacks.
type caller struct {
	river.WorkerDefaults[callbackTask]
	engine *Engine
}

// Timeout bounds one attempt.
func (caller) Timeout(*river.Job[callbackTask]) time.Duration { return callbackTimeout }

// NextRetry waits three times as long after each failure: from the base of 10
// seconds to half an hour after the sixth.
func (c caller) NextRetry(r *river.Job[callbackTask]) time.Time {
	wait := c.engine.config.CallbackBackoff
	for range r.Attempt - 1 {
		wait *= 3
	}
	return time.Now().Add(min(wait, time.Hour))
}

// Work sends one callback.
func (c caller) Work(ctx context.Context, r *river.Job[callbackTask]) error {
	e, task := c.engine, r.Args
	news := e.news.Load()
	if e.stopping.Load() || news == nil || e.config.Callbacks == nil {
		return river.JobSnooze(time.Second)
	}
	job, err := e.Job(ctx, task.Job)
	if errors.Is(err, ErrNotFound) {
		return river.JobCancel(err) // removed meanwhile: there is nothing to tell any more
	}
	if err != nil {
		return err
	}
	if !task.Status.Ended() && job.Status.Ended() {
		return nil // its end is told on its own
	}
	n, err := (*news)(ctx, job)
	if err != nil {
		return fmt.Errorf("make the news of job %s: %w", task.Job, err)
	}
	id := fmt.Sprintf("%s.%s.%d", task.Job, task.Status, r.ID)
	err = e.config.Callbacks.Send(ctx, task.URL, id, n.MediaType, n.Body)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrGone), !task.Status.Ended():
		e.note(context.WithoutCancel(ctx), task.Job, fmt.Sprintf("callback %s: %v", task.Status, err))
		return river.JobCancel(err)
	case r.Attempt >= r.MaxAttempts:
		e.note(context.WithoutCancel(ctx), task.Job, fmt.Sprintf("callback %s given up after %d attempts: %v", task.Status, r.Attempt, err))
	case r.Attempt == 1:
		e.note(context.WithoutCancel(ctx), task.Job, fmt.Sprintf("callback %s failed, trying again: %v", task.Status, err))
	}
	return err
}
