package features

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/export"
	"github.com/scarp-map/scarp/store/gpkg"
)

// chunk is how many landslides are in memory while a file is written.
const chunk = 1000

// fixed says whether files of the format always have all attributes and are in
// longitude and latitude.
func fixed(f common.Format) bool {
	return f == common.GPKG || f == common.FlatGeobuf || f == common.Parquet
}

// download answers with all that is selected, or with the page where the
// request names a limit. A file that fails halfway breaks the connection, so
// that nobody takes it for whole.
func (a *API) download(c echo.Context, f common.Format, p parsed, col common.Collection) error {
	q := c.QueryParams()
	for _, name := range []string{"crs", "properties"} {
		if fixed(f) && q.Has(name) && !(name == "crs" && p.crs == common.CRS84()) {
			return common.BadRequest("%s can't be chosen for f=%s, which has all attributes in longitude and latitude; leave it out, or ask for f=csv", name, f)
		}
	}
	if f == common.GeoJSONSeq && p.crs != common.CRS84() {
		return common.BadRequest("f=%s is in longitude and latitude only (RFC 8142); leave crs out, or ask for f=csv", f)
	}
	if c.Request().Method == http.MethodHead {
		announce(c, f, col)
		return c.NoContent(http.StatusOK)
	}
	select {
	case a.downloads <- struct{}{}:
		defer func() { <-a.downloads }()
	default:
		return &common.Problem{Status: http.StatusServiceUnavailable, Detail: "too many files are being written now; try again soon", RetryAfter: 10}
	}
	ctx := c.Request().Context()
	run, landslides, err := a.selected(ctx, p)
	if err != nil {
		return err
	}
	switch f {
	case common.GPKG, common.FlatGeobuf:
		return a.file(c, f, col, run, landslides)
	}
	announce(c, f, col)
	switch f {
	case common.CSV:
		fields := p.fields
		if id, ok := store.FieldNamed("id"); ok {
			fields = append([]store.Field{id}, fields...)
		}
		return stream(c, func(w io.Writer) error { return export.CSV(w, fields, a.converter(p.crs), landslides) })
	case common.Parquet:
		return stream(c, func(w io.Writer) error { return export.GeoParquet(w, landslides) })
	}
	return stream(c, func(w io.Writer) error { return a.sequence(w, p, landslides) })
}

// announce says what is coming; errors of a later time break the connection.
func announce(c echo.Context, f common.Format, col common.Collection) {
	kind := f.MediaType()
	if f == common.CSV {
		kind += "; charset=utf-8; header=present"
	}
	h := c.Response().Header()
	h.Add("Vary", "Accept")
	h.Set(echo.HeaderContentType, kind)
	h.Set(echo.HeaderContentDisposition, fmt.Sprintf(`attachment; filename="%s.%s"`, col.ID(), extension(f)))
}

func extension(f common.Format) string {
	if f == common.GeoJSONSeq {
		return "geojsons"
	}
	return string(f)
}

// selected finds the run, empty where nothing matches, and returns what goes
// through all that is selected of it. The first chunk is read at once, so that
// what is wrong with the query shows before the answer begins.
func (a *API) selected(ctx context.Context, p parsed) (run string, all iter.Seq2[store.Landslide, error], err error) {
	left := -1
	if p.limited {
		left = p.query.Limit
	}
	q := p.query
	q.Limit = chunk
	first, err := a.Store.Landslides(ctx, q)
	if err != nil {
		return "", nil, wrongQuery(err)
	}
	if len(first.Landslides) > 0 {
		run = first.Landslides[0].Run
		q.Run = run
	}
	return run, func(yield func(store.Landslide, error) bool) {
		for page := first; ; {
			for _, l := range page.Landslides {
				if left == 0 || !yield(l, nil) {
					return
				}
				left--
			}
			if page.Next == 0 {
				return
			}
			q.After, q.AfterKeys = page.Next, page.NextKeys
			var err error
			if page, err = a.Store.Landslides(ctx, q); err != nil {
				yield(store.Landslide{}, err)
				return
			}
		}
	}, nil
}

// stream writes while it reads.
func stream(c echo.Context, write func(io.Writer) error) error {
	out := bufio.NewWriterSize(c.Response(), 64<<10)
	err := write(out)
	if err == nil {
		err = out.Flush()
	}
	if err != nil && c.Response().Committed {
		panic(http.ErrAbortHandler)
	}
	if err != nil {
		c.Response().Header().Del(echo.HeaderContentType)
	}
	return err
}

// sequence writes one GeoJSON feature after the other, each behind a record separator.
func (a *API) sequence(w io.Writer, p parsed, landslides iter.Seq2[store.Landslide, error]) error {
	convert := a.converter(common.CRS84())
	for l, err := range landslides {
		if err != nil {
			return err
		}
		doc, err := feature(l, p, convert)
		if err != nil {
			return err
		}
		text, err := json.Marshal(doc)
		if err != nil {
			return fmt.Errorf("encode landslide %d: %w", l.ID, err)
		}
		if _, err := fmt.Fprintf(w, "\x1e%s\n", text); err != nil {
			return err
		}
	}
	return nil
}

// file writes a file that can't be streamed and sends it.
func (a *API) file(c echo.Context, f common.Format, col common.Collection, run string, landslides iter.Seq2[store.Landslide, error]) (err error) {
	ctx := c.Request().Context()
	folder, err := os.MkdirTemp("", "scarp-download-*")
	if err != nil {
		return fmt.Errorf("make a folder for the download: %w", err)
	}
	defer os.RemoveAll(folder)
	r := store.Run{ID: "none", Event: col.Event}
	if run != "" {
		if r, err = a.Store.Run(ctx, run); err != nil {
			return err
		}
	}
	path := filepath.Join(folder, col.ID()+".gpkg")
	if err := gpkg.Export(ctx, path, col.Of, r, landslides); err != nil {
		return err
	}
	if f == common.FlatGeobuf {
		flat := filepath.Join(folder, col.ID()+".fgb")
		if err := export.FlatGeobuf(ctx, path, flat); err != nil {
			return err
		}
		path = flat
	}
	body, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open the download: %w", err)
	}
	defer body.Close()
	info, err := body.Stat()
	if err != nil {
		return fmt.Errorf("open the download: %w", err)
	}
	announce(c, f, col)
	c.Response().Header().Set(echo.HeaderContentLength, strconv.FormatInt(info.Size(), 10))
	c.Response().WriteHeader(http.StatusOK)
	if _, err := io.Copy(c.Response(), body); err != nil {
		panic(http.ErrAbortHandler)
	}
	return nil
}
