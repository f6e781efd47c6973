package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// Process is work other than mapping, which the engine does as one task: kept
// in the queue, tried again when the server was stopped meanwhile, dismissed,
// and its outputs kept like those of mapping.
type Process struct {
	// Check refuses inputs (ErrBadSpec) before there is a job; nil accepts all.
	Check func(ctx context.Context, inputs json.RawMessage) error
	// Run does the work. An error that wraps ErrBadSpec is the client's fault;
	// it is not tried again and its text is shown to the client, as others' are.
	// Run may be called again after it was interrupted.
	Run func(ctx context.Context, w *Work) error
	// Parallel bounds how many run at once in this server; 0 means 1.
	Parallel int
}

// Work is one execution of a [Process].
type Work struct {
	// Job is the job's id.
	Job string
	// Inputs are the checked inputs, as JSON.
	Inputs json.RawMessage
	// Dir is an empty folder for temporary files, removed afterwards.
	Dir string
	// Step records how far the work is, in percent, and what it does now. It
	// returns an error when the job has been dismissed.
	Step func(ctx context.Context, percent int, message string) error
	// Message is what the job says when it is successful.
	Message string
	// Create opens an output for writing. Closing it keeps it, unless ctx has ended.
	Create func(ctx context.Context, o Kept) (io.WriteCloser, error)
}

// Kept is an output that a job keeps.
type Kept struct {
	ID        Output `json:"id"`
	MediaType string `json:"mediaType"`
	Name      string `json:"name"` // of the file that it is downloaded as
}

// Write keeps an output. What write has written is dropped where it fails.
func (w *Work) Write(ctx context.Context, o Kept, write func(io.Writer) error) error {
	ctx, drop := context.WithCancel(ctx)
	defer drop()
	out, err := w.Create(ctx, o)
	if err != nil {
		return fmt.Errorf("keep output %s: %w", o.ID, err)
	}
	if err := write(out); err != nil {
		drop()
		_ = out.Close() // says that it was dropped
		return fmt.Errorf("write output %s: %w", o.ID, err)
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("keep output %s: %w", o.ID, err)
	}
	return nil
}

// WriteJSON keeps an output that is a JSON document.
func (w *Work) WriteJSON(ctx context.Context, id Output, v any) error {
	return w.Write(ctx, Kept{ID: id, MediaType: "application/json", Name: string(id) + ".json"}, func(out io.Writer) error {
		return json.NewEncoder(out).Encode(v)
	})
}

// WriteFile keeps an output that lies in a file.
func (w *Work) WriteFile(ctx context.Context, o Kept, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("keep output %s: %w", o.ID, err)
	}
	defer f.Close()
	return w.Write(ctx, o, func(out io.Writer) error { _, err := io.Copy(out, f); return err })
}

// maxInputs bounds the inputs of a job in bytes.
const maxInputs = 64 << 20

// Execute checks the inputs of a process and queues a job for it.
func (e *Engine) Execute(ctx context.Context, process string, inputs, request json.RawMessage) (Job, error) {
	p, ok := e.config.Processes[process]
	if !ok {
		return Job{}, fmt.Errorf("%w: there is no process %q", ErrBadSpec, process)
	}
	if len(inputs) > maxInputs {
		return Job{}, fmt.Errorf("%w: the inputs have %d bytes; at most %d are accepted", ErrBadSpec, len(inputs), maxInputs)
	}
	if p.Check != nil {
		if err := p.Check(ctx, inputs); err != nil {
			return Job{}, err
		}
	}
	id, err := newID()
	if err != nil {
		return Job{}, err
	}
	// The inputs may be large, so that they are kept beside the results instead of in the list of jobs.
	if err := e.config.Results.WriteAll(ctx, inputsKey(id), inputs, &blob.WriterOptions{ContentType: "application/json"}); err != nil {
		return Job{}, fmt.Errorf("keep the inputs of a job of %s: %w", process, err)
	}
	rec := record{Job: Job{ID: id, Process: process, Request: request, Message: "accepted"}}
	rec, err = e.record(ctx, rec, nil)
	if err != nil {
		return Job{}, errors.Join(fmt.Errorf("submit a job of %s: %w", process, err), e.deleteResults(context.WithoutCancel(ctx), id))
	}
	return rec.Job, nil
}

func inputsKey(id string) string { return "results/" + id + "/inputs.json" }

// run does the work of a job that is no mapping.
func (a *attempt) run(ctx context.Context, rec record) (err error) {
	e := a.engine
	p, ok := e.config.Processes[rec.Process]
	if !ok {
		return fmt.Errorf("%w: this server has no process %s", errPanic, rec.Process)
	}
	inputs, err := e.config.Results.ReadAll(ctx, inputsKey(rec.ID))
	if err != nil {
		return fmt.Errorf("read the inputs of job %s: %w", rec.ID, err)
	}
	dir, err := os.MkdirTemp(e.config.TempDir, "scarp-job-*")
	if err != nil {
		return fmt.Errorf("make a folder for job %s: %w", rec.ID, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var kept []Kept
	w := &Work{Job: rec.ID, Inputs: inputs, Dir: dir, Step: a.step, Message: "done",
		Create: func(ctx context.Context, o Kept) (io.WriteCloser, error) {
			if !safeOutput.MatchString(string(o.ID)) {
				return nil, fmt.Errorf("output id %q can't be the name of a file", o.ID)
			}
			kept = append(kept, o)
			return e.config.Results.NewWriter(ctx, keptKey(rec.ID, o.ID), &blob.WriterOptions{ContentType: o.MediaType})
		}}
	if err := p.Run(ctx, w); err != nil {
		return err
	}
	list, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("record the outputs of job %s: %w", rec.ID, err)
	}
	if err := a.end(context.WithoutCancel(ctx), rec.ID, w.Message, `outputs`, string(list)); err != nil {
		if errors.Is(err, errDismissed) {
			err = errors.Join(err, e.deleteResults(context.WithoutCancel(ctx), rec.ID))
		}
		return err
	}
	return nil
}

var safeOutput = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)

func keptKey(id string, o Output) string { return "results/" + id + "/out-" + string(o) }

// keptResult opens an output of a job that was no mapping.
func (e *Engine) keptResult(ctx context.Context, job Job, o Output) (*Result, error) {
	for _, k := range job.Outputs {
		if k.ID != o {
			continue
		}
		r, err := e.config.Results.NewReader(ctx, keptKey(job.ID, o), nil)
		if gcerrors.Code(err) == gcerrors.NotFound {
			return nil, fmt.Errorf("%w: output %s of job %s is no longer kept", ErrNotFound, o, job.ID)
		}
		if err != nil {
			return nil, fmt.Errorf("open output %s of job %s: %w", o, job.ID, err)
		}
		return &Result{ReadSeekCloser: r, MediaType: k.MediaType, Name: k.Name, Size: r.Size(), Modified: r.ModTime()}, nil
	}
	return nil, fmt.Errorf("%w: job %s has no output %q", ErrNotFound, job.ID, o)
}
