package gpkg_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/gpkg"
	"github.com/scarp-map/scarp/store/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, filepath.Join(t.TempDir(), "scarp.gpkg")) })
}

func BenchmarkStore(b *testing.B) {
	storetest.Benchmark(b, open(b, filepath.Join(b.TempDir(), "scarp.gpkg")))
}

func open(t testing.TB, path string) *gpkg.Store {
	t.Helper()
	s, err := gpkg.Open(t.Context(), path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}
