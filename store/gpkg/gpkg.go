// Package gpkg keeps Scarp's data in one OGC GeoPackage (an SQLite file) that
// QGIS, GDAL and every other GIS opens as it is, spatial index included.
//
// One connection writes, several read, in write-ahead-log mode: readers never
// wait, and see the file as it was when their query began. Other processes may
// read and write the file at the same time.
package gpkg

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/scarp-map/scarp/store"
)

//go:embed migrations/*.sql
var migrations embed.FS

// patience is how long others who hold the file are waited for.
const patience = 15 * time.Second

// readers is how many queries run at once; the rest wait.
const readers = 4

// Store is a [store.Store] in a GeoPackage.
type Store struct {
	path        string
	write, read *sql.DB
	watch       *sql.DB // a connection of its own that sees whether the file has changed
	counts      *store.Counts
}

var _ store.Store = (*Store)(nil)

// Open opens the GeoPackage at path, made by Scarp, or makes it (and its
// folder) where there is none. The file must lie on a local disk.
func Open(ctx context.Context, path string) (*Store, error) {
	return open(ctx, path, "WAL")
}

// open uses the given journal mode: WAL for a file that is lived in, DELETE for one to give away.
func open(ctx context.Context, path, journal string) (*Store, error) {
	if err := registerFunctions(); err != nil {
		return nil, fmt.Errorf("register SQLite functions: %w", err)
	}
	if path == "" {
		return nil, errors.New("open GeoPackage: the path is empty")
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open GeoPackage: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make the folder of GeoPackage %s: %w", path, err)
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, fmt.Errorf("open GeoPackage %s: it is a folder; name a file in it", path)
	}
	s := &Store{path: path, counts: store.NewCounts()}
	common := url.Values{"_busy_timeout": {strconv.FormatInt(patience.Milliseconds(), 10)}, "_foreign_keys": {"1"}}
	// A commit is on the disk when Publish returns only with FULL; in WAL mode
	// that is one sync a transaction.
	s.write, err = connect(path, common, url.Values{"_journal_mode": {journal}, "_synchronous": {"FULL"}, "_txlock": {"immediate"}})
	if err != nil {
		return nil, s.explain("open", err)
	}
	s.write.SetMaxOpenConns(1)
	err = s.begin(ctx)
	if err == nil {
		err = s.prepare(ctx)
	}
	if err != nil {
		s.write.Close()
		return nil, s.explain("open", err)
	}
	for _, db := range []**sql.DB{&s.read, &s.watch} {
		if *db, err = connect(path, common, url.Values{"_query_only": {"1"}}); err != nil {
			return nil, errors.Join(s.explain("open", err), s.Close())
		}
	}
	s.read.SetMaxOpenConns(readers)
	s.read.SetMaxIdleConns(readers)
	s.watch.SetMaxOpenConns(1)
	return s, nil
}

func connect(path string, settings ...url.Values) (*sql.DB, error) {
	query := url.Values{}
	for _, set := range settings {
		for k, v := range set {
			query[k] = v
		}
	}
	dsn := (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String()
	connector, err := sqlite.NewConnector(dsn)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// begin makes the first connection. It may turn the log on, for which SQLite
// wants the file alone: where others open it at the same time SQLite does not
// wait for them, as it does for writers, and so this does.
func (s *Store) begin(ctx context.Context) error {
	for end := time.Now().Add(patience); ; {
		err := s.write.PingContext(ctx)
		var e *sqlite.Error
		if !errors.As(err, &e) || e.Code()&0xff != sqlite3.SQLITE_BUSY || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// prepare makes sure that the file is Scarp's and brings its tables up to date.
func (s *Store) prepare(ctx context.Context) error {
	var tables, ours int
	err := s.write.QueryRowContext(ctx, `SELECT count(*), count(*) FILTER (WHERE name = 'goose_db_version') FROM sqlite_master`).
		Scan(&tables, &ours)
	if err != nil {
		return err
	}
	if tables > 0 && ours == 0 {
		return errors.New("it is an SQLite file that Scarp did not make; name another path, where Scarp makes a new one")
	}
	return s.migrate(ctx)
}

// migrate applies the migrations that the file lacks, each in a transaction.
// SQLite has no advisory locks: where another process migrates at the same
// time, the later one fails on what the first has made, and finds on a second
// look that nothing is left to do.
func (s *Store) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, s.write, files,
		goose.WithGoMigrations(goose.NewGoMigration(6, &goose.GoFunc{RunTx: levelRuns}, nil)),
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	for changed := false; ; changed = true {
		before, target, err := provider.GetVersions(ctx)
		if err != nil {
			return fmt.Errorf("read the version of the tables: %w", err)
		}
		if before > target {
			return fmt.Errorf("its tables are of version %d, made by a newer Scarp; this one knows %d: use the newer one", before, target)
		}
		if before == target && !changed {
			return nil
		}
		if before == target {
			// GDAL looks for the application id in the file itself, not in the log.
			_, err := s.write.ExecContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`)
			return err
		}
		if _, err = provider.UpByOne(ctx); err == nil || errors.Is(err, goose.ErrNoNextVersion) {
			continue
		}
		if after, _, look := provider.GetVersions(ctx); look != nil || after == before {
			return fmt.Errorf("bring the tables up to date: %w", err)
		}
	}
}

// Ping reads from the file.
func (s *Store) Ping(ctx context.Context) error {
	var n int
	if err := s.read.QueryRowContext(ctx, `SELECT count(*) FROM gpkg_contents`).Scan(&n); err != nil {
		return s.explain("read", err)
	}
	return nil
}

// Secret reads the file's key.
func (s *Store) Secret(ctx context.Context) ([]byte, error) {
	var secret []byte
	if err := s.read.QueryRowContext(ctx, `SELECT value FROM scarp_secrets WHERE name = 'tokens'`).Scan(&secret); err != nil {
		return nil, s.explain("read the key of", err)
	}
	return secret, nil
}

// Close closes the file and folds the write-ahead log into it.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.watch, s.read, s.write} { // the writer last: only it may fold the log
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	if err := errors.Join(errs...); err != nil {
		return s.explain("close", err)
	}
	return nil
}

// version is a mark that changes whenever anybody changes the file.
func (s *Store) version(ctx context.Context) (string, error) {
	var version string
	if err := s.watch.QueryRowContext(ctx, `PRAGMA data_version`).Scan(&version); err != nil {
		return "", s.explain("read", err)
	}
	return version, nil
}

// explain says what was done to which file, and how to mend what SQLite complains of.
func (s *Store) explain(doing string, err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("%s GeoPackage %s: %w", doing, s.path, err)
	}
	hint := ""
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT:
		hint = "the file is damaged or no GeoPackage: restore a backup, rescue what is readable with `sqlite3 " + s.path +
			" .recover`, or move the file away and a new one is made"
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		hint = "the folder and the file must be writable by this user (SQLite keeps its log beside the file)"
	case sqlite3.SQLITE_BUSY:
		hint = "another program holds the file locked: close its editing session"
	case sqlite3.SQLITE_FULL:
		hint = "the disk is full"
	case sqlite3.SQLITE_IOERR:
		hint = "the disk or network drive failed; the file must lie on a local disk"
	}
	if hint == "" {
		return fmt.Errorf("%s GeoPackage %s: %w", doing, s.path, err)
	}
	return fmt.Errorf("%s GeoPackage %s: %s: %w", doing, s.path, hint, err)
}

// update runs f in a transaction that holds the write lock from its beginning.
func (s *Store) update(ctx context.Context, doing string, f func(tx *sql.Tx) error) error {
	return s.transact(ctx, s.write, doing, f)
}

// view runs f on one unchanging state of the file.
func (s *Store) view(ctx context.Context, doing string, f func(tx *sql.Tx) error) error {
	return s.transact(ctx, s.read, doing, f)
}

func (s *Store) transact(ctx context.Context, db *sql.DB, doing string, f func(tx *sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return s.explain(doing, err)
	}
	defer tx.Rollback() // a no-op after the commit
	if err := f(tx); err != nil {
		if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
			return err
		}
		return s.explain(doing, err)
	}
	if err := tx.Commit(); err != nil {
		return s.explain(doing, err)
	}
	return nil
}

// placeholders is "?, ?, …" for the columns of a list.
func placeholders(columns string) string {
	return strings.TrimSuffix(strings.Repeat("?, ", strings.Count(columns, ",")+1), ", ")
}
