package inference

import "errors"

// ErrUnknownModel is returned (wrapped) when there is no model of that name.
var ErrUnknownModel = errors.New("unknown model")

// Model is a network that can be served: its manifest and the digest that
// block keys carry, so that a changed file never serves a stale tile.
type Model struct {
	Manifest Manifest
	// Digest is the first 16 hex digits of the SHA-256 over the .onnx file, the manifest and the patch lattice.
	Digest string
}

// Name returns the manifest's name.
func (m *Model) Name() string { return m.Manifest.Name }
