package common

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

//go:embed templates assets
var files embed.FS

// Page is an HTML page: a template and what it shows.
type Page struct {
	// Template is the file's name without its ending.
	Template string
	Title    string
	// Crumbs lead from the landing page to this page, both left out.
	Crumbs []Crumb
	// Data is what the template shows; nil means the JSON document.
	Data any
	// NoJSON says that there is no JSON of the same thing to link to.
	NoJSON bool
}

// Crumb is one step of the way back.
type Crumb struct{ Title, Path string }

// view is what templates see.
type view struct {
	Page
	Site *Site
	// Base is the absolute URL of the server; JSON the address of the same thing as JSON.
	Base, JSON string
}

// pages holds the parsed templates by name.
type pages map[string]*template.Template

// AddPages parses the templates (*.html) of a building block, each over the
// common frame. It fails at start rather than when a page is asked for.
func (s *Site) AddPages(fsys fs.FS) error {
	if s.pages == nil {
		s.pages = pages{}
	}
	names, err := fs.Glob(fsys, "templates/*.html")
	if err != nil {
		return fmt.Errorf("list templates: %w", err)
	}
	for _, name := range names {
		t := template.New("base.html").Funcs(functions())
		if t, err = t.ParseFS(files, "templates/base.html"); err == nil {
			t, err = t.ParseFS(fsys, name)
		}
		if err != nil {
			return fmt.Errorf("parse template %s: %w", name, err)
		}
		s.pages[strings.TrimSuffix(strings.TrimPrefix(name, "templates/"), ".html")] = t
	}
	return nil
}

func (s *Site) render(name string, p Page, c echo.Context) ([]byte, error) {
	t, ok := s.pages[name]
	if !ok {
		return nil, fmt.Errorf("render page: there is no template %q", name)
	}
	u := c.Request().URL
	base := s.Base(c)
	var b bytes.Buffer
	v := view{Page: p, Site: s, Base: base, JSON: withQuery(base+u.EscapedPath(), u.Query(), "f", "json")}
	if err := t.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("render page %s: %w", name, err)
	}
	return b.Bytes(), nil
}

func functions() template.FuncMap {
	return template.FuncMap{
		"json": func(v any) (string, error) {
			b, err := json.MarshalIndent(v, "", "  ")
			return string(b), err
		},
		"compact": func(v any) (string, error) {
			b, err := json.Marshal(v)
			return string(b), err
		},
		"time": func(t time.Time) string {
			if t.IsZero() {
				return "–"
			}
			return t.UTC().Format("2 Jan 2006 15:04 UTC")
		},
		"link": func(links []Link, rel string) string {
			for _, l := range links {
				if l.Rel == rel {
					return l.Href
				}
			}
			return ""
		},
		"list":  func(v ...any) []any { return v },
		"join":  strings.Join,
		"short": func(uri string) string { return uri[strings.LastIndexByte(uri, '/')+1:] },
		"fixed": func(digits int, v float64) string { return fmt.Sprintf("%.*f", digits, v) },
	}
}
