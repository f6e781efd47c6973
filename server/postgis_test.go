package server_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/store/postgrestest"
)

// Two servers share a database: an event that one registers is mapped by
// either, and both serve what was published.
func TestServersShareADatabase(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a whole server")
	}
	database := postgrestest.URL(t)
	cache := "file://" + t.TempDir()
	first, second := t.TempDir(), t.TempDir()
	event := writeEvent(t, first)
	require.NoError(t, os.MkdirAll(filepath.Join(first, "events"), 0o755))
	f, err := os.Create(filepath.Join(first, "events", "valley.yaml"))
	require.NoError(t, err)
	require.NoError(t, event.WriteYAML(f))
	require.NoError(t, f.Close())

	one, stopOne := start(t, defaults(t, first, "--database-url", database, "--cache-url", cache))
	defer stopOne()
	two, stopTwo := start(t, defaults(t, second, "--database-url", database, "--cache-url", cache, "--allow", first))
	defer stopTwo()

	mapEvent(t, two)
	items := "/collections/" + eventID + "_landslides/items?limit=1"
	matched := decode(t, one+items)["numberMatched"]
	assert.Equal(t, matched, decode(t, two+items)["numberMatched"])
	assert.Greater(t, matched, 0.0)
	assert.Len(t, decode(t, one+"/jobs")["jobs"], 1, "jobs are shared as well")
}
