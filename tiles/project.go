package tiles

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/airbusgeo/godal"
	lru "github.com/hashicorp/golang-lru/v2"
)

// maxProjections bounds the pairs of CRSs that stay open: a request may name
// any of thousands, and each costs PROJ some hundred kilobytes.
const maxProjections = 64

// projections hands out coordinate transformations. One transformation serves
// one goroutine at a time, so each pair of CRSs has a small pool of them.
type projections struct {
	perPair int
	mu      sync.Mutex
	pools   *lru.Cache[[2]int, *projectionPool]
}

type projectionPool struct {
	from, to domain
	mu       sync.Mutex
	free     []*godal.Transform
	closed   bool
}

// projection transforms points from one CRS to another. Release it after use.
type projection struct {
	t    *godal.Transform
	pool *projectionPool
	keep int
}

// domain is where coordinates of a CRS mean something. Zero is no bound.
type domain struct {
	// period is the width of the world where the x axis goes round it and begins again.
	period float64
	// limit bounds the y axis on both sides.
	limit float64
}

func newProjections(perPair int) *projections {
	pools, err := lru.NewWithEvict(maxProjections, func(_ [2]int, p *projectionPool) { p.close() })
	if err != nil { // only for a size below 1
		panic(err)
	}
	return &projections{perPair: perPair, pools: pools}
}

// get returns a transformation from one EPSG code to another. Geographic
// coordinates are longitude, latitude and projected ones easting, northing
// whatever the CRS says. The error is ErrUnknownCRS where PROJ can't.
func (p *projections) get(from, to int) (*projection, error) {
	p.mu.Lock()
	pool, ok := p.pools.Get([2]int{from, to})
	p.mu.Unlock()
	if ok {
		if t := pool.take(); t != nil {
			return &projection{t, pool, p.perPair}, nil
		}
	}
	t, ends, err := newTransform(from, to)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if pool, ok = p.pools.Get([2]int{from, to}); !ok {
		pool = &projectionPool{from: ends[0], to: ends[1]}
		p.pools.Add([2]int{from, to}, pool)
	}
	return &projection{t, pool, p.perPair}, nil
}

func newTransform(from, to int) (t *godal.Transform, ends [2]domain, err error) {
	src, err := openCRS(from)
	if err != nil {
		return nil, ends, err
	}
	defer src.Close()
	dst, err := openCRS(to)
	if err != nil {
		return nil, ends, err
	}
	defer dst.Close()
	if t, err = godal.NewTransform(src, dst, godal.ErrLogger(onlyFailures)); err != nil {
		return nil, ends, fmt.Errorf("%w EPSG:%d: PROJ has no way to it from EPSG:%d: %w", ErrUnknownCRS, to, from, err)
	}
	return t, [2]domain{domainOf(src, from), domainOf(dst, to)}, nil
}

func domainOf(sr *godal.SpatialRef, epsg int) domain {
	if sr.Geographic() {
		if unit, ok := sr.AttrValue("UNIT", 0); ok && unit == "grad" {
			return domain{period: 400, limit: 100}
		}
		return domain{period: 360, limit: 90}
	}
	if epsg == 3857 || epsg == 3395 {
		return domain{period: 2 * math.Pi * 6378137}
	}
	return domain{}
}

// openCRS opens a CRS that maps can be drawn in: a geographic or projected one.
func openCRS(epsg int) (*godal.SpatialRef, error) {
	sr, err := godal.NewSpatialRefFromEPSG(epsg, godal.ErrLogger(onlyFailures))
	if err != nil {
		return nil, fmt.Errorf("%w EPSG:%d: PROJ's database does not have it", ErrUnknownCRS, epsg)
	}
	if !sr.Geographic() && !sr.Projected() {
		sr.Close()
		return nil, fmt.Errorf("%w EPSG:%d: it is neither geographic nor projected", ErrUnknownCRS, epsg)
	}
	return sr, nil
}

// period is the width of the world in the target CRS where its x axis goes
// round the world and begins again, else 0.
func (p *projection) period() float64 { return p.pool.to.period }

// transform projects points in place and marks those that have an image. What
// lies outside the source CRS is not shown to PROJ, which would log each point.
func (p *projection) transform(x, y []float64, ok []bool) {
	from := p.pool.from
	for i := range x {
		ok[i] = !math.IsNaN(x[i]) && !math.IsInf(x[i], 0) && !math.IsNaN(y[i]) && !math.IsInf(y[i], 0) &&
			(from.limit == 0 || math.Abs(y[i]) <= from.limit)
		if !ok[i] {
			x[i], y[i] = 0, 0
		} else if from.period > 0 && math.Abs(x[i]) > from.period/2 {
			x[i] -= from.period * math.Round(x[i]/from.period)
		}
	}
	done := make([]bool, len(x))
	_ = p.t.TransformEx(x, y, nil, done) // done says which points failed
	for i := range x {
		ok[i] = ok[i] && done[i] && !math.IsNaN(x[i]) && !math.IsInf(x[i], 0) && !math.IsNaN(y[i]) && !math.IsInf(y[i], 0)
	}
}

// release gives the transformation back.
func (p *projection) release() {
	p.pool.mu.Lock()
	defer p.pool.mu.Unlock()
	if p.pool.closed || len(p.pool.free) >= p.keep {
		p.t.Close()
		return
	}
	p.pool.free = append(p.pool.free, p.t)
}

func (p *projectionPool) take() *godal.Transform {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) == 0 {
		return nil
	}
	t := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	return t
}

func (p *projectionPool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, t := range p.free {
		t.Close()
	}
	p.free = nil
}

func (p *projections) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pools.Purge()
}

// onlyFailures lets GDAL's warnings pass (deprecated codes, ballpark
// transformations); godal would make errors of them.
func onlyFailures(category godal.ErrorCategory, _ int, message string) error {
	if category < godal.CE_Failure {
		return nil
	}
	return errors.New(message)
}
