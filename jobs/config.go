package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"gocloud.dev/blob"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/store"
)

// Config says what an [Engine] works with. The caller owns what it passes in
// and closes it after the engine.
type Config struct {
	// SQLite is the file of the embedded queue, used when DatabaseURL is empty.
	// One process at a time holds it.
	SQLite string
	// DatabaseURL (postgres://…) is the database whose queue several machines share.
	DatabaseURL string
	// Schema in that database, made if absent; empty means scarp_jobs.
	Schema string

	Store     store.Store
	Sources   imagery.Sources
	Predictor inference.Predictor
	// Results keeps the outputs of jobs, under results/<job>/.
	Results *blob.Bucket
	// TempDir is for the mosaics; empty means the system's.
	TempDir string

	// Processes are what can be executed beside mapping, by id.
	Processes map[string]Process
	// Callbacks sends news of jobs to who asked for them; nil refuses them.
	Callbacks Callbacks
	// CallbackBackoff is how long to wait after a callback failed for the first
	// time; three times as long after each further one. 0 means 10 seconds.
	CallbackBackoff time.Duration

	// Workers is how many tasks (batches of blocks, or finishings) run at once
	// in this process; 0 means 2, below 0 none: a machine that only submits.
	Workers int
	// BatchBlocks is how many blocks a task predicts; 0 means 16.
	BatchBlocks int
	// MaxUnfinished bounds the jobs that wait or run; 0 means 100.
	MaxUnfinished int
	// Retention is how long finished jobs and their results are kept; 0 means
	// 30 days, below 0 for ever. Published runs stay.
	Retention time.Duration
	// TaskTimeout bounds one attempt at a task; 0 means 30 minutes.
	TaskTimeout time.Duration
	// Lease is, on Postgres, how long a worker may be silent before its task is
	// given to another; 0 means 30 seconds.
	Lease time.Duration
	// Logger is for what is no job's log; nil means slog.Default().
	Logger *slog.Logger
}

func (c Config) withDefaults() (Config, error) {
	var missing []error
	if c.SQLite == "" && c.DatabaseURL == "" {
		missing = append(missing, errors.New("SQLite or DatabaseURL"))
	}
	if c.Store == nil {
		missing = append(missing, errors.New("Store"))
	}
	if c.Sources == nil {
		missing = append(missing, errors.New("Sources"))
	}
	if c.Predictor == nil {
		missing = append(missing, errors.New("Predictor"))
	}
	if c.Results == nil {
		missing = append(missing, errors.New("Results"))
	}
	if len(missing) > 0 {
		return c, fmt.Errorf("open the job engine: the configuration lacks %w", errors.Join(missing...))
	}
	orElse(&c.Schema, "scarp_jobs")
	orElse(&c.Workers, 2)
	orElse(&c.BatchBlocks, 16)
	orElse(&c.MaxUnfinished, 100)
	orElse(&c.Retention, 30*24*time.Hour)
	orElse(&c.TaskTimeout, 30*time.Minute)
	orElse(&c.Lease, 30*time.Second)
	orElse(&c.CallbackBackoff, 10*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, nil
}

func orElse[T comparable](v *T, other T) {
	var zero T
	if *v == zero {
		*v = other
	}
}

// maxAttempts is how often a task is tried before its job fails.
const maxAttempts = 4

// retries waits longer after each failed attempt: 1, 4, 9 seconds.
type retries struct{}

// river sets River up. The engine is its only worker.
func (c Config) river(e *Engine) (*river.Config, error) {
	rc := &river.Config{
		Logger:      quiet(c.Logger),
		MaxAttempts: maxAttempts,
		JobTimeout:  c.TaskTimeout,
		// River's own rescue is the last resort: long before it the engine
		// puts back what dead workers had (start on SQLite, the lease on Postgres).
		RescueStuckJobsAfter: c.TaskTimeout + time.Hour,
		RetryPolicy:          retries{},
		// A worker goes on to the next batch at once; between them the processor would idle.
		FetchCooldown:     20 * time.Millisecond,
		FetchPollInterval: time.Second,
		Workers:           river.NewWorkers(),
	}
	if err := river.AddWorkerSafely(rc.Workers, &worker{engine: e}); err != nil {
		return nil, fmt.Errorf("set up the job queue: %w", err)
	}
	if err := river.AddWorkerSafely(rc.Workers, caller{engine: e}); err != nil {
		return nil, fmt.Errorf("set up the job queue: %w", err)
	}
	if c.Workers > 0 {
		rc.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: c.Workers}, callbackQueue: {MaxWorkers: callbacksAtOnce}}
		// Processes have queues of their own: people wait for their answers, which
		// come in seconds, while mapping takes hours.
		for id, p := range c.Processes {
			rc.Queues[id] = river.QueueConfig{MaxWorkers: max(p.Parallel, 1), FetchPollInterval: 250 * time.Millisecond}
		}
	}
	return rc, nil
}

// callbacksAtOnce bounds the callbacks that are sent at the same time.
const callbacksAtOnce = 8

// quiet drops what River tells below warnings: a job's own log says what matters.
func quiet(l *slog.Logger) *slog.Logger { return slog.New(warnings{l.Handler()}) }

type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}
