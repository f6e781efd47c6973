package inference

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/scarp-map/scarp/imagery"
)

// patch is what a network says over the used part of one patch of the lattice:
// probabilities in steps of 1/65535 (of a cloud network classes), row-major. Patches are kept for the
// blocks that share them, and rounded whether kept or not.
type patch []uint16

const patchScale = math.MaxUint16

// patchKey names a patch.
type patchKey struct {
	revision, digest string
	i, j             int
}

func patchCost(_ patchKey, p patch) int64 { return int64(2*len(p)) + 256 }

// task is what the computation of a block knows.
type task struct {
	src imagery.Source
	m   *Model
	b   *binding
}

// patch returns a patch, from memory or computed.
func (e *Engine) patch(ctx context.Context, t task, i, j int, u *urgency) (patch, error) {
	key := patchKey{t.src.Revision(), t.m.Digest, i, j}
	if p, ok := e.kept.Get(key); ok {
		return p, nil
	}
	return e.patches.do(ctx, key, u, func(ctx context.Context, u *urgency) (patch, error) {
		if p, ok := e.kept.Get(key); ok { // finished just before
			return p, nil
		}
		p, err := e.computePatch(ctx, t, i, j, u)
		if err == nil {
			e.kept.Put(key, p)
		}
		return p, err
	})
}

func (e *Engine) computePatch(ctx context.Context, t task, i, j int, u *urgency) (patch, error) {
	l := t.m.Lattice
	x0, y0 := l.start(i)-l.Margin, l.start(j)-l.Margin
	read := func(ctx context.Context, s *slot) error {
		r := patchWindow(&s.x, &s.y, x0, y0, l.Patch, t.src.Grid())
		start := time.Now()
		w, err := t.src.Read(ctx, t.b.request(r))
		if err != nil {
			return fmt.Errorf("read window %s: %w", r, err)
		}
		read := time.Now()
		s.fit(t.m)
		t.b.fill(s.inputs, w, &s.x, &s.y)
		e.counts.reading(read.Sub(start), time.Since(read))
		return nil
	}
	run := func(ctx context.Context, s *slot) error {
		session, err := e.sessions.acquire(ctx, t.m)
		if err != nil {
			return err
		}
		defer e.sessions.release(session)
		values, took, err := session.run(ctx, t.m, s.inputs, s.output)
		if err != nil {
			return err
		}
		s.values = values
		e.counts.ran(took)
		if e.hooks.Run != nil {
			e.hooks.Run(t.m.Name(), took)
		}
		return nil
	}
	s, err := e.scheduler.do(ctx, u, read, run)
	if err != nil {
		return nil, err
	}
	defer e.scheduler.free(s)
	if t.m.Manifest.Kind == Cloud {
		return highest(t.m, s.values), nil
	}
	return activate(t.m, s.values), nil
}

// activate turns the output tensor's values into probabilities and crops the margin.
func activate(m *Model, values []float32) patch {
	size, margin, n := m.Lattice.Patch, m.Lattice.Margin, m.Lattice.used()
	area := size * size
	channel := values[m.Manifest.Output.Channel*area:][:area]
	p := make(patch, n*n)
	var probability func(at int) float64
	switch m.Manifest.Output.Activation {
	case "sigmoid":
		probability = func(at int) float64 { return 1 / (1 + math.Exp(-float64(channel[at]))) }
	case "softmax":
		probability = func(at int) float64 { return softmax(values, area, m.Manifest.Output.Channel, at) }
	default:
		probability = func(at int) float64 { return float64(channel[at]) }
	}
	for y := range n {
		for x := range n {
			v := probability((y+margin)*size + x + margin)
			if !(v > 0) { // NaN too
				continue
			}
			p[y*n+x] = uint16(math.Round(min(v, 1) * patchScale))
		}
	}
	return p
}

// softmax returns the share of channel c over all channels at a pixel.
func softmax(values []float32, area, c, at int) float64 {
	highest := math.Inf(-1)
	for i := at; i < len(values); i += area {
		highest = max(highest, float64(values[i]))
	}
	sum := 0.0
	for i := at; i < len(values); i += area {
		sum += math.Exp(float64(values[i]) - highest)
	}
	return math.Exp(float64(values[c*area+at])-highest) / sum
}
