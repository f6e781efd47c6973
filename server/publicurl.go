package server

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/labstack/echo/v4"
)

// publicURL finds the URL, without a slash at the end, that people reach the
// server at: the configured one, else what trusted proxies say in Forwarded or
// X-Forwarded-*, else the request's host.
type publicURL struct {
	configured string
	trusted    []netip.Prefix
}

func newPublicURL(c Config) (publicURL, error) {
	p := publicURL{configured: strings.TrimRight(c.PublicURL, "/")}
	for _, s := range c.TrustedProxies {
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			return p, err
		}
		p.trusted = append(p.trusted, prefix)
	}
	return p, nil
}

func (p publicURL) of(r *http.Request) string {
	if p.configured != "" {
		return p.configured
	}
	scheme, host, prefix := "http", r.Host, ""
	if r.TLS != nil {
		scheme = "https"
	}
	if p.trusts(r.RemoteAddr) {
		forwarded := parseForwarded(r.Header.Get("Forwarded"))
		if s := first(forwarded["proto"], lastOf(r.Header.Get("X-Forwarded-Proto"))); s == "http" || s == "https" {
			scheme = s
		}
		if h := first(forwarded["host"], lastOf(r.Header.Get("X-Forwarded-Host"))); validHost(h) {
			host = h
		}
		if x := lastOf(r.Header.Get("X-Forwarded-Prefix")); strings.HasPrefix(x, "/") && !strings.ContainsAny(x, "\"'<>\\ ?#") && !strings.HasPrefix(x, "//") {
			prefix = strings.TrimRight(x, "/")
		}
	}
	if !validHost(host) {
		host = "localhost"
	}
	return scheme + "://" + host + prefix
}

func (p publicURL) trusts(remote string) bool {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	for _, prefix := range p.trusted {
		if prefix.Contains(address.Unmap()) {
			return true
		}
	}
	return false
}

// parseForwarded reads the last element of a Forwarded header (RFC 7239): the
// one that the nearest, trusted proxy wrote.
func parseForwarded(header string) map[string]string {
	pairs := map[string]string{}
	for pair := range strings.SplitSeq(lastOf(header), ";") {
		name, value, ok := strings.Cut(strings.TrimSpace(pair), "=")
		if ok {
			pairs[strings.ToLower(name)] = strings.Trim(value, `"`)
		}
	}
	return pairs
}

func lastOf(list string) string {
	if i := strings.LastIndexByte(list, ','); i >= 0 {
		list = list[i+1:]
	}
	return strings.TrimSpace(list)
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// A host ends up in every link: nothing but a name or address and a port.
func validHost(host string) bool {
	if host == "" || len(host) > 255 {
		return false
	}
	for _, r := range host {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(".-:[]_", r)) {
			return false
		}
	}
	return true
}

// clientIP finds the address of the client: what trusted proxies say in
// X-Forwarded-For, else the peer's.
func (p publicURL) clientIP() echo.IPExtractor {
	trust := []echo.TrustOption{echo.TrustLoopback(false), echo.TrustLinkLocal(false), echo.TrustPrivateNet(false)}
	for _, prefix := range p.trusted {
		_, network, err := net.ParseCIDR(prefix.String())
		if err == nil {
			trust = append(trust, echo.TrustIPRange(network))
		}
	}
	return echo.ExtractIPFromXFFHeader(trust...)
}
