package gpkg_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/store/gpkg"
	"github.com/scarp-map/scarp/store/storetest"
)

func BenchmarkMillion(b *testing.B) {
	path := filepath.Join(b.TempDir(), "million.gpkg")
	require.NoError(b, gpkg.Export(b.Context(), path, storetest.Event("e"), storetest.BigRun(), storetest.InRows("big")))
	storetest.BenchmarkMillion(b, open(b, path))
}
