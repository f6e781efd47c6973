package ats_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/ogc/ats"
)

// The suites against a server that runs already, which SCARP_TEST_SERVER
// names, with the address for callbacks that it allows in SCARP_TEST_CALLBACKS; the tests of package server run them against one of their own.
func TestServer(t *testing.T) {
	url := os.Getenv("SCARP_TEST_SERVER")
	if url == "" {
		t.Skip("SCARP_TEST_SERVER names no server to test")
	}
	report := ats.Run(t, url, os.Getenv("SCARP_TEST_CALLBACKS"))
	require.NoError(t, report.WriteMarkdown(os.Stdout))
}
