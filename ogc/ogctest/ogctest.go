// Package ogctest has the parts that tests of the standards stand on: a
// renderer, sources, models and a job service that answer at once and always
// the same, so that documents can be compared byte by byte. Events and
// landslides come from a real store.
package ogctest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/paulmach/orb"

	"github.com/scarp-map/scarp/cache"
	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/tiles"
)

// Day is when everything in tests happens.
func Day() time.Time { return time.Date(2018, 9, 6, 3, 7, 59, 0, time.UTC) }

// Bounds is where the test events are: Atsuma, Hokkaido.
func Bounds() [4]float64 { return [4]float64{141.9, 42.65, 142.1, 42.8} }

// Event returns a test event.
func Event(id string) imagery.Event {
	return imagery.Event{ID: id, Title: "Test event " + id, Trigger: imagery.Trigger{Time: Day(), Type: "earthquake"},
		Pre: []imagery.Scene{{Path: "pre.tif"}}, Post: []imagery.Scene{{Path: "post.tif"}}, DEM: "dem.tif"}
}

// Landslides returns n squares in a row, of growing size.
func Landslides(n int) []store.Landslide {
	var all []store.Landslide
	for i := range n {
		x, y, d := 141.95+0.001*float64(i), 42.7, 0.0003+0.00001*float64(i)
		all = append(all, store.Landslide{Area: 500 + 100*float64(i), Perimeter: 120, Length: 40, Width: 20, ProbMean: 0.8, ProbMax: 0.95,
			ElevMin: 90, ElevMax: 140, ElevMean: 110, SlopeMean: 28, Aspect: 190, PreDate: Day().AddDate(0, -1, 0), PostDate: Day().AddDate(0, 0, 4),
			Model: "bbunet", ModelVersion: "1.0.0",
			Geometry: orb.Polygon{{{x, y}, {x + d, y}, {x + d, y + d}, {x, y + d}, {x, y}}}})
	}
	return all
}

// Sources opens every event of the store; those in Broken can't be opened.
type Sources struct {
	Store  store.Store
	Broken map[string]bool
}

// Source implements [imagery.Sources].
func (s Sources) Source(ctx context.Context, id string) (imagery.Source, error) {
	e, err := s.Store.Event(ctx, id)
	if err != nil {
		return nil, err
	}
	if s.Broken[id] {
		return nil, fmt.Errorf("open event %s: /secret/path/pre.tif: no such file", id)
	}
	return source{e: e}, nil
}

type source struct {
	imagery.Source // what tests do not use
	e              imagery.Event
}

func (s source) Event() imagery.Event { return s.e }
func (source) Bounds() [4]float64     { return Bounds() }
func (source) Grid() imagery.Grid {
	return imagery.Grid{EPSG: 32654, OriginX: 573000, OriginY: 4739000, Width: 1700, Height: 1700}
}

// Dates gives each scene after the event a date, ten days apart.
func (s source) Dates(side imagery.Side) []time.Time {
	if side == imagery.Pre {
		return []time.Time{Day().AddDate(0, -1, 0)}
	}
	var dates []time.Time
	for i := range s.e.Post {
		dates = append(dates, Day().AddDate(0, 0, 4+10*i))
	}
	return dates
}

// Models is a predictor that only lists models.
type Models struct{ inference.Predictor }

// Models implements [inference.Predictor].
func (Models) Models() []*inference.Model {
	return []*inference.Model{
		{Manifest: inference.Manifest{Name: "bbunet", Version: "1.0.0", Title: "BBUnet", Threshold: 0.5}, Digest: "0123456789abcdef"},
		{Manifest: inference.Manifest{Name: "small", Version: "0.1.0", Title: "Small network", Threshold: 0.4}, Digest: "fedcba9876543210"},
	}
}

// Renderer draws one colour a layer. It remembers the last view and tile.
type Renderer struct {
	Store store.Store
	// Incomplete makes every picture incomplete.
	Incomplete bool

	mu        sync.Mutex
	lastView  tiles.View
	lastTile  tiles.Tile
	lastPoint tiles.PointQuery
}

// LastView returns what was drawn last.
func (r *Renderer) LastView() tiles.View { r.mu.Lock(); defer r.mu.Unlock(); return r.lastView }

// LastTile returns the tile that was asked for last.
func (r *Renderer) LastTile() tiles.Tile { r.mu.Lock(); defer r.mu.Unlock(); return r.lastTile }

// LastPoint returns the place that was asked for last.
func (r *Renderer) LastPoint() tiles.PointQuery { r.mu.Lock(); defer r.mu.Unlock(); return r.lastPoint }

func layerColor(l tiles.Layer) color.NRGBA {
	return map[tiles.Layer]color.NRGBA{tiles.PreImage: {60, 120, 60, 255}, tiles.PostImage: {120, 90, 60, 255},
		tiles.Probability: {200, 40, 40, 128}, tiles.Mask: {255, 0, 0, 255}, tiles.Landslides: {255, 140, 0, 255}}[l]
}

func (r *Renderer) check(ctx context.Context, event, model, style string, l tiles.Layer) error {
	if _, err := r.Store.Event(ctx, event); err != nil {
		return fmt.Errorf("draw %s of %s: %w", l, event, err)
	}
	if model != "" && model != "bbunet" && model != "small" {
		return fmt.Errorf("%w %q: there are bbunet, small", inference.ErrUnknownModel, model)
	}
	if style != "" && style != "values" && !slices.ContainsFunc(r.Styles(l), func(s tiles.StyleInfo) bool { return s.ID == style }) {
		return fmt.Errorf("%w %q of layer %s", tiles.ErrUnknownStyle, style, l)
	}
	return ctx.Err()
}

// Check implements [tiles.Renderer].
func (r *Renderer) Check(ctx context.Context, v tiles.View) error {
	return r.check(ctx, v.Event, v.Model, v.Style, v.Layer)
}

// Render implements [tiles.Renderer].
func (r *Renderer) Render(ctx context.Context, v tiles.View) (tiles.Rendered, error) {
	r.mu.Lock()
	r.lastView = v
	r.mu.Unlock()
	if err := r.check(ctx, v.Event, v.Model, v.Style, v.Layer); err != nil {
		return tiles.Rendered{}, err
	}
	if !(v.BBox[0] < v.BBox[2] && v.BBox[1] < v.BBox[3]) || v.Width < 1 || v.Height < 1 {
		return tiles.Rendered{}, fmt.Errorf("%w: bbox %v, size %d×%d", tiles.ErrBadView, v.BBox, v.Width, v.Height)
	}
	img := image.NewNRGBA(image.Rect(0, 0, v.Width, v.Height))
	if !v.Transparent {
		bg := v.Background
		if bg == nil {
			bg = color.White
		}
		draw.Draw(img, img.Bounds(), image.NewUniform(bg), image.Point{}, draw.Src)
	}
	middle := image.Rect(v.Width/4, v.Height/4, v.Width-v.Width/4, v.Height-v.Height/4)
	draw.Draw(img, middle, image.NewUniform(layerColor(v.Layer)), image.Point{}, draw.Over)
	return r.encode(img, v.Format)
}

// Tile implements [tiles.Renderer].
func (r *Renderer) Tile(ctx context.Context, t tiles.Tile) (tiles.Rendered, error) {
	r.mu.Lock()
	r.lastTile = t
	r.mu.Unlock()
	if err := r.check(ctx, t.Event, t.Model, t.Style, t.Layer); err != nil {
		return tiles.Rendered{}, err
	}
	sets := r.MatrixSets()
	i := slices.IndexFunc(sets, func(s tiles.MatrixSet) bool { return s.ID == t.MatrixSet })
	if i < 0 {
		return tiles.Rendered{}, fmt.Errorf("%w %q", tiles.ErrUnknownTMS, t.MatrixSet)
	}
	if t.Matrix >= len(sets[i].Matrices) {
		return tiles.Rendered{}, fmt.Errorf("%w: matrix %d", tiles.ErrOutsideLimits, t.Matrix)
	}
	if l := r.Limits(sets[i], t.Matrix, Bounds()); t.Row < l.MinRow || t.Row > l.MaxRow || t.Col < l.MinCol || t.Col > l.MaxCol {
		return tiles.Rendered{}, fmt.Errorf("%w: rows %d to %d, columns %d to %d", tiles.ErrOutsideLimits, l.MinRow, l.MaxRow, l.MinCol, l.MaxCol)
	}
	if t.Format == "application/vnd.mapbox-vector-tile" {
		return r.rendered([]byte{0x1a, 0x00}, t.Format), nil
	}
	if t.Format == "application/geo+json" {
		return r.rendered([]byte(`{"type":"FeatureCollection","features":[]}`), t.Format), nil
	}
	side := 256 * t.Scale
	img := image.NewNRGBA(image.Rect(0, 0, side, side))
	draw.Draw(img, img.Bounds(), image.NewUniform(layerColor(t.Layer)), image.Point{}, draw.Src)
	return r.encode(img, t.Format)
}

func (r *Renderer) encode(img image.Image, format string) (tiles.Rendered, error) {
	var b bytes.Buffer
	switch format {
	case "image/png":
		if err := png.Encode(&b, img); err != nil {
			return tiles.Rendered{}, err
		}
	case "image/jpeg":
		if err := jpeg.Encode(&b, img, nil); err != nil {
			return tiles.Rendered{}, err
		}
	case "image/webp", "image/tiff":
		b.WriteString("not really " + format)
	default:
		return tiles.Rendered{}, fmt.Errorf("%w %q", tiles.ErrUnknownFormat, format)
	}
	return r.rendered(b.Bytes(), format), nil
}

func (r *Renderer) rendered(b []byte, kind string) tiles.Rendered {
	return tiles.Rendered{Bytes: b, ContentType: kind, ETag: fmt.Sprintf(`"%d-%s"`, len(b), strings.ReplaceAll(kind, "/", "-")), Modified: Day(), Complete: !r.Incomplete, Tier: cache.Memory}
}

// Point implements [tiles.Renderer]: something is known inside the bounds.
func (r *Renderer) Point(ctx context.Context, q tiles.PointQuery) (tiles.PointInfo, error) {
	if err := r.check(ctx, q.Event, q.Model, "", tiles.Probability); err != nil {
		return tiles.PointInfo{}, err
	}
	lon, lat := q.Lon, q.Lat
	r.mu.Lock()
	r.lastPoint = q
	r.mu.Unlock()
	p := tiles.PointInfo{Lon: lon, Lat: lat, Model: "bbunet"}
	if b := Bounds(); lon < b[0] || lon > b[2] || lat < b[1] || lat > b[3] {
		p.Reason = "no data"
		return p, nil
	}
	probability, slide, elevation, slope := 0.75, true, 123.0, 25.0
	p.Probability, p.Landslide, p.Elevation, p.Slope = &probability, &slide, &elevation, &slope
	p.PreDate, p.PostDate, p.Landslides = Day().AddDate(0, -1, 0), Day().AddDate(0, 0, 4), []tiles.PointLandslide{{ID: 1, Area: 500}}
	p.Class = "high"
	return p, nil
}

// Styles implements [tiles.Renderer].
func (r *Renderer) Styles(l tiles.Layer) []tiles.StyleInfo {
	style := tiles.StyleInfo{ID: "default", Title: "Default", Kind: "threshold", Description: "The usual look of " + string(l) + ".",
		Legend: []tiles.Legend{{Label: string(l), Color: layerColor(l)}}, LegendSize: image.Pt(120, 40)}
	other := style
	other.ID, other.Title = "plain", "Plain"
	return []tiles.StyleInfo{style, other}
}

// LegendImage implements [tiles.Renderer].
func (r *Renderer) LegendImage(l tiles.Layer, _ string, width, height int) ([]byte, error) {
	if width == 0 {
		width = 120
	}
	if height == 0 {
		height = 40
	}
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	draw.Draw(img, img.Bounds(), image.NewUniform(layerColor(l)), image.Point{}, draw.Src)
	var b bytes.Buffer
	err := png.Encode(&b, img)
	return b.Bytes(), err
}

// MatrixSets implements [tiles.Renderer].
func (r *Renderer) MatrixSets() []tiles.MatrixSet {
	const half = math.Pi * 6378137
	web := tiles.MatrixSet{ID: "WebMercatorQuad", Title: "Google Maps compatible", URI: "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad",
		CRS: "http://www.opengis.net/def/crs/EPSG/0/3857", EPSG: 3857}
	world := tiles.MatrixSet{ID: "WorldCRS84Quad", Title: "CRS84 for the World", URI: "http://www.opengis.net/def/tilematrixset/OGC/1.0/WorldCRS84Quad",
		CRS: "http://www.opengis.net/def/crs/OGC/1.3/CRS84", EPSG: 4326}
	for z := range 19 {
		n := 1 << z
		cell := 2 * half / 256 / float64(n)
		web.Matrices = append(web.Matrices, tiles.Matrix{ID: fmt.Sprint(z), ScaleDenominator: cell / 0.00028, CellSize: cell, OriginX: -half, OriginY: half, TileSize: 256, Width: n, Height: n})
		degrees := 180.0 / 256 / float64(n)
		world.Matrices = append(world.Matrices, tiles.Matrix{ID: fmt.Sprint(z), ScaleDenominator: degrees * math.Pi / 180 * 6378137 / 0.00028, CellSize: degrees,
			OriginX: -180, OriginY: 90, TileSize: 256, Width: 2 * n, Height: n})
	}
	return []tiles.MatrixSet{web, world}
}

// Limits implements [tiles.Renderer].
func (r *Renderer) Limits(set tiles.MatrixSet, matrix int, b [4]float64) tiles.Limits {
	m := set.Matrices[matrix]
	x0, y0, x1, y1 := b[0], b[1], b[2], b[3]
	if set.EPSG == 3857 {
		project := func(lon, lat float64) (float64, float64) {
			return lon * math.Pi / 180 * 6378137, math.Log(math.Tan(math.Pi/4+lat*math.Pi/360)) * 6378137
		}
		x0, y0 = project(b[0], b[1])
		x1, y1 = project(b[2], b[3])
	}
	side := m.CellSize * float64(m.TileSize)
	at := func(v float64, n int) int { return max(0, min(n-1, int(math.Floor(v/side)))) }
	return tiles.Limits{MinRow: at(m.OriginY-y1, m.Height), MaxRow: at(m.OriginY-y0, m.Height), MinCol: at(x0-m.OriginX, m.Width), MaxCol: at(x1-m.OriginX, m.Width)}
}

// Jobs is a job service in memory. A job runs until Finish or Fail is called,
// or ends at once where Instant is set.
type Jobs struct {
	Instant bool
	// Processes are those beside mapping. They are really carried out.
	Processes map[string]jobs.Process

	mu   sync.Mutex
	jobs []jobs.Job // oldest first
	made int        // so far: an id is never used again, since a dismissed job may still be running
	turn chan struct{}
	work processJobs
}

// Submit implements [jobs.Service].
func (s *Jobs) Submit(_ context.Context, spec jobs.Spec, request json.RawMessage) (jobs.Job, error) {
	if spec.Model == "busy" {
		return jobs.Job{}, jobs.ErrBusy
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	at := Day().Add(time.Duration(len(s.jobs)) * time.Hour)
	s.made++
	j := jobs.Job{ID: fmt.Sprintf("job-%d", s.made), Process: "map-landslides", Spec: spec, Request: request, Status: jobs.Running, Progress: 40,
		Message: "predicting blocks", BlocksDone: 4, BlocksPlanned: 10, Created: at, Started: at, Updated: at, Log: []jobs.LogLine{{Time: at, Message: "planned 10 blocks"}}}
	if s.Instant {
		j = finished(j)
	}
	s.jobs = append(s.jobs, j)
	return j, nil
}

func finished(j jobs.Job) jobs.Job {
	j.Status, j.Progress, j.Message, j.Finished = jobs.Successful, 100, "published 3 landslides", j.Started.Add(time.Minute)
	j.Updated = j.Finished
	j.Summary = &store.Summary{Landslides: 3, TotalArea: 1800, LargestArea: 700, MappedArea: 1e6}
	return j
}

// Finish makes a job successful, Fail makes it fail.
func (s *Jobs) Finish(id string) { s.change(id, finished) }

// Fail makes a job fail with a message.
func (s *Jobs) Fail(id, message string) {
	s.change(id, func(j jobs.Job) jobs.Job {
		j.Status, j.Message, j.Finished = jobs.Failed, message, j.Started.Add(time.Minute)
		return j
	})
}

func (s *Jobs) change(id string, f func(jobs.Job) jobs.Job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.jobs {
		if s.jobs[i].ID == id {
			s.jobs[i] = f(s.jobs[i])
		}
	}
	if s.turn != nil {
		close(s.turn)
		s.turn = nil
	}
}

// Job implements [jobs.Service].
func (s *Jobs) Job(_ context.Context, id string) (jobs.Job, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range s.jobs {
		if j.ID == id {
			return j, nil
		}
	}
	return jobs.Job{}, fmt.Errorf("%w: %s", jobs.ErrNotFound, id)
}

// Jobs implements [jobs.Service].
func (s *Jobs) Jobs(_ context.Context, f jobs.Filter) ([]jobs.Job, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []jobs.Job
	for _, j := range slices.Backward(s.jobs) {
		if (len(f.Processes) == 0 || slices.Contains(f.Processes, j.Process)) && (f.Event == "" || f.Event == j.Spec.Event) && (len(f.Status) == 0 || slices.Contains(f.Status, j.Status)) {
			out = append(out, j)
		}
	}
	first := min(f.Offset, len(out))
	limit := f.Limit
	if limit == 0 {
		limit = 100
	}
	return out[first:min(first+limit, len(out))], len(out), nil
}

// Wait implements [jobs.Service].
func (s *Jobs) Wait(ctx context.Context, id string, changed func(jobs.Job)) (jobs.Job, error) {
	for {
		s.mu.Lock()
		if s.turn == nil {
			s.turn = make(chan struct{})
		}
		turn := s.turn
		s.mu.Unlock()
		j, err := s.Job(ctx, id)
		if err != nil || !j.Finished.IsZero() {
			return j, err
		}
		changed(j)
		select {
		case <-turn:
		case <-ctx.Done():
			return j, ctx.Err()
		}
	}
}

// Dismiss implements [jobs.Service].
func (s *Jobs) Dismiss(ctx context.Context, id string) (jobs.Job, error) {
	j, err := s.Job(ctx, id)
	if err != nil {
		return j, err
	}
	if !j.Finished.IsZero() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.jobs = slices.DeleteFunc(s.jobs, func(o jobs.Job) bool { return o.ID == id })
		return j, nil
	}
	s.change(id, func(j jobs.Job) jobs.Job {
		j.Status, j.Message, j.Finished = jobs.Dismissed, "dismissed", j.Started.Add(time.Minute)
		return j
	})
	s.work.stop(id)
	return s.Job(ctx, id)
}

// Result implements [jobs.Service].
func (s *Jobs) Result(ctx context.Context, id string, o jobs.Output) (*jobs.Result, error) {
	j, err := s.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	if j.Status != jobs.Successful {
		return nil, jobs.ErrNotReady
	}
	if j.Process != jobs.MapLandslides {
		return s.work.result(j, o)
	}
	r := &jobs.Result{Modified: Day()}
	body := ""
	switch o {
	case jobs.LandslidesGeoJSON:
		body, r.MediaType, r.Name = `{"type":"FeatureCollection","features":[]}`, "application/geo+json", "landslides.geojson"
	case jobs.SummaryJSON:
		b, err := json.Marshal(j.Summary)
		if err != nil {
			return nil, err
		}
		body, r.MediaType, r.Name = string(b), "application/json", "summary.json"
	case jobs.LandslidesGPKG:
		body, r.MediaType, r.Name = "SQLite format 3\x00…", "application/geopackage+sqlite3", "landslides.gpkg"
	case jobs.MaskCOG, jobs.ProbabilityCOG:
		body, r.MediaType, r.Name = "II*\x00…", "image/tiff; application=geotiff; profile=cloud-optimized", string(o)+".tif"
	default:
		return nil, fmt.Errorf("%w: output %q", jobs.ErrNotFound, o)
	}
	r.Size, r.ReadSeekCloser = int64(len(body)), nopCloser{strings.NewReader(body)}
	return r, nil
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }
