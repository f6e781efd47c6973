package server_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/ogc/ats"
)

// What the server declares at /conformance holds.
func TestConformance(t *testing.T) {
	url := shared(t)
	report := ats.Run(t, url, sharedServer.callbacks)
	out := os.Stdout
	if name := os.Getenv("SCARP_CONFORMANCE_TABLE"); name != "" {
		f, err := os.Create(name)
		require.NoError(t, err)
		defer f.Close()
		out = f
	}
	require.NoError(t, report.WriteMarkdown(out))
}
