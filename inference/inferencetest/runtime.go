// Package inferencetest helps tests that predict: it finds ONNX Runtime, and
// has a predictor that needs neither it nor a model.
package inferencetest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/scarp-map/scarp/inference"
)

// RequireVariable is the environment variable that makes tests fail, rather
// than be skipped, when ONNX Runtime is absent.
const RequireVariable = "SCARP_REQUIRE_ONNXRUNTIME"

// Runtime returns ONNX Runtime: the library that $SCARP_ONNXRUNTIME names, or
// build/lib of the repository, or what the system has. Without any the test is skipped.
func Runtime(t testing.TB) *inference.Runtime {
	t.Helper()
	rt, err := inference.NewRuntime(library())
	if err == nil {
		return rt
	}
	if os.Getenv(RequireVariable) != "" {
		t.Fatal(err)
	}
	t.Skipf("%v (this test needs it; with %s set it would fail)", err, RequireVariable)
	return nil
}

func library() string {
	if os.Getenv(inference.LibraryVariable) != "" {
		return ""
	}
	candidates := []string{"/opt/onnxruntime/libonnxruntime.so.1"}
	if root := RepositoryRoot(); root != "" {
		candidates = append([]string{filepath.Join(root, "build", "lib", "libonnxruntime.so.1")}, candidates...)
	}
	for _, c := range candidates {
		if _, err := os.Stat(c); err == nil {
			return c
		}
	}
	return ""
}

// RepositoryRoot returns the folder of go.mod above the working directory, or "".
func RepositoryRoot() string {
	dir, err := os.Getwd()
	if err != nil {
		return ""
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}
