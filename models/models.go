// Package models holds the networks that come with Scarp: a folder each, with
// the .onnx file, its manifest and its card. A folder that is put beside the
// others comes with the next build. The folder scarp_models is the
// Python package that trains, measures and exports them.
package models

import (
	"embed"
	"io/fs"
)

//go:embed */manifest.yaml */*.onnx */CARD.md
var files embed.FS

// Files returns the shipped models, a folder each, for inference.LoadModels.
func Files() fs.FS { return files }
