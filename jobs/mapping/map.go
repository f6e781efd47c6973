package mapping

import (
	"context"

	"github.com/scarp-map/scarp/inference"
)

// Map carries out a plan from prediction to landslides, in one process. done is
// called, from several goroutines, as each block arrives. The caller closes
// the mosaic, from which files can be written.
func Map(ctx context.Context, plan *Plan, pred inference.Predictor, dir string, done func()) (*Mosaic, *Result, error) {
	m, err := plan.Mosaic(ctx, pred, dir, done)
	if err != nil {
		return nil, nil, err
	}
	res, err := m.Landslides(ctx, "")
	if err != nil {
		m.Close()
		return nil, nil, err
	}
	return m, res, nil
}
