package imagery

import (
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// allowList decides which files an event may name. Every reference passes
// through it before GDAL sees anything.
type allowList struct {
	base  string
	roots []string   // folders, symbolic links resolved
	urls  []*url.URL // prefixes
}

func newAllowList(o Options) (*allowList, error) {
	base, err := filepath.Abs(o.Base)
	if err != nil {
		return nil, fmt.Errorf("resolve base folder %q: %w", o.Base, err)
	}
	l := &allowList{base: base}
	for _, a := range o.Allow {
		if strings.Contains(a, "://") {
			u, err := url.Parse(a)
			if err != nil || u.Host == "" || !slices.Contains([]string{"http", "https"}, u.Scheme) {
				return nil, fmt.Errorf("allowed prefix %q: expected a folder, or a URL that starts with https:// or http:// and a host", a)
			}
			l.urls = append(l.urls, u)
			continue
		}
		root, err := filepath.Abs(a)
		if err == nil {
			root, err = filepath.EvalSymlinks(root)
		}
		if os.IsNotExist(err) {
			continue // a folder that does not exist has no files to allow
		}
		if err != nil {
			return nil, fmt.Errorf("resolve allowed folder %q: %w", a, err)
		}
		l.roots = append(l.roots, root)
	}
	return l, nil
}

// location is a reference that was let through.
type location struct {
	ref   string // as the event has it, for errors
	gdal  string // what GDAL opens
	local string // the file or folder on disk; empty for a URL
}

// locate checks a reference. It returns an error that says which rule was broken.
func (l *allowList) locate(ref string) (location, error) {
	switch {
	case strings.ContainsRune(ref, 0):
		return location{}, fmt.Errorf("%q: a path can't contain a zero byte", ref)
	case strings.HasPrefix(path.Clean("/"+strings.ReplaceAll(ref, `\`, "/")), "/vsi"):
		return location{}, fmt.Errorf("%q: GDAL's virtual file systems (/vsi…) are not accepted; give a plain path, a zip as it is, or an allowed URL", ref)
	case strings.HasPrefix(strings.TrimSpace(ref), "<"):
		return location{}, fmt.Errorf("a path was expected, not XML")
	case strings.Contains(ref, "://"):
		return l.locateURL(ref)
	}
	local := ref
	if !filepath.IsAbs(local) {
		local = filepath.Join(l.base, local)
	}
	resolved, err := filepath.EvalSymlinks(local)
	if err != nil {
		// Whether a file outside the allowed folders exists is nobody's business.
		if !l.under(filepath.Clean(local)) {
			return location{}, l.refuse(ref)
		}
		if os.IsNotExist(err) {
			return location{}, fmt.Errorf("%s: no such file or folder", ref)
		}
		return location{}, fmt.Errorf("resolve %s: %w", ref, err)
	}
	if !l.under(resolved) {
		return location{}, l.refuse(ref)
	}
	return location{ref: ref, gdal: resolved, local: resolved}, nil
}

// child locates a file found within a located folder. Links out of the allowed folders are refused here too.
func (l *allowList) child(parent location, name string) (location, error) {
	loc, err := l.locate(filepath.Join(parent.local, name))
	if err != nil {
		return location{}, err
	}
	loc.ref = path.Join(parent.ref, filepath.ToSlash(name))
	return loc, nil
}

func (l *allowList) under(file string) bool {
	return slices.ContainsFunc(l.roots, func(root string) bool {
		rel, err := filepath.Rel(root, file)
		return err == nil && filepath.IsLocal(rel)
	})
}

func (l *allowList) refuse(ref string) error {
	return fmt.Errorf("%s: not in an allowed place: move the file under an allowed folder, or allow its folder (or URL prefix) with the setting allow (--allow)", ref)
}

func (l *allowList) locateURL(ref string) (location, error) {
	u, err := url.Parse(ref)
	if err != nil {
		return location{}, fmt.Errorf("%q is not a URL: %w", ref, err)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" {
		return location{}, fmt.Errorf("%s: user names, queries and fragments are not accepted in the URL of a file", ref)
	}
	u.Path = path.Clean("/" + u.Path)
	u.RawPath = ""
	for _, p := range l.urls {
		prefix := p.Path
		under := prefix == "" || u.Path == strings.TrimSuffix(prefix, "/") || strings.HasPrefix(u.Path, strings.TrimSuffix(prefix, "/")+"/")
		if u.Scheme == p.Scheme && strings.EqualFold(u.Host, p.Host) && under {
			return location{ref: ref, gdal: "/vsicurl/" + u.String()}, nil
		}
	}
	return location{}, l.refuse(ref)
}

// Locate checks a reference to a file as those of events are checked, and
// returns the path that GDAL opens it by: one on disk, or one under /vsicurl/
// for a URL. The error says which rule was broken.
func (o Options) Locate(ref string) (string, error) {
	allow, err := newAllowList(o)
	if err != nil {
		return "", err
	}
	l, err := allow.locate(ref)
	return l.gdal, err
}
