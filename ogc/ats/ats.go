// Package ats holds the abstract test suites of the OGC API standards as
// executable assertions, each named by its identifier in the standard
// (ogcapi-features-1/1.0/conf/core/fc-bbox-response). They see a server only
// from outside, over HTTP, as the OGC's own executable suites do.
//
// What a server declares at /conformance is exactly what is tested: a declared
// class without assertions fails, and so does a skipped assertion that
// accepted-skips.txt does not give a reason for.
package ats

import (
	"bufio"
	_ "embed"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

//go:embed accepted-skips.txt
var acceptedSkips string

// specBase is what the URIs of all classes start with.
const specBase = "http://www.opengis.net/spec/"

// class is a conformance class with its assertions, in the order of the standard.
type class struct {
	id    string // URI without specBase
	tests []assertion
}

// assertion is one abstract test. Its name is added to that of its class.
type assertion struct {
	name  string
	check func(*session)
}

// Counts says how the assertions of a class ended.
type Counts struct{ Passed, Failed, Skipped int }

// Report is what a run found, by conformance class.
type Report struct {
	Classes map[string]*Counts
	// Skips maps a skipped assertion to the reason.
	Skips map[string]string
}

// Run tests the server at base, the URL of its landing page without a slash at
// the end, which must hold at least one event that has been mapped. callbacks is
// an address of this machine, as host:port, that the server may send callbacks to;
// a server that declares them has to be given one. Every assertion is a subtest.
func Run(t *testing.T, base, callbacks string) Report {
	t.Helper()
	s := newSession(t, base)
	s.callbacks = callbacks
	report := Report{Classes: map[string]*Counts{}, Skips: map[string]string{}}
	accepted := reasons(acceptedSkips)
	known := map[string]bool{}
	for _, c := range slices.Concat(commonClasses(), featuresClasses(), filterClasses(), tilesClasses(), mapsClasses(), processesClasses()) {
		known[c.id] = true
		if !s.declared[c.id] {
			continue
		}
		counts := &Counts{}
		report.Classes[c.id] = counts
		for _, a := range c.tests {
			name := c.id + "/" + a.name
			t.Run(strings.ReplaceAll(name, "/", "."), func(t *testing.T) {
				run := *s
				run.T = t
				defer func() {
					switch {
					case t.Failed():
						counts.Failed++
					case t.Skipped():
						counts.Skipped++
						report.Skips[name] = run.why
						if accepted[name] == "" {
							t.Errorf("%s was skipped, which accepted-skips.txt does not accept: %s", name, run.why)
						}
					default:
						counts.Passed++
					}
				}()
				a.check(&run)
			})
		}
	}
	for id := range s.declared {
		if !known[id] {
			t.Errorf("the server declares %s%s, for which there is no assertion", specBase, id)
		}
	}
	return report
}

// reasons reads lines of an assertion's name, a blank and why it may be skipped.
func reasons(list string) map[string]string {
	out := map[string]string{}
	lines := bufio.NewScanner(strings.NewReader(list))
	for lines.Scan() {
		name, why, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		if name != "" && !strings.HasPrefix(name, "#") {
			out[name] = strings.TrimSpace(why)
		}
	}
	return out
}

// WriteMarkdown writes the report as a table.
func (r Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| conformance class | passed | failed | skipped |\n| --- | ---: | ---: | ---: |\n")
	var sum Counts
	for _, id := range slices.Sorted(maps.Keys(r.Classes)) {
		c := r.Classes[id]
		fmt.Fprintf(&b, "| %s | %d | %d | %d |\n", id, c.Passed, c.Failed, c.Skipped)
		sum.Passed, sum.Failed, sum.Skipped = sum.Passed+c.Passed, sum.Failed+c.Failed, sum.Skipped+c.Skipped
	}
	fmt.Fprintf(&b, "| **all** | %d | %d | %d |\n", sum.Passed, sum.Failed, sum.Skipped)
	for _, name := range slices.Sorted(maps.Keys(r.Skips)) {
		fmt.Fprintf(&b, "\nSkipped: `%s`: %s", name, r.Skips[name])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// patience bounds one request.
const patience = 2 * time.Minute

func newClient() *http.Client { return &http.Client{Timeout: patience} }
