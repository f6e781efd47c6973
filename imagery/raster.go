package imagery

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"

	"github.com/airbusgeo/godal"
)

// errClosed is returned by reads of a source that was closed.
var errClosed = errors.New("the source is closed")

// geometry places a raster on the earth. Rasters with equal geometry share their resampling coordinates.
type geometry struct {
	crs           string // EPSG:n, or WKT where there is no code
	gt            [6]float64
	width, height int
}

// northUp says whether rows run west to east and columns north to south.
func (g geometry) northUp() bool {
	return g.gt[2] == 0 && g.gt[4] == 0 && g.gt[1] > 0 && g.gt[5] < 0
}

// raster is one file that GDAL reads, with a bounded pool of handles: a GDAL
// handle serves one goroutine at a time.
type raster struct {
	location
	geometry
	bands []rasterBand
	meta  map[string]string

	slots chan struct{} // a token for every handle in use
	mu    sync.Mutex
	idle  []*godal.Dataset // last in, first out, so that a warm handle is used first
	keep  int              // idle handles to keep; 0 once the owner was retired
}

type rasterBand struct {
	description string
	real        bool // floating point
	nodata      float64
	hasNodata   bool
	overviews   []overview
}

// overview is a smaller copy of a band in the file: every pixel stands for factor×factor pixels.
type overview struct {
	index, factor, width, height int
}

func openRaster(loc location, handles int) (*raster, error) {
	r := &raster{location: loc, slots: make(chan struct{}, handles), keep: handles}
	ds, err := r.open()
	if err != nil {
		return nil, err
	}
	if err := r.describe(ds); err != nil {
		ds.Close(tolerant)
		return nil, fmt.Errorf("%s: %w", loc.ref, err)
	}
	r.idle = append(r.idle, ds)
	return r, nil
}

func (r *raster) open() (*godal.Dataset, error) {
	options := []godal.OpenOption{godal.RasterOnly(), godal.Drivers(drivers()...), tolerant}
	if r.local == "" {
		// Asking a server for files that may lie beside this one costs a round trip each.
		options = append(options, godal.ConfigOption("GDAL_DISABLE_READDIR_ON_OPEN=EMPTY_DIR"))
	}
	ds, err := godal.Open(r.gdal, options...)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w (expected a raster: GeoTIFF, COG, JPEG 2000; for a DEM also SRTM .hgt, ASCII grid, DTED or GeoPackage)", r.ref, err)
	}
	return ds, nil
}

func (r *raster) describe(ds *godal.Dataset) error {
	st := ds.Structure()
	r.width, r.height = st.SizeX, st.SizeY
	gt, err := ds.GeoTransform(tolerant)
	if err != nil {
		return fmt.Errorf("has no georeferencing: %w", err)
	}
	if det := gt[1]*gt[5] - gt[2]*gt[4]; det == 0 || math.IsNaN(det) || math.IsInf(det, 0) {
		return fmt.Errorf("has an unusable geotransform %v", gt)
	}
	r.gt = gt
	if r.crs, err = crsOf(ds); err != nil {
		return err
	}
	r.meta = ds.Metadatas()
	for _, b := range ds.Bands() {
		kind := b.Structure().DataType
		rb := rasterBand{description: b.Description(), real: kind == godal.Float32 || kind == godal.Float64}
		rb.nodata, rb.hasNodata = b.NoData()
		for i, o := range b.Overviews() {
			s := o.Structure()
			factor := int(math.Round(float64(r.width) / float64(s.SizeX)))
			if factor < 2 || s.SizeX != ceilDiv(r.width, factor) && s.SizeX != r.width/factor ||
				s.SizeY != ceilDiv(r.height, factor) && s.SizeY != r.height/factor {
				continue
			}
			rb.overviews = append(rb.overviews, overview{i, factor, s.SizeX, s.SizeY})
		}
		r.bands = append(r.bands, rb)
	}
	return nil
}

// crsOf returns EPSG:n, or the WKT of a CRS without a code.
func crsOf(ds *godal.Dataset) (string, error) {
	wkt := ds.Projection()
	if wkt == "" {
		return "", errors.New("has no coordinate reference system: set one (gdal_edit.py -a_srs EPSG:n)")
	}
	sr, err := godal.NewSpatialRefFromWKT(wkt, tolerant)
	if err != nil {
		return "", fmt.Errorf("has a coordinate reference system that can't be read: %w", err)
	}
	defer sr.Close()
	if sr.AuthorityCode("") == "" {
		_ = sr.AutoIdentifyEPSG() // a CRS without a code is used by its WKT
	}
	if code := sr.AuthorityCode(""); sr.AuthorityName("") == "EPSG" && code != "" {
		if _, err := strconv.Atoi(code); err == nil {
			return "EPSG:" + code, nil
		}
	}
	return wkt, nil
}

// acquire returns a handle for one goroutine; give it back with release.
func (r *raster) acquire(ctx context.Context) (*godal.Dataset, error) {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r.mu.Lock()
	if n := len(r.idle); n > 0 {
		ds := r.idle[n-1]
		r.idle = r.idle[:n-1]
		r.mu.Unlock()
		return ds, nil
	}
	r.mu.Unlock()
	ds, err := r.open()
	if err != nil {
		<-r.slots
		return nil, err
	}
	return ds, nil
}

func (r *raster) release(ds *godal.Dataset) {
	r.mu.Lock()
	if len(r.idle) < r.keep {
		r.idle = append(r.idle, ds)
		ds = nil
	}
	r.mu.Unlock()
	if ds != nil {
		ds.Close(tolerant)
	}
	<-r.slots
}

// retire closes idle handles and keeps none from now on; reads still work.
func (r *raster) retire() {
	r.mu.Lock()
	idle := r.idle
	r.idle, r.keep = nil, 0
	r.mu.Unlock()
	for _, ds := range idle {
		ds.Close(tolerant)
	}
}

// read fills buf (row-major, stride elements a row) with the rectangle [x, x+w)×[y, y+h) of a band, or of its overview ov.
func (r *raster) read(ctx context.Context, band int, ov *overview, x, y, w, h int, buf any, stride int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ds, err := r.acquire(ctx)
	if err != nil {
		return err
	}
	defer r.release(ds)
	b := ds.Bands()[band]
	if ov != nil {
		b = b.Overviews()[ov.index]
	}
	if err := b.Read(x, y, buf, w, h, godal.LineStride(stride), tolerant); err != nil {
		return fmt.Errorf("read pixels %d×%d%+d%+d of %s: %w", w, h, x, y, r.ref, err)
	}
	return nil
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }
