// Package postgis keeps Scarp's data in a PostgreSQL database with PostGIS, in
// the schema scarp, for one server or many.
package postgis

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"github.com/scarp-map/scarp/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Advisory locks: servers that start together migrate one after the other, and
// writers take turns, so that ids ascend in order of publication.
const (
	migrationLock = 0x5CA2_0001
	writerLock    = 0x5CA2_0002
)

// Store is a [store.Store] in PostGIS.
type Store struct {
	pool   *pgxpool.Pool
	counts *store.Counts
}

var _ store.Store = (*Store)(nil)

// Open connects to the database at a postgres:// URL, and makes Scarp's tables
// or brings them up to date. The user must own the database or at least be
// allowed to create schemas in it; PostGIS must be installed on the server.
// Errors never show the password.
func Open(ctx context.Context, url string) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// What pgx says may quote the URL, with its password.
		return nil, errors.New("open PostGIS: the database URL is malformed: write postgres://user:password@host:port/database, with special characters of the password percent-encoded")
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = 10 * time.Second
	}
	config.AfterConnect = quick
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("open PostGIS: %w", err)
	}
	s := &Store{pool, store.NewCounts()}
	if err := s.migrate(ctx); err != nil {
		pool.Close()
		return nil, s.explain("open", err)
	}
	return s, nil
}

// quick sets a connection up for many small questions: starting parallel
// workers takes longer than such an answer, and a plan that does not look at
// the box of a question is seldom the one for it.
func quick(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SET max_parallel_workers_per_gather = 0; SET plan_cache_mode = force_custom_plan`)
	return err
}

// migrate applies the migrations that the database lacks, each in a transaction.
func (s *Store) migrate(ctx context.Context) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, migrationLock); err != nil {
		return fmt.Errorf("wait for other servers' migrations: %w", err)
	}
	defer conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, migrationLock)
	// Looked for first: a user who owns a schema made for it may not make one.
	var exists bool
	if err := conn.QueryRow(ctx, `SELECT to_regnamespace('scarp') IS NOT NULL`).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		if _, err := conn.Exec(ctx, `CREATE SCHEMA scarp`); err != nil {
			return fmt.Errorf("make schema scarp: %w", err)
		}
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	// Of its own, so that the lock's connection does not count against a small pool.
	db := stdlib.OpenDB(*s.pool.Config().ConnConfig)
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files, goose.WithTableName("scarp.goose_db_version"),
		goose.WithGoMigrations(goose.NewGoMigration(6, &goose.GoFunc{RunTx: addLevels}, nil)),
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring the tables up to date: %w", err)
	}
	version, target, err := provider.GetVersions(ctx)
	if err == nil && version > target {
		err = fmt.Errorf("its tables are of version %d, made by a newer Scarp; this one knows %d: use the newer one", version, target)
	}
	return err
}

// Ping asks the database for a sign of life.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return s.explain("reach", err)
	}
	return nil
}

// Secret reads the database's key.
func (s *Store) Secret(ctx context.Context) ([]byte, error) {
	var secret []byte
	if err := s.pool.QueryRow(ctx, `SELECT value FROM scarp.secrets WHERE name = 'tokens'`).Scan(&secret); err != nil {
		return nil, s.explain("read the key of", err)
	}
	return secret, nil
}

// Close waits for running queries and closes the connections.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// explain says what was done to which database, and how to mend what often fails.
func (s *Store) explain(doing string, err error) error {
	c := s.pool.Config().ConnConfig
	where := fmt.Sprintf("PostGIS database %q on %s", c.Database, net.JoinHostPort(c.Host, fmt.Sprint(c.Port)))
	hint := ""
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		switch pg.Code {
		case "22021": // character not in repertoire: NUL or broken UTF-8
			return fmt.Errorf("%s PostGIS: a name that can't be one: %w", doing, store.ErrNotFound)
		case "0A000", "58P01": // feature not supported, undefined file
			if pg.Routine == "parse_extension_control_file" || pg.Code == "0A000" {
				hint = "install PostGIS on the database server: "
			}
		case "42501": // insufficient privilege
			hint = "the user must be allowed to create schemas and, where PostGIS is not yet in the database, its extension (a superuser runs CREATE EXTENSION postgis): "
		case "28P01", "28000": // invalid password, invalid authorization
			hint = "check user and password of the database URL: "
		case "3D000": // invalid catalog name
			hint = "create the database first: "
		}
	}
	return fmt.Errorf("%s %s: %s%w", doing, where, hint, err)
}

// update runs f in a transaction, after those of other writers.
func (s *Store) update(ctx context.Context, doing string, f func(tx pgx.Tx) error) error {
	return s.transact(ctx, pgx.TxOptions{}, doing, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, writerLock); err != nil {
			return fmt.Errorf("wait for other writers: %w", err)
		}
		return f(tx)
	})
}

// view runs f on one unchanging state of the database.
func (s *Store) view(ctx context.Context, doing string, f func(tx pgx.Tx) error) error {
	return s.transact(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, doing, f)
}

func (s *Store) transact(ctx context.Context, options pgx.TxOptions, doing string, f func(tx pgx.Tx) error) error {
	err := pgx.BeginTxFunc(ctx, s.pool, options, f)
	if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
		return err
	}
	return s.explain(doing, err)
}
