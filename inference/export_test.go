package inference

import "github.com/scarp-map/scarp/imagery"

// FillOnce makes the tensors of the patch with its upper left at (x, y) from a
// window that read gives, for tests and benchmarks of the preparation.
func FillOnce(m *Model, src imagery.Source, x, y int, read func(imagery.Request) *imagery.Window) (again func() [][]float32, err error) {
	b, err := m.prepare.bind(src)
	if err != nil {
		return nil, err
	}
	s := &slot{}
	w := read(b.request(patchWindow(&s.x, &s.y, x, y, m.Lattice.Patch, src.Grid())))
	s.fit(m)
	return func() [][]float32 {
		b.fill(s.inputs, w, &s.x, &s.y)
		return s.inputs
	}, nil
}

// BlendUniformPatches blends patches that all say p into a block.
func BlendUniformPatches(m *Model, p float64) []uint8 {
	block := imagery.Rect{X: 3 * BlockSize, Y: 2 * BlockSize, W: BlockSize, H: BlockSize}
	pixels := uniform(pending)
	places := m.Lattice.needed(block, imagery.Grid{Width: 5000, Height: 5000}, pixels)
	n := m.Lattice.used()
	one := make(patch, n*n)
	for i := range one {
		one[i] = uint16(p * patchScale)
	}
	patches := make([]patch, len(places))
	for i := range patches {
		patches[i] = one
	}
	blend(pixels, block, m, places, patches)
	return pixels
}

// Waiters counts those who wait for blocks that are being computed.
func (e *Engine) Waiters() (n int) {
	e.blocks.mu.Lock()
	defer e.blocks.mu.Unlock()
	for _, c := range e.blocks.calls {
		n += c.waiters
	}
	return n
}
