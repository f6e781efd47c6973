package inference_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/inference/inferencetest"
)

// benchModel returns the first model of $SCARP_BENCH_MODELS or else of the shipped ones, else the tiny one.
func benchModel(b testing.TB, lattice inference.LatticeConfig) []*inference.Model {
	dir := os.Getenv("SCARP_BENCH_MODELS")
	if dir == "" {
		dir = filepath.Join(inferencetest.RepositoryRoot(), "models")
	}
	models, err := inference.LoadModels([]fs.FS{os.DirFS(dir), os.DirFS("testdata")}, map[string]inference.LatticeConfig{"": lattice})
	require.NoError(b, err)
	return models
}

// drawn is a source whose windows are made before the clock starts, so that
// the benchmarks measure the engine and not the making-up of pixels.
func drawn(side int) *imagerytest.Source {
	src := imagerytest.New(side, side)
	src.Flat = true
	return src
}

func blocksOf(side int) (at []inference.BlockIndex) {
	for row := range side / inference.BlockSize {
		for col := range side / inference.BlockSize {
			at = append(at, inference.BlockIndex{Col: col, Row: row})
		}
	}
	return at
}

func runJob(ctx context.Context, e *inference.Engine, src *imagerytest.Source, m *inference.Model, at []inference.BlockIndex, inFlight int, p inference.Priority) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(inFlight)
	for _, a := range at {
		g.Go(func() error {
			_, err := e.Block(ctx, src, m, a, p)
			return err
		})
	}
	return g.Wait()
}

// BenchmarkJob maps 1024 × 1024 pixels and prints the wall time ÷ that of the
// bare runs of the same patches with the same workers and threads.
func BenchmarkJob(b *testing.B) { benchmark(b, 1024, blocksOf(1024), inference.Batch) }

// BenchmarkColdBlock is one block that nothing is known of, as somebody at a map waits for it.
func BenchmarkColdBlock(b *testing.B) {
	benchmark(b, 1024, []inference.BlockIndex{{Col: 1, Row: 1}}, inference.Interactive)
}

// cpuTime is the processor time that the process has used.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakMegabytes is the largest resident memory that the process had.
func peakMegabytes(b *testing.B) float64 {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return float64(u.Maxrss) / 1024
}

func benchmark(b *testing.B, side int, at []inference.BlockIndex, p inference.Priority) {
	models := benchModel(b, inference.LatticeConfig{})
	src := drawn(side)
	for b.Loop() {
		e := newEngine(b, func(c *inference.Config) { c.Models = models })
		m := models[0]
		require.NoError(b, e.Warm(b.Context(), m))
		_, err := e.BareRuns(b.Context(), m, 1)
		require.NoError(b, err)
		start, cpu := time.Now(), cpuTime(b)
		require.NoError(b, runJob(b.Context(), e, src, m, at, 8, p))
		wall, jobCPU := time.Since(start), cpuTime(b)-cpu
		s := e.Stats()
		cpu = cpuTime(b)
		bare, err := e.BareRuns(b.Context(), m, int(s.Runs))
		require.NoError(b, err)
		// On a machine that others use too, processor time tells more than the clock.
		// (BareRuns runs once a worker more than asked for.)
		bareCPU := (cpuTime(b) - cpu).Seconds() * float64(s.Runs) / float64(int(s.Runs)+e.Workers())
		b.ReportMetric(jobCPU.Seconds()/bareCPU, "cpu/bare")
		b.ReportMetric(wall.Seconds()/bare.Seconds(), "wall/bare")
		b.ReportMetric(peakMegabytes(b), "peak-MB")
		b.ReportMetric(wall.Seconds()*1000/float64(len(at)), "ms/block")
		b.ReportMetric(float64(s.Runs)/float64(len(at)), "runs/block")
		b.ReportMetric(s.ReadTime.Seconds()*1000/float64(s.Runs), "read-ms/run")
		b.ReportMetric(s.PrepareTime.Seconds()*1000/float64(s.Runs), "prepare-ms/run")
	}
}

// BenchmarkPrepare makes the tensors of one patch in the middle of the grid.
func BenchmarkPrepare(b *testing.B) {
	m := benchModel(b, inference.LatticeConfig{PatchSize: 320})[0]
	src := imagerytest.New(1000, 1000)
	fill, err := inference.FillOnce(m, src, 100, 100, func(r imagery.Request) *imagery.Window {
		w, err := src.Read(b.Context(), r)
		require.NoError(b, err)
		return w
	})
	require.NoError(b, err)
	b.ReportAllocs()
	for b.Loop() {
		fill()
	}
}
