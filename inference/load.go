package inference

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
)

// manifestName is the manifest's name in a model's folder.
const manifestName = "manifest.yaml"

const (
	maxManifestBytes = 1 << 20
	maxModelBytes    = 2 << 30 // what a protocol buffer may hold
)

// ModelsFolder opens a folder of models for [LoadModels]. Nothing outside of
// it can be reached through it, be it by ".." or by a symbolic link.
func ModelsFolder(dir string) (fs.FS, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open models folder: %w", err)
	}
	return root.FS(), nil
}

// LoadModels finds the models of some folders: each sub-folder with a
// manifest.yaml is one. lattices overrides the patch lattice of models by
// name; the empty name stands for those that are not named. Models are ordered
// by folder, then name; of models with the same name the first is served.
//
// Models that can be served are returned even when others are refused: the
// error then joins one [RefusedError] for each of those.
func LoadModels(folders []fs.FS, lattices map[string]LatticeConfig) ([]*Model, error) {
	var models []*Model
	var refused []error
	var scratch bytes.Buffer // one for all files: starting takes the memory of the largest, not of all
	for _, folder := range folders {
		subs, err := fs.ReadDir(folder, ".")
		if err != nil {
			return nil, fmt.Errorf("list models: %w", err)
		}
		var found []*Model
		for _, sub := range subs {
			if _, err := fs.Stat(folder, path.Join(sub.Name(), manifestName)); errors.Is(err, fs.ErrNotExist) || !sub.IsDir() {
				continue // not a model's folder
			}
			m, err := loadModel(folder, sub.Name(), lattices, &scratch)
			if err != nil {
				refused = append(refused, err)
				continue
			}
			taken := func(o *Model) bool { return o.Name() == m.Name() }
			if slices.ContainsFunc(models, taken) || slices.ContainsFunc(found, taken) {
				refused = append(refused, &RefusedError{path.Join(sub.Name(), manifestName), []string{fmt.Sprintf("/name: there is a model %q already", m.Name())}})
				continue
			}
			found = append(found, m)
		}
		slices.SortFunc(found, func(a, b *Model) int { return cmp.Compare(a.Name(), b.Name()) })
		models = append(models, found...)
	}
	return models, errors.Join(refused...)
}

func loadModel(folder fs.FS, dir string, lattices map[string]LatticeConfig, scratch *bytes.Buffer) (*Model, error) {
	at := path.Join(dir, manifestName)
	refuse := func(reasons ...string) (*Model, error) { return nil, &RefusedError{at, reasons} }
	content, err := readFile(folder, at, maxManifestBytes)
	if err != nil {
		return refuse(err.Error())
	}
	manifest, err := ParseManifest(at, content)
	if err != nil {
		return nil, err
	}
	onnx := sibling(at, manifest.Model.File)
	if err := readInto(scratch, folder, onnx, maxModelBytes); err != nil {
		return refuse(fmt.Sprintf("/model/file: %v", err))
	}
	graph := scratch.Bytes()

	var reasons []string
	sum := sha256.Sum256(graph)
	if got := hex.EncodeToString(sum[:]); got != manifest.Model.SHA256 {
		reasons = append(reasons, fmt.Sprintf("/model/sha256: %s is stated, but %s has %s", manifest.Model.SHA256, manifest.Model.File, got))
	}
	g, err := readGraphIO(graph)
	if err != nil {
		reasons = append(reasons, fmt.Sprintf("/model/file: %s: %v", manifest.Model.File, err))
	} else {
		reasons = append(reasons, manifest.checkGraph(g)...)
	}
	override, ok := lattices[manifest.Name]
	if !ok {
		override = lattices[""]
	}
	if manifest.Kind == Cloud {
		override.Blend = blendNone // classes can't be blended
	}
	lattice, err := newLattice(manifest.Patch, override)
	if err != nil {
		reasons = append(reasons, "patch lattice: "+err.Error())
	}
	if len(reasons) > 0 {
		return refuse(reasons...)
	}
	m := &Model{
		Manifest: *manifest, Lattice: lattice, Bytes: int64(len(graph)),
		folder: folder, path: onnx,
		prepare: newPreparer(manifest), weights: lattice.weights(),
		channels: outputChannels(manifest, g),
	}
	h := sha256.New()
	h.Write(sum[:])
	h.Write(content)
	io.WriteString(h, lattice.String()+algorithm)
	m.Digest = hex.EncodeToString(h.Sum(nil))[:16]
	return m, nil
}

// algorithm is the version of what this package does with a network's output;
// a change that alters blocks must change it, so that no old block is served.
const algorithm = "/1"

// outputChannels returns the graph's K, or 0 where the graph leaves it free.
func outputChannels(m *Manifest, g graphIO) int {
	if s := g.outputs[m.Output.Tensor].shape; len(s) == 4 && s[1] > 0 {
		return int(s[1])
	}
	return 0
}

func sibling(file, name string) string { return path.Join(path.Dir(file), name) }

func readFile(folder fs.FS, name string, limit int64) ([]byte, error) {
	var b bytes.Buffer
	err := readInto(&b, folder, name, limit)
	return b.Bytes(), err
}

// readInto reads a file into a buffer, in place of what it held.
func readInto(b *bytes.Buffer, folder fs.FS, name string, limit int64) (err error) {
	f, err := folder.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if !st.Mode().IsRegular() || st.Size() > limit {
		return fmt.Errorf("%s is not a file of at most %d bytes", name, limit)
	}
	b.Reset()
	b.Grow(int(st.Size()) + bytes.MinRead)
	_, err = b.ReadFrom(io.LimitReader(f, limit))
	return err
}
