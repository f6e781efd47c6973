// Command suites reads the results of the OGC's executable test suites
// (testng-results.xml) and prints them as a table. It fails on a failed
// assertion and on a skipped one that accepted-skips.txt has no reason for.
//
//	go run ./ogc/ats/suites NAME=testng-results.xml [NAME=…]
package main

import (
	_ "embed"
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"strings"
)

//go:embed accepted-skips.txt
var acceptedSkips string

// results is what TestNG writes.
type results struct {
	Classes []struct {
		Name    string `xml:"name,attr"`
		Methods []struct {
			Name    string `xml:"name,attr"`
			Status  string `xml:"status,attr"`
			Config  bool   `xml:"is-config,attr"`
			Message string `xml:"exception>message"`
		} `xml:"test-method"`
	} `xml:"suite>test>class"`
}

// outcome is a suite's counts, and what is wrong.
type outcome struct {
	passed, failed, skipped int
	complaints              []string
}

// read judges the results of a suite.
func read(r io.Reader, accepted map[string]string) (outcome, error) {
	var doc results
	if err := xml.NewDecoder(r).Decode(&doc); err != nil {
		return outcome{}, fmt.Errorf("read TestNG results: %w", err)
	}
	var o outcome
	for _, class := range doc.Classes {
		for _, m := range class.Methods {
			name, message := class.Name+"."+m.Name, strings.TrimSpace(m.Message)
			switch {
			case m.Status == "FAIL":
				// Set-up that fails makes everything after it skip.
				o.failed++
				o.complaints = append(o.complaints, fmt.Sprintf("failed: %s: %s", name, message))
			case m.Config:
			case m.Status == "SKIP":
				o.skipped++
				if accepted[name] == "" {
					o.complaints = append(o.complaints, fmt.Sprintf("skipped, which nothing accepts: %s: %s", name, message))
				}
			default:
				o.passed++
			}
		}
	}
	if o.passed == 0 {
		o.complaints = append(o.complaints, "no assertion passed")
	}
	return o, nil
}

// reasons reads lines of a name, a blank and a reason.
func reasons(list string) map[string]string {
	out := map[string]string{}
	for line := range strings.Lines(list) {
		name, why, _ := strings.Cut(strings.TrimSpace(line), " ")
		if name != "" && !strings.HasPrefix(name, "#") {
			out[name] = why
		}
	}
	return out
}

func run(arguments []string, out io.Writer) error {
	fmt.Fprintln(out, "| suite | passed | failed | skipped |\n| --- | ---: | ---: | ---: |")
	var complaints []string
	for _, a := range arguments {
		name, path, _ := strings.Cut(a, "=")
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		o, err := read(f, reasons(acceptedSkips))
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		fmt.Fprintf(out, "| %s | %d | %d | %d |\n", name, o.passed, o.failed, o.skipped)
		for _, c := range o.complaints {
			complaints = append(complaints, name+": "+c)
		}
	}
	if len(complaints) > 0 {
		return fmt.Errorf("%s", strings.Join(complaints, "\n"))
	}
	return nil
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
