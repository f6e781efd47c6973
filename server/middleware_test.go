package server

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func request(t *testing.T, h http.Handler, method, path string, headers map[string]string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, path, nil)
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestGuardWithKeys(t *testing.T) {
	e := echo.New()
	e.POST("/jobs", func(c echo.Context) error { return c.NoContent(http.StatusCreated) }, guardWrites([]string{"0123456789abcdef", "fedcba9876543210"}, publicURL{}))

	for _, test := range []struct {
		headers map[string]string
		want    int
	}{
		{nil, 401},
		{map[string]string{"X-API-Key": "wrong"}, 401},
		{map[string]string{"X-API-Key": ""}, 401},
		{map[string]string{"X-API-Key": "0123456789abcdef"}, 201},
		{map[string]string{"Authorization": "Bearer fedcba9876543210"}, 201},
		{map[string]string{"Authorization": "Basic fedcba9876543210"}, 401},
	} {
		assert.Equal(t, test.want, request(t, e, "POST", "/jobs", test.headers).StatusCode, "%v", test.headers)
	}
}

func TestGuardWithoutKeysKeepsOtherSitesOut(t *testing.T) {
	e := echo.New()
	e.POST("/jobs", func(c echo.Context) error { return c.NoContent(http.StatusCreated) }, guardWrites(nil, publicURL{}))
	assert.Equal(t, 201, request(t, e, "POST", "http://scarp.local/jobs", nil).StatusCode)
	assert.Equal(t, 201, request(t, e, "POST", "http://scarp.local/jobs", map[string]string{"Origin": "http://scarp.local"}).StatusCode)
	assert.Equal(t, 403, request(t, e, "POST", "http://scarp.local/jobs", map[string]string{"Origin": "http://evil.example"}).StatusCode)
	assert.Equal(t, 403, request(t, e, "POST", "http://scarp.local/jobs", map[string]string{"Origin": "null"}).StatusCode)
}

func TestGuardKnowsTheSiteBehindAProxy(t *testing.T) {
	behind := func(c Config) *echo.Echo {
		public, err := newPublicURL(c)
		require.NoError(t, err)
		e := echo.New()
		e.POST("/jobs", func(c echo.Context) error { return c.NoContent(http.StatusCreated) }, guardWrites(nil, public))
		return e
	}
	for _, test := range []struct {
		config  Config
		headers map[string]string
		want    int
	}{
		{Config{PublicURL: "http://maps.example.org/scarp"}, map[string]string{"Origin": "http://maps.example.org"}, 201},
		{Config{PublicURL: "https://maps.example.org/scarp"}, map[string]string{"Origin": "http://maps.example.org"}, 403},
		{Config{PublicURL: "http://maps.example.org/scarp"}, map[string]string{"Origin": "http://evil.example"}, 403},
		{Config{TrustedProxies: []string{"192.0.2.0/24"}}, map[string]string{"Origin": "https://maps.example.org", "X-Forwarded-Host": "maps.example.org", "X-Forwarded-Proto": "https"}, 201},
		{Config{TrustedProxies: []string{"198.51.100.0/24"}}, map[string]string{"Origin": "https://maps.example.org", "X-Forwarded-Host": "maps.example.org", "X-Forwarded-Proto": "https"}, 403},
		{Config{PublicURL: "http://maps.example.org"}, map[string]string{"Origin": "null"}, 403},
	} {
		assert.Equal(t, test.want, request(t, behind(test.config), "POST", "http://127.0.0.1:8080/jobs", test.headers).StatusCode, "%+v", test)
	}
}

func TestRateLimitIsPerClient(t *testing.T) {
	limit, err := limitRate(0.001, 3)
	require.NoError(t, err)
	e := echo.New()
	e.Use(limit)
	e.GET("/tile", func(c echo.Context) error { return c.NoContent(200) })
	e.GET("/healthz", func(c echo.Context) error { return c.NoContent(200) })

	from := func(address string) *http.Response {
		r := httptest.NewRequest("GET", "/tile", nil)
		r.RemoteAddr = address
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		return w.Result()
	}
	for range 3 {
		assert.Equal(t, 200, from("192.0.2.1:1").StatusCode)
	}
	refused := from("192.0.2.1:2")
	assert.Equal(t, 429, refused.StatusCode)
	assert.NotEmpty(t, refused.Header.Get("Retry-After"))
	assert.Equal(t, 200, from("192.0.2.2:1").StatusCode, "another client")
	for range 3 {
		from("[2001:db8::1]:1")
	}
	assert.Equal(t, 429, from("[2001:db8::2]:1").StatusCode, "the same /64")
	assert.Equal(t, 200, request(t, e, "GET", "/healthz", nil).StatusCode)
}

func TestBoundOnWorkInFlight(t *testing.T) {
	e := echo.New()
	e.Use(limitInFlight(1))
	entered, release := make(chan struct{}), make(chan struct{})
	e.GET("/slow", func(c echo.Context) error { close(entered); <-release; return c.NoContent(200) })
	e.GET("/fast", func(c echo.Context) error { return c.NoContent(200) })
	e.GET("/readyz", func(c echo.Context) error { return c.NoContent(200) })

	done := make(chan int)
	go func() { done <- request(t, e, "GET", "/slow", nil).StatusCode }()
	<-entered
	busy := request(t, e, "GET", "/fast", nil)
	assert.Equal(t, 429, busy.StatusCode)
	assert.Equal(t, "1", busy.Header.Get("Retry-After"))
	assert.Equal(t, 200, request(t, e, "GET", "/readyz", nil).StatusCode, "a busy server is alive")
	close(release)
	assert.Equal(t, 200, <-done)
	assert.Equal(t, 200, request(t, e, "GET", "/fast", nil).StatusCode)
}

func TestRequestsAreLoggedAndCountedByRoute(t *testing.T) {
	var log bytes.Buffer
	m := newMetrics()
	e := echo.New()
	e.Use(observe(slog.New(slog.NewJSONHandler(&log, nil)), true, m))
	e.GET("/collections/:id", func(c echo.Context) error { return echo.NewHTTPError(404, "no such collection") })

	answer := request(t, e, "GET", "/collections/a?key=secret", map[string]string{"X-Request-Id": "abc-1"})
	assert.Equal(t, "abc-1", answer.Header.Get("X-Request-Id"))
	var line map[string]any
	require.NoError(t, json.Unmarshal(log.Bytes(), &line))
	assert.Equal(t, "abc-1", line["request_id"])
	assert.EqualValues(t, 404, line["status"])
	assert.NotContains(t, log.String(), "secret", "queries may hold secrets")

	forged := request(t, e, "GET", "/x", map[string]string{"X-Request-Id": "a\tb"})
	assert.NotEqual(t, "a\tb", forged.Header.Get("X-Request-Id"))
	for _, path := range []string{"/collections/b", "/wp-login.php", "/.env"} {
		_, _ = io.Copy(io.Discard, request(t, e, "GET", path, nil).Body)
	}
	assert.EqualValues(t, 2, testutil.ToFloat64(m.total.WithLabelValues("/collections/:id", "GET", "404")))
	assert.LessOrEqual(t, testutil.CollectAndCount(m.total), 3, "paths that nobody registered share one label")
}
