package server

import (
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"
)

// headLength answers HEAD with the length of what GET would send: handlers
// write the body, which net/http would drop uncounted.
func headLength(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if c.Request().Method != http.MethodHead {
			return next(c)
		}
		response := c.Response()
		counter := &bodyCounter{ResponseWriter: response.Writer}
		response.Writer = counter
		err := next(c)
		if err != nil {
			c.Error(err)
		}
		response.Writer = counter.ResponseWriter
		if counter.status == 0 {
			return nil
		}
		h := response.Header()
		if counter.bytes > 0 && h.Get(echo.HeaderContentLength) == "" && h.Get(echo.HeaderContentEncoding) == "" {
			h.Set(echo.HeaderContentLength, strconv.FormatInt(counter.bytes, 10))
		}
		counter.ResponseWriter.WriteHeader(counter.status)
		return nil
	}
}

// bodyCounter counts what is written and keeps the status back.
type bodyCounter struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// WriteHeader remembers the status.
func (b *bodyCounter) WriteHeader(status int) {
	if b.status == 0 {
		b.status = status
	}
}

// Write counts p.
func (b *bodyCounter) Write(p []byte) (int, error) {
	if b.status == 0 {
		b.status = http.StatusOK
	}
	b.bytes += int64(len(p))
	return len(p), nil
}
