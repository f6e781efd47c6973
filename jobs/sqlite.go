package jobs

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// sqliteQueue is the embedded queue: one file that one process holds.
type sqliteQueue struct {
	db     *sql.DB
	client *river.Client[*sql.Tx]
	lock   *os.File
}

func openSQLite(ctx context.Context, path string, config *river.Config) (_ *sqliteQueue, err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("open the job queue: %w", err)
	}
	q := &sqliteQueue{}
	defer func() {
		if err != nil {
			q.close()
		}
	}()
	if q.lock, err = lockFile(path + ".lock"); err != nil {
		return nil, err
	}
	// One connection: SQLite has one writer, and River's parts would lock each other out.
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() + "?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=foreign_keys(1)"
	if q.db, err = sql.Open("sqlite", dsn); err != nil {
		return nil, fmt.Errorf("open the job queue %s: %w", path, err)
	}
	q.db.SetMaxOpenConns(1)
	driver := riversqlite.New(q.db)
	migrator, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: config.Logger})
	if err != nil {
		return nil, fmt.Errorf("migrate the job queue %s: %w", path, err)
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return nil, fmt.Errorf("migrate the job queue %s: %w", path, err)
	}
	if err := migrate(ctx, goose.DialectSQLite3, q.db, config.Logger); err != nil {
		return nil, err
	}
	if q.client, err = river.NewClient(driver, config); err != nil {
		return nil, fmt.Errorf("open the job queue %s: %w", path, err)
	}
	return q, nil
}

// lockFile takes the lock that the system releases when the process dies.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the job queue: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock the job queue %s: another scarp process uses this data folder (%w): stop it, choose another folder, or share a Postgres database", path, err)
	}
	return f, nil
}

func (q *sqliteQueue) inTx(ctx context.Context, f func(tx) error) error {
	raw, err := q.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("use the job queue: %w", err)
	}
	return runTx(ctx, q.client, raw, sqliteConn{raw}, f)
}

// start first puts back what a killed process has left as running: this
// process holds the file's lock, so nobody else can be at it.
func (q *sqliteQueue) start(ctx context.Context) error {
	if _, err := q.db.ExecContext(ctx, `UPDATE river_job SET state = 'available' WHERE state = 'running'`); err != nil {
		return fmt.Errorf("put back interrupted tasks: %w", err)
	}
	if err := q.client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start the job queue: %w", err)
	}
	return nil
}

func (q *sqliteQueue) reclaim(context.Context, time.Duration) (int64, error) { return 0, nil }
func (q *sqliteQueue) shared() bool                                          { return false }
func (q *sqliteQueue) stop(ctx context.Context) error                        { return q.client.StopAndCancel(ctx) }

func (q *sqliteQueue) close() error {
	var err error
	if q.db != nil {
		err = q.db.Close()
	}
	if q.lock != nil {
		q.lock.Close()
	}
	return err
}

type sqliteConn struct{ tx *sql.Tx }

func sqliteSQL(query string) string {
	return strings.ReplaceAll(query, "{now}", "CAST(unixepoch('subsec') * 1000000 AS INTEGER)")
}

func (c sqliteConn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	r, err := c.tx.ExecContext(ctx, sqliteSQL(query), args...)
	if err != nil {
		return 0, fmt.Errorf("use the job records: %w", err)
	}
	return r.RowsAffected()
}

func (c sqliteConn) query(ctx context.Context, query string, args []any, scan func(row) error) error {
	rows, err := c.tx.QueryContext(ctx, sqliteSQL(query), args...)
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

func (c sqliteConn) commit(context.Context) error   { return c.tx.Commit() }
func (c sqliteConn) rollback(context.Context) error { return c.tx.Rollback() }
