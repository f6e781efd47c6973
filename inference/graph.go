package inference

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// graphIO is what an ONNX file says of its inputs and outputs. It is read
// straight from the protocol buffer: to list models, no session (which takes
// time and several times the file's size) need be made.
type graphIO struct {
	inputs, outputs map[string]tensorType
}

// tensorType is the element type and shape of a tensor; −1 stands for a dimension that is free.
type tensorType struct {
	elem  int
	shape []int64
}

// cloudClasses is how many classes a cloud network tells apart: those of imagery.Clear to imagery.Shadow.
const cloudClasses = 4

// elemFloat is FLOAT of onnx.TensorProto.DataType.
const elemFloat = 1

var errNotONNX = errors.New("it is not an ONNX model")

// Field numbers of onnx.proto (ModelProto, GraphProto, TensorProto,
// ValueInfoProto, TypeProto, TensorShapeProto).
const (
	modelGraph       = 7
	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12
	tensorName       = 8
	valueName        = 1
	valueType        = 2
	typeTensor       = 1
	tensorElem       = 1
	tensorShape      = 2
	shapeDim         = 1
	dimValue         = 1
)

func readGraphIO(model []byte) (graphIO, error) {
	g := graphIO{inputs: map[string]tensorType{}, outputs: map[string]tensorType{}}
	found := false
	initialized := map[string]bool{} // inputs with a value of their own need not be fed
	err := fields(model, func(n protowire.Number, graph []byte, _ uint64) error {
		if n != modelGraph {
			return nil
		}
		found = true
		return fields(graph, func(n protowire.Number, b []byte, _ uint64) error {
			switch n {
			case graphInput, graphOutput:
				name, t, err := valueInfo(b)
				if err != nil {
					return err
				}
				if n == graphInput {
					g.inputs[name] = t
				} else {
					g.outputs[name] = t
				}
			case graphInitializer:
				return fields(b, func(n protowire.Number, b []byte, _ uint64) error {
					if n == tensorName {
						initialized[string(b)] = true
					}
					return nil
				})
			}
			return nil
		})
	})
	if err != nil || !found {
		return graphIO{}, errNotONNX
	}
	for name := range initialized {
		delete(g.inputs, name)
	}
	return g, nil
}

func valueInfo(b []byte) (name string, t tensorType, err error) {
	err = fields(b, func(n protowire.Number, b []byte, _ uint64) error {
		switch n {
		case valueName:
			name = string(b)
		case valueType:
			return fields(b, func(n protowire.Number, b []byte, _ uint64) error {
				if n != typeTensor {
					return nil
				}
				return fields(b, func(n protowire.Number, b []byte, v uint64) error {
					switch n {
					case tensorElem:
						t.elem = int(v)
					case tensorShape:
						return fields(b, func(n protowire.Number, b []byte, _ uint64) error {
							if n != shapeDim {
								return nil
							}
							d := int64(-1)
							err := fields(b, func(n protowire.Number, _ []byte, v uint64) error {
								if n == dimValue && v > 0 {
									d = int64(v)
								}
								return nil
							})
							t.shape = append(t.shape, d)
							return err
						})
					}
					return nil
				})
			})
		}
		return nil
	})
	return name, t, err
}

// fields calls f for each field of a message with its bytes or its number.
func fields(b []byte, f func(n protowire.Number, bytes []byte, varint uint64) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		var bytes []byte
		var varint uint64
		switch typ {
		case protowire.BytesType:
			bytes, n = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			varint, n = protowire.ConsumeVarint(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		if err := f(num, bytes, varint); err != nil {
			return err
		}
	}
	return nil
}

// checkGraph compares a manifest with what the file says.
func (m *Manifest) checkGraph(g graphIO) (reasons []string) {
	bad := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	known := map[string]bool{}
	for i, in := range m.Inputs {
		known[in.Tensor] = true
		t, ok := g.inputs[in.Tensor]
		if !ok {
			bad("/inputs/%d/tensor: the graph has no input %q, it has %s", i, in.Tensor, names(g.inputs))
			continue
		}
		for _, r := range m.checkTensor(t) {
			bad("/inputs/%d: graph input %q %s", i, in.Tensor, r)
		}
		if len(t.shape) == 4 && t.shape[1] > 0 && t.shape[1] != int64(len(in.Channels)) {
			bad("/inputs/%d/channels: %d are listed, graph input %q has %d", i, len(in.Channels), in.Tensor, t.shape[1])
		}
	}
	for name := range g.inputs {
		if !known[name] {
			bad("/inputs: the graph's input %q is not described", name)
		}
	}
	t, ok := g.outputs[m.Output.Tensor]
	if !ok {
		bad("/output/tensor: the graph has no output %q, it has %s", m.Output.Tensor, names(g.outputs))
		return reasons
	}
	for _, r := range m.checkTensor(t) {
		bad("/output: graph output %q %s", m.Output.Tensor, r)
	}
	if len(t.shape) == 4 && t.shape[1] > 0 {
		k := t.shape[1]
		if int64(m.Output.Channel) >= k {
			bad("/output/channel: %d, but graph output %q has %d channels (0 to %d)", m.Output.Channel, m.Output.Tensor, k, k-1)
		}
		if m.Kind == Cloud && k != cloudClasses {
			bad("/output: graph output %q has %d channels, a cloud network has %d", m.Output.Tensor, k, cloudClasses)
		}
		if k == 1 && m.Output.Activation == "softmax" {
			bad("/output/activation: softmax over one channel is always 1")
		}
	}
	return reasons
}

func (m *Manifest) checkTensor(t tensorType) (reasons []string) {
	if t.elem != elemFloat {
		reasons = append(reasons, fmt.Sprintf("has element type %d, float32 (1) is needed", t.elem))
	}
	if len(t.shape) == 0 {
		return reasons // no shape is stated: the run will tell
	}
	if len(t.shape) != 4 {
		return append(reasons, fmt.Sprintf("has %d dimensions, N,C,H,W are needed", len(t.shape)))
	}
	if n := t.shape[0]; n > 1 {
		reasons = append(reasons, fmt.Sprintf("has a fixed batch of %d, 1 is needed", n))
	}
	for _, d := range t.shape[2:] {
		switch {
		case d > 0 && d != int64(m.Patch.Size):
			reasons = append(reasons, fmt.Sprintf("takes %d×%d pixels only, /patch/size is %d", t.shape[3], t.shape[2], m.Patch.Size))
		case d > 0 && !m.Patch.Fixed:
			reasons = append(reasons, fmt.Sprintf("takes %d×%d pixels only: /patch/fixed must be true", t.shape[3], t.shape[2]))
		default:
			continue
		}
		break
	}
	return reasons
}

func names(m map[string]tensorType) string {
	if len(m) == 0 {
		return "none"
	}
	return fmt.Sprintf("%q", slices.Sorted(maps.Keys(m)))
}
