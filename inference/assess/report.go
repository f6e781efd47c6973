package assess

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"strings"
	"text/tabwriter"
)

//go:embed report.html
var reportHTML string

// WriteText writes the report as a table for a terminal.
func (r *Report) WriteText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	p := r.Pixels
	fmt.Fprintf(w, "%s against %s: %d pixels of 10 m in %s\n\n", r.Map, r.Truth, r.Compared, r.CRS)
	fmt.Fprintln(w, "PIXELS\tprecision\trecall\tF1\tIoU\tmapped ha\ttrue ha")
	fmt.Fprintf(w, "%s\t%.3f\t%.3f\t%.3f\t%.3f\t%.2f\t%.2f\n", r.rule(), p.Precision, p.Recall, p.F1, p.IoU,
		hectares(p.TruePositive+p.FalsePositive), hectares(p.TruePositive+p.FalseNegative))
	fmt.Fprintf(w, "\nOBJECTS (matched where %.0f %% or more of one is covered)\n", 100*r.Objects.MinOverlap)
	fmt.Fprintln(w, "size\trecall\tfound\ttrue\tprecision\tright\tmapped")
	for _, c := range r.Objects.Classes {
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%d\t%d\n", c.Class, percent(c.Recall), c.Found, c.True, percent(c.Precision), c.Right, c.Mapped)
	}
	if r.ECE != nil {
		fmt.Fprintf(w, "\nCALIBRATION: expected error %.3f\n", *r.ECE)
		fmt.Fprintln(w, "probability\tmean\tlandslide share\tpixels")
		for _, b := range r.Bins {
			fmt.Fprintf(w, "%.1f–%.1f\t%.3f\t%.3f\t%d\n", b.From, b.To, b.Mean, b.Share, b.Pixels)
		}
		fmt.Fprintln(w, "\nTHRESHOLD\tprecision\trecall\tF1\tIoU")
		for i, s := range r.Thresholds {
			if (i+1)%5 == 0 {
				fmt.Fprintf(w, "%.2f\t%.3f\t%.3f\t%.3f\t%.3f\n", s.Threshold, s.Precision, s.Recall, s.F1, s.IoU)
			}
		}
	}
	return w.Flush()
}

func (r *Report) rule() string {
	if r.Soft {
		return fmt.Sprintf("probability ≥ %.3g", r.Pixels.Threshold)
	}
	return "mask"
}

func hectares(pixels int64) float64 { return float64(pixels) * pixelSize * pixelSize / 1e4 }

func percent(share *float64) string {
	if share == nil {
		return "–"
	}
	return fmt.Sprintf("%.0f %%", 100**share)
}

// WriteHTML writes the report as one page without references to others.
func (r *Report) WriteHTML(out io.Writer) error {
	t, err := template.New("report").Funcs(template.FuncMap{"percent": percent, "hectares": hectares}).Parse(reportHTML)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	page := struct {
		*Report
		Rule        string
		Mapped      float64
		True        float64
		PR, Trust   template.HTMLAttr
		PictureData template.URL
	}{Report: r, Rule: r.rule(), Mapped: hectares(r.Pixels.TruePositive + r.Pixels.FalsePositive), True: hectares(r.Pixels.TruePositive + r.Pixels.FalseNegative)}
	if r.Picture != nil {
		png, err := r.Picture.PNG()
		if err != nil {
			return fmt.Errorf("draw the picture of the report: %w", err)
		}
		page.PictureData = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(png))
	}
	var pr, trust [][2]float64
	for _, s := range r.Thresholds {
		if s.TruePositive > 0 {
			pr = append(pr, [2]float64{s.Recall, s.Precision})
		}
	}
	for _, b := range r.Bins {
		trust = append(trust, [2]float64{b.Mean, b.Share})
	}
	page.PR, page.Trust = points(pr), points(trust)
	if err := t.Execute(out, page); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	return nil
}

// points is the attribute of a polyline in a box of 200 × 200 with y upwards.
func points(values [][2]float64) template.HTMLAttr {
	var b strings.Builder
	for _, v := range values {
		fmt.Fprintf(&b, "%.1f,%.1f ", 200*v[0], 200-200*v[1])
	}
	return template.HTMLAttr(`points="` + strings.TrimSpace(b.String()) + `"`)
}
