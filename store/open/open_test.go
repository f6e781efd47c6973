package open_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/store/gpkg"
	"github.com/scarp-map/scarp/store/open"
	"github.com/scarp-map/scarp/store/postgis"
	"github.com/scarp-map/scarp/store/postgrestest"
)

func TestOpenChoosesTheStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scarp.gpkg")
	for _, url := range []string{path, "gpkg:" + path, "gpkg://" + path} {
		s, err := open.Open(t.Context(), url)
		require.NoError(t, err, url)
		assert.IsType(t, &gpkg.Store{}, s)
		assert.FileExists(t, path)
		require.NoError(t, s.Close())
	}
	s, err := open.Open(t.Context(), postgrestest.URL(t))
	require.NoError(t, err)
	assert.IsType(t, &postgis.Store{}, s)
	require.NoError(t, s.Close())

	_, err = open.Open(t.Context(), "mysql://user:s3cr3t@host/db")
	require.ErrorContains(t, err, "no store for mysql://")
	assert.NotContains(t, err.Error(), "s3cr3t")
}
