package server_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A person runs processes from the forms that their descriptions make.
func TestBrowserRunsProcesses(t *testing.T) {
	url := shared(t)
	out := runTool(t, 5*time.Minute, tool(t, "node"), "../web/test/processes.mjs", url, eventID, screenshots(t))
	var seen struct{ Lines struct{ Features int } }
	require.NoError(t, json.Unmarshal(lastLine(out), &seen), "%s", out)
	assert.Equal(t, 1, seen.Lines.Features)
}

// Callbacks go nowhere until the operator says where they may go.
func TestCallbacksAreRefusedAtFirst(t *testing.T) {
	url := shared(t)
	answer, text := send(t, "POST", url+"/processes/echo/execution", `{"inputs": {"message": "a"}, "subscriber": {"successUri": "http://127.0.0.1:1/"}}`, "Content-Type", "application/json")
	assert.Equal(t, 400, answer.StatusCode, "%s", text)
	assert.Contains(t, string(text), "callback-hosts")
}
