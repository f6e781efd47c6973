package assess

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/airbusgeo/godal"
)

// registerDrivers makes GDAL know what maps are read from.
var registerDrivers = sync.OnceValue(func() error {
	if err := godal.RegisterRaster(godal.GTiff, godal.Memory); err != nil {
		return fmt.Errorf("register GDAL's raster drivers: %w", err)
	}
	if err := godal.RegisterVector(godal.Memory, godal.GeoPackage, godal.GeoJSON, "FlatGeobuf", godal.Shapefile); err != nil {
		return fmt.Errorf("register GDAL's vector drivers: %w", err)
	}
	return nil
})

// Drivers are the formats of maps; files of others are refused, since some
// formats make GDAL open whatever else they name.
func drivers() (raster, vector []string) {
	return []string{"GTiff"}, []string{"GPKG", "GeoJSON", "FlatGeobuf", "ESRI Shapefile"}
}

// quiet makes GDAL's failures errors and lets its warnings pass.
var quiet = godal.ErrLogger(func(ec godal.ErrorCategory, _ int, msg string) error {
	if ec > godal.CE_Warning {
		return errors.New(msg)
	}
	return nil
})

// Map names a map: a raster (of probabilities, or a mask) or a file of polygons.
type Map struct {
	Path string
	// Layer names the layer of a vector file that has several.
	Layer string
	// Where selects features of it, as an SQL condition ("run = 'x'").
	Where string
	// Scale turns a raster's numbers into probabilities; 0 means what the file says, else 1.
	Scale float64
}

// input is an opened map.
type input struct {
	Map
	ds     *godal.Dataset
	raster bool
	srs    *godal.SpatialRef
	layer  string
	scale  float64
	offset float64
	// soft says that values are probabilities; otherwise all above 0 is a landslide.
	soft bool
}

func openMap(m Map) (*input, error) {
	if err := registerDrivers(); err != nil {
		return nil, err
	}
	raster, vector := drivers()
	ds, rerr := godal.Open(m.Path, godal.RasterOnly(), godal.Drivers(raster...), quiet)
	if rerr == nil {
		in := &input{Map: m, ds: ds, raster: true}
		if err := in.describeRaster(); err != nil {
			ds.Close()
			return nil, fmt.Errorf("open %s: %w", m.Path, err)
		}
		return in, nil
	}
	ds, verr := godal.Open(m.Path, godal.VectorOnly(), godal.Drivers(vector...), quiet)
	if verr != nil {
		if ext := strings.ToLower(filepath.Ext(m.Path)); ext == ".tif" || ext == ".tiff" {
			verr = rerr
		}
		return nil, fmt.Errorf("open %s: %w (expected a GeoTIFF, GeoPackage, GeoJSON, FlatGeobuf or Shapefile)", m.Path, verr)
	}
	in := &input{Map: m, ds: ds}
	if err := in.describeVector(); err != nil {
		ds.Close()
		return nil, fmt.Errorf("open %s: %w", m.Path, err)
	}
	return in, nil
}

func (in *input) close() error { return in.ds.Close() }

func (in *input) describeRaster() error {
	s := in.ds.Structure()
	if s.NBands != 1 {
		return fmt.Errorf("it has %d bands: expected one, of probability or of a mask (gdal_translate -b N takes one out)", s.NBands)
	}
	if in.srs = in.ds.SpatialRef(); in.ds.Projection() == "" {
		return errors.New("it has no coordinate reference system: set one (gdal_edit.py -a_srs EPSG:n)")
	}
	band := in.ds.Bands()[0].Structure()
	in.scale, in.offset = band.Scale, band.Offset
	if in.scale == 0 {
		in.scale = 1
	}
	real := band.DataType == godal.Float32 || band.DataType == godal.Float64
	if in.Scale != 0 {
		in.scale, in.offset = in.Scale, 0
	}
	in.soft = real || in.scale != 1
	return nil
}

// scarpLayer is what Scarp's own files call their polygons; they may have views of them beside it.
const scarpLayer = "landslides"

func (in *input) describeVector() error {
	var names []string
	for _, l := range in.ds.Layers() {
		if l.Type() != godal.GTNone {
			names = append(names, l.Name())
		}
	}
	switch {
	case in.Layer == "" && len(names) == 1:
		in.layer = names[0]
	case in.Layer == "" && slices.Contains(names, scarpLayer):
		in.layer = scarpLayer
	case in.Layer == "" && len(names) == 0:
		return errors.New("it has no layer with geometries")
	case in.Layer == "":
		return fmt.Errorf("it has the layers %s: say which", strings.Join(names, ", "))
	default:
		in.layer = in.Layer
	}
	for _, l := range in.ds.Layers() {
		if l.Name() != in.layer {
			continue
		}
		if in.srs = l.SpatialRef(); in.srs == nil {
			return errors.New("it has no coordinate reference system")
		}
		return nil
	}
	return fmt.Errorf("it has no layer %q; it has %s", in.Layer, strings.Join(names, ", "))
}

// bounds returns min x, min y, max x, max y in a CRS; ok is false for a map without features.
func (in *input) bounds(to *godal.SpatialRef) (b [4]float64, ok bool, err error) {
	if in.raster {
		b, err = in.ds.Bounds(to, quiet)
		return b, err == nil, err
	}
	for _, l := range in.ds.Layers() {
		if l.Name() == in.layer {
			if n, err := l.FeatureCount(); err != nil || n == 0 {
				return b, false, err
			}
			b, err = l.Bounds(to, quiet)
			return b, err == nil, err
		}
	}
	return b, false, nil
}

// threshold returns the threshold that the file says it was made for, or 0.
func (in *input) threshold() float64 {
	if !in.raster || !in.soft {
		return 0
	}
	t, err := strconv.ParseFloat(in.ds.Metadata("THRESHOLD"), 64)
	if err != nil || !(t > 0 && t < 1) {
		return 0
	}
	return t
}
