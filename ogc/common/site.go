package common

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Contact is who runs the server.
type Contact struct {
	Name  string `json:"name,omitempty"`
	URL   string `json:"url,omitempty"`
	Email string `json:"email,omitempty"`
}

// Site is what all resources share: who the server is, where it is, and how documents look.
type Site struct {
	Title, Description string
	Contact            Contact
	// BaseURL returns the absolute public URL of the server without a slash at
	// its end, path prefix included.
	BaseURL func(*http.Request) string
	// Log receives what went wrong inside; nil drops it.
	Log *slog.Logger

	pages pages
}

// Base returns the absolute public URL under which the request came.
func (s *Site) Base(c echo.Context) string { return strings.TrimSuffix(s.BaseURL(c.Request()), "/") }

// Handle makes an Echo handler of one whose errors become problems.
func (s *Site) Handle(h func(echo.Context) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		if err := h(c); err != nil {
			return s.WriteError(c, err)
		}
		return nil
	}
}

// Accepts refuses query parameters beside f and the known ones, and chooses the format.
func Accepts(c echo.Context, offered []Format, known ...string) (Format, error) {
	if raw := c.Request().URL.RawQuery; raw != "" {
		// What can't be read would be left out, and so more be answered than asked.
		if _, err := url.ParseQuery(raw); err != nil {
			return "", BadRequest("the query can't be read: %s; write ; as %%3B, %% as %%25 and + as %%2B in it", err)
		}
		if err := CheckParams(c.QueryParams(), known...); err != nil {
			return "", err
		}
	}
	return Negotiate(c.Request(), offered...)
}

// Document is the usual offer: JSON first, HTML for people.
func Document() []Format { return []Format{JSON, HTML} }

// SelfLinks returns the links to the document itself in the format that is
// written, and to its other representations.
func (s *Site) SelfLinks(c echo.Context, written Format, offered []Format) []Link {
	u := c.Request().URL
	self := s.Base(c) + u.EscapedPath()
	q := u.Query()
	q.Del("f")
	title := func(f Format) string {
		if f == TileJSON {
			return "this tileset as TileJSON"
		}
		return "this document as " + f.Title()
	}
	links := []Link{{Href: withQuery(self, u.Query()), Rel: "self", Type: written.MediaType(), Title: title(written)}}
	for _, f := range offered {
		if f != written {
			links = append(links, Link{Href: withQuery(self, q, "f", shortName(f)), Rel: "alternate", Type: f.MediaType(), Title: title(f)})
		}
	}
	return links
}

func shortName(f Format) string {
	if f == GeoJSON {
		return string(JSON)
	}
	return string(f)
}

// withQuery adds the query and pairs of further parameters to the URL.
func withQuery(base string, q url.Values, pairs ...string) string {
	v := url.Values{}
	for k := range q {
		v.Set(k, q.Get(k))
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	if len(v) == 0 {
		return base
	}
	return base + "?" + v.Encode()
}

// WithQuery adds pairs of parameter and value to the URL; a pair replaces what q has under its name.
func WithQuery(base string, q url.Values, pairs ...string) string {
	return withQuery(base, q, pairs...)
}

// Write answers with doc as JSON of the format's media type, or with the page.
// The answer may be kept but must be revalidated.
func (s *Site) Write(c echo.Context, f Format, doc any, p Page) error {
	return s.WriteStatus(c, http.StatusOK, f, doc, p)
}

// WriteStatus is Write with a status of its own.
func (s *Site) WriteStatus(c echo.Context, status int, f Format, doc any, p Page) error {
	c.Response().Header().Add("Vary", "Accept")
	if f == HTML {
		if p.Data == nil {
			p.Data = doc
		}
		body, err := s.render(p.Template, p, c)
		if err != nil {
			return err
		}
		return WriteBytes(c, status, "text/html; charset=utf-8", body)
	}
	body, err := EncodeJSON(doc)
	if err != nil {
		return err
	}
	return WriteBytes(c, status, f.MediaType(), body)
}

// EncodeJSON writes v without escaping HTML characters, which would only make URLs harder to read.
func EncodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return b.Bytes(), nil
}

// WriteBytes answers with a body that was just made. It gets an ETag, and 304
// where the client has it already.
func WriteBytes(c echo.Context, status int, mediaType string, body []byte) error {
	h := c.Response().Header()
	if status == http.StatusOK && (c.Request().Method == http.MethodGet || c.Request().Method == http.MethodHead) {
		sum := sha256.Sum256(body)
		etag := `"` + hex.EncodeToString(sum[:12]) + `"`
		if h.Get("Cache-Control") == "" {
			h.Set("Cache-Control", "no-cache")
		}
		if h.Get("Cache-Control") != "no-store" {
			h.Set("ETag", etag)
			if NotModified(c.Request(), etag, time.Time{}) {
				return c.NoContent(http.StatusNotModified)
			}
		}
	}
	return Blob(c, status, mediaType, body)
}

// Blob answers with a body and its length, which HEAD is told too.
func Blob(c echo.Context, status int, mediaType string, body []byte) error {
	c.Response().Header().Set(echo.HeaderContentLength, strconv.Itoa(len(body)))
	return c.Blob(status, mediaType, body)
}

// NotModified says whether the client has this version already, after
// If-None-Match and, where that is absent, If-Modified-Since (RFC 9110, 13.2.2).
func NotModified(r *http.Request, etag string, modified time.Time) bool {
	if inm := r.Header.Get("If-None-Match"); inm != "" {
		for tag := range strings.SplitSeq(inm, ",") {
			tag = strings.TrimSpace(tag)
			// Compression in between weakens tags; the comparison is the weak one.
			if tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
				return true
			}
		}
		return false
	}
	if ims := r.Header.Get("If-Modified-Since"); ims != "" && !modified.IsZero() {
		t, err := http.ParseTime(ims)
		return err == nil && !modified.Truncate(time.Second).After(t)
	}
	return false
}
