package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"
)

// nginx serves the server at target under /scarp/ with the configuration that
// the documentation shows, and returns the public URL.
func nginx(t *testing.T, target string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a whole server")
	}
	program := tool(t, "/usr/sbin/nginx", "-v")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())

	text, err := os.ReadFile("../docs/behind-a-proxy.md")
	require.NoError(t, err)
	shown := regexp.MustCompile("(?s)```nginx\n(.*?)```").FindSubmatch(text)
	require.NotNil(t, shown)
	example := strings.NewReplacer("listen 80;", "listen "+address+";", "http://127.0.0.1:8080/", target+"/").Replace(string(shown[1]))
	folder := t.TempDir()
	require.NoError(t, os.Chmod(folder, 0o755))
	config := filepath.Join(folder, "nginx.conf")
	frame := "daemon off; master_process off; pid %[1]s/pid; error_log stderr warn; events {} http { access_log off; " +
		"client_body_temp_path %[1]s/b; proxy_temp_path %[1]s/p; fastcgi_temp_path %[1]s/f; uwsgi_temp_path %[1]s/u; scgi_temp_path %[1]s/s;\n%[2]s}"
	require.NoError(t, os.WriteFile(config, fmt.Appendf(nil, frame, folder, example), 0o644))
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "-p", folder, "-c", config)
	var log strings.Builder
	cmd.Stderr = &log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("nginx: %s", log.String())
		}
	})
	public := "http://" + address + "/scarp"
	require.Eventually(t, func() bool {
		answer, err := http.Get(public + "/healthz")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	}, time.Minute, 50*time.Millisecond, "nginx does not answer")
	return public
}

// Every link in every document, from the landing page on, leads through the proxy.
func TestBehindNginx(t *testing.T) {
	public := nginx(t, shared(t))
	queue := []string{public + "/", public + "/?f=html", public + "/wms?service=WMS&request=GetCapabilities&version=1.3.0",
		public + "/wms?service=WMS&request=GetCapabilities&version=1.1.1", public + "/wmts?service=WMTS&request=GetCapabilities"}
	seen := map[string]bool{}
	for _, target := range queue {
		seen[target] = true
	}
	read := 0
	fromPage := map[string]bool{} // what a browser follows
	for len(queue) > 0 {
		target := queue[0]
		queue = queue[1:]
		read++
		accept := "*/*"
		if fromPage[target] {
			accept = "text/html,*/*;q=0.8"
		}
		answer, body := send(t, "GET", target, "", "Accept", accept)
		if !assert.Less(t, answer.StatusCode, 300, "%s: %.200s", target, body) {
			continue
		}
		found, err := hrefs(answer.Header.Get("Content-Type"), body)
		require.NoError(t, err, target)
		for _, href := range found {
			u, err := url.Parse(href)
			require.NoError(t, err, "%s links to %s", target, href)
			inPage := strings.HasPrefix(answer.Header.Get("Content-Type"), "text/html")
			if page, err := url.Parse(target); err == nil && inPage {
				u = page.ResolveReference(u) // as browsers do; documents for programs have whole addresses
				href = u.String()
			}
			if !strings.HasPrefix(href, public) {
				foreign := u.Host == "" || u.Hostname() == "127.0.0.1" || u.Hostname() == "localhost"
				assert.False(t, foreign, "%s links to %s, past the proxy", target, href)
				continue
			}
			if u.Fragment = ""; !seen[u.String()] && worthwhile(u) {
				seen[u.String()], fromPage[u.String()] = true, inPage
				queue = append(queue, u.String())
			}
		}
	}
	assert.Greater(t, read, 100, "documents and pictures that were asked for")
	t.Logf("%d links", read)
}

// worthwhile leaves out what is only there to be posted to, and pictures that
// differ from others in size or style alone.
func worthwhile(u *url.URL) bool {
	return !strings.HasSuffix(u.Path, "/execution") && !strings.Contains(u.Path, "%7B") && !strings.Contains(u.Path, "{") &&
		!strings.Contains(u.RawQuery, "after=")
}

// hrefs finds the links of a JSON or XML document, templates left out.
func hrefs(kind string, body []byte) ([]string, error) {
	var out []string
	switch {
	case strings.HasPrefix(kind, "text/html"):
		page, err := html.Parse(bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		for n := range page.Descendants() {
			if slices.Contains(n.Attr, html.Attribute{Key: "rel", Val: "nofollow"}) { // they have no end
				continue
			}
			for _, a := range n.Attr {
				if (a.Key == "href" || a.Key == "src" || a.Key == "data-href") && !strings.HasPrefix(a.Val, "data:") {
					out = append(out, a.Val)
				}
			}
		}
	case strings.Contains(kind, "json-seq"): // many documents, of what the page of features links to
	case strings.Contains(kind, "json"):
		var doc any
		if err := json.Unmarshal(body, &doc); err != nil {
			return nil, err
		}
		var walk func(any)
		walk = func(v any) {
			switch v := v.(type) {
			case []any:
				for _, inner := range v {
					walk(inner)
				}
			case map[string]any:
				if href, ok := v["href"].(string); ok && v["templated"] != true {
					out = append(out, href)
				}
				for _, inner := range v {
					walk(inner)
				}
			}
		}
		walk(doc)
	case strings.Contains(kind, "xml") && !strings.Contains(kind, "html") && !strings.Contains(kind, "svg"):
		for d := xml.NewDecoder(strings.NewReader(string(body))); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				return out, nil
			}
			if err != nil {
				return nil, err
			}
			element, ok := token.(xml.StartElement)
			if !ok || element.Name.Local != "LegendURL" && element.Name.Local != "OnlineResource" && element.Name.Local != "ServiceMetadataURL" {
				continue
			}
			for _, a := range element.Attr {
				// Endpoints end in a question mark: they want parameters.
				if a.Name.Local == "href" && !strings.HasSuffix(a.Value, "?") {
					out = append(out, a.Value)
				}
			}
		}
	}
	return out, nil
}
