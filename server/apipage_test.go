package server_test

import (
	"testing"
	"time"
)

// A person reads the API's description and tries an operation, with nothing
// from elsewhere.
func TestAPIPage(t *testing.T) {
	url := shared(t)
	node := tool(t, "node")
	t.Logf("%s", runTool(t, 5*time.Minute, node, "../web/test/try.mjs", url))
}
