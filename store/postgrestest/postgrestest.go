// Package postgrestest gives tests databases of a real PostgreSQL with PostGIS:
// of a throwaway cluster that it starts itself, or of the server that
// SCARP_TEST_DATABASE_URL names.
package postgrestest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// URL returns the URL of a new, empty database with PostGIS that goes at the
// test's end. The test is skipped where there is no PostgreSQL or no PostGIS,
// or fails when SCARP_REQUIRE_POSTGIS=1.
func URL(t testing.TB) string {
	t.Helper()
	server, err := startOnce()
	if err != nil {
		if os.Getenv("SCARP_REQUIRE_POSTGIS") == "1" {
			t.Fatalf("SCARP_REQUIRE_POSTGIS=1, but there is no PostGIS: %v", err)
		}
		if errors.Is(err, errAbsent) {
			t.Skipf("%v; install postgresql and postgis, or set SCARP_TEST_DATABASE_URL", err)
		}
		t.Fatalf("start PostgreSQL: %v", err)
	}
	name := "scarp_test_" + rand.Text()[:12]
	if err := server.run(t.Context(), `CREATE DATABASE "`+name+`"`); err != nil {
		t.Fatalf("make a test database: %v", err)
	}
	t.Cleanup(func() {
		// FORCE: a test may leave connections open, that is not what it is about.
		if err := server.run(context.Background(), `DROP DATABASE "`+name+`" WITH (FORCE)`); err != nil {
			t.Errorf("drop the test database: %v", err)
		}
	})
	database, err := server.database(name)
	if err == nil {
		err = run(t.Context(), database, `CREATE EXTENSION IF NOT EXISTS postgis`)
	}
	if err != nil {
		t.Fatalf("install PostGIS in the test database: %v", err)
	}
	return database
}

// errAbsent means that PostgreSQL or PostGIS is not installed.
var errAbsent = errors.New("PostgreSQL with PostGIS is not installed")

// server is where databases are made: the URL of its maintenance database.
type server struct{ url string }

// startOnce starts one cluster for all tests of the binary.
var startOnce = sync.OnceValues(func() (server, error) {
	if given := os.Getenv("SCARP_TEST_DATABASE_URL"); given != "" {
		return server{given}, nil
	}
	return startCluster()
})

// database is the server's URL with the database's name in it.
func (s server) database(name string) (string, error) {
	u, err := url.Parse(s.url)
	if err != nil {
		return "", errors.New("SCARP_TEST_DATABASE_URL is not a URL like postgres://user:password@host:port/database")
	}
	u.Path = "/" + name
	return u.String(), nil
}

func (s server) run(ctx context.Context, statement string) error { return run(ctx, s.url, statement) }

func run(ctx context.Context, url, statement string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}
