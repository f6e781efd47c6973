package ogctest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/jobs/analysis"
	"github.com/scarp-map/scarp/jobs/echo"
	"github.com/scarp-map/scarp/store"
)

// processJobs runs processes other than mapping, really, and keeps their outputs in memory.
type processJobs struct {
	mu          sync.Mutex
	outputs     map[string][]byte // by job and output
	stops       map[string]context.CancelFunc
	subscribers map[string]jobs.Subscriber
	news        func(context.Context, jobs.Job) (jobs.News, error)
}

// Execute implements [jobs.Service].
func (s *Jobs) Execute(ctx context.Context, process string, inputs, request json.RawMessage) (jobs.Job, error) {
	p, ok := s.Processes[process]
	if !ok {
		return jobs.Job{}, fmt.Errorf("%w: no process %s", jobs.ErrBadSpec, process)
	}
	if p.Check != nil {
		if err := p.Check(ctx, inputs); err != nil {
			return jobs.Job{}, err
		}
	}
	s.mu.Lock()
	at := Day().Add(time.Duration(len(s.jobs)) * time.Hour)
	s.made++
	j := jobs.Job{ID: fmt.Sprintf("job-%d", s.made), Process: process, Request: request, Status: jobs.Running, Message: "running", Created: at, Started: at, Updated: at}
	s.jobs = append(s.jobs, j)
	s.mu.Unlock()
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.work.mu.Lock()
	if s.work.outputs == nil {
		s.work.outputs, s.work.stops = map[string][]byte{}, map[string]context.CancelFunc{}
	}
	s.work.stops[j.ID] = stop
	s.work.mu.Unlock()
	go s.run(run, p, j, inputs)
	return j, nil
}

func (s *Jobs) run(ctx context.Context, p jobs.Process, j jobs.Job, inputs json.RawMessage) {
	dir, err := os.MkdirTemp("", "scarp-ogctest-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	var kept []jobs.Kept
	w := &jobs.Work{Job: j.ID, Inputs: inputs, Dir: dir, Message: "done",
		Step: func(ctx context.Context, _ int, _ string) error { return ctx.Err() },
		Create: func(_ context.Context, o jobs.Kept) (io.WriteCloser, error) {
			kept = append(kept, o)
			return &memory{jobs: &s.work, key: j.ID + "/" + string(o.ID)}, nil
		}}
	err = p.Run(ctx, w)
	s.change(j.ID, func(j jobs.Job) jobs.Job {
		if !j.Finished.IsZero() {
			return j
		}
		j.Finished = j.Started.Add(time.Minute)
		j.Status, j.Message, j.Progress, j.Outputs = jobs.Successful, w.Message, 100, kept
		if err != nil {
			j.Status, j.Message, j.Progress, j.Outputs, j.BadInputs = jobs.Failed, err.Error(), 0, nil, errors.Is(err, jobs.ErrBadSpec)
		}
		return j
	})
}

// memory is an output that is being written.
type memory struct {
	bytes.Buffer
	jobs *processJobs
	key  string
}

func (m *memory) Close() error {
	m.jobs.mu.Lock()
	defer m.jobs.mu.Unlock()
	m.jobs.outputs[m.key] = m.Bytes()
	return nil
}

func (p *processJobs) stop(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stop := p.stops[id]; stop != nil {
		stop()
	}
}

func (p *processJobs) result(j jobs.Job, o jobs.Output) (*jobs.Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range j.Outputs {
		if k.ID == o {
			b := p.outputs[j.ID+"/"+string(o)]
			return &jobs.Result{ReadSeekCloser: nopCloser{bytes.NewReader(b)}, MediaType: k.MediaType, Name: k.Name, Size: int64(len(b)), Modified: Day()}, nil
		}
	}
	return nil, fmt.Errorf("%w: output %q", jobs.ErrNotFound, o)
}

// CheckSubscriber implements [jobs.Service]: callbacks may go to hooks.test.
func (s *Jobs) CheckSubscriber(u jobs.Subscriber) error {
	for _, url := range []string{u.Success, u.InProgress, u.Failed} {
		if url != "" && !strings.HasPrefix(url, "https://hooks.test/") {
			return fmt.Errorf("%w: subscriber: callbacks to %s are not allowed here", jobs.ErrBadSpec, url)
		}
	}
	return nil
}

// Subscribe implements [jobs.Service].
func (s *Jobs) Subscribe(_ context.Context, id string, u jobs.Subscriber) error {
	s.work.mu.Lock()
	defer s.work.mu.Unlock()
	if s.work.subscribers == nil {
		s.work.subscribers = map[string]jobs.Subscriber{}
	}
	s.work.subscribers[id] = u
	return nil
}

// Subscriber returns who wants to be told of a job.
func (s *Jobs) Subscriber(id string) jobs.Subscriber {
	s.work.mu.Lock()
	defer s.work.mu.Unlock()
	return s.work.subscribers[id]
}

// Tell implements [jobs.Service].
func (s *Jobs) Tell(news func(context.Context, jobs.Job) (jobs.News, error)) { s.work.news = news }

// News returns what would be told of a job now.
func (s *Jobs) News(ctx context.Context, id string) (jobs.News, error) {
	j, err := s.Job(ctx, id)
	if err != nil {
		return jobs.News{}, err
	}
	return s.work.news(ctx, j)
}

// Processes are those beside mapping, over a store and a folder whose files clients may refer to.
func Processes(s store.Store, dir string) map[string]jobs.Process {
	files := imagery.Options{Base: dir, Allow: []string{dir}}
	sources := analysis.Sources{Store: s, Locate: files.Locate}
	return map[string]jobs.Process{"assess-impact": analysis.Impact(sources), "compare-inventory": analysis.Compare(sources),
		"echo": echo.Process(func(_ context.Context, href string) (io.ReadCloser, error) {
			path, err := files.Locate(href)
			if err != nil {
				return nil, err
			}
			return os.Open(path)
		})}
}
