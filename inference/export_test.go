package inference

import "scarp/imagery"

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
