package tiles_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/airbusgeo/godal"
	"github.com/paulmach/orb"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/cache"
	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/tiles"
)

// predictor predicts without a network: a pixel's value is a function of its
// place on a synthetic source, and which blocks count as computed is remembered
// as the real one does.
type predictor struct {
	src   *imagerytest.Source
	model *inference.Model
	// forget makes blocks forgotten at once, for runs over many of them.
	forget bool

	mu       sync.Mutex
	known    map[inference.BlockIndex]*inference.Block
	computed int // blocks of level 0
	batch    int // of these with priority Batch
	onBlock  func(context.Context, inference.BlockIndex) error
}

func newPredictor(src *imagerytest.Source) *predictor {
	return &predictor{
		src: src, known: make(map[inference.BlockIndex]*inference.Block),
		model: &inference.Model{Manifest: inference.Manifest{Name: "fake", Version: "1", Threshold: 0.5}, Digest: "0123456789abcdef"},
	}
}

func (p *predictor) Models() []*inference.Model { return []*inference.Model{p.model} }

func (p *predictor) Model(name string) (*inference.Model, error) {
	if name == "" || name == "fake" {
		return p.model, nil
	}
	return nil, fmt.Errorf("%w %q; there is fake", inference.ErrUnknownModel, name)
}

// value is the code of a pixel: high in landslides, a smooth low field elsewhere.
func (p *predictor) value(x, y int) uint8 {
	g := p.src.Grid()
	if x >= g.Width || y >= g.Height || (p.src.PostEmpty != nil && p.src.PostEmpty(x, y)) {
		return inference.NoData
	}
	pre := p.src.PreCloud != nil && p.src.PreCloud(x, y) != imagery.Clear
	post := p.src.PostCloud != nil && p.src.PostCloud(x, y) != imagery.Clear
	switch {
	case pre && post:
		return inference.CloudBoth
	case pre:
		return inference.CloudPre
	case post:
		return inference.CloudPost
	}
	in := 0
	for dy := -2; dy <= 2; dy++ {
		for dx := -2; dx <= 2; dx++ {
			if slid(x+dx, y+dy) {
				in++
			}
		}
	}
	return uint8(10 + (x/7+y/5)%40 + in*190/25)
}

// slid says where landslides are: discs of several sizes.
func slid(x, y int) bool {
	const cell = 96
	r := 8 + (x/cell*5+y/cell*3)%13
	dx, dy := x%cell-48, y%cell-40
	return dx*dx+dy*dy <= r*r
}

func (p *predictor) Block(ctx context.Context, src imagery.Source, _ *inference.Model, at inference.BlockIndex, prio inference.Priority) (*inference.Block, error) {
	if p.onBlock != nil {
		if err := p.onBlock(ctx, at); err != nil {
			return nil, err
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if b, ok := p.known[at]; ok {
		return b, nil
	}
	p.computed++
	if prio == inference.Batch {
		p.batch++
	}
	b := p.make(at)
	if !p.forget {
		p.known[at] = b
	}
	return b, nil
}

func (p *predictor) make(at inference.BlockIndex) *inference.Block {
	b := &inference.Block{Index: at, Pixels: make([]byte, inference.BlockSize*inference.BlockSize)}
	for i := range b.Pixels {
		b.Pixels[i] = p.value(at.Col*inference.BlockSize+i%inference.BlockSize, at.Row*inference.BlockSize+i/inference.BlockSize)
	}
	return b
}

func (p *predictor) Peek(_ context.Context, _ imagery.Source, _ *inference.Model, at inference.BlockIndex) (*inference.Block, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at.Level == 0 {
		b, ok := p.known[at]
		return b, ok, nil
	}
	return p.overview(at)
}

// overview takes every 2^level-th pixel.
func (p *predictor) overview(at inference.BlockIndex) (*inference.Block, bool, error) {
	b := &inference.Block{Index: at, Pixels: make([]byte, inference.BlockSize*inference.BlockSize)}
	complete, some := true, false
	g := p.src.Grid()
	const side = inference.BlockSize
	for i := range b.Pixels {
		x, y := (at.Col*side+i%side)<<at.Level, (at.Row*side+i/side)<<at.Level
		if x >= g.Width || y >= g.Height {
			b.Pixels[i] = inference.NoData
			continue
		}
		from, ok := p.known[inference.BlockIndex{Col: x / side, Row: y / side}]
		if !ok {
			b.Pixels[i], complete = inference.NotPredicted, false
			continue
		}
		some = true
		b.Pixels[i] = from.Pixels[y%side*side+x%side]
	}
	if !some {
		return nil, false, nil
	}
	return b, complete, nil
}

// counts returns how many blocks were computed, and of these in the background.
func (p *predictor) counts() (computed, batch int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.computed, p.batch
}

// fakeStore is a store of runs in memory; the methods that drawing does not use are absent.
type fakeStore struct {
	store.Store
	mu    sync.Mutex
	runs  []store.Run // newest first
	items []store.Landslide
	asked int
}

func (s *fakeStore) Runs(_ context.Context, event string) ([]store.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	return append([]store.Run(nil), s.runs...), nil
}

func (s *fakeStore) Run(_ context.Context, id string) (store.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.runs {
		if r.ID == id {
			return r, nil
		}
	}
	return store.Run{}, store.ErrNotFound
}

func (s *fakeStore) Landslides(_ context.Context, q store.Query) (store.Page, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var page store.Page
	if q.Limit == 0 {
		q.Limit = 1000
	}
	for _, l := range s.items {
		if l.ID <= q.After || l.Run != q.Run {
			continue
		}
		b := l.Geometry.Bound()
		if q.BBox != nil && !touches(b, *q.BBox) {
			continue
		}
		if len(page.Landslides) == q.Limit {
			page.Next = page.Landslides[len(page.Landslides)-1].ID
			break
		}
		page.Landslides = append(page.Landslides, l)
	}
	return page, nil
}

// touches says whether a bound meets a box whose west may lie east of its east.
func touches(b orb.Bound, box [4]float64) bool {
	if b.Max[1] < box[1] || b.Min[1] > box[3] {
		return false
	}
	if box[0] > box[2] {
		return b.Max[0] >= box[0] || b.Min[0] <= box[2]
	}
	return b.Max[0] >= box[0] && b.Min[0] <= box[2]
}

// fixture is an engine over a synthetic event named synthetic.
type fixture struct {
	*tiles.Engine
	src       *imagerytest.Source
	predictor *predictor
	store     *fakeStore
	cache     cache.Cache
}

// newFixture makes an engine; change alters the configuration.
func newFixture(t testing.TB, src *imagerytest.Source, change func(*tiles.Config)) *fixture {
	t.Helper()
	f := &fixture{src: src, predictor: newPredictor(src), store: new(fakeStore)}
	var err error
	f.cache, err = cache.New(t.Context(), cache.Config{MemoryBytes: 32 << 20})
	require.NoError(t, err)
	cfg := tiles.Config{WarmUp: -1}
	if change != nil {
		change(&cfg)
	}
	f.Engine, err = tiles.New(cfg, tiles.Deps{
		Sources: place{sited{located{src}, located{src}.Bounds()}}, Predictor: f.predictor, Store: f.store, Cache: f.cache})
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, f.Engine.Close())
		require.NoError(t, f.cache.Close())
	})
	return f
}

// cloudy has clouds of each kind and a corner without data.
func cloudy(width, height int) *imagerytest.Source {
	src := imagerytest.New(width, height)
	disc := func(cx, cy, r int) func(x, y int) uint8 {
		return func(x, y int) uint8 {
			if (x-cx)*(x-cx)+(y-cy)*(y-cy) < r*r {
				return imagery.ThickCloud
			}
			return imagery.Clear
		}
	}
	src.PreCloud, src.PostCloud = disc(width*2/5, height*2/5, width/8), disc(width/2, height/2, width/8)
	src.PostEmpty = func(x, y int) bool { return x+y < width/3 }
	return src
}

// located is the one event, with bounds from PROJ (the synthetic source's own are rough).
type located struct{ *synthetic }

type synthetic = imagerytest.Source

// sited has its bounds at hand, as the real source has.
type sited struct {
	located
	bounds [4]float64
}

func (s sited) Bounds() [4]float64 { return s.bounds }

// place finds the one event.
type place struct{ sited }

func (l place) Source(_ context.Context, id string) (imagery.Source, error) {
	if id != "synthetic" {
		return nil, fmt.Errorf("no event %q", id)
	}
	return l.sited, nil
}

func (l located) Bounds() [4]float64 {
	g := l.Grid()
	x0, y0, x1, y1 := g.Bounds()
	w, s, e, n, ok := degrees(g.EPSG, []float64{x0, x1, x0, x1, (x0 + x1) / 2, (x0 + x1) / 2}, []float64{y0, y0, y1, y1, y0, y1})
	if !ok {
		panic("the grid is not on Earth")
	}
	return [4]float64{w, s, e, n}
}

// degrees bounds points in longitude and latitude; west > east across the antimeridian.
func degrees(epsg int, x, y []float64) (w, s, e, n float64, ok bool) {
	from, err := godal.NewSpatialRefFromEPSG(epsg)
	if err != nil {
		return
	}
	defer from.Close()
	to, err := godal.NewSpatialRefFromEPSG(4326)
	if err != nil {
		return
	}
	defer to.Close()
	tr, err := godal.NewTransform(from, to)
	if err != nil {
		return
	}
	defer tr.Close()
	if tr.TransformEx(x, y, nil, nil) != nil {
		return
	}
	w, e = slices.Min(x), slices.Max(x)
	if e-w > 180 {
		w, e = 180, -180
		for _, v := range x {
			if v > 0 {
				w = min(w, v)
			} else {
				e = max(e, v)
			}
		}
	}
	return w, slices.Min(y), e, slices.Max(y), true
}

// painted is the one event with plain pictures that depend on nothing else:
// green slopes, on which landslides lie bare afterwards.
type painted struct{ located }

func (p painted) Read(_ context.Context, r imagery.Request) (*imagery.Window, error) {
	n := r.Width * r.Height
	w := &imagery.Window{Rect: r.Rect, Width: r.Width, Height: r.Height,
		PreValid: make([]uint8, n), PostValid: make([]uint8, n), PreCloud: make([]uint8, n), PostCloud: make([]uint8, n)}
	green, bare := [3]int{420, 640, 380}, [3]int{1900, 1500, 1150}
	for k := range 3 {
		pre, post := make([]uint16, n), make([]uint16, n)
		for i := range n {
			x, y := r.Rect.X+i%r.Width*r.Rect.W/r.Width, r.Rect.Y+i/r.Width*r.Rect.H/r.Height
			light := 60 + (x*y/700+x/3)%60
			pre[i], post[i] = uint16(green[k]*light/100), uint16(green[k]*light/100)
			if slid(x, y) {
				post[i] = uint16(bare[k] * light / 100)
			}
			w.PreValid[i] = 1
			if !p.PostEmpty(x, y) {
				w.PostValid[i] = 1
			}
		}
		if len(r.Pre) > 0 {
			w.Pre = append(w.Pre, pre)
		}
		if len(r.Post) > 0 {
			w.Post = append(w.Post, post)
		}
	}
	return w, nil
}
