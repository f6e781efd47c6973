package inference

import (
	"errors"
	"io/fs"

	lru "github.com/hashicorp/golang-lru/v2"
)

// ErrUnknownModel is returned (wrapped) when there is no model of that name.
var ErrUnknownModel = errors.New("unknown model")

// Model is a network that can be served: its manifest and the digest that
// block keys carry, so that a changed file never serves a stale tile. Models
// come from [LoadModels].
type Model struct {
	Manifest Manifest
	// Digest is the first 16 hex digits of the SHA-256 over the .onnx file, the manifest and the patch lattice.
	Digest string
	// Lattice is where its patches lie.
	Lattice Lattice
	// Bytes is the size of the .onnx file.
	Bytes int64

	folder   fs.FS  // holds the .onnx file
	path     string // of the .onnx file in folder
	prepare  *preparer
	weights  []float32 // of a patch's used part along an axis
	channels int       // of the output tensor
	clouds   *cloudFinder
	// qualities remembers what Quality said, by the source's revision; nil without an engine.
	qualities *lru.Cache[string, *Quality]
}

// Name returns the manifest's name.
func (m *Model) Name() string { return m.Manifest.Name }

// Card returns the model card (Markdown), or nil if the manifest names none.
func (m *Model) Card() ([]byte, error) {
	if m.Manifest.Provenance.Card == "" {
		return nil, nil
	}
	return fs.ReadFile(m.folder, sibling(m.path, m.Manifest.Provenance.Card))
}
