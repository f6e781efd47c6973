package inference

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/scarp-map/scarp/imagery"
)

//go:embed manifest.schema.json
var manifestSchema []byte

// ManifestSchema returns the JSON Schema of manifests.
func ManifestSchema() []byte { return bytes.Clone(manifestSchema) }

// RefusedError says why a model is not served: every reason at once.
type RefusedError struct {
	Path    string // of the manifest, or of the folder
	Reasons []string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("model %s is refused: %s", e.Path, strings.Join(e.Reasons, "; "))
}

// ParseManifest reads a manifest, checks it (against the schema, and what a
// schema can't say) and fills in the defaults. The error is a [RefusedError].
func ParseManifest(path string, content []byte) (*Manifest, error) {
	refuse := func(reasons ...string) (*Manifest, error) { return nil, &RefusedError{path, reasons} }
	var doc any
	if err := yaml.Unmarshal(content, &doc); err != nil {
		return refuse(fmt.Sprintf("it is not YAML: %v", err))
	}
	reasons, err := validate(plain(doc))
	if err != nil {
		return nil, fmt.Errorf("check manifest %s: %w", path, err)
	}
	if len(reasons) > 0 {
		return refuse(reasons...)
	}
	var m Manifest
	if err := yaml.Unmarshal(content, &m); err != nil {
		return refuse(err.Error())
	}
	m.fillIn()
	if reasons := m.check(); len(reasons) > 0 {
		return refuse(reasons...)
	}
	return &m, nil
}

// plain turns what YAML has and JSON has not into what JSON has.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			v[k] = plain(x)
		}
	case map[any]any:
		m := make(map[string]any, len(v))
		for k, x := range v {
			m[fmt.Sprint(k)] = plain(x)
		}
		return m
	case []any:
		for i, x := range v {
			v[i] = plain(x)
		}
	case time.Time:
		return v.Format(time.DateOnly)
	}
	return v
}

func validate(doc any) (reasons []string, err error) {
	var schema any
	if err := json.Unmarshal(manifestSchema, &schema); err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	c := jsonschema.NewCompiler()
	const url = "urn:scarp:model-manifest"
	if err := c.AddResource(url, schema); err != nil {
		return nil, fmt.Errorf("add schema: %w", err)
	}
	s, err := c.Compile(url)
	if err != nil {
		return nil, fmt.Errorf("compile schema: %w", err)
	}
	var invalid *jsonschema.ValidationError
	switch err := s.Validate(doc); {
	case err == nil:
		return nil, nil
	case errors.As(err, &invalid):
		return slices.Compact(leaves(invalid, message.NewPrinter(language.English))), nil
	default:
		return nil, err
	}
}

// leaves lists the errors that have no cause of their own, as "/place: reason".
func leaves(e *jsonschema.ValidationError, p *message.Printer) (reasons []string) {
	if len(e.Causes) == 0 {
		return []string{fmt.Sprintf("/%s: %s", strings.Join(e.InstanceLocation, "/"), e.ErrorKind.LocalizedString(p))}
	}
	for _, c := range e.Causes {
		reasons = append(reasons, leaves(c, p)...)
	}
	return reasons
}

// fillIn sets the defaults that the schema documents.
func (m *Manifest) fillIn() {
	if m.Imagery.ExcludeClouds == nil {
		m.Imagery.ExcludeClouds = []string{"thick", "thin"}
	}
	if m.Patch.Blend == "" {
		m.Patch.Blend = blendCosine
		if m.Kind == Cloud {
			m.Patch.Blend = blendNone
		}
	}
	if m.Patch.MaxBatch == 0 {
		m.Patch.MaxBatch = 16
	}
	if m.Patch.Overlap == nil {
		o := min(max(2*m.Patch.Halo, m.Patch.Size/8), m.Patch.Size/2)
		m.Patch.Overlap = &o
	}
	for i := range m.Inputs {
		in := &m.Inputs[i]
		for j := range in.Channels {
			in.Channels[j].inherit(in.Defaults)
		}
	}
}

func (c *Channel) inherit(d *Preparation) {
	if d == nil {
		d = &Preparation{}
	}
	p := &c.Preparation
	if p.Date == "" {
		p.Date = d.Date
	}
	if p.Clip == nil {
		p.Clip = d.Clip
	}
	if p.Missing == nil {
		p.Missing = d.Missing
	}
	p.Round = first(p.Round, d.Round, false)
	p.Divisor = first(p.Divisor, d.Divisor, 1)
	p.Offset = first(p.Offset, d.Offset, 0)
	p.NoData = first(p.NoData, d.NoData, 0)
	c.AngleFactor = first(c.AngleFactor, nil, 1)
}

func first[T any](a, b *T, fallback T) *T {
	switch {
	case a != nil:
		return a
	case b != nil:
		return b
	}
	return &fallback
}

// check finds what a schema can't say.
func (m *Manifest) check() (reasons []string) {
	bad := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	p := m.Patch
	if p.Size%p.MultipleOf != 0 {
		bad("/patch/size: %d is not a multiple of multiple_of %d", p.Size, p.MultipleOf)
	}
	if 2*p.Halo >= p.Size {
		bad("/patch/halo: %d is not less than half of size %d", p.Halo, p.Size)
	}
	if *p.Overlap >= p.Size {
		bad("/patch/overlap: %d is not less than size %d", *p.Overlap, p.Size)
	}
	if m.Imagery.ResolutionM != imagery.PixelSize {
		bad("/imagery/resolution_m: %g is not served, grids have %g m pixels", m.Imagery.ResolutionM, imagery.PixelSize)
	}
	tensors, dates := map[string]bool{}, map[string]bool{}
	for i, in := range m.Inputs {
		if tensors[in.Tensor] {
			bad("/inputs/%d/tensor: %q is named twice", i, in.Tensor)
		}
		tensors[in.Tensor] = true
		for j, c := range in.Channels {
			if len(c.Clip) == 2 && c.Clip[0] > c.Clip[1] {
				bad("/inputs/%d/channels/%d/clip: lowest %g is above highest %g", i, j, c.Clip[0], c.Clip[1])
			}
			if m.Kind == Cloud {
				if c.Band == "" || c.Date != "" {
					bad("/inputs/%d/channels/%d: a cloud network's channel is a band without a date", i, j)
				}
				continue
			}
			if c.Band == "" {
				continue
			}
			dates[c.Date] = true
			if c.Date == "" {
				bad("/inputs/%d/channels/%d/date: band %s needs a date, pre or post, here or in the input's defaults", i, j, c.Band)
			}
		}
	}
	switch {
	case m.Kind == Cloud:
		if m.Patch.Blend != blendNone {
			bad("/patch/blend: classes can't be blended: it must be none for a cloud network")
		}
	case m.Kind == SingleDate && dates[string(imagery.Pre)]:
		bad("/kind: a single-date model reads post, but a channel has date pre")
	case m.Kind == Bitemporal && (!dates[string(imagery.Pre)] || !dates[string(imagery.Post)]):
		bad("/kind: a bitemporal model reads bands of both dates, pre and post")
	case !dates[string(imagery.Post)]:
		bad("/inputs: no channel reads a band of the post image")
	}
	return reasons
}
