package inference

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	ort "github.com/yalue/onnxruntime_go"
)

// LibraryVariable is the environment variable that names ONNX Runtime's shared library.
const LibraryVariable = "SCARP_ONNXRUNTIME"

// Runtime is the process's ONNX Runtime. It stays loaded until the process ends.
type Runtime struct {
	library string
}

// environment guards what ONNX Runtime keeps once a process.
var environment struct {
	sync.Mutex
	opened *Runtime
}

// NewRuntime loads ONNX Runtime's shared library: the one given or, if that is
// empty, the first of $SCARP_ONNXRUNTIME, build/lib in the working directory,
// the folder of the executable (and its lib), and the system's. A process has
// one: later calls return it, or an error if they name another library.
func NewRuntime(library string) (*Runtime, error) {
	environment.Lock()
	defer environment.Unlock()
	path, tried := findLibrary(library)
	if path == "" {
		return nil, fmt.Errorf("find ONNX Runtime: no library at %s; get it with `make deps`, or set %s to the file's path", strings.Join(tried, ", "), LibraryVariable)
	}
	if opened := environment.opened; opened != nil {
		if library != "" && path != opened.library {
			return nil, fmt.Errorf("load ONNX Runtime from %s: %s is loaded already, and a process can have one only", path, opened.library)
		}
		return opened, nil
	}
	ort.SetSharedLibraryPath(path)
	if err := ort.InitializeEnvironment(ort.WithLogLevelError()); err != nil {
		return nil, fmt.Errorf("load ONNX Runtime from %s (looked for at %s; set %s to the library's path if it is elsewhere): %w", path, strings.Join(tried, ", "), LibraryVariable, err)
	}
	if err := ort.DisableTelemetry(); err != nil {
		return nil, fmt.Errorf("switch off ONNX Runtime's telemetry: %w", err)
	}
	environment.opened = &Runtime{library: path}
	return environment.opened, nil
}

// Library returns the path of the shared library.
func (r *Runtime) Library() string { return r.library }

// Version returns ONNX Runtime's version.
func (r *Runtime) Version() string { return ort.GetVersion() }

// findLibrary returns the path to load and the places that were looked at. The
// last resort is a bare name, for the system's loader to find.
func findLibrary(given string) (path string, tried []string) {
	if given == "" {
		given = os.Getenv(LibraryVariable)
	}
	if given != "" {
		if _, err := os.Stat(given); errors.Is(err, fs.ErrNotExist) {
			return "", []string{given}
		}
		return given, []string{given}
	}
	names := libraryNames()
	dirs := []string{filepath.Join("build", "lib")}
	if exe, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(exe), filepath.Join(filepath.Dir(exe), "lib"))
	}
	for _, dir := range dirs {
		for _, name := range names {
			file := filepath.Join(dir, name)
			tried = append(tried, file)
			if _, err := os.Stat(file); err == nil {
				if abs, err := filepath.Abs(file); err == nil {
					file = abs
				}
				return file, tried
			}
		}
	}
	return names[0], append(tried, "the system's "+names[0])
}

func libraryNames() []string {
	switch runtime.GOOS {
	case "darwin":
		return []string{"libonnxruntime.dylib"}
	case "windows":
		return []string{"onnxruntime.dll"}
	}
	return []string{"libonnxruntime.so.1", "libonnxruntime.so"}
}
