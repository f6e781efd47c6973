// Package callback posts news of jobs to the places that clients named, which
// are strangers' addresses: only to hosts that the operator allows, never into
// private networks unless those are allowed too, and never where a redirect
// points. The address is checked when the connection is made, after the name
// was resolved, so that a name that changes its address meanwhile gains nothing.
package callback

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/scarp-map/scarp/jobs"
)

// Options says where callbacks may go.
type Options struct {
	// Hosts that may be called: names, addresses, or either with a port. One
	// without a port allows 80 and 443. None allows nothing.
	Hosts []string
	// Networks that are not public (private, loopback, link-local and the like)
	// and may be called all the same.
	Networks []netip.Prefix
	// Secret signs what is sent, where it is not empty.
	Secret string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Sender implements [jobs.Callbacks].
type Sender struct {
	options Options
	hosts   map[string]bool
	client  *http.Client
}

var _ jobs.Callbacks = (*Sender)(nil)

// timeouts of one attempt.
const (
	dialTimeout   = 10 * time.Second
	answerTimeout = 30 * time.Second
)

// New returns a sender. It fails for hosts that are not written as hosts.
func New(o Options) (*Sender, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Sender{options: o, hosts: map[string]bool{}}
	for _, h := range o.Hosts {
		name, port, err := net.SplitHostPort(h)
		if err != nil {
			name, port = strings.Trim(h, "[]"), ""
		}
		if _, err := strconv.ParseUint(port, 10, 16); port != "" && err != nil || name == "" || strings.ContainsAny(name, "/@?#*") {
			return nil, fmt.Errorf("callback host %q: expected a host name or address, and a port where it is not 80 or 443", h)
		}
		ports := []string{port}
		if port == "" {
			ports = []string{"80", "443"}
		}
		for _, p := range ports {
			s.hosts[net.JoinHostPort(strings.ToLower(name), p)] = true
		}
	}
	dialer := &net.Dialer{Timeout: dialTimeout, Control: s.control}
	s.client = &http.Client{
		Timeout: answerTimeout,
		Transport: &http.Transport{
			Proxy: nil, DialContext: dialer.DialContext, DisableKeepAlives: true,
			TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: answerTimeout, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s, nil
}

// Check refuses URLs that callbacks may not go to. Addresses are looked at only
// when a callback is sent.
func (s *Sender) Check(raw string) error {
	if len(raw) > 2048 {
		return errors.New("the URL has more than 2048 characters")
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "" {
		return fmt.Errorf("%q is not an absolute http or https URL", raw)
	}
	if u.User != nil || u.Fragment != "" {
		return fmt.Errorf("%q: user names and fragments are not accepted", u.Redacted())
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	if !s.hosts[net.JoinHostPort(strings.ToLower(u.Hostname()), port)] {
		return fmt.Errorf("callbacks to %s are not allowed here: its operator can allow them with the setting callback-hosts", u.Host)
	}
	return nil
}

var errPrivate = errors.New("is not a public address")

// control sees the address that is about to be connected to.
func (s *Sender) control(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", address, err)
	}
	ip := at.Addr().Unmap()
	if public(ip) {
		return nil
	}
	for _, n := range s.options.Networks {
		if n.Contains(ip) {
			return nil
		}
	}
	return fmt.Errorf("%s %w: its network can be allowed with the setting callback-networks", ip, errPrivate)
}

// reserved are networks that lead to no public host, beside those that netip knows.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("2001::/32"),
}

func public(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.Zone() != "" {
		return false
	}
	for _, n := range reserved {
		if n.Contains(ip) {
			return false
		}
	}
	return true
}

// Headers of a callback.
const (
	// IDHeader is the same for every attempt at the same news.
	IDHeader = "Scarp-Callback-Id"
	// SignatureHeader holds "t=<unix seconds>,sha256=<hex>": the HMAC with the
	// secret of the seconds, a dot, the id, a dot and the body.
	SignatureHeader = "Scarp-Signature"
)

// Send posts the body once.
func (s *Sender) Send(ctx context.Context, to, id, mediaType string, body []byte) error {
	if err := s.Check(to); err != nil { // the settings may have changed since the job was accepted
		return fmt.Errorf("%w: %w", jobs.ErrGone, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("%w: %w", jobs.ErrGone, err)
	}
	r.Header.Set("Content-Type", mediaType)
	r.Header.Set("User-Agent", "Scarp")
	r.Header.Set(IDHeader, id)
	if s.options.Secret != "" {
		seconds := strconv.FormatInt(s.options.Now().Unix(), 10)
		r.Header.Set(SignatureHeader, "t="+seconds+",sha256="+Signature(s.options.Secret, seconds, id, body))
	}
	answer, err := s.client.Do(r)
	if err != nil {
		if errors.Is(err, errPrivate) {
			err = fmt.Errorf("%w: %w", jobs.ErrGone, err)
		}
		return err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, 64<<10)
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests, code >= 500:
		return fmt.Errorf("the receiver answered %s", answer.Status)
	case code >= 300 && code < 400:
		return fmt.Errorf("%w: it answered %s, and redirects are not followed", jobs.ErrGone, answer.Status)
	default:
		return fmt.Errorf("%w: it answered %s", jobs.ErrGone, answer.Status)
	}
}

// Signature returns what a receiver compares with the header's sha256.
func Signature(secret, seconds, id string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(seconds + "." + id + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
