package server

import (
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPublicURL(t *testing.T) {
	for _, test := range []struct {
		name, configured, remote string
		headers                  map[string]string
		want                     string
	}{
		{name: "plain", remote: "192.0.2.1:1", want: "http://maps.example.org"},
		{name: "configured wins", configured: "https://a.example/scarp/", remote: "127.0.0.1:1", headers: map[string]string{"X-Forwarded-Host": "b.example"}, want: "https://a.example/scarp"},
		{name: "trusted proxy", remote: "127.0.0.1:1", headers: map[string]string{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "b.example", "X-Forwarded-Prefix": "/scarp/"}, want: "https://b.example/scarp"},
		{name: "Forwarded", remote: "127.0.0.1:1", headers: map[string]string{"Forwarded": `for=1.2.3.4, for=5.6.7.8;proto=https;host="c.example:8443"`}, want: "https://c.example:8443"},
		{name: "stranger is not believed", remote: "192.0.2.1:1", headers: map[string]string{"X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/x"}, want: "http://maps.example.org"},
		{name: "host with markup", remote: "127.0.0.1:1", headers: map[string]string{"X-Forwarded-Host": `a"><script>`}, want: "http://maps.example.org"},
		{name: "prefix to another host", remote: "127.0.0.1:1", headers: map[string]string{"X-Forwarded-Prefix": "//evil.example"}, want: "http://maps.example.org"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := newPublicURL(Config{PublicURL: test.configured, TrustedProxies: []string{"127.0.0.0/8"}})
			require.NoError(t, err)
			r := httptest.NewRequest("GET", "http://maps.example.org/collections", nil)
			r.RemoteAddr = test.remote
			for name, value := range test.headers {
				r.Header.Set(name, value)
			}
			assert.Equal(t, test.want, p.of(r))
		})
	}
}

func FuzzPublicURL(f *testing.F) {
	f.Add("for=1;host=a", "https", "h", "/p")
	f.Fuzz(func(t *testing.T, forwarded, proto, host, prefix string) {
		p, _ := newPublicURL(Config{TrustedProxies: []string{"0.0.0.0/0"}})
		r := httptest.NewRequest("GET", "http://maps.example.org/", nil)
		r.Header["Forwarded"] = []string{forwarded}
		r.Header["X-Forwarded-Proto"] = []string{proto}
		r.Header["X-Forwarded-Host"] = []string{host}
		r.Header["X-Forwarded-Prefix"] = []string{prefix}
		assert.NotRegexp(t, `["'<>\s\\]`, p.of(r))
	})
}
