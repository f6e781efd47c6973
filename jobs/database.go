package jobs

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	goosedb "github.com/pressly/goose/v3/database"
	"github.com/riverqueue/river"
)

//go:embed migrations/*.sql
var migrations embed.FS

// queue is a database that holds both the records of jobs and River's queue,
// so that one transaction changes both. SQL is written for both dialects:
// ? stands for an argument and {now} for the time in microseconds.
type queue interface {
	// inTx runs f in a transaction. Nothing else may use the queue inside f.
	inTx(ctx context.Context, f func(tx) error) error
	// reclaim gives back tasks whose worker has been silent for longer than the lease, and says how many.
	reclaim(ctx context.Context, lease time.Duration) (int64, error)
	// shared says whether other machines may work on the same queue.
	shared() bool
	// start lets the worker take tasks, stop makes it give back what it has.
	start(ctx context.Context) error
	stop(ctx context.Context) error
	close() error
}

// tx is one transaction on a queue.
type tx interface {
	exec(ctx context.Context, query string, args ...any) (changed int64, err error)
	// query calls scan for every row.
	query(ctx context.Context, query string, args []any, scan func(row) error) error
	// enqueue adds tasks and returns their ids in the queue.
	enqueue(ctx context.Context, queue string, tasks []task, priority int) ([]int64, error)
	// notify adds a callback.
	notify(ctx context.Context, c callbackTask) error
	// cancel takes a task out of the queue, or tells its worker to stop.
	cancel(ctx context.Context, queueID int64) error
}

type row interface{ Scan(to ...any) error }

// task is what River carries: which piece of which job.
type task struct {
	Job string `json:"job"`
	N   int    `json:"n"`
}

// Kind names the tasks in River.
func (task) Kind() string { return "map-landslides" }

// conn is a transaction of a driver.
type conn interface {
	exec(ctx context.Context, query string, args ...any) (int64, error)
	query(ctx context.Context, query string, args []any, scan func(row) error) error
	commit(ctx context.Context) error
	rollback(ctx context.Context) error
}

// riverTx joins a driver's transaction with River's client for it.
type riverTx[T any] struct {
	conn
	raw    T
	client *river.Client[T]
}

func (t riverTx[T]) enqueue(ctx context.Context, queue string, tasks []task, priority int) ([]int64, error) {
	params := make([]river.InsertManyParams, len(tasks))
	for i, args := range tasks {
		params[i] = river.InsertManyParams{Args: args, InsertOpts: &river.InsertOpts{Queue: queue, Priority: priority}}
	}
	inserted, err := t.client.InsertManyTx(ctx, t.raw, params)
	if err != nil {
		return nil, fmt.Errorf("add %d tasks to the queue: %w", len(tasks), err)
	}
	ids := make([]int64, len(inserted))
	for i, r := range inserted {
		ids[i] = r.Job.ID
	}
	return ids, nil
}

func (t riverTx[T]) notify(ctx context.Context, c callbackTask) error {
	if _, err := t.client.InsertTx(ctx, t.raw, c, &river.InsertOpts{Queue: callbackQueue, MaxAttempts: callbackAttempts}); err != nil {
		return fmt.Errorf("add a callback to the queue: %w", err)
	}
	return nil
}

func (t riverTx[T]) cancel(ctx context.Context, queueID int64) error {
	if _, err := t.client.JobCancelTx(ctx, t.raw, queueID); err != nil && !errors.Is(err, river.ErrNotFound) {
		return fmt.Errorf("take task %d out of the queue: %w", queueID, err)
	}
	return nil
}

// runTx commits when f succeeds, and rolls back otherwise.
func runTx[T any](ctx context.Context, client *river.Client[T], raw T, c conn, f func(tx) error) (err error) {
	defer func() {
		if err != nil {
			c.rollback(context.WithoutCancel(ctx))
		}
	}()
	if err := f(riverTx[T]{c, raw, client}); err != nil {
		return err
	}
	return c.commit(ctx)
}

// migrate brings the tables of this package up to date. Their version is kept
// apart from that of other packages' tables in the same database.
func migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB, log *slog.Logger) error {
	store, err := goosedb.NewStore(dialect, "scarp_jobs_version")
	if err != nil {
		return fmt.Errorf("migrate the tables of jobs: %w", err)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrate the tables of jobs: %w", err)
	}
	p, err := goose.NewProvider("", db, files, goose.WithStore(store), goose.WithSlog(log))
	if err != nil {
		return fmt.Errorf("migrate the tables of jobs: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the tables of jobs: %w", err)
	}
	return nil
}

// numbered turns each ? into $1, $2, …, and {now} into its expression.
func numbered(query, now string) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.ReplaceAll(query, "{now}", now) {
		if r == '?' {
			n++
			b.WriteString("$" + strconv.Itoa(n))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
