package inference

import (
	"context"
	"fmt"

	"github.com/scarp-map/scarp/imagery"
)

// Tensor is an input of a network: float32 of shape Channels, Size, Size, one channel after the other.
type Tensor struct {
	Name           string
	Channels, Size int
	Values         []float32
}

// Tensors returns what the model gets to see of an event: the inputs of a
// square patch whose upper left is grid pixel (x, y), mirrored beyond the
// grid, as they go into the network. It is for comparing with the code that a
// network was trained with.
func (m *Model) Tensors(ctx context.Context, src imagery.Source, x, y, size int) ([]Tensor, error) {
	if size < 1 || size > 4096 {
		return nil, fmt.Errorf("a patch of %d pixels: give a side from 1 to 4096", size)
	}
	b, err := m.prepare.bind(src)
	if err != nil {
		return nil, err
	}
	var ax, ay axis
	r := patchWindow(&ax, &ay, x, y, size, src.Grid())
	w, err := src.Read(ctx, b.request(r))
	if err != nil {
		return nil, fmt.Errorf("read window %s: %w", r, err)
	}
	var tensors []Tensor
	var values [][]float32
	for _, in := range m.Manifest.Inputs {
		t := Tensor{Name: in.Tensor, Channels: len(in.Channels), Size: size, Values: make([]float32, len(in.Channels)*size*size)}
		tensors, values = append(tensors, t), append(values, t.Values)
	}
	b.fill(values, w, &ax, &ay)
	return tensors, nil
}
