package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/jobs/callback"
)

// shout is a process that writes its input in capitals.
func shout() jobs.Process {
	return jobs.Process{
		Check: func(_ context.Context, in json.RawMessage) error {
			if !strings.Contains(string(in), "text") {
				return fmt.Errorf("%w: text is missing", jobs.ErrBadSpec)
			}
			return nil
		},
		Run: func(ctx context.Context, w *jobs.Work) error {
			if strings.Contains(string(w.Inputs), "sing") {
				return fmt.Errorf("%w: it sings", jobs.ErrBadSpec)
			}
			if err := w.Step(ctx, 50, "shouting"); err != nil {
				return err
			}
			file := filepath.Join(w.Dir, "spare")
			if err := os.WriteFile(file, []byte("spare"), 0o600); err != nil {
				return err
			}
			w.Message = "shouted"
			return errors.Join(
				w.Write(ctx, jobs.Kept{ID: "loud", MediaType: "text/plain", Name: "loud.txt"}, func(out io.Writer) error {
					_, err := io.WriteString(out, strings.ToUpper(string(w.Inputs)))
					return err
				}),
				w.WriteFile(ctx, jobs.Kept{ID: "spare", MediaType: "text/plain", Name: "spare.txt"}, file),
			)
		},
	}
}

func TestOtherProcesses(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) {
		ctx := t.Context()
		e := p.start(t, func(c *jobs.Config) { c.Processes = map[string]jobs.Process{"shout": shout()} })
		_, err := e.Execute(ctx, "shout", json.RawMessage(`{}`), nil)
		require.ErrorIs(t, err, jobs.ErrBadSpec)
		_, err = e.Execute(ctx, "whisper", json.RawMessage(`{}`), nil)
		require.ErrorIs(t, err, jobs.ErrBadSpec)

		job, err := e.Execute(ctx, "shout", json.RawMessage(`{"text":"a"}`), json.RawMessage(`{"outputs":{}}`))
		require.NoError(t, err)
		require.Equal(t, "shout", job.Process)
		job = wait(t, e, job.ID)
		require.Equal(t, jobs.Successful, job.Status, job.Message)
		require.Equal(t, "shouted", job.Message)
		require.Equal(t, 100, job.Progress)
		require.Equal(t, []jobs.Kept{{"loud", "text/plain", "loud.txt"}, {"spare", "text/plain", "spare.txt"}}, job.Outputs)
		r, err := e.Result(ctx, job.ID, "loud")
		require.NoError(t, err)
		b, err := io.ReadAll(r)
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.Equal(t, `{"TEXT":"A"}`, string(b))
		_, err = e.Result(ctx, job.ID, "mask")
		require.ErrorIs(t, err, jobs.ErrNotFound)

		bad, err := e.Execute(ctx, "shout", json.RawMessage(`{"text":"sing"}`), nil)
		require.NoError(t, err)
		bad = wait(t, e, bad.ID)
		require.Equal(t, jobs.Failed, bad.Status)
		require.True(t, bad.BadInputs)
		require.Contains(t, bad.Message, "it sings")

		_, n, err := e.Jobs(ctx, jobs.Filter{Processes: []string{"shout"}})
		require.NoError(t, err)
		require.Equal(t, 2, n)
		_, n, err = e.Jobs(ctx, jobs.Filter{Processes: []string{"map-landslides"}})
		require.NoError(t, err)
		require.Zero(t, n)

		_, err = e.Dismiss(ctx, job.ID)
		require.NoError(t, err)
		require.Empty(t, keys(t, p.config.Results, job.ID), "removed with its inputs and outputs")
	})
}

// receiver is somebody's server that is told of jobs.
type receiver struct {
	*httptest.Server
	failures atomic.Int64 // to come
	news     chan string
	ids      chan string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{news: make(chan string, 100), ids: make(chan string, 100)}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.ids <- q.Header.Get(callback.IDHeader)
		if r.failures.Add(-1) >= 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, err := io.ReadAll(q.Body)
		assert.NoError(t, err)
		r.news <- q.URL.Path + " " + string(body)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) sender(t *testing.T) *callback.Sender {
	s, err := callback.New(callback.Options{Hosts: []string{strings.TrimPrefix(r.URL, "http://")}, Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	require.NoError(t, err)
	return s
}

func (r *receiver) next(t *testing.T) string {
	t.Helper()
	select {
	case n := <-r.news:
		return n
	case <-time.After(time.Minute):
		require.Fail(t, "nothing was told")
		return ""
	}
}

func status(_ context.Context, j jobs.Job) (jobs.News, error) {
	return jobs.News{MediaType: "application/json", Body: []byte(j.Status)}, nil
}

func TestCallbacks(t *testing.T) {
	onBoth(t, func(t *testing.T, p *place) {
		ctx := t.Context()
		r := newReceiver(t)
		r.failures.Store(2)
		e := p.open(t, func(c *jobs.Config) {
			c.Processes, c.Callbacks, c.CallbackBackoff = map[string]jobs.Process{"shout": shout()}, r.sender(t), time.Millisecond
		})
		e.Tell(status)
		s := jobs.Subscriber{Success: r.URL + "/success", InProgress: r.URL + "/progress", Failed: r.URL + "/failed"}
		require.ErrorIs(t, e.CheckSubscriber(jobs.Subscriber{Success: "http://elsewhere.test/"}), jobs.ErrBadSpec)

		good, err := e.Execute(ctx, "shout", json.RawMessage(`{"text":"a"}`), nil)
		require.NoError(t, err)
		require.NoError(t, e.Subscribe(ctx, good.ID, jobs.Subscriber{Success: s.Success}))
		bad, err := e.Execute(ctx, "shout", json.RawMessage(`{"text":"sing"}`), nil)
		require.NoError(t, err)
		require.NoError(t, e.Subscribe(ctx, bad.ID, s))
		gone, err := e.Execute(ctx, "shout", json.RawMessage(`{"text":"b"}`), nil)
		require.NoError(t, err)
		require.NoError(t, e.Subscribe(ctx, gone.ID, s))
		_, err = e.Dismiss(ctx, gone.ID)
		require.NoError(t, err)
		require.NoError(t, e.Start(ctx))

		told := map[string]int{}
		for told["/success successful"] < 1 || told["/failed failed"] < 1 || told["/failed dismissed"] < 1 {
			told[r.next(t)]++
		}
		require.LessOrEqual(t, told["/progress accepted"]+told["/progress running"], 2, "at most one an interval and job")

		// A job that has ended already is told at once.
		require.NoError(t, e.Subscribe(ctx, wait(t, e, mustExecute(t, e)).ID, s))
		require.Equal(t, "/success successful", r.next(t))
	})
}

func mustExecute(t *testing.T, e *jobs.Engine) string {
	job, err := e.Execute(t.Context(), "shout", json.RawMessage(`{"text":"a"}`), nil)
	require.NoError(t, err)
	return job.ID
}

// A callback that could not be sent before the server stopped is sent after it starts again.
func TestCallbacksOutliveTheServer(t *testing.T) {
	p := newPlace(t, t.TempDir(), "")
	r := newReceiver(t)
	r.failures.Store(1 << 30)
	with := func(c *jobs.Config) {
		c.Processes, c.Callbacks, c.CallbackBackoff = map[string]jobs.Process{"shout": shout()}, r.sender(t), time.Millisecond
	}
	e := p.open(t, with)
	e.Tell(status)
	job, err := e.Execute(t.Context(), "shout", json.RawMessage(`{"text":"a"}`), nil)
	require.NoError(t, err)
	require.NoError(t, e.Subscribe(t.Context(), job.ID, jobs.Subscriber{Success: r.URL + "/success"}))
	require.NoError(t, e.Start(t.Context()))
	first := <-r.ids
	require.NoError(t, e.Stop(context.Background()))

	r.failures.Store(0)
	e = p.open(t, with)
	e.Tell(status)
	require.NoError(t, e.Start(t.Context()))
	require.Equal(t, "/success successful", r.next(t))
	for {
		again := <-r.ids
		require.Equal(t, first, again, "the same news has the same id")
		if len(r.ids) == 0 {
			break
		}
	}
}
