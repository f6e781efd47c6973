package inference

// Manifest says what a network's tensors hold. It is the YAML file beside the
// .onnx file, checked against manifest.schema.json.
type Manifest struct {
	Name      string  `yaml:"name" json:"name"`
	Version   string  `yaml:"version" json:"version"`
	Title     string  `yaml:"title" json:"title"`
	Threshold float64 `yaml:"threshold" json:"threshold"`
}
