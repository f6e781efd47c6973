package server_test

import (
	"os"
	"testing"
	"time"
)

// OWSLib executes, polls, fetches and dismisses. Debian's is too old for that,
// so that it comes from PyPI: see scripts/clients-requirements.txt.
func TestOWSLibExecutesProcesses(t *testing.T) {
	url := shared(t)
	name := os.Getenv("SCARP_TEST_PYTHON")
	if name == "" {
		name = "../build/clients/bin/python"
	}
	python := tool(t, name, "-c", "from owslib.ogcapi.processes import Processes; Processes.execute")
	t.Logf("%s", runTool(t, 5*time.Minute, python, "testdata/owslib_processes.py", url, eventID))
}
