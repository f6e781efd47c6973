package callback_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/jobs/callback"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func sender(t *testing.T, o callback.Options) *callback.Sender {
	t.Helper()
	s, err := callback.New(o)
	require.NoError(t, err)
	return s
}

func TestSendsSigned(t *testing.T) {
	var got *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
	}))
	defer server.Close()
	host := strings.TrimPrefix(server.URL, "http://")
	s := sender(t, callback.Options{Hosts: []string{host}, Networks: loopback, Secret: "quiet", Now: func() time.Time { return time.Unix(1536199679, 0) }})
	require.NoError(t, s.Send(t.Context(), server.URL+"/hook?x=1", "job-1.successful.7", "application/json", []byte(`{"a":1}`)))
	require.Equal(t, "/hook?x=1", got.RequestURI)
	require.Equal(t, http.MethodPost, got.Method)
	require.Equal(t, `{"a":1}`, string(body))
	require.Equal(t, "job-1.successful.7", got.Header.Get(callback.IDHeader))
	require.Equal(t, "t=1536199679,sha256="+callback.Signature("quiet", "1536199679", "job-1.successful.7", body), got.Header.Get(callback.SignatureHeader))
}

// What may be called is decided by host and port, and again by address.
func TestWhereCallbacksMayGo(t *testing.T) {
	s := sender(t, callback.Options{Hosts: []string{"hooks.example.org", "other.example.org:8443", "[2001:db8::1]:90"}})
	for raw, says := range map[string]string{
		"https://hooks.example.org/x":            "",
		"http://HOOKS.example.org":               "",
		"https://other.example.org:8443/":        "",
		"http://[2001:db8::1]:90/":               "",
		"https://other.example.org/":             "callback-hosts",
		"https://hooks.example.org:22/":          "callback-hosts",
		"https://hooks.example.org.evil.test/":   "callback-hosts",
		"https://evil.test/#hooks.example.org":   "fragments",
		"https://hooks.example.org@evil.test/":   "user names",
		"ftp://hooks.example.org/":               "absolute http",
		"hooks.example.org":                      "absolute http",
		"file:///etc/passwd":                     "absolute http",
		"http://hooks.example.org\r\nX: y":       "absolute http",
		"http:hooks.example.org":                 "absolute http",
		"https://hooks.example.org/" + long(3e3): "2048",
	} {
		err := s.Check(raw)
		if says == "" {
			require.NoError(t, err, raw)
		} else {
			require.ErrorContains(t, err, says, raw)
		}
	}
	_, err := callback.New(callback.Options{Hosts: []string{"https://hooks.example.org/"}})
	require.ErrorContains(t, err, "expected a host name")
}

func long(n int) string { return strings.Repeat("x", n) }

// An allowed name that leads into a private network is refused when the
// connection is made: by then it is the address that counts.
func TestPrivateAddressesAreRefused(t *testing.T) {
	called := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer server.Close()
	u, err := url.Parse(server.URL)
	require.NoError(t, err)
	hosts := []string{}
	for _, name := range []string{"localhost", "127.0.0.1", "127.1", "2130706433", "0.0.0.0", "::ffff:127.0.0.1", "::1"} {
		hosts = append(hosts, hostPort(name, u.Port()))
	}
	s := sender(t, callback.Options{Hosts: hosts})
	for _, h := range hosts {
		err := s.Send(t.Context(), "http://"+h+"/", "id", "text/plain", nil)
		require.Error(t, err, h)
	}
	require.ErrorIs(t, s.Send(t.Context(), server.URL, "id", "text/plain", nil), jobs.ErrGone)
	require.False(t, called)
}

func hostPort(name, port string) string {
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	return name + ":" + port
}

func TestAnswers(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", elsewhere.URL)
		w.WriteHeader(status)
	}))
	defer server.Close()
	s := sender(t, callback.Options{Networks: loopback,
		Hosts: []string{strings.TrimPrefix(server.URL, "http://"), strings.TrimPrefix(elsewhere.URL, "http://")}})
	for code, gone := range map[int]bool{302: true, 307: true, 400: true, 404: true, 410: true, 408: false, 429: false, 500: false, 503: false} {
		status = code
		err := s.Send(t.Context(), server.URL, "id", "text/plain", nil)
		require.Error(t, err, code)
		if gone {
			require.ErrorIs(t, err, jobs.ErrGone, code)
		} else {
			require.NotErrorIs(t, err, jobs.ErrGone, code)
		}
	}
	status = http.StatusNoContent
	require.NoError(t, s.Send(t.Context(), server.URL, "id", "text/plain", nil))
}
