package jobs_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/inference/inferencetest"
	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/store/postgrestest"
)

// Environment of the child process of TestKilledProcess.
const (
	childDir = "SCARP_TEST_JOBS_DIR"
	childURL = "SCARP_TEST_JOBS_URL"
)

// testLease is short, so that the test is; but not so short that a slow machine looks dead.
const testLease = 4 * time.Second

// TestKilledProcess kills a process in the middle of a job, and lets another take over.
func TestKilledProcess(t *testing.T) {
	if dir := os.Getenv(childDir); dir != "" {
		workUntilKilled(t, dir, os.Getenv(childURL))
	}
	for _, stage := range []string{"predicting", "publishing"} {
		t.Run("SQLite/"+stage, func(t *testing.T) { killAndResume(t, "", stage) })
		t.Run("Postgres/"+stage, func(t *testing.T) { killAndResume(t, postgrestest.URL(t), stage) })
	}
}

func killAndResume(t *testing.T, databaseURL, stage string) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestKilledProcess$")
	child.Env = append(os.Environ(), childDir+"="+dir, childURL+"="+databaseURL, "SCARP_TEST_JOBS_STAGE="+stage)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	t.Cleanup(func() { child.Process.Kill(); child.Wait() })
	lines := bufio.NewScanner(out)
	var id string
	for lines.Scan() {
		if n, _ := fmt.Sscanf(lines.Text(), "in the middle of %s", &id); n == 1 {
			break
		}
	}
	require.NotEmpty(t, id, "the child ended early")
	require.NoError(t, child.Process.Kill())
	child.Wait()

	p := newPlace(t, dir, databaseURL)
	var mu sync.Mutex
	calls := map[inference.BlockIndex]int{}
	pred := &inferencetest.Fake{Pixel: blobs, OnBlock: func(_ context.Context, at inference.BlockIndex) error {
		mu.Lock()
		defer mu.Unlock()
		calls[at]++
		return nil
	}}
	e := p.start(t, func(c *jobs.Config) { c.Predictor, c.Lease = pred, testLease })
	job := wait(t, e, id)
	require.Equal(t, jobs.Successful, job.Status, job.Message)
	assert.Equal(t, p.expected(t), outcome(t, e, id))
	runs, err := p.store.Runs(context.Background(), "synthetic")
	require.NoError(t, err)
	assert.Len(t, runs, 1)
	if stage == "predicting" {
		// The finishing asks for every block, from the cache. Before it only the batches that were not
		// complete are predicted: all but the first four blocks, which are the first row.
		for at, n := range calls {
			if at.Row > 0 {
				n--
			}
			assert.Equal(t, calls[inference.BlockIndex{}], n, "block %v", at)
		}
	}
}

// workUntilKilled works on a job until it is in the middle of it, and then waits for its end.
func workUntilKilled(t *testing.T, dir, databaseURL string) {
	p := newPlace(t, dir, databaseURL)
	ctx := context.Background()
	var id string
	var said sync.Once
	hang := func() {
		said.Do(func() { fmt.Printf("\nin the middle of %s\n", id) })
		select {}
	}
	var calls atomic.Int64
	e := p.open(t, func(c *jobs.Config) {
		c.Workers, c.Lease = 1, testLease
		if os.Getenv("SCARP_TEST_JOBS_STAGE") == "publishing" {
			c.Store = hanging{c.Store, hang}
			return
		}
		c.Predictor = &inferencetest.Fake{Pixel: blobs, OnBlock: func(context.Context, inference.BlockIndex) error {
			if calls.Add(1) > 5 { // two batches are done, the third is not
				hang()
			}
			return nil
		}}
	})
	job, err := e.Submit(ctx, spec, nil)
	require.NoError(t, err)
	id = job.ID
	require.NoError(t, e.Start(ctx))
	select {}
}

func TestGracefulStop(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) {
		ctx := context.Background()
		var id string
		for range 5 { // more often than a task may fail
			h := newHeld()
			e := p.start(t, func(c *jobs.Config) { c.Predictor = h })
			if id == "" {
				job, err := e.Submit(ctx, spec, nil)
				require.NoError(t, err)
				id = job.ID
			}
			<-h.began
			require.NoError(t, e.Stop(ctx))
			<-h.ended
		}
		e := p.start(t, nil)
		job := wait(t, e, id)
		require.Equal(t, jobs.Successful, job.Status, job.Message)
		assert.Equal(t, p.expected(t), outcome(t, e, id))
	})
}

// TestTwoMachines lets two engines share a job: neither goes on before the other has begun.
func TestTwoMachines(t *testing.T) {
	p := newPlace(t, t.TempDir(), postgrestest.URL(t))
	var both sync.WaitGroup
	both.Add(2)
	machine := func() (*jobs.Engine, *inferencetest.Fake) {
		var once sync.Once
		pred := &inferencetest.Fake{Pixel: blobs, OnBlock: func(context.Context, inference.BlockIndex) error {
			once.Do(both.Done)
			both.Wait()
			return nil
		}}
		return p.open(t, func(c *jobs.Config) { c.Predictor, c.Workers = pred, 1 }), pred
	}
	one, _ := machine()
	two, _ := machine()
	ctx := context.Background()
	job, err := one.Submit(ctx, spec, nil)
	require.NoError(t, err)
	require.NoError(t, one.Start(ctx))
	require.NoError(t, two.Start(ctx))
	job = wait(t, two, job.ID)
	require.Equal(t, jobs.Successful, job.Status, job.Message)
	assert.Equal(t, p.expected(t), outcome(t, one, job.ID))
	runs, err := p.store.Runs(ctx, "synthetic")
	require.NoError(t, err)
	assert.Len(t, runs, 1)
}

func TestOneProcessPerFolder(t *testing.T) {
	p := newPlace(t, t.TempDir(), "")
	p.open(t, nil)
	_, err := jobs.Open(context.Background(), p.config)
	require.ErrorContains(t, err, "another scarp process uses this data folder")
}
