package postgrestest_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/store/postgrestest"
)

func TestURLIsAnEmptyDatabaseWithPostGIS(t *testing.T) {
	first, second := postgrestest.URL(t), postgrestest.URL(t)
	assert.NotEqual(t, first, second)
	conn, err := pgx.Connect(t.Context(), first)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	var version string
	require.NoError(t, conn.QueryRow(t.Context(), `SELECT postgis_version()`).Scan(&version))
	assert.NotEmpty(t, version)
}

// A test binary that is killed, here this one run as a child, leaves neither
// its server nor its folder.
func TestNothingIsLeftBehindByAKilledTest(t *testing.T) {
	if os.Getenv("SCARP_TEST_DATABASE_URL") != "" {
		t.Skip("the server is not ours to stop")
	}
	postgrestest.URL(t) // skips where there is no PostgreSQL
	child := exec.Command(os.Args[0], "-test.run=^TestChild$", "-test.v")
	child.Env = append(os.Environ(), "SCARP_TEST_CHILD=1")
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	url := ""
	for lines := bufio.NewScanner(out); url == "" && lines.Scan(); {
		url, _ = strings.CutPrefix(lines.Text(), "database ")
		if !strings.HasPrefix(url, "postgres://") {
			url = ""
		}
	}
	require.NotEmpty(t, url)
	config, err := pgx.ParseConfig(url)
	require.NoError(t, err)
	require.DirExists(t, config.Host)

	require.NoError(t, child.Process.Kill())
	child.Wait()
	require.Eventually(t, func() bool {
		_, err := os.Stat(config.Host)
		return os.IsNotExist(err)
	}, time.Minute, 20*time.Millisecond, "the guard removes the folder when the server has ended")
}

func TestChild(t *testing.T) {
	if os.Getenv("SCARP_TEST_CHILD") == "" {
		t.Skip("runs as the child of another test")
	}
	os.Stdout.WriteString("database " + postgrestest.URL(t) + "\n")
	select {}
}
