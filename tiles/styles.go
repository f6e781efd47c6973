package tiles

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed styles.yaml
var shippedStyles []byte

// Styles are the styles of each layer, a layer's default first.
type Styles map[Layer][]Style

// Style says how a layer is drawn. Exactly one of Ramp, Classes, Threshold,
// Values, Image and Polygons is set; styles.yaml tells what each means.
type Style struct {
	ID          string `yaml:"id"`
	Title       string `yaml:"title"`
	Description string `yaml:"description,omitempty"`

	Ramp      *RampStyle      `yaml:"ramp,omitempty"`
	Classes   []ClassStyle    `yaml:"classes,omitempty"`
	Threshold *ThresholdStyle `yaml:"threshold,omitempty"`
	Values    bool            `yaml:"values,omitempty"`
	Image     *ImageStyle     `yaml:"image,omitempty"`
	Polygons  *PolygonStyle   `yaml:"polygons,omitempty"`
}

// RampStyle mixes the colours of probabilities between stops.
type RampStyle struct {
	// Fade makes it transparent up to half the threshold and opaque from the threshold on.
	Fade  bool       `yaml:"fade,omitempty"`
	Stops []RampStop `yaml:"stops"` // ascending
}

// RampStop is the colour of one probability, 0 to 1.
type RampStop struct {
	Value float64 `yaml:"value"`
	Color Color   `yaml:"color"`
}

// ClassStyle is the colour of the probabilities from one value to the next
// class or to 1. What lies below the first class is transparent.
type ClassStyle struct {
	From  float64 `yaml:"from"`
	Label string  `yaml:"label"`
	Color Color   `yaml:"color"`
}

// ThresholdStyle is the colour of probabilities at or above the threshold.
type ThresholdStyle struct {
	Color Color  `yaml:"color"`
	Label string `yaml:"label"`
}

// ImageStyle maps reflectances × 10000 to black and white along a power curve:
// Low and High themselves, or the scene's own at two percentiles.
type ImageStyle struct {
	Low         float64     `yaml:"low,omitempty"`
	High        float64     `yaml:"high,omitempty"`
	Percentiles *[2]float64 `yaml:"percentiles,omitempty,flow"`
	Gamma       float64     `yaml:"gamma"`
}

// PolygonStyle draws polygons; Width is that of the outline in pixels.
type PolygonStyle struct {
	Fill   *Color  `yaml:"fill,omitempty"`
	Stroke Color   `yaml:"stroke"`
	Width  float64 `yaml:"width"`
}

// DefaultStyles are the styles that come with Scarp.
func DefaultStyles() Styles {
	s, err := ReadStyles(bytes.NewReader(shippedStyles))
	if err != nil {
		panic(err) // they are part of the program, and tested
	}
	return s
}

// ReadStyles reads styles in the form of styles.yaml. The error lists
// everything that is wrong, by layer and style.
func ReadStyles(r io.Reader) (Styles, error) {
	d := yaml.NewDecoder(r)
	d.KnownFields(true)
	var s Styles
	if err := d.Decode(&s); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read styles: %w", err)
	}
	var faults []error
	for _, layer := range slices.Sorted(maps.Keys(s)) {
		if !slices.Contains(Layers(), layer) {
			faults = append(faults, fmt.Errorf("%s: there is no such layer; there are %v", layer, Layers()))
			continue
		}
		seen := map[string]bool{}
		for i, style := range s[layer] {
			if err := style.check(layer); err != nil {
				faults = append(faults, fmt.Errorf("%s: style %d (%q): %w", layer, i+1, style.ID, err))
			} else if seen[style.ID] {
				faults = append(faults, fmt.Errorf("%s: style %q stands there twice", layer, style.ID))
			}
			seen[style.ID] = true
		}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("read styles: %w", errors.Join(faults...))
	}
	return s, nil
}

// Over puts styles before those of base. One with the id of another replaces it.
func (s Styles) Over(base Styles) Styles {
	out := Styles{}
	for _, layer := range Layers() {
		own := slices.Clone(s[layer])
		for _, b := range base[layer] {
			if !slices.ContainsFunc(own, func(o Style) bool { return o.ID == b.ID }) {
				own = append(own, b)
			}
		}
		out[layer] = own
	}
	return out
}

var styleID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

func (s *Style) check(layer Layer) error {
	if !styleID.MatchString(s.ID) {
		return fmt.Errorf("id %q must be of a-z, 0-9 and hyphen", s.ID)
	}
	if s.Title == "" {
		return errors.New("title: missing")
	}
	if strings.EqualFold(s.ID, "default") {
		return errors.New("id default is taken: it stands for the layer's first style")
	}
	kind := s.kind()
	fitting := map[Layer][]string{PreImage: {"image"}, PostImage: {"image"}, Probability: {"ramp", "classes", "threshold", "values"},
		Mask: {"threshold", "values"}, Landslides: {"polygons"}}[layer]
	if !slices.Contains(fitting, kind) {
		return fmt.Errorf("it must have exactly one of %s", strings.Join(fitting, ", "))
	}
	switch kind {
	case "ramp":
		return s.Ramp.check()
	case "classes":
		last := -1.0
		for i, c := range s.Classes {
			if !(c.From >= 0 && c.From < 1 && c.From > last) {
				return fmt.Errorf("class %d: from %g must be from 0 to 1 and above that of the class before", i+1, c.From)
			}
			last = c.From
		}
	case "image":
		return s.Image.check()
	case "polygons":
		if !(s.Polygons.Width > 0 && s.Polygons.Width <= 32) {
			return fmt.Errorf("width %g must be above 0 and at most 32 pixels", s.Polygons.Width)
		}
	}
	return nil
}

// kind names what is set; nothing where that is none or several.
func (s *Style) kind() string {
	var kinds []string
	for kind, set := range map[string]bool{"ramp": s.Ramp != nil, "classes": len(s.Classes) > 0, "threshold": s.Threshold != nil,
		"values": s.Values, "image": s.Image != nil, "polygons": s.Polygons != nil} {
		if set {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) != 1 {
		return ""
	}
	return kinds[0]
}

func (r *RampStyle) check() error {
	if len(r.Stops) < 2 {
		return fmt.Errorf("%d stops; a ramp has at least 2", len(r.Stops))
	}
	last := -1.0
	for i, s := range r.Stops {
		if !(s.Value >= 0 && s.Value <= 1 && s.Value > last) {
			return fmt.Errorf("stop %d: value %g must be from 0 to 1 and above that of the stop before", i+1, s.Value)
		}
		last = s.Value
	}
	return nil
}

func (i *ImageStyle) check() error {
	switch p := i.Percentiles; {
	case !(i.Gamma >= 0.1 && i.Gamma <= 10):
		return fmt.Errorf("gamma %g must be from 0.1 to 10", i.Gamma)
	case p != nil && !(p[0] >= 0 && p[0] < p[1] && p[1] <= 100):
		return fmt.Errorf("percentiles %g and %g must ascend and be from 0 to 100", p[0], p[1])
	case p != nil && (i.Low != 0 || i.High != 0):
		return errors.New("give low and high, or percentiles, not both")
	case p == nil && !(i.High > i.Low && i.Low >= -10000 && i.High <= 65535):
		return fmt.Errorf("low %g and high %g must ascend, as reflectance × 10000", i.Low, i.High)
	}
	return nil
}

// digest identifies what a style looks like, for the keys of caches.
func (s *Style) digest() string {
	definition, err := yaml.Marshal(s)
	if err != nil {
		panic(fmt.Errorf("digest style %s: %w", s.ID, err)) // it was read from YAML
	}
	sum := sha256.Sum256(definition)
	return hex.EncodeToString(sum[:6])
}
