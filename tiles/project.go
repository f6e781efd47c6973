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
	period float64
	mu     sync.Mutex
	free   []*godal.Transform
	closed bool
}

// projection transforms points from one CRS to another. Release it after use.
type projection struct {
	*godal.Transform
	pool *projectionPool
	keep int
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
	t, period, err := newTransform(from, to)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if pool, ok = p.pools.Get([2]int{from, to}); !ok {
		pool = &projectionPool{period: period}
		p.pools.Add([2]int{from, to}, pool)
	}
	return &projection{t, pool, p.perPair}, nil
}

func newTransform(from, to int) (t *godal.Transform, period float64, err error) {
	src, err := openCRS(from)
	if err != nil {
		return nil, 0, err
	}
	defer src.Close()
	dst, err := openCRS(to)
	if err != nil {
		return nil, 0, err
	}
	defer dst.Close()
	if t, err = godal.NewTransform(src, dst, godal.ErrLogger(onlyFailures)); err != nil {
		return nil, 0, fmt.Errorf("%w EPSG:%d: PROJ has no way to it from EPSG:%d: %w", ErrUnknownCRS, to, from, err)
	}
	switch {
	case dst.Geographic():
		period = 360
	case to == 3857 || to == 3395:
		period = 2 * math.Pi * 6378137
	}
	return t, period, nil
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
func (p *projection) period() float64 { return p.pool.period }

// release gives the transformation back.
func (p *projection) release() {
	p.pool.mu.Lock()
	defer p.pool.mu.Unlock()
	if p.pool.closed || len(p.pool.free) >= p.keep {
		p.Transform.Close()
		return
	}
	p.pool.free = append(p.pool.free, p.Transform)
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
