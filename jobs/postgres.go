package jobs

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// postgresQueue is the queue that several machines share.
type postgresQueue struct {
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
}

// migrationLock keeps machines that start together from migrating together.
const migrationLock = 0x5ca49_0001

func openPostgres(ctx context.Context, databaseURL, schema string, config *river.Config) (_ *postgresQueue, err error) {
	c, err := pgxpool.ParseConfig(databaseURL)
	if err != nil {
		return nil, fmt.Errorf("open the job queue: %w", err)
	}
	// All of ours lives in one schema, so that it meets nothing else's names.
	c.ConnConfig.RuntimeParams["search_path"] = pgx.Identifier{schema}.Sanitize()
	c.ConnConfig.RuntimeParams["application_name"] = "scarp jobs"
	q := &postgresQueue{}
	if q.pool, err = pgxpool.NewWithConfig(ctx, c); err != nil {
		return nil, fmt.Errorf("open the job queue: %w", err)
	}
	defer func() {
		if err != nil {
			q.close()
		}
	}()
	driver := riverpgxv5.New(q.pool)
	if err := q.migrate(ctx, driver, schema, config); err != nil {
		return nil, err
	}
	config.Schema = schema
	if q.client, err = river.NewClient(driver, config); err != nil {
		return nil, fmt.Errorf("open the job queue: %w", err)
	}
	return q, nil
}

func (q *postgresQueue) migrate(ctx context.Context, driver *riverpgxv5.Driver, schema string, config *river.Config) error {
	lock, err := q.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("migrate the job queue: %w", err)
	}
	defer lock.Release()
	if _, err := lock.Exec(ctx, "SELECT pg_advisory_lock($1)", migrationLock); err != nil {
		return fmt.Errorf("migrate the job queue: %w", err)
	}
	defer lock.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", migrationLock)
	if _, err := lock.Exec(ctx, "CREATE SCHEMA IF NOT EXISTS "+pgx.Identifier{schema}.Sanitize()); err != nil {
		return fmt.Errorf("migrate the job queue: make schema %s: %w", schema, err)
	}
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: config.Logger, Schema: schema})
	if err != nil {
		return fmt.Errorf("migrate the job queue: %w", err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("migrate the job queue: %w", err)
	}
	db := stdlib.OpenDBFromPool(q.pool)
	defer db.Close()
	return migrate(ctx, goose.DialectPostgres, db, config.Logger)
}

func (q *postgresQueue) inTx(ctx context.Context, f func(tx) error) error {
	raw, err := q.pool.Begin(ctx)
	if err != nil {
		return fmt.Errorf("use the job queue: %w", err)
	}
	return runTx(ctx, q.client, raw, postgresConn{raw}, f)
}

func (q *postgresQueue) start(ctx context.Context) error {
	if err := q.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the job queue: %w", err)
	}
	return nil
}

// reclaim puts back tasks that are marked as running but whose worker has not
// been heard of for longer than the lease. Should it live after all, nothing
// breaks: the task is done twice, with the same result.
func (q *postgresQueue) reclaim(ctx context.Context, lease time.Duration) (int64, error) {
	tag, err := q.pool.Exec(ctx, numbered(`
		UPDATE river_job SET state = 'available'
		FROM scarp_job_task t
		WHERE river_job.id = t.queue_id AND river_job.state = 'running'
		  AND river_job.attempted_at < now() - make_interval(secs => ?)
		  AND t.complete = 0 AND t.lease < {now} - ?`, postgresNow), lease.Seconds(), lease.Microseconds())
	if err != nil {
		return 0, fmt.Errorf("put back tasks of dead workers: %w", err)
	}
	// A callback takes a minute at most; River's own rescue would wait for hours.
	if _, err := q.pool.Exec(ctx, `UPDATE river_job SET state = 'available' WHERE kind = 'callback' AND state = 'running' AND attempted_at < now() - make_interval(secs => $1)`,
		(2*callbackTimeout + lease).Seconds()); err != nil {
		return 0, fmt.Errorf("put back callbacks of dead workers: %w", err)
	}
	return tag.RowsAffected(), nil
}

func (q *postgresQueue) shared() bool                   { return true }
func (q *postgresQueue) stop(ctx context.Context) error { return q.client.StopAndCancel(ctx) }
func (q *postgresQueue) close() error                   { q.pool.Close(); return nil }

const postgresNow = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

type postgresConn struct{ tx pgx.Tx }

func (c postgresConn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := c.tx.Exec(ctx, numbered(query, postgresNow), args...)
	if err != nil {
		return 0, fmt.Errorf("use the job records: %w", err)
	}
	return tag.RowsAffected(), nil
}

func (c postgresConn) query(ctx context.Context, query string, args []any, scan func(row) error) error {
	rows, err := c.tx.Query(ctx, numbered(query, postgresNow), args...)
	if err != nil {
		return fmt.Errorf("read the job records: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("read the job records: %w", err)
		}
	}
	return rows.Err()
}

func (c postgresConn) commit(ctx context.Context) error   { return c.tx.Commit(ctx) }
func (c postgresConn) rollback(ctx context.Context) error { return c.tx.Rollback(ctx) }
