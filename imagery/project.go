package imagery

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/airbusgeo/godal"
)

const geographicCRS = "EPSG:4326"

func crsName(epsg int) string { return "EPSG:" + strconv.Itoa(epsg) }

// utmOf returns the EPSG code of a WGS 84 UTM zone, if crs is one.
func utmOf(crs string) (int, bool) {
	code, err := strconv.Atoi(strings.TrimPrefix(crs, "EPSG:"))
	zone := code % 100
	return code, err == nil && (code/100 == 326 || code/100 == 327) && zone >= 1 && zone <= 60
}

// utmAt returns the EPSG code of the WGS 84 UTM zone at a place.
func utmAt(lon, lat float64) (int, error) {
	if !(lat > -84 && lat < 84) {
		return 0, fmt.Errorf("latitude %.4f lies outside of UTM (84°S to 84°N)", lat)
	}
	zone := min(int((math.Mod(lon+540, 360))/6)+1, 60)
	if lat < 0 {
		return 32700 + zone, nil
	}
	return 32600 + zone, nil
}

// transforms hands out coordinate transforms between pairs of CRSs. PROJ's
// objects serve one goroutine at a time, so idle ones are kept per pair.
type transforms struct {
	mu   sync.Mutex
	idle map[[2]string][]*godal.Transform
}

// apply transforms the points (x[i], y[i]) in place. Points that can't be transformed become NaN.
func (t *transforms) apply(from, to string, x, y []float64) error {
	if from == to || len(x) == 0 {
		return nil
	}
	key := [2]string{from, to}
	trn, err := t.take(key)
	if err != nil {
		return err
	}
	ok := make([]bool, len(x))
	err = trn.TransformEx(x, y, nil, ok)
	t.put(key, trn)
	failed := 0
	for i := range x {
		if !ok[i] || math.IsInf(x[i], 0) || math.IsInf(y[i], 0) {
			x[i], y[i] = math.NaN(), math.NaN()
			failed++
		}
	}
	if err != nil && failed == 0 {
		return fmt.Errorf("transform coordinates: %w", err)
	}
	return nil
}

func (t *transforms) take(key [2]string) (*godal.Transform, error) {
	t.mu.Lock()
	if l := t.idle[key]; len(l) > 0 {
		trn := l[len(l)-1]
		t.idle[key] = l[:len(l)-1]
		t.mu.Unlock()
		return trn, nil
	}
	t.mu.Unlock()
	var refs [2]*godal.SpatialRef
	for i, crs := range key {
		sr, err := newCRS(crs)
		if err != nil {
			return nil, err
		}
		defer sr.Close()
		refs[i] = sr
	}
	trn, err := godal.NewTransform(refs[0], refs[1], tolerant)
	if err != nil {
		return nil, fmt.Errorf("prepare the transformation of coordinates: %w", err)
	}
	return trn, nil
}

func (t *transforms) put(key [2]string, trn *godal.Transform) {
	t.mu.Lock()
	if t.idle == nil {
		t.idle = map[[2]string][]*godal.Transform{}
	}
	if len(t.idle[key]) < 16 {
		t.idle[key] = append(t.idle[key], trn)
		trn = nil
	}
	t.mu.Unlock()
	if trn != nil {
		trn.Close()
	}
}

func (t *transforms) close() {
	t.mu.Lock()
	idle := t.idle
	t.idle = nil
	t.mu.Unlock()
	for _, l := range idle {
		for _, trn := range l {
			trn.Close()
		}
	}
}

func newCRS(crs string) (*godal.SpatialRef, error) {
	if code, ok := strings.CutPrefix(crs, "EPSG:"); ok {
		n, err := strconv.Atoi(code)
		if err != nil {
			return nil, fmt.Errorf("bad EPSG code %q", code)
		}
		sr, err := godal.NewSpatialRefFromEPSG(n, tolerant)
		if err != nil {
			return nil, fmt.Errorf("look up %s: %w", crs, err)
		}
		return sr, nil
	}
	sr, err := godal.NewSpatialRefFromWKT(crs, tolerant)
	if err != nil {
		return nil, fmt.Errorf("read coordinate reference system: %w", err)
	}
	return sr, nil
}

// outline returns points along the edges of a raster, in its CRS, n a side.
func (g geometry) outline(n int) (x, y []float64) {
	add := func(col, row float64) {
		x = append(x, g.gt[0]+col*g.gt[1]+row*g.gt[2])
		y = append(y, g.gt[3]+col*g.gt[4]+row*g.gt[5])
	}
	w, h := float64(g.width), float64(g.height)
	for i := range n + 1 {
		t := float64(i) / float64(n)
		add(t*w, 0)
		add(t*w, h)
		add(0, t*h)
		add(w, t*h)
	}
	return x, y
}

// extent returns the bounding box of a raster in another CRS.
func (t *transforms) extent(g geometry, crs string) (minX, minY, maxX, maxY float64, err error) {
	x, y := g.outline(32)
	if err := t.apply(g.crs, crs, x, y); err != nil {
		return 0, 0, 0, 0, err
	}
	minX, minY, maxX, maxY = math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for i := range x {
		if math.IsNaN(x[i]) {
			return 0, 0, 0, 0, fmt.Errorf("its corners can't be expressed in %s: check its coordinate reference system and geotransform", crs)
		}
		minX, maxX = min(minX, x[i]), max(maxX, x[i])
		minY, maxY = min(minY, y[i]), max(maxY, y[i])
	}
	return minX, minY, maxX, maxY, nil
}
