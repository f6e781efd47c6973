package processes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/ogc/common"
)

// execute starts a job and, unless the client prefers not to wait, answers
// with its results.
func (a *API) execute(c echo.Context) error {
	if err := common.CheckParams(c.QueryParams()); err != nil {
		return err
	}
	p, err := a.process(c.Param("process"))
	if err != nil {
		return err
	}
	o, err := a.readOrder(c, p)
	if err != nil {
		return err
	}
	o.Base = a.Site.Base(c)
	request, err := json.Marshal(o.wishes)
	if err != nil {
		return fmt.Errorf("keep the request: %w", err)
	}
	ctx := c.Request().Context()
	job, err := a.submit(ctx, p, o, request)
	if err != nil {
		return err
	}
	if prefersAsync(c.Request().Header) {
		h := c.Response().Header()
		h.Set("Location", a.Site.Base(c)+"/jobs/"+job.ID)
		h.Set("Preference-Applied", "respond-async")
		h.Set("Cache-Control", "no-store")
		return a.Site.WriteStatus(c, http.StatusCreated, common.JSON, a.statusDoc(a.Site.Base(c), job, true), common.Page{})
	}
	return a.wait(c, p, job)
}

// submit records the job and who wants to be told of it.
func (a *API) submit(ctx context.Context, p *process, o order, request json.RawMessage) (jobs.Job, error) {
	if o.subscriber == nil {
		return p.submit(ctx, o, request)
	}
	s := jobs.Subscriber(*o.subscriber)
	if err := a.Jobs.CheckSubscriber(s); err != nil {
		if errors.Is(err, jobs.ErrBadSpec) {
			return jobs.Job{}, badInputs(err)
		}
		return jobs.Job{}, err
	}
	job, err := p.submit(ctx, o, request)
	if err != nil {
		return job, err
	}
	if err := a.Jobs.Subscribe(ctx, job.ID, s); err != nil {
		return job, fmt.Errorf("note who is told of job %s: %w", job.ID, err)
	}
	return job, nil
}

func (a *API) readOrder(c echo.Context, p *process) (order, error) {
	if kind := c.Request().Header.Get("Content-Type"); kind != "" {
		if t, _, err := mime.ParseMediaType(kind); err != nil || t != "application/json" && !strings.HasSuffix(t, "+json") {
			return order{}, &common.Problem{Status: http.StatusUnsupportedMediaType, Detail: "the body's Content-Type " + common.Quote(kind) + " must be application/json"}
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.Response(), c.Request().Body, maxBody))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			return order{}, err
		}
		return order{}, common.BadRequest("the body could not be read to its end")
	}
	o, err := parseOrder(body, p.description)
	if err != nil {
		return o, err
	}
	return o, checkInputs(p.inputs, o.Inputs)
}

// prefersAsync reads the Prefer header (RFC 7240); other preferences are ignored.
func prefersAsync(h http.Header) bool {
	for _, line := range h.Values("Prefer") {
		for p := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(p, ";")
			if strings.EqualFold(strings.TrimSpace(name), "respond-async") {
				return true
			}
		}
	}
	return false
}

// wait answers with the results of a job that was just started. When the
// client leaves, nobody knows of the job, so it is dismissed; when the server's
// patience ends, the client is told where the job goes on.
func (a *API) wait(c echo.Context, p *process, job jobs.Job) error {
	ctx := c.Request().Context()
	limited, cancel := context.WithTimeout(ctx, a.SyncTimeout)
	defer cancel()
	done, err := a.Jobs.Wait(limited, job.ID, func(jobs.Job) {})
	switch {
	case err == nil:
		return a.writeResults(c, p, done)
	case ctx.Err() != nil:
		last, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer stop()
		if _, derr := a.Jobs.Dismiss(last, job.ID); derr != nil && !errors.Is(derr, jobs.ErrNotFound) {
			return fmt.Errorf("dismiss job %s whose client left: %w", job.ID, derr)
		}
		return ctx.Err()
	case limited.Err() != nil:
		where := a.Site.Base(c) + "/jobs/" + job.ID
		return &common.Problem{Status: http.StatusGatewayTimeout, Title: "The job takes longer than a request may", Location: where,
			Detail: fmt.Sprintf("the job goes on at %s; next time send the header Prefer: respond-async", where)}
	}
	return fmt.Errorf("wait for job %s: %w", job.ID, err)
}
