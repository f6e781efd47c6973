package inference

import (
	"context"
	"slices"
	"sync"
)

// scheduler runs patches: readers fill slots from imagery while workers run
// the network on slots that are filled. Both take the most urgent patch first,
// and the oldest of those. Slots bound the memory.
type scheduler struct {
	slots chan *slot

	mu      sync.Mutex
	changed *sync.Cond
	waiting []*patchJob // to be read
	ready   []*patchJob // read, to be run
	running int
	seq     uint64
	closed  bool
	wg      sync.WaitGroup
}

// slot holds the tensors of one patch. Its buffers are used again and again.
type slot struct {
	x, y   axis
	inputs [][]float32
	output []float32
	values []float32 // the output tensor after a run
}

// fit makes the buffers large enough for a model's patches.
func (s *slot) fit(m *Model) {
	area := m.Lattice.Patch * m.Lattice.Patch
	for len(s.inputs) < len(m.Manifest.Inputs) {
		s.inputs = append(s.inputs, nil)
	}
	for i, in := range m.Manifest.Inputs {
		s.inputs[i] = grow(s.inputs[i], len(in.Channels)*area)
	}
	s.output = grow(s.output, m.channels*area)
}

func grow(b []float32, n int) []float32 {
	if cap(b) < n {
		return make([]float32, n)
	}
	return b[:n]
}

// patchJob is one patch on its way through the scheduler.
type patchJob struct {
	ctx       context.Context
	urgency   *urgency
	seq       uint64
	read, run func(context.Context, *slot) error
	slot      *slot
	done      chan error
}

func newScheduler(workers, readers int) *scheduler {
	s := &scheduler{slots: make(chan *slot, workers+readers+1)}
	s.changed = sync.NewCond(&s.mu)
	for range cap(s.slots) {
		s.slots <- &slot{}
	}
	for range readers {
		s.wg.Go(s.reader)
	}
	for range workers {
		s.wg.Go(s.worker)
	}
	return s
}

// do has a patch read and run and returns its slot, to be freed when its
// values were used. It returns ctx's error soon after ctx ends.
func (s *scheduler) do(ctx context.Context, u *urgency, read, run func(context.Context, *slot) error) (*slot, error) {
	j := &patchJob{ctx: ctx, urgency: u, read: read, run: run, done: make(chan error, 1)}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, ErrClosed
	}
	s.seq++
	j.seq = s.seq
	s.waiting = append(s.waiting, j)
	s.changed.Broadcast()
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { s.withdraw(j) })
	defer stop()
	if err := <-j.done; err != nil {
		return nil, err
	}
	return j.slot, nil
}

func (s *scheduler) free(sl *slot) { s.slots <- sl }

// withdraw takes a job off the queues. Reading and running watch ctx themselves.
func (s *scheduler) withdraw(j *patchJob) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiting, j); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
		j.done <- j.ctx.Err()
	}
	if i := slices.Index(s.ready, j); i >= 0 {
		s.ready = slices.Delete(s.ready, i, i+1)
		s.free(j.slot)
		j.done <- j.ctx.Err()
	}
}

func (s *scheduler) reader() {
	for {
		sl := <-s.slots
		j := s.next(&s.waiting, nil)
		if j == nil {
			s.free(sl)
			return
		}
		if err := j.read(j.ctx, sl); err != nil {
			s.free(sl)
			j.done <- err
			continue
		}
		j.slot = sl
		s.push(j)
	}
}

func (s *scheduler) push(j *patchJob) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := j.ctx.Err(); err != nil { // withdraw came while it was read
		s.free(j.slot)
		j.done <- err
		return
	}
	s.ready = append(s.ready, j)
	s.changed.Broadcast()
}

func (s *scheduler) worker() {
	for {
		j := s.next(&s.ready, &s.running)
		if j == nil {
			return
		}
		err := j.run(j.ctx, j.slot)
		s.mu.Lock()
		s.running--
		s.mu.Unlock()
		if err != nil {
			s.free(j.slot)
		}
		j.done <- err
	}
}

// next waits for a job and takes the most urgent one; nil when the scheduler is
// closed. The queues are short (see Config), so they are searched through: a
// job's urgency may change while it waits.
func (s *scheduler) next(queue *[]*patchJob, count *int) *patchJob {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(*queue) == 0 {
		if s.closed {
			return nil
		}
		s.changed.Wait()
	}
	best, priority := 0, (*queue)[0].urgency.get()
	for i, j := range *queue {
		if p := j.urgency.get(); p < priority || p == priority && j.seq < (*queue)[best].seq {
			best, priority = i, p
		}
	}
	j := (*queue)[best]
	*queue = slices.Delete(*queue, best, best+1)
	if count != nil {
		*count++
	}
	return j
}

// depth returns how many patches wait and how many run.
func (s *scheduler) depth() (interactive, batch, running int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, q := range [][]*patchJob{s.waiting, s.ready} {
		for _, j := range q {
			if j.urgency.get() == Interactive {
				interactive++
			} else {
				batch++
			}
		}
	}
	return interactive, batch, s.running
}

// close lets readers and workers go. All jobs must have ended.
func (s *scheduler) close() {
	s.mu.Lock()
	s.closed = true
	s.changed.Broadcast()
	s.mu.Unlock()
	s.wg.Wait()
}
