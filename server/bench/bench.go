// Package bench measures what Scarp adds to the parts that it is made of. Each
// figure is a ratio of two things measured in the same run on the same
// machine, so that it says the same on any.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/simulate"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/server"
)

// Options say what to measure with.
type Options struct {
	Config server.Config // its data folder and address are replaced by temporary ones
	// Size is the side of the simulated event in pixels; 0 is 2048.
	Size int
	// ColdTiles, Tiles and Seconds are how many uncached tiles are timed, how
	// many different tiles memory is watched over, and how long each side of the
	// comparison with a file server runs; 0 is 24, 10000 and 6.
	ColdTiles, Tiles, Seconds int
}

// Figure is one measurement.
type Figure struct {
	Name   string
	Value  float64
	Bound  float64
	AtMost bool // the bound is an upper one
	Detail string
}

// Holds says whether the figure keeps its bound.
func (f Figure) Holds() bool { return f.AtMost == (f.Value <= f.Bound) || f.Value == f.Bound }

// runner has the server that is measured.
type runner struct {
	Options
	backend *server.Backend
	model   *inference.Model
	url     string
	bounds  [4]float64
	out     io.Writer
}

// Run measures everything and prints each figure as it is known.
func Run(ctx context.Context, o Options, out io.Writer) (figures []Figure, err error) {
	for value, fallback := range map[*int]int{&o.Size: 2048, &o.ColdTiles: 24, &o.Tiles: 10000, &o.Seconds: 6} {
		if *value == 0 {
			*value = fallback
		}
	}
	folder, err := os.MkdirTemp("", "scarp-bench-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the benchmark: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	o.Config.DataDir, o.Config.DatabaseURL, o.Config.CacheURL = filepath.Join(folder, "data"), "", ""
	o.Config.RateLimit, o.Config.AccessLog = 0, true // the log is part of the cost
	// Memory grows until the cache is full, as it should. A small cache is full
	// before memory is looked at for the first time.
	o.Config.CacheMemory = 24

	fmt.Fprintf(out, "Simulating an event of %d × %d pixels\n", o.Size, o.Size)
	scenes := filepath.Join(o.Config.DataDir, "bench")
	if err := writeEvent(ctx, o.Size, scenes); err != nil {
		return nil, err
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	backend, err := server.OpenBackend(ctx, o.Config, log)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, backend.Close()) }()
	r := &runner{Options: o, backend: backend, out: out}
	stop, err := r.serve(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	if err := r.addEvents(ctx, filepath.Join(scenes, "event.yaml"), "cold", "job"); err != nil {
		return nil, err
	}
	if r.model, err = backend.Inference.Model(""); err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "Model %s %s\n", r.model.Name(), r.model.Manifest.Version)

	for _, measure := range []func(context.Context) ([]Figure, error){r.coldTiles, r.mappingJob, r.cachedTile, r.memory} {
		found, err := measure(ctx)
		if err != nil {
			return figures, err
		}
		for _, f := range found {
			sign, verdict := "≥", "holds"
			if f.AtMost {
				sign = "≤"
			}
			if !f.Holds() {
				verdict = "MISSED"
			}
			fmt.Fprintf(out, "%-34s %6.3f  (%s %.2f: %s)  %s\n", f.Name, f.Value, sign, f.Bound, verdict, f.Detail)
		}
		figures = append(figures, found...)
	}
	return figures, nil
}

func writeEvent(ctx context.Context, size int, folder string) error {
	event, err := simulate.Generate(ctx, simulate.Config{Seed: 4711, Width: size, Height: size})
	if err != nil {
		return fmt.Errorf("simulate the event: %w", err)
	}
	_, err = imagery.WriteSimulated(ctx, folder, "bench", "Benchmark", "", event)
	return err
}

// addEvents adds the same scenes under several names: nothing that is
// predicted for one is known for another.
func (r *runner) addEvents(ctx context.Context, file string, ids ...string) error {
	event, err := imagery.LoadEvent(file)
	if err != nil {
		return err
	}
	for _, id := range ids {
		event.ID = id
		if err := r.backend.Store.PutEvent(ctx, event); err != nil {
			return err
		}
		src, err := r.backend.Sources.Source(ctx, id)
		if err != nil {
			return err
		}
		r.bounds = src.Bounds()
	}
	return nil
}

func (r *runner) serve(ctx context.Context) (stop func(), err error) {
	handler, _, err := server.NewHandler(r.backend)
	if err != nil {
		return nil, err
	}
	if err := r.backend.Start(ctx); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &http.Server{Handler: handler, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(listener) }() // ends with Close
	r.url = "http://" + listener.Addr().String()
	return func() { _ = s.Close() }, nil
}
