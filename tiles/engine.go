package tiles

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image/color"
	"log/slog"
	"math"
	"runtime"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/scarp-map/scarp/cache"
	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/store"
)

// Config bounds the engine. The zero value of a field means its default.
type Config struct {
	// MaxWidth and MaxHeight bound the pixels of a view (4096 each).
	MaxWidth, MaxHeight int
	// Budget is how many blocks a tile or view may have computed (16); what
	// lies above shows as it becomes known.
	Budget int
	// WarmUp is how many blocks above the budget wait to be computed in the
	// background (256); below 0 none is.
	WarmUp int
	// Memory bounds the bytes of pictures being drawn (512 MiB), Queue the
	// requests that wait for it (256): the next one gets ErrBusy.
	Memory int64
	Queue  int
	// Cores bounds the pictures that are warped and encoded at once (GOMAXPROCS).
	Cores int
	// Styles are the layers' styles ([DefaultStyles]).
	Styles Styles
	// RunTTL is for how long an event's latest run is believed (2 s). It bounds
	// how late tiles of landslides follow a run that another process published;
	// for those of this one there is [Engine.Invalidate].
	RunTTL time.Duration
}

func (c Config) withDefaults() Config {
	c.MaxWidth, c.MaxHeight = cmp.Or(c.MaxWidth, 4096), cmp.Or(c.MaxHeight, 4096)
	c.Budget, c.WarmUp = cmp.Or(c.Budget, 16), max(cmp.Or(c.WarmUp, 256), 0)
	c.Memory, c.Queue = cmp.Or(c.Memory, 512<<20), cmp.Or(c.Queue, 256)
	c.Cores = cmp.Or(c.Cores, runtime.GOMAXPROCS(0))
	if c.Styles == nil {
		c.Styles = DefaultStyles()
	}
	c.RunTTL = cmp.Or(c.RunTTL, 2*time.Second)
	return c
}

// Deps is what the engine draws from.
type Deps struct {
	Sources   imagery.Sources
	Predictor inference.Predictor
	// Store has the landslides; nil means that there are none.
	Store store.Store
	// Cache keeps encoded tiles; nil means that none is kept.
	Cache cache.Cache
	// Observe, when set, is told of every picture and tile for metrics. It must not block.
	Observe func(Observation)
	// Log gets what nobody waits for; nil is slog's default.
	Log *slog.Logger
}

// Observation is one picture or tile that was asked for.
type Observation struct {
	Layer    Layer
	Tile     bool       // of a tile matrix set
	Tier     cache.Tier // Miss: drawn
	Complete bool
	Elapsed  time.Duration
	Err      error
}

// Engine draws. It is the [Renderer] of the server, and safe for use by many
// goroutines. Close it after use.
type Engine struct {
	cfg         Config
	deps        Deps
	sets        []MatrixSet
	styles      styleBook
	encoder     *encoder
	projections *projections
	limiter     *limiter
	flights     flights
	warm        *warmer
	runs        *runs
	tones       *lru.Cache[toneKey, *tone]
	measuring   singleflight.Group // of tones
	palettes    *lru.Cache[paletteKey, *[256]color.NRGBA]
}

var _ Renderer = (*Engine)(nil)

// New returns an engine. It registers the GDAL drivers that it encodes with.
func New(c Config, d Deps) (*Engine, error) {
	if d.Sources == nil || d.Predictor == nil {
		return nil, errors.New("tiles: sources and a predictor are needed")
	}
	c = c.withDefaults()
	if d.Log == nil {
		d.Log = slog.Default()
	}
	enc, err := newEncoder()
	if err != nil {
		return nil, err
	}
	tones, err := lru.New[toneKey, *tone](128)
	if err != nil {
		return nil, err
	}
	palettes, err := lru.New[paletteKey, *[256]color.NRGBA](64)
	if err != nil {
		return nil, err
	}
	latest, err := newRuns(d.Store, c.RunTTL)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		cfg: c, deps: d, sets: matrixSets(), styles: newStyleBook(c.Styles), encoder: enc,
		projections: newProjections(c.Cores), limiter: newLimiter(c.Memory, c.Queue, c.Cores),
		runs: latest, tones: tones, palettes: palettes,
	}
	e.warm = newWarmer(d, e.source, c.WarmUp)
	return e, nil
}

// Close stops the background work and lets go what the engine holds. Nobody may draw any more.
func (e *Engine) Close() error {
	e.warm.close()
	e.projections.close()
	return nil
}

// Formats lists the media types of pictures that Render and Tile encode, PNG first.
func (e *Engine) Formats() []string { return e.encoder.formats() }

// Invalidate forgets which run of an event is the latest: call it after a run was published or deleted.
func (e *Engine) Invalidate(event string) { e.runs.forget(event) }

// drawing is a request whose names have been resolved.
type drawing struct {
	layer     Layer
	style     *styled
	src       imagery.Source
	model     *inference.Model // nil for images and landslides
	threshold float64
	run       string // of landslides; empty where there is none
	during    Span
	finish    finish
}

// request is what views and tiles have in common.
type request struct {
	event                     string
	layer                     Layer
	model, style, run, format string
	threshold                 float64 // 0 is the model's
	during                    Span
}

// resolve finds what a request names. The errors are the typed ones, or the
// sources' and the predictor's own.
func (e *Engine) resolve(ctx context.Context, r request) (drawing, error) {
	d := drawing{layer: r.layer, during: r.during}
	var err error
	if d.style, err = e.styles.find(r.layer, r.style); err != nil {
		return d, err
	}
	if r.layer == Landslides && isVector(r.format) {
		d.finish.format = r.format
	} else if d.finish.format, err = e.encoder.check(r.format); err != nil {
		return d, err
	}
	if r.threshold != 0 && !(r.threshold > 0 && r.threshold <= 1) {
		return d, fmt.Errorf("%w: threshold %g is not between 0 and 1", ErrBadView, r.threshold)
	}
	if d.src, err = e.source(ctx, r.event, r.layer, r.during); err != nil {
		return d, fmt.Errorf("draw %s: %w", r.layer, err)
	}
	switch r.layer {
	case Probability, Mask:
		model := cmp.Or(r.model, d.src.Event().Model)
		if d.model, err = e.deps.Predictor.Model(model); err != nil {
			return d, fmt.Errorf("draw %s of %s: %w", r.layer, r.event, err)
		}
		d.threshold = d.model.Manifest.Threshold
		if r.threshold != 0 {
			// To the steps of predictions: what looks alike is kept once.
			d.threshold = math.Ceil(r.threshold*float64(inference.MaxProbability)) / float64(inference.MaxProbability)
		}
	case Landslides:
		if d.run, err = e.runs.resolve(ctx, r.event, r.run); err != nil {
			return d, fmt.Errorf("draw %s of %s: %w", r.layer, r.event, err)
		}
	}
	return d, nil
}

// source opens an event as the layer shows it in a span of time. Landslides
// are left to the store, which knows the date of each.
func (e *Engine) source(ctx context.Context, event string, layer Layer, during Span) (imagery.Source, error) {
	src, err := e.deps.Sources.Source(ctx, event)
	if err != nil || during.IsZero() || layer == Landslides {
		return src, err
	}
	dated, ok := src.(imagery.Dated)
	if !ok {
		return nil, fmt.Errorf("%w: the scenes of event %s can't be told apart by date", ErrNoImage, event)
	}
	side := imagery.Post
	if layer == PreImage {
		side = imagery.Pre
	}
	return dated.During(side, during.From, during.To)
}

// Render draws a view, or finds it in the cache where it is to be kept.
func (e *Engine) Render(ctx context.Context, v View) (out Rendered, err error) {
	defer e.observe(Observation{Layer: v.Layer}, time.Now(), &out, &err)
	d, err := e.prepare(ctx, v)
	if err != nil {
		return Rendered{}, err
	}
	defer func() { out.Quality = d.quality() }()
	if v.Keep {
		return e.keepView(ctx, d, v)
	}
	data, complete, err := e.draw(ctx, d)
	if err != nil {
		return Rendered{}, err
	}
	return newRendered(data, d.finish.format, complete), nil
}

// Check says whether a view can be drawn, without drawing it: the error is what
// Render would give before it starts.
func (e *Engine) Check(ctx context.Context, v View) error {
	_, err := e.prepare(ctx, v)
	return err
}

// prepare makes a drawing of a view.
func (e *Engine) prepare(ctx context.Context, v View) (drawing, error) {
	f := frame{epsg: v.EPSG, bbox: v.BBox, width: v.Width, height: v.Height}
	if err := e.checkFrame(f); err != nil {
		return drawing{}, err
	}
	d, err := e.resolve(ctx, request{v.Event, v.Layer, v.Model, v.Style, v.Run, v.Format, v.Threshold, v.During})
	if err != nil {
		return drawing{}, err
	}
	if isVector(d.finish.format) {
		return drawing{}, fmt.Errorf("%w %q; vector tiles come from tile matrix sets only, pictures as %v", ErrUnknownFormat, v.Format, e.Formats())
	}
	d.finish.frame, d.finish.transparent, d.finish.background = f, v.Transparent, opaque(v.Background)
	d.finish.bytes = v.Bytes
	return d, nil
}

// checkFrame refuses frames that can't be drawn.
func (e *Engine) checkFrame(f frame) error {
	if f.width < 1 || f.height < 1 || f.width > e.cfg.MaxWidth || f.height > e.cfg.MaxHeight {
		return fmt.Errorf("%w: %d×%d pixels; from 1×1 to %d×%d can be had", ErrBadView, f.width, f.height, e.cfg.MaxWidth, e.cfg.MaxHeight)
	}
	b := f.bbox
	dx, dy := b[2]-b[0], b[3]-b[1]
	if !(dx > 0 && dy > 0 && dx < 1e12 && dy < 1e12) { // NaN and infinities too
		return fmt.Errorf("%w: bounding box %g,%g,%g,%g is empty or without end; it must be min x, min y, max x, max y", ErrBadView, b[0], b[1], b[2], b[3])
	}
	return nil
}

// observe tells the metrics how a request went.
func (e *Engine) observe(o Observation, start time.Time, out *Rendered, err *error) {
	if e.deps.Observe == nil {
		return
	}
	o.Tier, o.Complete, o.Err, o.Elapsed = out.Tier, out.Complete, *err, time.Since(start)
	e.deps.Observe(o)
}

// bytesPerPixel is what a picture takes for each of its pixels: four in colour,
// as many encoded, and up to four pixels of the level that it is sampled from.
const bytesPerPixel = 32

// draw draws and encodes a picture.
func (e *Engine) draw(ctx context.Context, d drawing) (data []byte, complete bool, err error) {
	f := d.finish.frame
	leave, err := e.limiter.enter(ctx, 1<<20+int64(f.width)*int64(f.height)*bytesPerPixel)
	if err != nil {
		return nil, false, err
	}
	defer leave()
	l, err := e.projections.place(f, d.src.Grid())
	if err != nil {
		return nil, false, err
	}
	switch d.layer {
	case Probability, Mask:
		return e.drawCodes(ctx, d, l)
	case Landslides:
		return e.drawLandslides(ctx, d, l)
	}
	err = e.limiter.work(ctx, func() error {
		img, err := e.drawImage(ctx, d, l)
		if err != nil {
			return err
		}
		data, err = e.encoder.picture(img, d.finish)
		return err
	})
	return data, true, err
}

type paletteKey struct {
	style     *styled
	threshold float64
}

// palette returns a style's colours.
func (e *Engine) palette(style *styled, threshold float64) *[256]color.NRGBA {
	key := paletteKey{style, threshold}
	if p, ok := e.palettes.Get(key); ok {
		return p
	}
	p := style.palette(threshold)
	e.palettes.Add(key, &p)
	return &p
}

// drawCodes draws probability or mask.
func (e *Engine) drawCodes(ctx context.Context, d drawing, l *lattice) (data []byte, complete bool, err error) {
	var m *mosaic
	if !l.empty() {
		if m, err = e.predict(ctx, d, l.need, l.level()); err != nil {
			return nil, false, err
		}
	}
	err = e.limiter.work(ctx, func() error {
		pix := make([]uint8, l.frame.width*l.frame.height)
		fill(pix, inference.NoData)
		if m != nil {
			err := e.projections.each(ctx, l, func(r run) {
				row := pix[r.y*l.frame.width+r.x:][:r.n]
				if d.layer == Mask {
					m.drawNearest(r, row)
				} else {
					m.drawSmooth(r, row)
				}
			})
			if err != nil {
				return err
			}
		}
		data, complete, err = e.finishCodes(d, pix)
		return err
	})
	return data, complete, err
}

// finishCodes styles and encodes a picture of codes.
func (e *Engine) finishCodes(d drawing, pix []uint8) (data []byte, complete bool, err error) {
	if d.style.Values {
		return e.finishValues(d, pix)
	}
	complete = !hatch(pix, d.finish.frame)
	data, err = e.encoder.indexed(pix, *e.palette(d.style, d.threshold), d.finish)
	return data, complete, err
}
