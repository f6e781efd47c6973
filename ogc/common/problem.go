package common

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/tiles"
)

// Problem is an error as clients see it (RFC 9457). Nothing internal may
// stand in it.
type Problem struct {
	// Type is a URI; empty is about:blank.
	Type string
	// Title is short and the same for every problem of the type; empty is the status' own text.
	Title  string
	Status int
	// Detail says what is wrong with this request and how to mend it.
	Detail string
	// Errors lists several things that are wrong at once.
	Errors []string
	// RetryAfter is a hint in seconds, 0 for none.
	RetryAfter int
	// Location is the URL of a resource that the client may go on with.
	Location string
}

// Error returns the detail, or the title where there is none.
func (p *Problem) Error() string {
	if p.Detail != "" {
		return p.Detail
	}
	return p.title()
}

func (p *Problem) title() string {
	if p.Title != "" {
		return p.Title
	}
	return http.StatusText(p.Status)
}

// BadRequest is a problem with status 400.
func BadRequest(format string, args ...any) *Problem {
	return &Problem{Status: http.StatusBadRequest, Detail: fmt.Sprintf(format, args...)}
}

// NotFound is a problem with status 404.
func NotFound(format string, args ...any) *Problem {
	return &Problem{Status: http.StatusNotFound, Detail: fmt.Sprintf(format, args...)}
}

// Quote quotes what a client sent for use in a message, shortened to 80 characters.
func Quote(s string) string {
	if r := []rune(s); len(r) > 80 {
		s = string(r[:80]) + "…"
	}
	return strconv.Quote(s)
}

// statusClientClosed is what is recorded where the client went away.
const statusClientClosed = 499

// AsProblem turns any error of the packages below into what the client may
// see. Errors that it does not know become a 500 without detail.
func AsProblem(err error) *Problem {
	var p *Problem
	var he *echo.HTTPError
	var tooLarge *http.MaxBytesError
	var missing *inference.MissingError
	var busy *inference.BusyError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &tooLarge):
		return &Problem{Status: http.StatusRequestEntityTooLarge,
			Detail: fmt.Sprintf("the body is larger than the %d bytes allowed", tooLarge.Limit)}
	case errors.As(err, &he):
		detail := ""
		if s, ok := he.Message.(string); ok && s != http.StatusText(he.Code) {
			detail = s
		}
		return &Problem{Status: he.Code, Detail: detail}
	case errors.Is(err, context.Canceled):
		return &Problem{Status: statusClientClosed, Title: "Client closed the request"}
	case errors.Is(err, context.DeadlineExceeded):
		return &Problem{Status: http.StatusServiceUnavailable, Detail: "this took longer than the server allows; try again, or ask for less", RetryAfter: 5}
	case isAny(err, store.ErrNotFound, tiles.ErrOutsideLimits, tiles.ErrNoImage, tiles.ErrUnknownTMS, tiles.ErrUnknownStyle, tiles.ErrUnknownLayer, jobs.ErrNotFound):
		return &Problem{Status: http.StatusNotFound, Detail: err.Error()}
	case isAny(err, tiles.ErrUnknownFormat, tiles.ErrUnknownCRS, tiles.ErrBadView, inference.ErrUnknownModel, jobs.ErrBadSpec):
		return &Problem{Status: http.StatusBadRequest, Detail: err.Error()}
	case errors.As(err, &missing):
		return &Problem{Status: http.StatusBadRequest, Detail: missing.Error() + "; choose another model, or give the event scenes that have it"}
	case errors.As(err, &busy):
		return &Problem{Status: http.StatusServiceUnavailable, Detail: busy.Error(), RetryAfter: max(1, int(busy.RetryAfter.Seconds()+0.5))}
	case errors.Is(err, jobs.ErrBusy):
		return &Problem{Status: http.StatusTooManyRequests, Detail: err.Error(), RetryAfter: 30}
	case errors.Is(err, tiles.ErrBusy):
		return &Problem{Status: http.StatusServiceUnavailable, Detail: err.Error(), RetryAfter: 2}
	case errors.Is(err, jobs.ErrFinished):
		return &Problem{Status: http.StatusConflict, Detail: err.Error()}
	}
	return &Problem{Status: http.StatusInternalServerError,
		Detail: "something went wrong in the server; its log has the cause under this request's id"}
}

func isAny(err error, targets ...error) bool {
	for _, t := range targets {
		if errors.Is(err, t) {
			return true
		}
	}
	return false
}

// MarshalJSON writes the problem in the form of RFC 9457.
func (p *Problem) MarshalJSON() ([]byte, error) {
	kind := p.Type
	if kind == "" {
		kind = "about:blank"
	}
	return json.Marshal(struct {
		Type   string   `json:"type"`
		Title  string   `json:"title"`
		Status int      `json:"status"`
		Detail string   `json:"detail,omitempty"`
		Errors []string `json:"errors,omitempty"`
	}{kind, p.title(), p.Status, p.Detail, p.Errors})
}

// WriteError answers with the problem behind err: as HTML where the client
// prefers that, else as application/problem+json. No cache may keep it.
func (s *Site) WriteError(c echo.Context, err error) error {
	p := AsProblem(err)
	if c.Response().Committed {
		s.log(c, p, err)
		return nil
	}
	if p.Status == statusClientClosed {
		return c.NoContent(statusClientClosed)
	}
	s.log(c, p, err)
	h := c.Response().Header()
	for _, k := range []string{"ETag", "Last-Modified", "Content-Type", "Content-Disposition", "Content-Crs", "Content-Bbox"} {
		h.Del(k)
	}
	h.Set("Cache-Control", "no-store")
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Location != "" {
		h.Set("Location", p.Location)
	}
	if wantsHTML(c.Request()) {
		if body, err := s.render("error", Page{Title: p.title(), Data: p}, c); err == nil {
			return Blob(c, p.Status, "text/html; charset=utf-8", body)
		}
	}
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode problem: %w", err)
	}
	return Blob(c, p.Status, problemType(c.Request()), body)
}

// problemType is application/problem+json, unless the client says that it
// understands application/json and nothing wider: OGC API Processes gives its
// exceptions that type.
func problemType(r *http.Request) string {
	accept := r.Header.Get("Accept")
	if strings.Contains(accept, string(JSON.MediaType())) && !strings.Contains(accept, "*/*") && !strings.Contains(accept, "problem+json") {
		return JSON.MediaType()
	}
	return "application/problem+json"
}

func wantsHTML(r *http.Request) bool {
	if f := r.URL.Query().Get("f"); f != "" {
		return f == "html"
	}
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

func (s *Site) log(c echo.Context, p *Problem, err error) {
	if s.Log != nil && p.Status >= 500 {
		s.Log.ErrorContext(c.Request().Context(), "request failed", "method", c.Request().Method,
			"path", c.Request().URL.Path, "status", p.Status, "error", err,
			"request_id", c.Response().Header().Get(echo.HeaderXRequestID))
	}
}

// Logged writes an error to the log where it is the server's own fault, for
// standards that report errors in their own way.
func (s *Site) Logged(c echo.Context, err error) { s.log(c, AsProblem(err), err) }
