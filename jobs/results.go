package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/jobs/mapping"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/export"
)

// outputs are the files that a job keeps.
var outputs = map[Output]struct{ name, mediaType string }{
	LandslidesGeoJSON: {"landslides.geojson", "application/geo+json"},
	LandslidesGPKG:    {"landslides.gpkg", "application/geopackage+sqlite3"},
	MaskCOG:           {"mask.tif", "image/tiff; application=geotiff; profile=cloud-optimized"},
	ProbabilityCOG:    {"probability.tif", "image/tiff; application=geotiff; profile=cloud-optimized"},
	SummaryJSON:       {"summary.json", "application/json"},
}

func resultKey(id string, o Output) string { return "results/" + id + "/" + outputs[o].name }

// keepResults writes the outputs to files, and those to the bucket.
func (e *Engine) keepResults(ctx context.Context, event imagery.Event, run store.Run, m *mapping.Mosaic, res *mapping.Result) error {
	id := run.ID
	dir, err := os.MkdirTemp(e.config.TempDir, "scarp-results-*")
	if err != nil {
		return fmt.Errorf("write the results of job %s: %w", id, err)
	}
	defer os.RemoveAll(dir)
	path := func(o Output) string { return filepath.Join(dir, outputs[o].name) }
	writers := map[Output]func(path string) error{
		LandslidesGeoJSON: func(path string) error {
			return writeFile(path, func(w io.Writer) error { return export.GeoJSON(w, res.Landslides) })
		},
		LandslidesGPKG: func(path string) error { return export.GeoPackage(ctx, path, event, run, res.Landslides) },
		MaskCOG:        func(path string) error { return m.WriteMask(ctx, path) },
		ProbabilityCOG: func(path string) error { return m.WriteProbability(ctx, path) },
		SummaryJSON: func(path string) error {
			return writeFile(path, func(w io.Writer) error { return json.NewEncoder(w).Encode(res.Summary) })
		},
	}
	for o, write := range writers {
		if err := write(path(o)); err != nil {
			return fmt.Errorf("write output %s of job %s: %w", o, id, err)
		}
		if err := e.upload(ctx, resultKey(id, o), path(o), outputs[o].mediaType); err != nil {
			return fmt.Errorf("keep output %s of job %s: %w", o, id, err)
		}
	}
	return nil
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

func (e *Engine) upload(ctx context.Context, key, path, mediaType string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return e.config.Results.Upload(ctx, key, f, &blob.WriterOptions{ContentType: mediaType})
}

// deleteResults removes what a job has kept.
func (e *Engine) deleteResults(ctx context.Context, id string) error {
	files := e.config.Results.List(&blob.ListOptions{Prefix: "results/" + id + "/"})
	for {
		file, err := files.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = e.config.Results.Delete(ctx, file.Key)
		}
		if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			return fmt.Errorf("remove the results of job %s: %w", id, err)
		}
	}
}

// Result opens an output of a successful job.
func (e *Engine) Result(ctx context.Context, id string, o Output) (*Result, error) {
	job, err := e.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	file, ok := outputs[o]
	if !ok && job.Process == MapLandslides {
		return nil, fmt.Errorf("%w: there is no output %q", ErrNotFound, o)
	}
	switch job.Status {
	case Accepted, Running:
		return nil, fmt.Errorf("%w: job %s is %s (%d %%)", ErrNotReady, id, job.Status, job.Progress)
	case Failed, Dismissed:
		return nil, fmt.Errorf("%w with results: job %s has %s: %s", ErrNotFound, id, job.Status, job.Message)
	}
	if job.Process != MapLandslides {
		return e.keptResult(ctx, job, o)
	}
	r, err := e.config.Results.NewReader(ctx, resultKey(id, o), nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, fmt.Errorf("%w: output %s of job %s is no longer kept", ErrNotFound, o, id)
	}
	if err != nil {
		return nil, fmt.Errorf("open output %s of job %s: %w", o, id, err)
	}
	return &Result{ReadSeekCloser: r, MediaType: file.mediaType, Name: file.name, Size: r.Size(), Modified: r.ModTime()}, nil
}
