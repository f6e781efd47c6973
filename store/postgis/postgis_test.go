package postgis_test

import (
	"context"
	"fmt"
	neturl "net/url"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"scarp/store"
	"scarp/store/postgis"
	"scarp/store/postgrestest"
	"scarp/store/storetest"
)

func TestStore(t *testing.T) {
	url := postgrestest.URL(t)
	storetest.Run(t, func(t *testing.T) store.Store {
		execute(t, url, `DROP SCHEMA IF EXISTS scarp CASCADE`) // quicker than a database each
		return open(t, url)
	})
}

func BenchmarkStore(b *testing.B) { storetest.Benchmark(b, open(b, postgrestest.URL(b))) }

func open(t testing.TB, url string) *postgis.Store {
	t.Helper()
	s, err := postgis.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func execute(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), statement)
	require.NoError(t, err)
}

func TestServersStartTogetherAndAgain(t *testing.T) {
	url := postgrestest.URL(t)
	stores := make([]*postgis.Store, 4)
	var g errgroup.Group
	for i := range stores {
		g.Go(func() (err error) {
			stores[i], err = postgis.Open(t.Context(), url)
			return err
		})
	}
	require.NoError(t, g.Wait())
	require.NoError(t, stores[0].PutEvent(t.Context(), storetest.Event("noto")))
	for _, s := range stores {
		_, err := s.Event(t.Context(), "noto")
		require.NoError(t, err)
		require.NoError(t, s.Close())
	}
	_, err := open(t, url).Event(t.Context(), "noto")
	require.NoError(t, err)

	execute(t, url, `INSERT INTO scarp.goose_db_version (version_id, is_applied) VALUES (99, true)`)
	_, err = postgis.Open(t.Context(), url)
	assert.ErrorContains(t, err, "newer Scarp")
}

func TestDatabasesFromBeforeLevelsAreDrawnTheSame(t *testing.T) {
	url := postgrestest.URL(t)
	s := open(t, url)
	require.NoError(t, s.PutEvent(t.Context(), storetest.Event("e")))
	require.NoError(t, s.Publish(t.Context(), storetest.NewRun("run", "e", 1), storetest.Scattered(4000)))
	drawn := func(s store.Store) (ids []int64) {
		page, err := s.Landslides(t.Context(), store.Query{Event: "e", BBox: &[4]float64{135, 35, 140, 40}, Sketch: 1000, Limit: store.MaxLimit})
		require.NoError(t, err)
		for _, l := range page.Landslides {
			ids = append(ids, l.ID)
		}
		return ids
	}
	expected := drawn(s)
	assert.Less(t, len(expected), 4000, "the landslides of a level, not all")
	execute(t, url, `DROP INDEX scarp.landslides_drawn, scarp.landslides_area; ALTER TABLE scarp.landslides DROP COLUMN height,
		ADD COLUMN west float8, ADD COLUMN south float8, ADD COLUMN east float8, ADD COLUMN north float8;
		CREATE INDEX landslides_area ON scarp.landslides (run); DELETE FROM scarp.goose_db_version WHERE version_id > 5`)
	assert.Equal(t, expected, drawn(open(t, url)))
}

// A constraint of the test's refuses a landslide when others are in.
func TestFailureInTheMiddleLeavesTheOldRun(t *testing.T) {
	url := postgrestest.URL(t)
	s := open(t, url)
	require.NoError(t, s.PutEvent(t.Context(), storetest.Event("noto")))
	require.NoError(t, s.Publish(t.Context(), storetest.NewRun("run", "noto", 1), storetest.Landslides(5)))
	before, err := s.Landslides(t.Context(), store.Query{Event: "noto"})
	require.NoError(t, err)
	execute(t, url, `ALTER TABLE scarp.landslides ADD CONSTRAINT disk_on_fire CHECK (area_m2 <> 607)`)
	for _, id := range []string{"run", "new"} {
		err = s.Publish(t.Context(), storetest.NewRun(id, "noto", 2), storetest.Landslides(8))
		require.ErrorContains(t, err, "disk_on_fire")
		after, err := s.Landslides(t.Context(), store.Query{Event: "noto"})
		require.NoError(t, err)
		assert.Equal(t, before, after)
	}
}

// A cluster that lets everybody in can't refuse a password: these connections fail otherwise.
func TestErrorsTellHowToMendAndHideThePassword(t *testing.T) {
	for name, test := range map[string]struct{ url, says string }{
		"nobody listens":   {"postgres://scarp:s3cr3t@127.0.0.1:1/scarp", "127.0.0.1:1"},
		"malformed port":   {"postgres://scarp:s3cr3t@host:port/scarp", "malformed"},
		"unescaped":        {"postgres://scarp:s3cr3t#/@host/scarp", "malformed"},
		"password as word": {"postgres://scarp@host:port/scarp?password=s3cr3t", "malformed"},
	} {
		_, err := postgis.Open(t.Context(), test.url)
		require.ErrorContains(t, err, test.says, name)
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err)} {
			assert.NotContains(t, text, "s3cr3t", name)
		}
	}
	url := postgrestest.URL(t)
	config, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	_, err = postgis.Open(t.Context(), fmt.Sprintf("postgres:///nowhere?host=%s&port=%d&user=%s&password=s3cr3t", config.Host, config.Port, config.User))
	require.ErrorContains(t, err, "create the database first")
	assert.NotContains(t, err.Error(), "s3cr3t")
}

// A careful administrator makes the schema and gives the server a user who can do nothing else.
func TestUserWithASchemaOnly(t *testing.T) {
	url := postgrestest.URL(t)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	role := pgx.Identifier{"only_" + conn.Config().Database}.Sanitize()
	_, err = conn.Exec(t.Context(), `CREATE ROLE `+role+` LOGIN PASSWORD 's3cr3t'`)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := conn.Exec(context.Background(), `DROP OWNED BY `+role+` CASCADE; DROP ROLE `+role)
		assert.NoError(t, err)
		conn.Close(context.Background())
	})

	limited, err := neturl.Parse(url)
	require.NoError(t, err)
	query := limited.Query()
	query.Set("user", "only_"+conn.Config().Database)
	query.Set("password", "s3cr3t")
	limited.User, limited.RawQuery = nil, query.Encode()
	_, err = postgis.Open(t.Context(), limited.String())
	require.ErrorContains(t, err, "allowed to create schemas")
	assert.NotContains(t, err.Error(), "s3cr3t")

	_, err = conn.Exec(t.Context(), `CREATE SCHEMA scarp AUTHORIZATION `+role)
	require.NoError(t, err)
	s, err := postgis.Open(t.Context(), limited.String())
	require.NoError(t, err)
	require.NoError(t, s.PutEvent(t.Context(), storetest.Event("noto")))
	require.NoError(t, s.Publish(t.Context(), storetest.NewRun("run", "noto", 1), storetest.Landslides(2000)))
	require.NoError(t, s.Close())
}

func TestPagesUseTheIndexes(t *testing.T) {
	url := postgrestest.URL(t)
	s := open(t, url)
	require.NoError(t, s.PutEvent(t.Context(), storetest.Event("noto")))
	require.NoError(t, s.Publish(t.Context(), storetest.NewRun("large", "noto", 1), storetest.Landslides(3000)))
	require.NoError(t, s.Publish(t.Context(), storetest.NewRun("small", "noto", 2), storetest.Landslides(30)))
	execute(t, url, `ANALYZE scarp.landslides`)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	for condition, index := range map[string]string{
		`run = 'small' AND id > 100 ORDER BY id LIMIT 10`:                                      "landslides_run",
		`ST_Intersects(geom, ST_MakeEnvelope(137, 37, 137.02, 38, 4326)) ORDER BY id LIMIT 10`: "landslides_geom",
	} {
		rows, err := conn.Query(t.Context(), `EXPLAIN SELECT * FROM scarp.landslides WHERE `+condition)
		require.NoError(t, err)
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		require.NoError(t, err)
		assert.Contains(t, fmt.Sprint(plan), index)
	}
}
