package jobs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/inference/inferencetest"
	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/jobs/mapping"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/export"
	"github.com/scarp-map/scarp/store/gpkg"
	"github.com/scarp-map/scarp/store/postgrestest"
)

// sources is one event, "synthetic".
type sources struct{ src imagery.Source }

func (s sources) Source(_ context.Context, id string) (imagery.Source, error) {
	if id != s.src.Event().ID {
		return nil, fmt.Errorf("event %q: %w", id, store.ErrNotFound)
	}
	return s.src, nil
}

// blobs are round shapes, many of them across block edges. Cheap to compute: it is done for millions of pixels.
func blobs(_ imagery.Source, x, y int) uint8 {
	dx, dy := x%97-48, (y+x/3)%83-41
	return uint8(max(0, 250-(dx*dx+dy*dy)/2))
}

// place is what outlives an engine: folders, store and database.
type place struct {
	config jobs.Config
	src    *imagerytest.Source
	store  store.Store
}

// newPlace makes a place with a 1024×768 event (12 blocks, 6 batches) in dir.
func newPlace(t testing.TB, dir, databaseURL string) *place {
	t.Helper()
	ctx := context.Background()
	s, err := gpkg.Open(ctx, filepath.Join(dir, "store.gpkg"))
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	src := imagerytest.New(1024, 768)
	require.NoError(t, s.PutEvent(ctx, src.Event()))
	bucket, err := fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true})
	require.NoError(t, err)
	t.Cleanup(func() { bucket.Close() })
	return &place{src: src, store: s, config: jobs.Config{
		SQLite: filepath.Join(dir, "jobs.sqlite"), DatabaseURL: databaseURL,
		Store: s, Sources: sources{src}, Predictor: &inferencetest.Fake{Pixel: blobs}, Results: bucket, TempDir: t.TempDir(),
		BatchBlocks: 2, Logger: slog.New(slog.DiscardHandler),
	}}
}

// open opens an engine that stops at the test's end. edit may change its configuration.
func (p *place) open(t testing.TB, edit func(*jobs.Config)) *jobs.Engine {
	t.Helper()
	c := p.config
	if edit != nil {
		edit(&c)
	}
	e, err := jobs.Open(context.Background(), c)
	require.NoError(t, err)
	var once sync.Once
	t.Cleanup(func() { once.Do(func() { e.Stop(context.Background()) }) })
	return e
}

func (p *place) start(t testing.TB, edit func(*jobs.Config)) *jobs.Engine {
	t.Helper()
	e := p.open(t, edit)
	require.NoError(t, e.Start(context.Background()))
	return e
}

// onBoth runs a test on either queue.
func onBoth(t *testing.T, test func(t *testing.T, p *place)) {
	t.Run("SQLite", func(t *testing.T) { t.Parallel(); test(t, newPlace(t, t.TempDir(), "")) })
	t.Run("Postgres", func(t *testing.T) {
		t.Parallel()
		test(t, newPlace(t, t.TempDir(), postgrestest.URL(t)))
	})
}

var spec = jobs.Spec{Event: "synthetic"}

// expected is what mapping without a queue gives, as GeoJSON without the run's id.
func (p *place) expected(t testing.TB) string {
	t.Helper()
	pred := &inferencetest.Fake{Pixel: blobs}
	plan, err := mapping.NewPlan(p.src, mapping.Inputs{Model: pred.Models()[0]})
	require.NoError(t, err)
	m, res, err := mapping.Map(context.Background(), plan, pred, t.TempDir(), func() {})
	require.NoError(t, err)
	defer m.Close()
	require.NotEmpty(t, res.Landslides)
	var buf bytes.Buffer
	require.NoError(t, export.GeoJSON(&buf, res.Landslides))
	return buf.String()
}

// outcome reads a job's GeoJSON without the run's id.
func outcome(t testing.TB, e *jobs.Engine, id string) string {
	t.Helper()
	r, err := e.Result(context.Background(), id, jobs.LandslidesGeoJSON)
	require.NoError(t, err)
	defer r.Close()
	b, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.EqualValues(t, len(b), r.Size)
	return string(bytes.ReplaceAll(b, []byte(`"run":"`+id+`"`), []byte(`"run":""`)))
}

func wait(t testing.TB, e *jobs.Engine, id string) jobs.Job {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	job, err := e.Wait(ctx, id, nil)
	require.NoError(t, err)
	return job
}

func TestMapsAndPublishes(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) {
		e := p.start(t, nil)
		ctx := context.Background()
		request := json.RawMessage(`{"outputs":{"landslides":{}}}`)
		job, err := e.Submit(ctx, spec, request)
		require.NoError(t, err)
		assert.Equal(t, jobs.Accepted, job.Status)
		assert.Equal(t, 12, job.BlocksPlanned)

		last, blocks := 0, 0
		job, err = e.Wait(ctx, job.ID, func(j jobs.Job) {
			assert.GreaterOrEqual(t, j.Progress, last)
			assert.GreaterOrEqual(t, j.BlocksDone, blocks)
			last, blocks = j.Progress, j.BlocksDone
		})
		require.NoError(t, err)
		require.Equal(t, jobs.Successful, job.Status, job.Message)
		assert.Equal(t, 100, job.Progress)
		assert.Equal(t, 12, job.BlocksDone)
		assert.JSONEq(t, string(request), string(job.Request))
		assert.Equal(t, spec, job.Spec)
		require.NotNil(t, job.Summary)
		assert.Positive(t, job.Summary.Landslides)
		assert.False(t, job.Started.Before(job.Created))
		assert.False(t, job.Finished.Before(job.Started))
		assert.GreaterOrEqual(t, len(job.Log), 5)
		assert.Contains(t, job.Message, "landslides")

		assert.Equal(t, p.expected(t), outcome(t, e, job.ID))
		for _, o := range []jobs.Output{jobs.LandslidesGPKG, jobs.MaskCOG, jobs.ProbabilityCOG, jobs.SummaryJSON} {
			r, err := e.Result(ctx, job.ID, o)
			require.NoError(t, err)
			assert.Positive(t, r.Size)
			require.NoError(t, r.Close())
		}

		run, err := p.store.Run(ctx, job.ID)
		require.NoError(t, err)
		assert.Equal(t, *job.Summary, run.Summary)
		page, err := p.store.Landslides(ctx, store.Query{Run: job.ID})
		require.NoError(t, err)
		assert.Equal(t, job.Summary.Landslides, page.Matched)

		second, err := e.Submit(ctx, spec, nil)
		require.NoError(t, err)
		wait(t, e, second.ID)
		all, matched, err := e.Jobs(ctx, jobs.Filter{Status: []jobs.Status{jobs.Successful, jobs.Running}, Event: "synthetic", Limit: 1})
		require.NoError(t, err)
		assert.Equal(t, 2, matched)
		require.Len(t, all, 1)
		assert.Equal(t, second.ID, all[0].ID, "newest first")
	})
}

func TestBadSpecs(t *testing.T) {
	p := newPlace(t, t.TempDir(), "")
	e := p.open(t, nil)
	ctx := context.Background()
	far := geojson.NewGeometry(orb.Polygon{{{7, 46}, {8, 46}, {8, 47}, {7, 47}, {7, 46}}})
	tests := map[string]struct {
		spec jobs.Spec
		want []string
	}{
		"no event":      {jobs.Spec{}, []string{"give the id of an event"}},
		"unknown event": {jobs.Spec{Event: "nowhere"}, []string{"nowhere"}},
		"unknown model": {jobs.Spec{Event: "synthetic", Model: "yolo"}, []string{"yolo"}},
		"threshold":     {jobs.Spec{Event: "synthetic", Threshold: 1.5}, []string{"threshold 1.5"}},
		"elsewhere":     {jobs.Spec{Event: "synthetic", AOI: far}, []string{"none of it lies in event"}},
		"line":          {jobs.Spec{Event: "synthetic", AOI: geojson.NewGeometry(orb.LineString{{0, 0}, {1, 1}})}, []string{"LineString can't be mapped"}},
		"nothing":       {jobs.Spec{Event: "synthetic", AOI: &geojson.Geometry{}}, []string{"can't be mapped"}},
		"all of it":     {jobs.Spec{Event: "nowhere", Model: "yolo", Threshold: -1, AOI: geojson.NewGeometry(orb.Point{1, 1})}, []string{"nowhere", "yolo", "threshold -1", "Point"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := e.Submit(ctx, tt.spec, nil)
			require.ErrorIs(t, err, jobs.ErrBadSpec)
			for _, w := range tt.want {
				assert.ErrorContains(t, err, w)
			}
		})
	}
	_, matched, err := e.Jobs(ctx, jobs.Filter{})
	require.NoError(t, err)
	assert.Zero(t, matched)
}

func TestBounded(t *testing.T) {
	p := newPlace(t, t.TempDir(), "")
	e := p.open(t, func(c *jobs.Config) { c.MaxUnfinished = 2 })
	ctx := context.Background()
	for range 2 {
		_, err := e.Submit(ctx, spec, nil)
		require.NoError(t, err)
	}
	_, err := e.Submit(ctx, spec, nil)
	require.ErrorIs(t, err, jobs.ErrBusy)
}

func TestUnknownJob(t *testing.T) {
	p := newPlace(t, t.TempDir(), "")
	e := p.open(t, nil)
	ctx := context.Background()
	_, err := e.Job(ctx, "x")
	require.ErrorIs(t, err, jobs.ErrNotFound)
	_, err = e.Wait(ctx, "x", nil)
	require.ErrorIs(t, err, jobs.ErrNotFound)
	_, err = e.Dismiss(ctx, "x")
	require.ErrorIs(t, err, jobs.ErrNotFound)
	_, err = e.Result(ctx, "x", jobs.MaskCOG)
	require.ErrorIs(t, err, jobs.ErrNotFound)
}

func TestNothingFound(t *testing.T) {
	tests := map[string]struct {
		value   uint8
		message string
	}{
		"no landslides": {0, "no landslides"},
		"all cloud":     {inference.CloudPost, "clouds cover all"},
		"no data":       {inference.NoData, "no imagery"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, t.TempDir(), "")
			e := p.start(t, func(c *jobs.Config) {
				c.Predictor = &inferencetest.Fake{Pixel: func(imagery.Source, int, int) uint8 { return tt.value }}
			})
			job, err := e.Submit(context.Background(), spec, nil)
			require.NoError(t, err)
			job = wait(t, e, job.ID)
			require.Equal(t, jobs.Successful, job.Status, job.Message)
			assert.Contains(t, job.Message, tt.message)
			assert.Zero(t, job.Summary.Landslides)
			run, err := p.store.Run(context.Background(), job.ID)
			require.NoError(t, err, "an empty run is published")
			assert.Zero(t, run.Summary.Landslides)
		})
	}
}

// held is a predictor whose blocks wait until their context ends.
type held struct {
	*inferencetest.Fake
	began, ended chan inference.BlockIndex
}

func newHeld() held {
	h := held{began: make(chan inference.BlockIndex, 100), ended: make(chan inference.BlockIndex, 100)}
	h.Fake = &inferencetest.Fake{Pixel: blobs, OnBlock: func(ctx context.Context, at inference.BlockIndex) error {
		h.began <- at
		<-ctx.Done()
		h.ended <- at
		return context.Cause(ctx)
	}}
	return h
}

func TestDismissStopsTheComputation(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) {
		ctx := context.Background()
		h := newHeld()
		e := p.start(t, func(c *jobs.Config) { c.Predictor, c.Workers = h, 1 })
		asked := e
		if p.config.DatabaseURL != "" { // dismissed on another machine than the one that works
			asked = p.open(t, func(c *jobs.Config) { c.Workers = -1 })
		}
		job, err := asked.Submit(ctx, spec, nil)
		require.NoError(t, err)
		<-h.began
		<-h.began

		_, err = asked.Result(ctx, job.ID, jobs.SummaryJSON)
		require.ErrorIs(t, err, jobs.ErrNotReady)
		job, err = asked.Dismiss(ctx, job.ID)
		require.NoError(t, err)
		assert.Equal(t, jobs.Dismissed, job.Status)
		<-h.ended
		<-h.ended
		assert.Equal(t, jobs.Dismissed, wait(t, e, job.ID).Status)
		_, err = asked.Result(ctx, job.ID, jobs.SummaryJSON)
		require.ErrorIs(t, err, jobs.ErrNotFound)
		runs, err := p.store.Runs(ctx, "synthetic")
		require.NoError(t, err)
		assert.Empty(t, runs)

		// Another job is not held up by what is left of the first.
		next, err := asked.Submit(ctx, spec, nil)
		require.NoError(t, err)
		<-h.began
		_, err = asked.Dismiss(ctx, next.ID)
		require.NoError(t, err)

		// Dismissed again it is removed.
		_, err = asked.Dismiss(ctx, job.ID)
		require.NoError(t, err)
		_, err = asked.Job(ctx, job.ID)
		require.ErrorIs(t, err, jobs.ErrNotFound)
	})
}

func TestRemovingAJobKeepsItsRun(t *testing.T) {
	p := newPlace(t, t.TempDir(), "")
	e := p.start(t, nil)
	ctx := context.Background()
	job, err := e.Submit(ctx, spec, nil)
	require.NoError(t, err)
	wait(t, e, job.ID)
	_, err = e.Dismiss(ctx, job.ID)
	require.NoError(t, err)
	_, err = e.Result(ctx, job.ID, jobs.MaskCOG)
	require.ErrorIs(t, err, jobs.ErrNotFound)
	assert.Empty(t, keys(t, p.config.Results, job.ID))
	_, err = p.store.Run(ctx, job.ID)
	require.NoError(t, err)
}

func keys(t *testing.T, b *blob.Bucket, id string) (out []string) {
	t.Helper()
	it := b.List(&blob.ListOptions{Prefix: "results/" + id})
	for {
		o, err := it.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return out
		}
		require.NoError(t, err)
		out = append(out, o.Key)
	}
}

func TestTransientFailureIsTriedAgain(t *testing.T) {
	p := newPlace(t, t.TempDir(), "")
	var once sync.Once
	e := p.start(t, func(c *jobs.Config) {
		c.Predictor = &inferencetest.Fake{Pixel: blobs, OnBlock: func(context.Context, inference.BlockIndex) (err error) {
			once.Do(func() { err = errors.New("the disk hiccuped") })
			return err
		}}
	})
	job, err := e.Submit(context.Background(), spec, nil)
	require.NoError(t, err)
	job = wait(t, e, job.ID)
	require.Equal(t, jobs.Successful, job.Status, job.Message)
	assert.Contains(t, logText(job), "the disk hiccuped")
	assert.Equal(t, p.expected(t), outcome(t, e, job.ID))
}

func logText(j jobs.Job) (s string) {
	for _, l := range j.Log {
		s += l.Message + "\n"
	}
	return s
}

func TestChangedEventFailsTheJob(t *testing.T) {
	p := newPlace(t, t.TempDir(), "")
	e := p.open(t, nil)
	ctx := context.Background()
	job, err := e.Submit(ctx, spec, nil)
	require.NoError(t, err)
	p.src.Version = "other files"
	require.NoError(t, e.Start(ctx))
	job = wait(t, e, job.ID)
	assert.Equal(t, jobs.Failed, job.Status)
	assert.Contains(t, job.Message, "has changed since the job was accepted: submit it again")
	assert.Contains(t, logText(job), "accepted")
	assert.Contains(t, logText(job), "has changed")
	runs, err := p.store.Runs(ctx, "synthetic")
	require.NoError(t, err)
	assert.Empty(t, runs)
	assert.Empty(t, keys(t, p.config.Results, job.ID))
}

func TestPanicFailsTheJobOnly(t *testing.T) {
	p := newPlace(t, t.TempDir(), "")
	var once sync.Once
	e := p.start(t, func(c *jobs.Config) {
		c.Store = panicking{c.Store, &once}
	})
	ctx := context.Background()
	job, err := e.Submit(ctx, spec, nil)
	require.NoError(t, err)
	job = wait(t, e, job.ID)
	assert.Equal(t, jobs.Failed, job.Status)
	assert.Contains(t, job.Message, "internal error")
	job, err = e.Submit(ctx, spec, nil)
	require.NoError(t, err)
	assert.Equal(t, jobs.Successful, wait(t, e, job.ID).Status)
}

type panicking struct {
	store.Store
	once *sync.Once
}

func (p panicking) Publish(ctx context.Context, r store.Run, l []store.Landslide) error {
	p.once.Do(func() { panic("broken") })
	return p.Store.Publish(ctx, r, l)
}

func TestRetention(t *testing.T) {
	p := newPlace(t, t.TempDir(), "")
	e := p.start(t, nil)
	ctx := context.Background()
	job, err := e.Submit(ctx, spec, nil)
	require.NoError(t, err)
	wait(t, e, job.ID)
	require.NoError(t, e.Stop(ctx))

	e = p.start(t, func(c *jobs.Config) { c.Retention = time.Nanosecond })
	require.Eventually(t, func() bool {
		_, err := e.Job(ctx, job.ID)
		return errors.Is(err, jobs.ErrNotFound)
	}, time.Minute, 20*time.Millisecond)
	assert.Empty(t, keys(t, p.config.Results, job.ID))
	_, err = p.store.Run(ctx, job.ID)
	require.NoError(t, err)
}

func TestWaitEndsWithItsContext(t *testing.T) {
	p := newPlace(t, t.TempDir(), "")
	e := p.open(t, nil)
	job, err := e.Submit(context.Background(), spec, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	got, err := e.Wait(ctx, job.ID, func(jobs.Job) { cancel() })
	require.ErrorIs(t, err, context.Canceled)
	assert.Equal(t, jobs.Accepted, got.Status)
}

// hanging calls hang when a run is to be published.
type hanging struct {
	store.Store
	hang func()
}

func (h hanging) Publish(context.Context, store.Run, []store.Landslide) error {
	h.hang()
	return nil
}

// TestDismissedWhilePublishing dismisses a job at the last moment: after the
// store has published, before the job is recorded as successful.
func TestDismissedWhilePublishing(t *testing.T) {
	p := newPlace(t, t.TempDir(), "")
	published, goOn := make(chan string), make(chan struct{})
	e := p.start(t, func(c *jobs.Config) { c.Store = pausing{c.Store, published, goOn} })
	ctx := context.Background()
	_, err := e.Submit(ctx, spec, nil)
	require.NoError(t, err)
	id := <-published
	_, err = e.Dismiss(ctx, id)
	require.NoError(t, err)
	close(goOn)
	require.NoError(t, e.Stop(ctx))
	_, err = p.store.Run(ctx, id)
	require.ErrorIs(t, err, store.ErrNotFound)
	assert.Empty(t, keys(t, p.config.Results, id))
}

type pausing struct {
	store.Store
	published chan string
	goOn      chan struct{}
}

func (p pausing) Publish(ctx context.Context, r store.Run, l []store.Landslide) error {
	err := p.Store.Publish(ctx, r, l)
	p.published <- r.ID
	<-p.goOn
	return err
}
