package inference

// Manifest says what a network's tensors hold and where it comes from. It is
// the YAML file beside the .onnx file, checked against manifest.schema.json,
// which documents every field. [ParseManifest] fills in the defaults.
type Manifest struct {
	Schema      int         `yaml:"schema" json:"schema"`
	Name        string      `yaml:"name" json:"name"`
	Version     string      `yaml:"version" json:"version"`
	Title       string      `yaml:"title" json:"title"`
	Description string      `yaml:"description,omitempty" json:"description,omitempty"`
	Kind        string      `yaml:"kind" json:"kind"` // Bitemporal, SingleDate or Cloud
	Model       ModelFile   `yaml:"model" json:"model"`
	Imagery     ImagerySpec `yaml:"imagery" json:"imagery"`
	Inputs      []Input     `yaml:"inputs" json:"inputs"`
	Output      Output      `yaml:"output" json:"output"`
	Patch       PatchSpec   `yaml:"patch" json:"patch"`
	Threshold   float64     `yaml:"threshold" json:"threshold"`
	Legend      *Legend     `yaml:"legend,omitempty" json:"legend,omitempty"`
	Licence     Licence     `yaml:"licence" json:"licence"`
	Provenance  Provenance  `yaml:"provenance" json:"provenance"`
}

// The kinds of networks.
const (
	Bitemporal = "bitemporal"
	SingleDate = "single-date"
	// Cloud networks find clouds: red, green and near infrared in, four classes out.
	Cloud = "cloud"
)

// ModelFile names the .onnx file in the manifest's folder.
type ModelFile struct {
	File   string `yaml:"file" json:"file"`
	SHA256 string `yaml:"sha256" json:"sha256"`
}

// ImagerySpec is the imagery that the network expects.
type ImagerySpec struct {
	ProcessingLevel string  `yaml:"processing_level" json:"processing_level"` // L2A, L1C or any
	ResolutionM     float64 `yaml:"resolution_m" json:"resolution_m"`
	// ExcludeClouds lists the classes (thick, thin, shadow) whose pixels get no prediction.
	ExcludeClouds []string `yaml:"exclude_clouds" json:"exclude_clouds"`
}

// Input is one input tensor: float32 of shape N, len(Channels), H, W.
type Input struct {
	Tensor   string       `yaml:"tensor" json:"tensor"`
	Defaults *Preparation `yaml:"defaults,omitempty" json:"-"` // merged into Channels
	Channels []Channel    `yaml:"channels" json:"channels"`
}

// Channel is one channel of an input: a band, a terrain layer or a constant.
type Channel struct {
	Band        string   `yaml:"band,omitempty" json:"band,omitempty"`
	Terrain     string   `yaml:"terrain,omitempty" json:"terrain,omitempty"` // elevation, slope, aspect_sin, aspect_cos
	AngleFactor *float64 `yaml:"angle_factor,omitempty" json:"angle_factor,omitempty"`
	Constant    *float64 `yaml:"constant,omitempty" json:"constant,omitempty"`
	Preparation `yaml:",inline"`
}

// Preparation turns a raw value into what the network sees:
// clip(round(raw) / Divisor + Offset).
type Preparation struct {
	Date    string    `yaml:"date,omitempty" json:"date,omitempty"` // pre or post
	Round   *bool     `yaml:"round,omitempty" json:"round,omitempty"`
	Divisor *float64  `yaml:"divisor,omitempty" json:"divisor,omitempty"`
	Offset  *float64  `yaml:"offset,omitempty" json:"offset,omitempty"`
	Clip    []float64 `yaml:"clip,omitempty" json:"clip,omitempty"` // lowest, highest; empty: not clipped
	// NoData is what the network sees at a pixel without data.
	NoData  *float64 `yaml:"nodata,omitempty" json:"nodata,omitempty"`
	Missing *Missing `yaml:"missing,omitempty" json:"missing,omitempty"`
}

// Missing says what stands in for a band that a scene lacks; without it the band is required.
type Missing struct {
	Substitute []string `yaml:"substitute,omitempty" json:"substitute,omitempty"`
	Fill       *float64 `yaml:"fill,omitempty" json:"fill,omitempty"`
}

// Output is the output tensor: float32 of shape N, K, H, W.
type Output struct {
	Tensor     string `yaml:"tensor" json:"tensor"`
	Activation string `yaml:"activation" json:"activation"` // sigmoid, softmax or none
	Channel    int    `yaml:"channel" json:"channel"`
}

// PatchSpec says how an area is cut into patches, in pixels.
type PatchSpec struct {
	Size       int    `yaml:"size" json:"size"`
	MultipleOf int    `yaml:"multiple_of" json:"multiple_of"`
	Fixed      bool   `yaml:"fixed" json:"fixed"`
	Halo       int    `yaml:"halo" json:"halo"`
	Overlap    *int   `yaml:"overlap,omitempty" json:"overlap,omitempty"`
	Blend      string `yaml:"blend" json:"blend"` // uniform, linear, cosine or none
	MaxBatch   int    `yaml:"max_batch" json:"max_batch"`
}

// Legend says how the class is shown.
type Legend struct {
	Title  string `yaml:"title" json:"title"`
	Colour string `yaml:"colour" json:"colour"` // #rrggbb
}

// Licence gives the terms of the weights.
type Licence struct {
	SPDX        string `yaml:"spdx" json:"spdx"`
	Attribution string `yaml:"attribution,omitempty" json:"attribution,omitempty"`
}

// Provenance says where the network comes from and how far it may be trusted.
type Provenance struct {
	Data       []Dataset `yaml:"data" json:"data"`
	Metrics    []Metric  `yaml:"metrics" json:"metrics"`
	Absences   []Absence `yaml:"absences,omitempty" json:"absences,omitempty"`
	Trained    string    `yaml:"trained,omitempty" json:"trained,omitempty"`
	Commit     string    `yaml:"commit,omitempty" json:"commit,omitempty"`
	Parameters int64     `yaml:"parameters,omitempty" json:"parameters,omitempty"`
	Paper      string    `yaml:"paper,omitempty" json:"paper,omitempty"`
	Card       string    `yaml:"card,omitempty" json:"card,omitempty"`
	NotGoodFor []string  `yaml:"not_good_for" json:"not_good_for"`
}

// Dataset is what a network was trained, validated or tested on.
type Dataset struct {
	Role   string `yaml:"role" json:"role"`
	Title  string `yaml:"title" json:"title"`
	Source string `yaml:"source,omitempty" json:"source,omitempty"`
	Note   string `yaml:"note,omitempty" json:"note,omitempty"`
}

// Terrain is what [Absence].Missing calls all terrain layers together.
const Terrain = "terrain"

// Absence is what is measured with bands or [Terrain] withheld; an empty
// Missing is the measurement with everything present.
type Absence struct {
	Missing []string `yaml:"missing" json:"missing"`
	F1      float64  `yaml:"f1" json:"f1"`
	Split   string   `yaml:"split,omitempty" json:"split,omitempty"`
	Note    string   `yaml:"note,omitempty" json:"note,omitempty"`
}

// Metric is a measured quality.
type Metric struct {
	Name      string   `yaml:"name" json:"name"`
	Value     float64  `yaml:"value" json:"value"`
	Split     string   `yaml:"split" json:"split"`
	Threshold *float64 `yaml:"threshold,omitempty" json:"threshold,omitempty"`
}
