package assess

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/airbusgeo/godal"
)

// pixelSize is the side of the common grid's pixels in metres.
const pixelSize = 10.0

// maxSide bounds the common grid in pixels (1310 km).
const maxSide = 131072

// nowhere is the value of pixels that a map says nothing about.
const nowhere = -9999

// grid is what maps are compared on: 10 m pixels, north up, in a projection in metres.
type grid struct {
	srs           *godal.SpatialRef
	crs           string
	left, top     float64
	width, height int
}

func (g *grid) transform() [6]float64 { return [6]float64{g.left, pixelSize, 0, g.top, 0, -pixelSize} }

// commonGrid chooses the grid: that of the first raster which has 10 m pixels
// or at least a projection in metres, else the UTM zone of the map's middle. It
// covers what all rasters (and the area) cover; without rasters all polygons.
func commonGrid(mapped, truth, area *input) (*grid, error) {
	g := &grid{}
	anchorX, anchorY := 0.0, 0.0
	for _, in := range []*input{mapped, truth} {
		if !in.raster || !metric(in.srs) {
			continue
		}
		wkt, err := in.srs.WKT()
		if err != nil {
			return nil, fmt.Errorf("read the projection of %s: %w", in.Path, err)
		}
		if g.srs, err = godal.NewSpatialRefFromWKT(wkt); err != nil {
			return nil, fmt.Errorf("read the projection of %s: %w", in.Path, err)
		}
		g.crs = wkt
		if gt, err := in.ds.GeoTransform(); err == nil && gt[1] == pixelSize && gt[5] == -pixelSize && gt[2] == 0 && gt[4] == 0 {
			anchorX, anchorY = gt[0], gt[3]
		}
		break
	}
	if g.srs == nil {
		epsg, err := utmOf(mapped, truth)
		if err != nil {
			return nil, err
		}
		g.crs = "EPSG:" + strconv.Itoa(epsg)
		if g.srs, err = godal.NewSpatialRefFromEPSG(epsg); err != nil {
			return nil, err
		}
	}
	b, err := extent(g.srs, mapped, truth, area)
	if err != nil {
		g.close()
		return nil, err
	}
	const hair = 1e-6
	g.left = anchorX + math.Floor((b[0]-anchorX)/pixelSize+hair)*pixelSize
	g.top = anchorY + math.Ceil((b[3]-anchorY)/pixelSize-hair)*pixelSize
	width, height := math.Ceil((b[2]-g.left)/pixelSize-hair), math.Ceil((g.top-b[1])/pixelSize-hair)
	if !(width >= 1 && height >= 1) {
		g.close()
		return nil, errors.New("the two maps (and the area) have no ground in common")
	}
	if width > maxSide || height > maxSide {
		g.close()
		return nil, fmt.Errorf("the maps cover %.0f×%.0f pixels of 10 m, more than %d: give an area", width, height, maxSide)
	}
	g.width, g.height = int(width), int(height)
	return g, nil
}

func (g *grid) close() { g.srs.Close() }

// metric says whether a projection is in metres and true to size (Web Mercator is not).
func metric(sr *godal.SpatialRef) bool {
	if !sr.Projected() || sr.AuthorityCode("") == "3857" {
		return false
	}
	unit, ok := sr.AttrValue("PROJCS|UNIT", 1)
	if !ok {
		return false
	}
	metres, err := strconv.ParseFloat(unit, 64)
	return err == nil && metres == 1
}

// utmOf returns the EPSG code of the zone of the first map that has anything.
func utmOf(maps ...*input) (int, error) {
	degrees, err := godal.NewSpatialRefFromEPSG(4326)
	if err != nil {
		return 0, err
	}
	defer degrees.Close()
	for _, in := range maps {
		b, ok, err := in.bounds(degrees)
		if err != nil {
			return 0, fmt.Errorf("find out where %s is: %w", in.Path, err)
		}
		if !ok {
			continue
		}
		lon, lat := (b[0]+b[2])/2, (b[1]+b[3])/2
		if !(lat > -84 && lat < 84) {
			return 0, fmt.Errorf("%s: latitude %.2f lies outside of UTM", in.Path, lat)
		}
		zone := min(int(math.Mod(lon+540, 360)/6)+1, 60)
		if lat < 0 {
			return 32700 + zone, nil
		}
		return 32600 + zone, nil
	}
	return 0, errors.New("neither map has any features")
}

// extent is what all rasters and the area have in common; without any, what the polygons cover.
func extent(sr *godal.SpatialRef, mapped, truth, area *input) ([4]float64, error) {
	inf := math.Inf(1)
	common, all := [4]float64{-inf, -inf, inf, inf}, [4]float64{inf, inf, -inf, -inf}
	bounded := false
	for _, in := range []*input{mapped, truth, area} {
		if in == nil {
			continue
		}
		b, ok, err := in.bounds(sr)
		if err != nil {
			return b, fmt.Errorf("find out where %s is: %w", in.Path, err)
		}
		if !ok {
			continue
		}
		all = [4]float64{min(all[0], b[0]), min(all[1], b[1]), max(all[2], b[2]), max(all[3], b[3])}
		if in.raster || in == area {
			bounded = true
			common = [4]float64{max(common[0], b[0]), max(common[1], b[1]), min(common[2], b[2]), min(common[3], b[3])}
		}
	}
	if bounded {
		return common, nil
	}
	return all, nil
}

// onto brings a map to the grid, as a file of one real band in dir: its values,
// and nowhere where it has no data. GDAL works through it in pieces.
func (in *input) onto(g *grid, dir, name string) (*godal.Dataset, error) {
	path := filepath.Join(dir, name+".tif")
	if !in.raster {
		return in.burn(g, path)
	}
	ds, err := g.create(path, godal.Float32)
	if err != nil {
		return nil, fmt.Errorf("bring %s to the common grid: %w", in.Path, err)
	}
	// Blocks that are never written read as no data.
	if err := errors.Join(ds.SetNoData(nowhere), ds.WarpInto([]*godal.Dataset{in.ds}, []string{"-r", in.resampling(g), "-wm", "64", "-wo", "INIT_DEST=NO_DATA"}, quiet)); err != nil {
		ds.Close()
		return nil, fmt.Errorf("bring %s to the common grid: %w", in.Path, err)
	}
	return ds, nil
}

// create makes an empty file on the grid.
func (g *grid) create(path string, kind godal.DataType) (*godal.Dataset, error) {
	ds, err := godal.Create(godal.GTiff, path, 1, kind, g.width, g.height,
		godal.CreationOption("COMPRESS=LZW", "TILED=YES", "SPARSE_OK=TRUE", "BIGTIFF=IF_SAFER"))
	if err != nil {
		return nil, err
	}
	if err := errors.Join(ds.SetGeoTransform(g.transform()), ds.SetSpatialRef(g.srs)); err != nil {
		ds.Close()
		return nil, err
	}
	return ds, nil
}

// resampling: pixels that are the grid's own are copied; of finer ones the mean
// (of a mask the majority) is taken, and between coarser probabilities is interpolated.
func (in *input) resampling(g *grid) string {
	s := in.ds.Structure()
	b, err := in.ds.Bounds(g.srs, quiet)
	pixel := (b[2] - b[0]) / float64(s.SizeX)
	switch {
	case err == nil && pixel < 0.75*pixelSize && in.soft:
		return "average"
	case err == nil && pixel < 0.75*pixelSize:
		return "mode"
	case in.soft && !(in.srs.IsSame(g.srs) && math.Abs(pixel-pixelSize) < 1e-6):
		return "bilinear"
	}
	return "near"
}

// burn draws the polygons: 1 where a pixel's centre lies in one, else 0.
func (in *input) burn(g *grid, path string) (_ *godal.Dataset, err error) {
	ds, err := g.create(path, godal.Byte)
	if err != nil {
		return nil, fmt.Errorf("draw %s: %w", in.Path, err)
	}
	defer func() {
		if err != nil {
			ds.Close()
			err = fmt.Errorf("draw %s: %w", in.Path, err)
		}
	}()
	shapes := path + ".gpkg"
	switches := []string{"-f", "GPKG", "-t_srs", g.crs, "-nln", "shapes", "-nlt", "GEOMETRY", "-lco", "SPATIAL_INDEX=NO"}
	if in.Where != "" {
		switches = append(switches, "-where", in.Where)
	}
	vector, err := in.ds.VectorTranslate(shapes, append(switches, in.layer), quiet)
	if err != nil {
		return nil, err
	}
	defer os.Remove(shapes)
	defer vector.Close()
	if err := ds.RasterizeInto(vector, []string{"-burn", "1", "-l", "shapes"}, quiet); err != nil {
		return nil, err
	}
	return ds, nil
}
