package inference_test

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/inference"
)

func testdata() []fs.FS { return []fs.FS{os.DirFS("testdata")} }

// tinyFiles returns the files of the tiny bitemporal model in folder name, with its manifest edited.
func tinyFiles(t *testing.T, name string, edit func(string) string) fstest.MapFS {
	t.Helper()
	manifest, err := os.ReadFile("testdata/tiny-bitemporal/manifest.yaml")
	require.NoError(t, err)
	onnx, err := os.ReadFile("testdata/tiny-bitemporal/tiny.onnx")
	require.NoError(t, err)
	return fstest.MapFS{
		name + "/manifest.yaml": {Data: []byte(edit(string(manifest)))},
		name + "/tiny.onnx":     {Data: onnx},
	}
}

func TestDefaultsOfAManifest(t *testing.T) {
	var m inference.Manifest
	for _, model := range tinyModels(t, nil) {
		if model.Name() == "tiny-bitemporal" {
			m = model.Manifest
		}
	}
	assert.Equal(t, []string{"thick", "thin"}, m.Imagery.ExcludeClouds)
	assert.Equal(t, 16, m.Patch.MaxBatch)
	c := m.Inputs[0].Channels[0]
	assert.Equal(t, "pre", c.Date, "from the input's defaults")
	assert.Equal(t, 10000.0, *c.Divisor)
	assert.Equal(t, []float64{0, 1}, c.Clip)
	assert.Equal(t, 0.0, *c.Missing.Fill)
	assert.Equal(t, 0.5, *m.Inputs[2].Channels[2].AngleFactor)
	assert.Equal(t, 1.0, *m.Inputs[2].Channels[0].AngleFactor)
	assert.Equal(t, 1.0, *m.Inputs[2].Channels[3].Divisor/2)
}

// A bad model is refused with every reason at once, and the others are served.
func TestBadModelsAreRefused(t *testing.T) {
	replace := func(pairs ...string) func(string) string {
		return func(s string) string {
			for i := 0; i < len(pairs); i += 2 {
				s = regexp.MustCompile(pairs[i]).ReplaceAllString(s, pairs[i+1])
			}
			return s
		}
	}
	for name, c := range map[string]struct {
		edit func(string) string
		want []string
	}{
		"not YAML":         {func(string) string { return "\tname: [" }, []string{"it is not YAML"}},
		"not a map":        {func(string) string { return "- a" }, []string{"object"}},
		"empty":            {func(string) string { return "" }, []string{"object"}},
		"several at once":  {replace(`name: tiny-bitemporal`, "name: Tiny!", `threshold: 0.5`, "threshold: 2", `kind: bitemporal`, "kind: tritemporal", `- band: B04`, "- band: B44"), []string{"/name", "/threshold", "/kind", "/inputs/0/channels/3/band"}},
		"unknown field":    {replace(`halo: 2`, "halo: 2\n  hallo: 3"), []string{"hallo"}},
		"no schema":        {replace(`schema: 1\n`, ""), []string{"schema"}},
		"path as a file":   {replace(`file: tiny.onnx`, "file: ../tiny-single/tiny.onnx"), []string{"/model/file"}},
		"absent file":      {replace(`file: tiny.onnx`, "file: other.onnx"), []string{"/model/file", "other.onnx"}},
		"digest":           {replace(`sha256: ..`, "sha256: 00"), []string{"/model/sha256"}},
		"patch geometry":   {replace(`size: 256`, "size: 250", `halo: 2`, "halo: 125", `overlap: 64`, "overlap: 300"), []string{"/patch/size", "/patch/halo", "/patch/overlap"}},
		"resolution":       {replace(`resolution_m: 10`, "resolution_m: 20"), []string{"/imagery/resolution_m"}},
		"tensor names":     {replace(`tensor: pre`, "tensor: before", `tensor: logits`, "tensor: out"), []string{`no input "before"`, `input "pre" is not described`, `no output "out"`}},
		"too few channels": {replace(`(?m)^  - terrain: slope\n.*\n`, ""), []string{"/inputs/2/channels: 3 are listed", "has 4"}},
		"output channel":   {replace(`channel: 0`, "channel: 1", `activation: sigmoid`, "activation: softmax"), []string{"/output/channel: 1", "/output/activation"}},
		"no date":          {replace(`(?m)^    date: post\n`, ""), []string{"/inputs/1/channels/0/date", "/kind"}},
		"kind":             {replace(`kind: bitemporal`, "kind: single-date"), []string{"/kind: a single-date model reads post"}},
		"clip":             {replace(`(?m)clip:\n    - 0\n    - 1`, "clip: [1, 0]"), []string{"lowest 1 is above highest 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			files := tinyFiles(t, "bad", c.edit)
			for path, f := range tinyFiles(t, "good", func(s string) string { return s }) {
				files[path] = f
			}
			models, err := inference.LoadModels([]fs.FS{files}, nil)
			var refused *inference.RefusedError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, "bad/manifest.yaml", refused.Path)
			for _, want := range c.want {
				assert.Contains(t, strings.Join(refused.Reasons, "\n"), want)
			}
			require.Len(t, models, 1)
			assert.Equal(t, "tiny-bitemporal", models[0].Name())
		})
	}
}

func TestFilesThatAreNoModelsAreRefused(t *testing.T) {
	for name, content := range map[string]string{"text": "hello, world", "nothing": "", "cut short": "\x08\x08\x3a\xff\xff\x7f"} {
		t.Run(name, func(t *testing.T) {
			files := tinyFiles(t, "m", func(s string) string {
				return regexp.MustCompile(`sha256: \w+`).ReplaceAllString(s, fmt.Sprintf("sha256: %x", sha256.Sum256([]byte(content))))
			})
			files["m/tiny.onnx"].Data = []byte(content)
			_, err := inference.LoadModels([]fs.FS{files}, nil)
			assert.ErrorContains(t, err, "tiny.onnx: it is not an ONNX model")
		})
	}
}

func TestModelsOfTheSameNameAreServedOnce(t *testing.T) {
	same := func(s string) string { return s }
	models, err := inference.LoadModels([]fs.FS{tinyFiles(t, "a", same), tinyFiles(t, "b", same)}, nil)
	assert.ErrorContains(t, err, `there is a model "tiny-bitemporal" already`)
	assert.Len(t, models, 1)
}

// Nothing outside the models folder is opened, not even through a link.
func TestModelsFolderCanNotBeLeft(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(filepath.Join(dir, "outside"), os.DirFS("testdata/tiny-bitemporal")))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "models", "m"), 0o755))
	require.NoError(t, os.Symlink(filepath.Join(dir, "outside", "tiny.onnx"), filepath.Join(dir, "models", "m", "tiny.onnx")))
	require.NoError(t, os.Link(filepath.Join(dir, "outside", "manifest.yaml"), filepath.Join(dir, "models", "m", "manifest.yaml")))
	folder, err := inference.ModelsFolder(filepath.Join(dir, "models"))
	require.NoError(t, err)
	models, err := inference.LoadModels([]fs.FS{folder}, nil)
	assert.Empty(t, models)
	assert.ErrorContains(t, err, "escapes")
	_, err = inference.ModelsFolder(filepath.Join(dir, "absent"))
	assert.ErrorContains(t, err, "absent")
}

func TestUnknownModel(t *testing.T) {
	e := newEngine(t, func(c *inference.Config) { c.DefaultModel = "tiny-single" })
	m, err := e.Model("")
	require.NoError(t, err)
	assert.Equal(t, "tiny-single", m.Name())
	assert.Equal(t, m, e.Models()[0])
	_, err = e.Model("nope")
	assert.ErrorIs(t, err, inference.ErrUnknownModel)
	assert.ErrorContains(t, err, "tiny-bitemporal")
}

func TestRuntimeErrorsSayWhereItWasLookedFor(t *testing.T) {
	_, err := inference.NewRuntime(filepath.Join(t.TempDir(), "libonnxruntime.so.1"))
	assert.ErrorContains(t, err, inference.LibraryVariable)
	assert.ErrorContains(t, err, "libonnxruntime.so.1")
}

func FuzzParseManifest(f *testing.F) {
	b, err := os.ReadFile("testdata/tiny-bitemporal/manifest.yaml")
	require.NoError(f, err)
	f.Add(b)
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, content []byte) {
		m, err := inference.ParseManifest("fuzz", content)
		if (m == nil) == (err == nil) {
			t.Fatalf("manifest %v with error %v", m, err)
		}
	})
}
