package processes

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/ogc/common"
)

// results answers as the client of the job wanted when it was submitted.
func (a *API) results(c echo.Context) error {
	// f=json asks for the document whatever the job's client wanted; HTML is the job's page.
	f, err := common.Accepts(c, common.Document())
	if err != nil {
		return err
	}
	p, j, err := a.job(c.Request().Context(), c.Param("job"))
	if err != nil {
		return err
	}
	if f == common.HTML && j.Status == jobs.Successful {
		return c.Redirect(http.StatusSeeOther, a.Site.Base(c)+"/jobs/"+j.ID+"?f=html")
	}
	return a.writeResults(c, p, j)
}

// writeResults answers with a finished job's results, or says why there are none.
func (a *API) writeResults(c echo.Context, p *process, j jobs.Job) error {
	if err := ready(j); err != nil {
		return err
	}
	w, err := wishesOf(j)
	if err != nil {
		return err
	}
	parts, err := a.open(c.Request().Context(), a.Site.Base(c), p, j, w)
	defer closeAll(parts)
	if err != nil {
		return err
	}
	raw := w.Response == "raw" || w.Response == "" && len(parts) == 1
	c.Response().Header().Set("Cache-Control", "no-store")
	switch {
	case !raw:
		return writeDocument(c, parts)
	case slices.IndexFunc(parts, func(x part) bool { return x.result != nil }) < 0:
		for _, x := range parts {
			c.Response().Header().Add("Link", fmt.Sprintf(`<%s>; rel=%q; type=%q`, x.href, x.id, strings.ReplaceAll(x.mediaType, `"`, "")))
		}
		return c.NoContent(http.StatusNoContent)
	case len(parts) == 1:
		h := c.Response().Header()
		h.Set("Content-Type", parts[0].result.MediaType)
		h.Set("ETag", etag(j, parts[0].id))
		return common.ServeFile(c, parts[0].result.Modified, parts[0].result)
	}
	return writeMultipart(c, parts)
}

// ready returns the problem of a job that has no results.
func ready(j jobs.Job) error {
	switch j.Status {
	case jobs.Successful:
		return nil
	case jobs.Failed:
		if j.BadInputs {
			return badInputs(errors.New(j.Message))
		}
		return &common.Problem{Status: http.StatusInternalServerError, Title: "The job failed", Detail: j.Message}
	case jobs.Dismissed:
		return &common.Problem{Status: http.StatusGone, Title: "The job was dismissed", Detail: "job " + j.ID + " was dismissed and has no results"}
	}
	return &common.Problem{Status: http.StatusNotFound, Type: resultNotReady, Title: "Result not ready",
		Detail: fmt.Sprintf("job %s is %s (%d %%); ask again when it is successful", j.ID, j.Status, j.Progress), RetryAfter: 2}
}

func closeAll(parts []part) {
	for _, part := range parts {
		if part.result != nil {
			part.result.Close()
		}
	}
}

// part is one result to write: open where its value is wanted, else a reference.
type part struct {
	outputDoc
	id, href string
	result   *jobs.Result
}

// open opens the results whose values are wanted, before anything is written.
// What it returns must be closed also when there is an error.
func (a *API) open(ctx context.Context, base string, p *process, j jobs.Job, w wishes) ([]part, error) {
	var parts []part
	for _, id := range p.outputIDs() {
		wish, wanted := w.Outputs[id]
		if len(w.Outputs) > 0 && !wanted || !keeps(j, id) {
			continue
		}
		out := p.Outputs[id]
		x := part{outputDoc: out, id: id, href: base + "/jobs/" + j.ID + "/results/" + id}
		if wish.TransmissionMode == "value" || wish.TransmissionMode == "" && !out.binary {
			r, err := a.Jobs.Result(ctx, j.ID, jobs.Output(id))
			if err != nil {
				return parts, fmt.Errorf("open output %s of job %s: %w", id, j.ID, err)
			}
			x.result, x.mediaType = r, r.MediaType
		}
		parts = append(parts, x)
	}
	return parts, nil
}

// writeDocument streams the results document: polygons and files may be larger
// than what should be in memory.
func writeDocument(c echo.Context, parts []part) error {
	w := c.Response()
	w.Header().Set("Content-Type", common.JSON.MediaType())
	w.WriteHeader(http.StatusOK)
	if c.Request().Method == http.MethodHead {
		return nil
	}
	if err := writeParts(w, parts); err != nil {
		// The status is out: cutting the connection is the only way to say that this is not the whole document.
		panic(http.ErrAbortHandler)
	}
	return nil
}

func writeParts(w io.Writer, parts []part) error {
	lead := "{"
	for _, x := range parts {
		if _, err := fmt.Fprintf(w, "%s%q:", lead, x.id); err != nil {
			return err
		}
		if err := x.write(w); err != nil {
			return err
		}
		lead = ",\n"
	}
	_, err := io.WriteString(w, strings.TrimSuffix(lead, ",\n")+"}\n")
	return err
}

// write writes the result as the results document has it: a link, a plain
// value, or a value with its media type.
func (x part) write(w io.Writer) error {
	if x.result == nil {
		return json.NewEncoder(w).Encode(common.Link{Href: x.href, Rel: "item", Type: x.mediaType, Title: x.Title})
	}
	text := strings.HasPrefix(x.mediaType, "text/")
	if x.plain && !text {
		_, err := io.Copy(w, x.result)
		return err
	}
	if !x.plain {
		if _, err := fmt.Fprintf(w, `{"mediaType":%q,`, x.mediaType); err != nil {
			return err
		}
	}
	if text {
		return x.writeText(w)
	}
	if !x.binary {
		return writeAll(w, `"value":`, x.result, "}")
	}
	if _, err := io.WriteString(w, `"encoding":"base64","value":"`); err != nil {
		return err
	}
	e := base64.NewEncoder(base64.StdEncoding, w)
	if _, err := io.Copy(e, x.result); err != nil {
		return err
	}
	if err := e.Close(); err != nil {
		return err
	}
	_, err := io.WriteString(w, `"}`)
	return err
}

// writeText writes text as a string, of a result that is small: plain values
// and tables.
func (x part) writeText(w io.Writer) error {
	b, err := io.ReadAll(x.result)
	if err != nil {
		return err
	}
	value, err := common.EncodeJSON(string(b))
	if err != nil {
		return err
	}
	if x.plain {
		_, err = w.Write(value)
		return err
	}
	return writeAll(w, `"value":`, bytes.NewReader(value), "}")
}

func writeAll(w io.Writer, before string, r io.Reader, after string) error {
	_, err := io.Copy(w, io.MultiReader(strings.NewReader(before), r, strings.NewReader(after)))
	return err
}

// writeMultipart answers raw with several outputs: one part each, and a
// Content-Location instead of a body for references.
func writeMultipart(c echo.Context, parts []part) error {
	w := c.Response()
	m := multipart.NewWriter(w)
	w.Header().Set("Content-Type", "multipart/related; boundary="+m.Boundary())
	w.WriteHeader(http.StatusOK)
	for _, x := range parts {
		h := textproto.MIMEHeader{"Content-Id": {x.id}, "Content-Type": {x.mediaType}}
		if x.result == nil {
			h.Set("Content-Location", x.href)
		}
		body, err := m.CreatePart(h)
		if err == nil && x.result != nil {
			_, err = io.Copy(body, x.result)
		}
		if err != nil {
			panic(http.ErrAbortHandler)
		}
	}
	_ = m.Close()
	return nil
}

// output serves one result as a file: in ranges, and with validators.
func (a *API) output(c echo.Context) error {
	if err := common.CheckParams(c.QueryParams()); err != nil {
		return err
	}
	p, j, err := a.job(c.Request().Context(), c.Param("job"))
	if err != nil {
		return err
	}
	id := c.Param("output")
	if _, ok := p.Outputs[id]; !ok {
		return common.NotFound("process %s has no output %s; it has %s", p.ID, common.Quote(id), strings.Join(p.outputIDs(), ", "))
	}
	if err := ready(j); err != nil {
		return err
	}
	r, err := a.Jobs.Result(c.Request().Context(), j.ID, jobs.Output(id))
	if errors.Is(err, jobs.ErrNotFound) {
		return common.NotFound("job %s kept no output %s", j.ID, id)
	}
	if err != nil {
		return fmt.Errorf("open output %s of job %s: %w", id, j.ID, err)
	}
	defer r.Close()
	h := c.Response().Header()
	h.Set("Content-Type", r.MediaType)
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": r.Name}))
	h.Set("ETag", etag(j, id))
	h.Set("Cache-Control", common.Revalidate)
	return common.ServeFile(c, r.Modified, r)
}
