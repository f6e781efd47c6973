// Package echo is a process for trying out clients: it returns what it is
// given, in every form that inputs and outputs can have.
package echo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"maps"

	"github.com/scarp-map/scarp/jobs"
)

// MaxPause bounds how long an echo may take, in seconds.
const MaxPause = 60

// maxReferred bounds what a reference may lead to, in bytes.
const maxReferred = 1 << 20

// Process returns the process. Every input but pause comes back as the output
// of the same name: as text where it is a string, else as JSON. open follows the
// references that clients may make; nil follows none.
func Process(open func(ctx context.Context, href string) (io.ReadCloser, error)) jobs.Process {
	e := echo{open}
	return jobs.Process{Check: e.check, Run: e.run, Parallel: 32}
}

type echo struct {
	open func(ctx context.Context, href string) (io.ReadCloser, error)
}

// reference is an input that is somewhere else.
type reference struct {
	Href string `json:"href"`
}

func parse(raw json.RawMessage) (pause time.Duration, inputs map[string]json.RawMessage, err error) {
	if err := json.Unmarshal(raw, &inputs); err != nil {
		return 0, nil, fmt.Errorf("%w: %w", jobs.ErrBadSpec, err)
	}
	var seconds float64
	if p, ok := inputs["pause"]; ok {
		if err := json.Unmarshal(p, &seconds); err != nil || !(seconds >= 0 && seconds <= MaxPause) {
			return 0, nil, fmt.Errorf("%w: pause: expected seconds from 0 to %d", jobs.ErrBadSpec, MaxPause)
		}
	}
	delete(inputs, "pause")
	if len(inputs) == 0 {
		return 0, nil, fmt.Errorf("%w: there is nothing to echo: give at least one input beside pause, such as message", jobs.ErrBadSpec)
	}
	return time.Duration(seconds * float64(time.Second)), inputs, nil
}

func (e echo) check(ctx context.Context, raw json.RawMessage) error {
	_, inputs, err := parse(raw)
	if err != nil {
		return err
	}
	for name, v := range inputs {
		if href := hrefOf(v); href != "" {
			r, err := e.follow(ctx, href)
			if err != nil {
				return fmt.Errorf("%w: %s: %w", jobs.ErrBadSpec, name, err)
			}
			if err := r.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

func hrefOf(v json.RawMessage) string {
	var r reference
	if json.Unmarshal(v, &r) != nil {
		return ""
	}
	return r.Href
}

func (e echo) follow(ctx context.Context, href string) (io.ReadCloser, error) {
	if e.open == nil {
		return nil, fmt.Errorf("%s: references are not followed here", href)
	}
	return e.open(ctx, href)
}

func (e echo) run(ctx context.Context, w *jobs.Work) error {
	pause, inputs, err := parse(w.Inputs)
	if err != nil {
		return err
	}
	if pause > 0 {
		if err := w.Step(ctx, 0, "pausing"); err != nil {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(inputs)) {
		if err := e.echo(ctx, w, name, inputs[name]); err != nil {
			return err
		}
	}
	return nil
}

func (e echo) echo(ctx context.Context, w *jobs.Work, name string, v json.RawMessage) error {
	kept := jobs.Kept{ID: jobs.Output(name), MediaType: "application/json", Name: name + ".json"}
	var text string
	var body io.Reader = bytes.NewReader(v)
	if href := hrefOf(v); href != "" {
		r, err := e.follow(ctx, href)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", jobs.ErrBadSpec, name, err)
		}
		defer r.Close()
		b, err := io.ReadAll(io.LimitReader(r, maxReferred+1))
		if err != nil {
			return fmt.Errorf("read %s: %w", href, err)
		}
		if len(b) > maxReferred {
			return fmt.Errorf("%w: %s: %s is larger than %d bytes", jobs.ErrBadSpec, name, href, maxReferred)
		}
		body = bytes.NewReader(b)
		kept.MediaType, kept.Name = "text/plain; charset=utf-8", name+".txt"
	} else if json.Unmarshal(v, &text) == nil {
		body = bytes.NewReader([]byte(text))
		kept.MediaType, kept.Name = "text/plain; charset=utf-8", name+".txt"
	}
	return w.Write(ctx, kept, func(out io.Writer) error { _, err := io.Copy(out, body); return err })
}
