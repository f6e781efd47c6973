// Package simulate makes landslide events: a Sentinel-2 L2A image from before and one from after, a DEM, clouds, and the truth.
//
// It stands in for real data where none can be had or none is known well enough: in the demo, in tests and benchmarks,
// and in training. The land comes first: rivers carve the relief, land cover follows relief and climate, landslides start where
// slopes are steep and run down them. Then two images are taken of it, each with its season, sun, haze, clouds and noise. All
// that looks like a landslide without being one is there too: old scars, clear-cuts, ploughed fields, gravel beds, roads, snow.
//
// Everything is drawn from the configuration's seed: the same Config gives the same bytes, on any number of processors.
package simulate

import (
	"context"
	"fmt"
	"time"

	"github.com/paulmach/orb"

	"github.com/scarp-map/scarp/imagery/terrain"
)

// Event is a simulated landslide event on a grid of Width×Height pixels of 10 m, row-major with row 0 in the north.
type Event struct {
	Config            Config // with its defaults filled in
	Width, Height     int
	PreDate, PostDate time.Time

	Pre, Post       [12][]uint16 // reflectance ×10000 in the order of Bands; 0 is no data
	PreSCL, PostSCL []uint8      // scene classification at 20 m, ceil(Width/2)×ceil(Height/2)

	Elevation           []float32 // the DEM, metres at 30 m, DEMWidth×DEMHeight, same top left corner
	DEMWidth, DEMHeight int

	Mask       []uint8 // 1 where a new landslide covers at least half of the pixel
	Landslides []Landslide
}

// Landslide is one connected patch of Event.Mask.
type Landslide struct {
	Polygon orb.Polygon // along pixel edges, in the event's EPSG; outer ring counter-clockwise
	Kind    string      // of the slide with the largest part in it, after Varnes
	Area    float64     // m²
}

// Generate simulates one event. It returns an error when the configuration is invalid or ctx ends.
func Generate(ctx context.Context, c Config) (*Event, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("simulate event %d: %w", c.Seed, err)
	}
	c = c.withDefaults()
	w, h := c.Width, c.Height
	p := draw(c)
	e := &Event{Config: c, Width: w, Height: h, PreDate: p.pre.date, PostDate: p.post.date}

	rel := carve(w, h, p)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("simulate event %d: %w", c.Seed, err)
	}
	ground := settle(w, h, p, rel)
	pal := mixPalette(p)
	layers := confuse(w, h, p, rel, ground, pal)
	slides, covered := trigger(w, h, p, rel, ground)
	layers.post = append(layers.post, bare(slides, p, ground, pal)...)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("simulate event %d: %w", c.Seed, err)
	}

	e.Pre, e.PreSCL = acquire(w, h, p, &p.pre, rel, ground, pal, layers.pre, p.shiftX, p.shiftY)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("simulate event %d: %w", c.Seed, err)
	}
	e.Post, e.PostSCL = acquire(w, h, p, &p.post, rel, ground, pal, layers.post, 0, 0)

	e.Elevation, e.DEMWidth, e.DEMHeight = survey(rel.z, w, h, p)
	e.Mask = make([]uint8, w*h)
	for i, c := range covered {
		if c >= 0.5 {
			e.Mask[i] = 1
		}
	}
	e.Landslides = outline(e, slides)
	return e, nil
}

// bare is the look of new landslides: raw soil and rock, brighter at the source, with boulders, wet patches and a few trees left.
func bare(slides []*slide, p *params, l *land, pal *palette) []dab {
	wet := float32(1 - 0.25*p.post.wet)
	var out []dab
	for _, s := range slides {
		for _, px := range s.pixels {
			i := px.i
			left := smoothstep(l.fine[i]+0.5*l.middle[i], 0.9, 2.6) * 0.5
			t := clamp(s.rocky+0.2*l.middle[i]+0.12*l.fine[i]-0.2*(px.along-0.5), 0, 1)
			bright := s.bright * wet * (1 + 0.13*l.fine[i] + 0.08*l.middle[i] + 0.12*(0.5-px.along))
			out = append(out, dab{i: i, cover: px.cover * (1 - left), t: t, bright: bright, a: &pal.soil, b: &pal.rock})
		}
	}
	return out
}

// acquire takes one image of the land.
func acquire(w, h int, p *params, d *dateParams, rel *relief, l *land, pal *palette, layers []dab, sx, sy float64) ([12][]uint16, []uint8) {
	img := paint(w, h, p, d, rel, l, pal, layers)
	s := cloudy(w, h, p, d)
	s.veil(img, w, h, p, d)
	bands := sense(img, w, h, p, d, sx, sy)
	noData := swath(w, h, p, d)
	scl := classify(&bands, s, w, h, noData)
	for i, no := range noData {
		if no {
			for b := range bands {
				bands[b][i] = 0
			}
		}
	}
	return bands, scl
}

// survey makes the DEM that users have: the mean of 3×3 pixels with a metre or two of error.
func survey(z []float32, w, h int, p *params) (dem []float32, dw, dh int) {
	r := stream(p.seed, "dem")
	dem, dw, dh = shrink(z, w, h, demFactor)
	deviation := float32(between(r, 0.3, 1.8))
	wrong := noise(r, dw, dh, 2.5, 2, 0.6)
	for i := range dem {
		dem[i] += deviation * wrong[i]
	}
	return dem, dw, dh
}

// Terrain brings the DEM to the 10 m grid as the server does: slope and aspect by Horn at 30 m, then all three
// bilinearly (aspect through its sine and cosine). Elevation in metres, slope in degrees, aspect in degrees clockwise from north.
func (e *Event) Terrain() (elevation, slope, aspect []float32) {
	const none = -32768
	s, a := terrain.Horn(e.Elevation, e.DEMWidth, e.DEMHeight, 10*demFactor, 10*demFactor, none)
	grid := terrain.Refine(e.Width, e.Height, demFactor)
	return terrain.Bilinear(e.Elevation, e.DEMWidth, e.DEMHeight, grid, none),
		terrain.Bilinear(s, e.DEMWidth, e.DEMHeight, grid, none),
		terrain.BilinearAspect(a, e.DEMWidth, e.DEMHeight, grid, none)
}
