package imagery

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/paulmach/orb/geojson"
	"go.yaml.in/yaml/v3"
)

// maxEventFile bounds the size of an event's definition in bytes.
const maxEventFile = 1 << 20

// maxFaults bounds the faults told at once.
const maxFaults = 50

// LoadEvent reads an event's YAML file. References in it become relative to the file.
func LoadEvent(path string) (Event, error) {
	f, err := os.Open(path)
	if err != nil {
		return Event{}, fmt.Errorf("open event: %w", err)
	}
	defer f.Close()
	e, err := ParseEvent(f, filepath.Dir(path))
	if err != nil {
		return Event{}, fmt.Errorf("event file %s: %w", path, err)
	}
	return e, nil
}

// ParseEvent reads an event's definition as YAML (JSON, being YAML, too) and
// validates it. Relative references are joined to baseDir; with an empty
// baseDir they stay as they are. aoi is a GeoJSON geometry, or the path of a
// GeoJSON file in or under baseDir.
func ParseEvent(r io.Reader, baseDir string) (Event, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxEventFile+1))
	if err != nil {
		return Event{}, fmt.Errorf("read event: %w", err)
	}
	if len(text) > maxEventFile {
		return Event{}, fmt.Errorf("the definition is larger than %d MiB: put a large aoi into a GeoJSON file of its own", maxEventFile>>20)
	}
	var root yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(text))
	if err := dec.Decode(&root); errors.Is(err, io.EOF) {
		return Event{}, errors.New("the definition is empty")
	} else if err != nil {
		return Event{}, fmt.Errorf("parse event: %w", err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return Event{}, errors.New("expected one YAML document, found more")
	}
	var doc eventDocument
	if err := checkKeys(&root, reflect.TypeFor[eventDocument](), ""); err != nil {
		return Event{}, err
	}
	if err := root.Decode(&doc); err != nil {
		return Event{}, fmt.Errorf("parse event: %w", err)
	}
	e := doc.Event
	if e.AOI, err = parseAOI(&doc.AOI, baseDir); err != nil {
		return Event{}, fmt.Errorf("aoi: %w", err)
	}
	e.resolve(baseDir)
	if err := e.Validate(); err != nil {
		return Event{}, err
	}
	return e, nil
}

// WriteYAML writes the definition so that [ParseEvent] reads the same event.
func (e Event) WriteYAML(w io.Writer) error {
	doc := eventDocument{Event: e}
	if e.AOI != nil {
		text, err := e.AOI.MarshalJSON()
		if err != nil {
			return fmt.Errorf("write aoi of event %s: %w", e.ID, err)
		}
		var node yaml.Node
		if err := yaml.Unmarshal(text, &node); err != nil {
			return fmt.Errorf("write aoi of event %s: %w", e.ID, err)
		}
		doc.AOI = *node.Content[0]
	}
	enc := yaml.NewEncoder(w)
	enc.SetIndent(2)
	if err := enc.Encode(doc); err != nil {
		return fmt.Errorf("write event %s: %w", e.ID, err)
	}
	return enc.Close()
}

// eventDocument is the YAML form of an event.
type eventDocument struct {
	Event `yaml:",inline"`
	AOI   yaml.Node `yaml:"aoi,omitempty"`
}

// resolve joins relative references to a folder.
func (e *Event) resolve(base string) {
	join := func(ref *string) {
		if base != "" && *ref != "" && !filepath.IsAbs(*ref) && !strings.Contains(*ref, "://") {
			*ref = filepath.Join(base, *ref)
		}
	}
	for _, scenes := range [][]Scene{e.Pre, e.Post} {
		for i := range scenes {
			join(&scenes[i].Path)
			join(&scenes[i].SCL)
		}
	}
	join(&e.DEM)
}

func parseAOI(node *yaml.Node, baseDir string) (*geojson.Geometry, error) {
	switch node.Kind {
	case 0:
		return nil, nil
	case yaml.ScalarNode:
		if node.Tag == "!!null" {
			return nil, nil
		}
		if baseDir == "" {
			return nil, fmt.Errorf("line %d: expected a GeoJSON geometry; a path is accepted only in an event file", node.Line)
		}
		// A root, so that neither .. nor links lead out of the folder.
		root, err := os.OpenRoot(baseDir)
		if err != nil {
			return nil, fmt.Errorf("open %s: %w", baseDir, err)
		}
		defer root.Close()
		f, err := root.Open(filepath.FromSlash(node.Value))
		if err != nil {
			return nil, fmt.Errorf("line %d: expected a GeoJSON geometry, or the path of a GeoJSON file in the event file's folder: %w", node.Line, err)
		}
		defer f.Close()
		g, err := ReadAOI(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", node.Value, err)
		}
		return g, nil
	}
	var value any
	if err := node.Decode(&value); err != nil {
		return nil, err
	}
	return aoiOf(value)
}

// checkKeys refuses keys that the type does not have, with a hint at the one that may be meant.
func checkKeys(node *yaml.Node, t reflect.Type, where string) error {
	switch {
	case node.Kind == yaml.DocumentNode:
		return checkKeys(node.Content[0], t, where)
	case node.Kind == yaml.AliasNode:
		return fmt.Errorf("line %d: YAML aliases are not accepted", node.Line)
	case node.Kind == yaml.SequenceNode && t.Kind() == reflect.Slice:
		var faults []error
		for i, n := range node.Content {
			faults = append(faults, checkKeys(n, t.Elem(), fmt.Sprintf("%s[%d]", where, i)))
		}
		return errors.Join(faults...)
	case t.Kind() != reflect.Struct || t == reflect.TypeFor[yaml.Node]() || t.PkgPath() == "time":
		return nil
	case node.Kind != yaml.MappingNode:
		if where == "" {
			return fmt.Errorf("line %d: expected an event's keys (id, title, trigger, pre, post, dem)", node.Line)
		}
		return fmt.Errorf("line %d: %s: expected keys and values", node.Line, where)
	}
	fields := yamlFields(t)
	names := make([]string, 0, len(fields))
	for n := range fields {
		names = append(names, n)
	}
	slices.Sort(names)
	var faults []error
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		field, ok := fields[key.Value]
		if !ok {
			if len(faults) >= maxFaults {
				return errors.Join(append(faults, errors.New("and more"))...)
			}
			hint := "expected one of " + strings.Join(names, ", ")
			if near := closest(key.Value, names); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			at := ""
			if where != "" {
				at = " in " + where
			}
			faults = append(faults, fmt.Errorf("line %d: unknown key %q%s: %s", key.Line, clip(key.Value), at, hint))
			continue
		}
		faults = append(faults, checkKeys(value, field, strings.TrimPrefix(where+"."+key.Value, ".")))
	}
	return errors.Join(faults...)
}

// yamlFields returns a struct's fields by their YAML keys.
func yamlFields(t reflect.Type) map[string]reflect.Type {
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case options == "inline":
			for n, ft := range yamlFields(f.Type) {
				fields[n] = ft
			}
		case name != "" && name != "-":
			fields[name] = f.Type
		}
	}
	return fields
}

// closest returns the name that is at most two edits away from word, if there is one.
func closest(word string, names []string) string {
	best, at := "", 3
	for _, n := range names {
		if d := edits(strings.ToLower(word), n); d < at && d < len(n) {
			best, at = n, d
		}
	}
	return best
}

// edits is the Levenshtein distance between two words, bounded for long ones.
func edits(a, b string) int {
	if len(a) > 32 {
		return len(a)
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
