package imagery

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// maxReadPixels bounds the pixels of one result layer (8192×8192).
const maxReadPixels = 1 << 26

// Read implements [Source].
func (s *source) Read(ctx context.Context, r Request) (*Window, error) {
	w, err := s.read(ctx, r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("read event %s, window %s: %w", s.event.ID, r.Rect, err)
	}
	return w, nil
}

func (s *source) read(ctx context.Context, r Request) (*Window, error) {
	v, err := s.view(r)
	if err != nil {
		return nil, err
	}
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.end()
	w := s.allocate(r, v)
	// A strip at a time, so that working memory does not grow with the result.
	rows := max(stripResult/v.width, 1)
	for first := 0; first < v.height; first += rows {
		strip := v.strip(first, min(rows, v.height-first))
		if err := s.readStrip(ctx, r, strip, w); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// stripResult is the size of a strip in result pixels.
const stripResult = 1 << 20

// allocate makes the layers of a result.
func (s *source) allocate(r Request, v view) *Window {
	n := v.width * v.height
	w := &Window{Rect: r.Rect, Width: v.width, Height: v.height}
	bands := func(side Side, names []string) [][]uint16 {
		layers := make([][]uint16, len(names))
		for i, b := range names {
			if s.HasBand(side, b) {
				layers[i] = make([]uint16, n)
			}
		}
		return layers
	}
	w.Pre, w.Post = bands(Pre, r.Pre), bands(Post, r.Post)
	if r.Clouds && len(r.Pre) > 0 {
		w.PreCloud, w.PreValid = make([]uint8, n), make([]uint8, n)
	}
	if r.Clouds && len(r.Post) > 0 {
		w.PostCloud, w.PostValid = make([]uint8, n), make([]uint8, n)
	}
	if len(r.Terrain) > 0 {
		w.Terrain, w.TerrainValid = make([][]float32, len(r.Terrain)), make([]uint8, n)
		for i := range r.Terrain {
			w.Terrain[i] = make([]float32, n)
		}
	}
	return w
}

func (s *source) readStrip(ctx context.Context, r Request, v view, w *Window) error {
	rd := &reading{source: s, view: v, places: map[geometry]*coords{}}
	if err := rd.side(ctx, Pre, r.Pre, rows(v, w.Pre), part(v, w.PreCloud), part(v, w.PreValid)); err != nil {
		return err
	}
	if err := rd.side(ctx, Post, r.Post, rows(v, w.Post), part(v, w.PostCloud), part(v, w.PostValid)); err != nil {
		return err
	}
	return rd.terrain(ctx, r.Terrain, rows(v, w.Terrain), part(v, w.TerrainValid))
}

// part returns a strip's rows of a layer; nil of none.
func part[T any](v view, layer []T) []T {
	if layer == nil {
		return nil
	}
	return layer[v.first*v.width : (v.first+v.height)*v.width]
}

// rows returns a strip's rows of layers.
func rows[T any](v view, layers [][]T) [][]T {
	out := make([][]T, len(layers))
	for i, l := range layers {
		out[i] = part(v, l)
	}
	return out
}

// view checks a request.
func (s *source) view(r Request) (view, error) {
	v := view{grid: s.grid, rect: r.Rect, width: r.Width, height: r.Height}
	if v.width == 0 && v.height == 0 {
		v.width, v.height = r.Rect.W, r.Rect.H
	}
	switch {
	case r.Rect.Empty() || !s.grid.Rect().Contains(r.Rect):
		return v, fmt.Errorf("the window must have pixels and lie in the grid of %d×%d", s.grid.Width, s.grid.Height)
	case v.width < 1 || v.height < 1 || v.width > r.Rect.W || v.height > r.Rect.H:
		return v, fmt.Errorf("a result of %d×%d pixels was asked for; expected 1×1 to the window's own size", v.width, v.height)
	case v.width > maxReadPixels/v.height:
		return v, fmt.Errorf("a result of %d×%d pixels was asked for; at most %d pixels can be read at once", v.width, v.height, maxReadPixels)
	}
	v.sx, v.sy = float64(r.Rect.W)/float64(v.width), float64(r.Rect.H)/float64(v.height)
	for _, b := range slices.Concat(r.Pre, r.Post) {
		if !slices.Contains(Bands(), b) {
			return v, fmt.Errorf("band %q is unknown: expected one of %v", b, Bands())
		}
	}
	for _, t := range r.Terrain {
		if t != Elevation && t != Slope && t != Aspect {
			return v, fmt.Errorf("terrain layer %q is unknown: expected %s, %s or %s", t, Elevation, Slope, Aspect)
		}
	}
	return v, nil
}

// reading is one Read under way.
type reading struct {
	*source
	view view

	placing sync.Mutex
	places  map[geometry]*coords // layers on the same pixels share their places
}

func (rd *reading) place(g geometry) (*coords, error) {
	rd.placing.Lock()
	defer rd.placing.Unlock()
	if c := rd.places[g]; c != nil {
		return c, nil
	}
	c, err := rd.transforms.place(rd.view, g)
	if err != nil {
		return nil, err
	}
	rd.places[g] = c
	return c, nil
}

// fill reads a layer of a scene into out.
func (rd *reading) fill(ctx context.Context, l *layer, out []uint16) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c, err := rd.place(l.geometry)
	if err == nil && l.name == sclName {
		err = l.readClassLayer(ctx, rd.view, c, out)
	} else if err == nil {
		err = l.readLayer(ctx, rd.view, c, out)
	}
	if err != nil {
		return fmt.Errorf("band %s of %s: %w", l.name, l.ref, err)
	}
	return nil
}
