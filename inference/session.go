package inference

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	ort "github.com/yalue/onnxruntime_go"
)

// sessions keeps ONNX Runtime sessions, one a model (runs may share it), and
// unloads those that were not used for longest when all together exceed a budget.
type sessions struct {
	threads int // within a run
	budget  int64

	mu     sync.Mutex
	open   map[string]*session // by the digest of the .onnx file
	uses   int64
	loaded int64 // bytes
	closed bool
}

// session is a loaded model. Its fields but ready are read after ready is closed, or under sessions.mu.
type session struct {
	ready chan struct{}
	err   error
	s     *ort.DynamicAdvancedSession

	bytes int64
	refs  int
	used  int64 // uses at the last acquire
}

func newSessions(threads int, budget int64) *sessions {
	return &sessions{threads: threads, budget: budget, open: map[string]*session{}}
}

// acquire returns the model's session, loading it if need be. Release it after use.
func (p *sessions) acquire(ctx context.Context, m *Model) (*session, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	s, ok := p.open[m.Manifest.Model.SHA256]
	if !ok {
		s = &session{ready: make(chan struct{})}
		p.open[m.Manifest.Model.SHA256] = s
		go p.load(m, s)
	}
	s.refs++
	p.uses++
	s.used = p.uses
	p.mu.Unlock()
	select {
	case <-s.ready:
	case <-ctx.Done():
		p.release(s)
		return nil, ctx.Err()
	}
	if s.err != nil {
		p.release(s)
		return nil, s.err
	}
	return s, nil
}

func (p *sessions) release(s *session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.refs--
	p.trim()
}

// trim unloads idle sessions while the budget is exceeded.
func (p *sessions) trim() {
	for p.loaded > p.budget || p.closed {
		var digest string
		var oldest *session
		for d, s := range p.open {
			if s.refs == 0 && s.s != nil && (oldest == nil || s.used < oldest.used) {
				digest, oldest = d, s
			}
		}
		if oldest == nil {
			return
		}
		delete(p.open, digest)
		p.loaded -= oldest.bytes
		oldest.s.Destroy()
	}
}

func (p *sessions) load(m *Model, s *session) {
	loaded, bytes, err := loadSession(m, p.threads)
	p.mu.Lock()
	defer p.mu.Unlock()
	s.s, s.bytes, s.err = loaded, bytes, err
	if err != nil {
		delete(p.open, m.Manifest.Model.SHA256) // the next one tries again
	} else {
		p.loaded += bytes
	}
	close(s.ready)
	p.trim()
}

func loadSession(m *Model, threads int) (*ort.DynamicAdvancedSession, int64, error) {
	fail := func(err error) (*ort.DynamicAdvancedSession, int64, error) {
		return nil, 0, fmt.Errorf("load model %s: %w", m.Name(), err)
	}
	graph, err := readFile(m.folder, m.path, maxModelBytes)
	if err != nil {
		return fail(err)
	}
	before := residentBytes()
	o, err := ort.NewSessionOptions()
	if err != nil {
		return fail(err)
	}
	defer o.Destroy()
	err = errors.Join(
		o.SetIntraOpNumThreads(threads),
		o.SetInterOpNumThreads(1),
		o.SetExecutionMode(ort.ExecutionModeSequential),
		// Threads that spin while they wait take the cores from those who read imagery.
		o.AddSessionConfigEntry("session.intra_op.allow_spinning", "0"),
	)
	if err != nil {
		return fail(err)
	}
	var inputs []string
	for _, in := range m.Manifest.Inputs {
		inputs = append(inputs, in.Tensor)
	}
	s, err := ort.NewDynamicAdvancedSessionWithONNXData(graph, inputs, []string{m.Manifest.Output.Tensor}, o)
	if err != nil {
		return fail(err)
	}
	// What loading took is measured, but other goroutines use memory as well:
	// it can't be less than the weights nor much more than a few copies of them.
	size := min(max(residentBytes()-before, 2*m.Bytes), 6*m.Bytes)
	return s, size, nil
}

// residentBytes returns the process's resident memory, or 0 where the system does not tell.
func residentBytes() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	f := bytes.Fields(b)
	if len(f) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(f[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

func (p *sessions) stats() (models int, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.open), p.loaded
}

// close unloads the sessions; those in use when they are released.
func (p *sessions) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.trim()
}

// run runs one patch: inputs in the manifest's order, N = 1. It returns the
// output tensor's values (out if that fits) and the time that the run took. It
// is cut short when ctx ends.
func (s *session) run(ctx context.Context, m *Model, inputs [][]float32, out []float32) (values []float32, took time.Duration, err error) {
	side := int64(m.Lattice.Patch)
	var in []ort.Value
	defer func() {
		for _, v := range in {
			v.Destroy()
		}
	}()
	for i, input := range m.Manifest.Inputs {
		t, err := ort.NewTensor(ort.NewShape(1, int64(len(input.Channels)), side, side), inputs[i])
		if err != nil {
			return nil, 0, fmt.Errorf("make tensor %s of model %s: %w", input.Tensor, m.Name(), err)
		}
		in = append(in, t)
	}
	result := []ort.Value{nil} // ONNX Runtime makes it where the graph leaves the channels free
	if m.channels > 0 {
		t, err := ort.NewTensor(ort.NewShape(1, int64(m.channels), side, side), out)
		if err != nil {
			return nil, 0, fmt.Errorf("make tensor %s of model %s: %w", m.Manifest.Output.Tensor, m.Name(), err)
		}
		result[0] = t
	}
	defer func() {
		if result[0] != nil {
			result[0].Destroy()
		}
	}()
	start := time.Now()
	if err := s.runUntil(ctx, in, result); err != nil {
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		return nil, 0, fmt.Errorf("run model %s on a patch of %d×%d: %w", m.Name(), side, side, err)
	}
	took = time.Since(start)
	t, ok := result[0].(*ort.Tensor[float32])
	if !ok || !validOutput(t.GetShape(), m) {
		return nil, 0, fmt.Errorf("run model %s: output %s has shape %v instead of 1,K,%d,%d with K above %d", m.Name(), m.Manifest.Output.Tensor, result[0].GetShape(), side, side, m.Manifest.Output.Channel)
	}
	return t.GetData(), took, nil
}

func validOutput(s ort.Shape, m *Model) bool {
	side := int64(m.Lattice.Patch)
	return len(s) == 4 && s[0] == 1 && s[1] > int64(m.Manifest.Output.Channel) && s[2] == side && s[3] == side
}

// runUntil runs the network and has ONNX Runtime stop it between two operators when ctx ends.
func (s *session) runUntil(ctx context.Context, in, out []ort.Value) error {
	o, err := ort.NewRunOptions()
	if err != nil {
		return err
	}
	defer o.Destroy()
	terminated := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(terminated)
		o.Terminate()
	})
	err = s.s.RunWithOptions(in, out, o)
	if !stop() {
		<-terminated // before the options go
	}
	return err
}
