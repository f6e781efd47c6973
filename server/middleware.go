package server

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/labstack/echo/v4"
	"golang.org/x/time/rate"
)

// statusClientClosed is logged, and counted, for requests whose client went
// away: no answer was sent (the number is nginx's).
const statusClientClosed = 499

// observe gives each request an id, logs it and counts it.
func observe(logger *slog.Logger, accessLog bool, m *metrics) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			start := time.Now()
			request, response := c.Request(), c.Response()
			id := request.Header.Get(echo.HeaderXRequestID)
			if !validRequestID(id) {
				id = uuid.NewString()
			}
			response.Header().Set(echo.HeaderXRequestID, id)

			err := next(c)
			status := response.Status
			if err != nil {
				if request.Context().Err() != nil && !response.Committed {
					status = statusClientClosed
				} else {
					c.Error(err)
					status = response.Status
				}
			}

			took := time.Since(start)
			route := c.Path()
			if route == "" {
				route = "unmatched"
			}
			m.requests(route, request.Method, status, took)
			level := slog.LevelInfo
			if status >= 500 {
				level = slog.LevelError
			} else if !accessLog {
				return nil
			}
			if !logger.Enabled(request.Context(), level) {
				return nil
			}
			attributes := []slog.Attr{
				slog.String("request_id", id), slog.String("method", request.Method), slog.String("path", request.URL.Path),
				slog.Int("status", status), slog.Int64("bytes", response.Size), slog.Duration("took", took), slog.String("client", c.RealIP()),
			}
			if err != nil && status >= 500 {
				attributes = append(attributes, slog.String("error", err.Error()))
			}
			logger.LogAttrs(request.Context(), level, "request", attributes...)
			return nil
		}
	}
}

// A request id from outside is kept only if it can't forge log lines or fill them.
func validRequestID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, r := range id {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_') {
			return false
		}
	}
	return true
}

// tooMany is the answer to a client that asks for too much, or to everybody
// when the server has enough to do.
func tooMany(c echo.Context, after time.Duration, detail string) error {
	seconds := max(1, int(after.Round(time.Second)/time.Second))
	c.Response().Header().Set("Retry-After", strconv.Itoa(seconds))
	return echo.NewHTTPError(http.StatusTooManyRequests, detail)
}

// What the head of a request may have, in bytes. An address has room for the
// longest filter (cql2.MaxLength), every byte of it escaped. Beyond maxHead
// net/http itself refuses, in plain text: what is larger than the bounds
// below that is still read, so that the client is told what is wrong in the usual form.
const (
	maxAddress = 256 << 10
	maxHeaders = 64 << 10
	maxHead    = 1 << 20
)

// limitHead refuses what has too long an address or too much in its headers.
func limitHead(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		request := c.Request()
		if n := len(request.RequestURI); n > maxAddress {
			return echo.NewHTTPError(http.StatusRequestURITooLong,
				fmt.Sprintf("the address has %d bytes, %d are allowed; ask for less at once, or simplify the geometry in the filter", n, maxAddress))
		}
		total := 0
		for name, values := range request.Header {
			for _, v := range values {
				total += len(name) + len(v)
			}
		}
		if total > maxHeaders {
			return echo.NewHTTPError(http.StatusRequestHeaderFieldsTooLarge,
				fmt.Sprintf("the headers have %d bytes, %d are allowed; send fewer cookies or shorter values", total, maxHeaders))
		}
		return next(c)
	}
}

// limitInFlight bounds the requests that are worked on at the same time.
func limitInFlight(n int) echo.MiddlewareFunc {
	slots := make(chan struct{}, n)
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if n == 0 {
			return next
		}
		return func(c echo.Context) error {
			if operational(c.Request().URL.Path) {
				return next(c) // a busy server must still say that it lives
			}
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
				return next(c)
			default:
				return tooMany(c, time.Second, "the server works on as many requests as it may; ask again shortly")
			}
		}
	}
}

func operational(path string) bool {
	return path == "/healthz" || path == "/readyz" || path == "/metrics"
}

// clientsKept bounds the memory of the rate limiter: the clients seen last.
const clientsKept = 10_000

// limitRate bounds each client's requests a second.
func limitRate(perSecond float64, burst int) (echo.MiddlewareFunc, error) {
	clients, err := lru.New[string, *rate.Limiter](clientsKept)
	if err != nil {
		return nil, err
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		if perSecond <= 0 {
			return next
		}
		return func(c echo.Context) error {
			if operational(c.Request().URL.Path) {
				return next(c)
			}
			client := clientNetwork(c.RealIP())
			limiter, known := clients.Get(client)
			if !known {
				limiter = rate.NewLimiter(rate.Limit(perSecond), burst)
				if earlier, there, _ := clients.PeekOrAdd(client, limiter); there {
					limiter = earlier
				}
			}
			if !limiter.Allow() {
				wait := time.Duration(float64(time.Second) / perSecond)
				return tooMany(c, wait, "too many requests from this address; ask more slowly")
			}
			return next(c)
		}
	}, nil
}

// A client with IPv6 has a whole /64 to itself.
func clientNetwork(ip string) string {
	address, err := netip.ParseAddr(ip)
	if err != nil || address.Is4() || address.Is4In6() {
		return ip
	}
	prefix, err := address.Prefix(64)
	if err != nil {
		return ip
	}
	return prefix.String()
}

// guardWrites lets a request write when it carries one of the keys. Without
// keys every program may write, but no other site's page in somebody's browser:
// public knows the site's own address, which behind a proxy is not the request's.
func guardWrites(keys []string, public publicURL) echo.MiddlewareFunc {
	digests := make([][32]byte, len(keys))
	for i, key := range keys {
		digests[i] = sha256.Sum256([]byte(key))
	}
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			request := c.Request()
			if len(digests) == 0 {
				if err := sameOrigin(request, public); err != nil {
					return echo.NewHTTPError(http.StatusForbidden, err.Error())
				}
				return next(c)
			}
			given := request.Header.Get("X-API-Key")
			if bearer, ok := strings.CutPrefix(request.Header.Get(echo.HeaderAuthorization), "Bearer "); ok && given == "" {
				given = bearer
			}
			digest := sha256.Sum256([]byte(given))
			allowed := 0
			for i := range digests {
				allowed |= subtle.ConstantTimeCompare(digest[:], digests[i][:])
			}
			if allowed != 1 {
				c.Response().Header().Set(echo.HeaderWWWAuthenticate, `Bearer realm="scarp"`)
				return echo.NewHTTPError(http.StatusUnauthorized, "writing needs an API key: send it in the header X-API-Key")
			}
			return next(c)
		}
	}
}

func sameOrigin(r *http.Request, public publicURL) error {
	origin := r.Header.Get(echo.HeaderOrigin)
	if origin == "" || r.Header.Get("Sec-Fetch-Site") == "same-origin" {
		return nil
	}
	u, err := url.Parse(origin)
	if err == nil && u.Host != "" && u.Host == r.Host {
		return nil
	}
	own, ownErr := url.Parse(public.of(r))
	if err != nil || ownErr != nil || u.Host == "" || u.Scheme != own.Scheme || u.Host != own.Host {
		return errors.New("pages of other sites may write only with an API key: start the server with api-keys set")
	}
	return nil
}
