package tiles

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// keepView finds a view in the cache, or draws and keeps it. Who asks for the
// same at the same time shares the bytes, so that a client that reads a large
// file over many connections takes its memory once.
func (e *Engine) keepView(ctx context.Context, d drawing, v View) (Rendered, error) {
	key := viewKey(d, v)
	return e.flights.do(ctx, key, func(ctx context.Context) (Rendered, error) {
		if r, ok := e.recall(ctx, key, d.finish.format); ok {
			return r, nil
		}
		data, complete, err := e.draw(ctx, d)
		if err != nil {
			return Rendered{}, err
		}
		r := newRendered(data, d.finish.format, complete)
		e.remember(ctx, key, r)
		return r, nil
	})
}

// viewKey names all that a view's bytes depend on. What has no bounded form
// goes in as a hash.
func viewKey(d drawing, v View) string {
	f := d.finish
	h := sha256.New()
	fmt.Fprint(h, f.frame.epsg, f.frame.bbox, f.frame.width, f.frame.height, f.format, f.transparent, f.background, f.bytes, d.threshold)
	if d.layer == Landslides { // for other layers the revision tells
		fmt.Fprint(h, stamp(d.during.From), "..", stamp(d.during.To))
	}
	k := appendKey([]byte("views/"), d, v.Event)
	return string(hex.AppendEncode(k, h.Sum(nil)[:hashSize]))
}
