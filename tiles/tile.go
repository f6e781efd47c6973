package tiles

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/scarp-map/scarp/cache"
)

// keyVersion is part of the keys of tiles: raise it when the same request draws differently.
const keyVersion = "v2"

// Tile draws a tile, or finds it in the cache.
func (e *Engine) Tile(ctx context.Context, t Tile) (out Rendered, err error) {
	defer e.observe(Observation{Layer: t.Layer, Tile: true}, time.Now(), &out, &err)
	set, matrix, err := e.matrix(t.MatrixSet, t.Matrix)
	if err != nil {
		return Rendered{}, err
	}
	if t.Scale == 0 {
		t.Scale = 1
	}
	if t.Scale < 1 || t.Scale > 2 {
		return Rendered{}, fmt.Errorf("%w: scale %d; tiles come at 1 (256 pixels) and 2 (512 pixels)", ErrBadView, t.Scale)
	}
	d, err := e.resolve(ctx, request{t.Event, t.Layer, t.Model, t.Style, t.Run, t.Format, t.Threshold, t.During})
	if err != nil {
		return Rendered{}, err
	}
	defer func() { out.Quality = d.quality() }()
	if l := e.Limits(*set, t.Matrix, d.src.Bounds()); !l.contains(t.Row, t.Col) {
		return Rendered{}, fmt.Errorf("%w: %s/%d/%d/%d of %s; rows %d to %d and columns %d to %d show it",
			ErrOutsideLimits, t.MatrixSet, t.Matrix, t.Row, t.Col, t.Event, l.MinRow, l.MaxRow, l.MinCol, l.MaxCol)
	}
	d.finish.transparent, d.finish.background = true, opaque(nil)
	side := matrix.TileSize * t.Scale
	d.finish.frame = frame{epsg: set.EPSG, bbox: matrix.bounds(t.Row, t.Col), width: side, height: side}

	key := tileKey(d, t)
	if r, ok := e.recall(ctx, key, d.finish.format); ok {
		return r, nil
	}
	if ctx.Err() != nil {
		return Rendered{}, ctx.Err()
	}
	return e.flights.do(ctx, key, func(ctx context.Context) (Rendered, error) { return e.drawTile(ctx, d, t, key) })
}

// drawTile draws a tile and keeps it if it is complete.
func (e *Engine) drawTile(ctx context.Context, d drawing, t Tile, key string) (Rendered, error) {
	var data []byte
	var err error
	complete := true
	if isVector(d.finish.format) {
		data, err = e.vectorTile(ctx, d)
	} else {
		data, complete, err = e.draw(ctx, d)
	}
	if err != nil {
		return Rendered{}, err
	}
	r := newRendered(data, d.finish.format, complete)
	e.remember(ctx, key, r)
	return r, nil
}

// recall finds what was kept under a key. A cache that fails is no reason to
// fail: the picture can be drawn.
func (e *Engine) recall(ctx context.Context, key, format string) (Rendered, bool) {
	if e.deps.Cache == nil {
		return Rendered{}, false
	}
	entry, tier, err := e.deps.Cache.Get(ctx, key)
	if err != nil || tier == cache.Miss {
		return Rendered{}, false
	}
	return kept(entry.Value, format, tier)
}

// remember keeps a picture under a key if it is complete.
func (e *Engine) remember(ctx context.Context, key string, r Rendered) {
	if !r.Complete || e.deps.Cache == nil {
		return
	}
	if err := e.deps.Cache.Put(ctx, key, r.keep()); err != nil && !errors.Is(err, context.Canceled) {
		e.deps.Log.Warn("keep a picture", "key", key, "error", err)
	}
}

// stamp writes a time for a key; nothing where it is open.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMilli(), 10)
}

// tileKey names all that a tile's bytes depend on.
func tileKey(d drawing, t Tile) string {
	var space [192]byte
	k := appendKey(append(space[:0], "tiles/"...), d, t.Event)
	k = append(append(k, t.MatrixSet...), '/')
	for _, n := range [...]int{t.Matrix, t.Row, t.Col, t.Scale} {
		k = append(strconv.AppendInt(k, int64(n), 10), '/')
	}
	if d.model != nil && d.threshold != d.model.Manifest.Threshold {
		k = append(strconv.AppendFloat(append(k, 't'), d.threshold, 'g', -1, 64), '/')
	}
	if d.layer == Landslides && !d.during.IsZero() { // for other layers the revision tells
		k = append(append(append(append(k, stamp(d.during.From)...), ".."...), stamp(d.during.To)...), '/')
	}
	if d.finish.format == formatJSON { // its media type has a character that keys have not
		return string(append(k, "geojson"...))
	}
	return string(append(k, d.finish.format[strings.LastIndexByte(d.finish.format, '/')+1:]...))
}

// appendKey adds what all pictures depend on, wherever they are and however
// large, to a key.
func appendKey(k []byte, d drawing, event string) []byte {
	k = append(append(k, event...), '/')
	k = append(append(k, d.src.Revision()...), '/')
	k = append(append(k, keyVersion...), '/')
	switch {
	case d.model != nil:
		k = append(k, d.model.Digest...)
	case d.run != "":
		k = append(append(k, "run-"...), d.run...)
	default:
		k = append(k, '-')
	}
	k = append(append(append(k, '/'), d.layer...), '/')
	return append(append(k, d.style.key...), '/')
}
