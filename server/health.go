package server

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
)

// check is one thing that must work for the server to be ready.
type check struct {
	name string
	run  func(context.Context) error
}

// health answers /healthz and /readyz.
type health struct {
	checks   []check
	stopping atomic.Bool
}

// alive says that the process answers.
func (h *health) alive(c echo.Context) error { return c.String(http.StatusOK, "ok\n") }

// ready says whether the server can do its work, and if not what is in the way.
func (h *health) ready(c echo.Context) error {
	ctx, cancel := context.WithTimeout(c.Request().Context(), 3*time.Second)
	defer cancel()
	answer := struct {
		Ready  bool              `json:"ready"`
		Checks map[string]string `json:"checks"`
	}{Ready: true, Checks: map[string]string{}}
	for _, check := range h.checks {
		answer.Checks[check.name] = "ok"
		if err := check.run(ctx); err != nil {
			answer.Ready = false
			answer.Checks[check.name] = err.Error()
		}
	}
	if h.stopping.Load() {
		answer.Ready = false
		answer.Checks["server"] = "stopping"
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	status := http.StatusOK
	if !answer.Ready {
		status = http.StatusServiceUnavailable
	}
	return c.JSON(status, answer)
}
