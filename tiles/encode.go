package tiles

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/airbusgeo/godal"

	"github.com/scarp-map/scarp/inference"
)

// The media types that pictures and tiles are encoded in.
const (
	formatPNG  = "image/png"
	formatJPEG = "image/jpeg"
	formatWebP = "image/webp"
	formatTIFF = "image/tiff"
	formatMVT  = "application/vnd.mapbox-vector-tile"
	formatJSON = "application/geo+json"
)

// isVector says whether a tile in the format is drawn by whoever shows it.
func isVector(format string) bool { return format == formatMVT || format == formatJSON }

const jpegQuality, webpQuality = 86, 84

// encoder writes pictures. JPEG is the standard library's, WebP and GeoTIFF GDAL's.
type encoder struct {
	webp   bool // GDAL has the driver
	png    pngEncoder
	serial atomic.Uint64 // names files in GDAL's memory
}

// newEncoder registers the drivers in use.
func newEncoder() (*encoder, error) {
	for _, d := range []godal.DriverName{godal.Memory, godal.GTiff, "COG"} {
		if err := godal.RegisterRaster(d); err != nil {
			return nil, fmt.Errorf("register GDAL's %s driver: %w", d, err)
		}
	}
	_, webp := godal.RasterDriver("WEBP")
	if !webp {
		webp = godal.RegisterRaster("WEBP") == nil
	}
	return &encoder{webp: webp}, nil
}

// formats lists the media types that pictures can have, PNG first.
func (e *encoder) formats() []string {
	list := []string{formatPNG, formatJPEG, formatTIFF}
	if e.webp {
		list = append(list, formatWebP)
	}
	return list
}

// check says whether pictures can be encoded so; the empty format is PNG.
func (e *encoder) check(format string) (string, error) {
	if format == "" {
		return formatPNG, nil
	}
	for _, f := range e.formats() {
		if f == format {
			return f, nil
		}
	}
	return "", fmt.Errorf("%w %q; pictures come as %s", ErrUnknownFormat, format, strings.Join(e.formats(), ", "))
}

// finish is how a picture is to be encoded.
type finish struct {
	format      string
	transparent bool
	background  color.NRGBA
	frame       frame
	bytes       bool // of values in GeoTIFF
}

// indexed encodes a picture of palette indices.
func (e *encoder) indexed(pix []uint8, colors [256]color.NRGBA, f finish) ([]byte, error) {
	if f.format == formatJPEG || !f.transparent {
		for i := range colors {
			colors[i] = over(colors[i], f.background)
		}
	}
	if f.format == formatPNG {
		return e.png.paletted(pix, f.frame.width, f.frame.height, compact(pix, colors))
	}
	img := image.NewNRGBA(image.Rect(0, 0, f.frame.width, f.frame.height))
	for i, v := range pix {
		c := colors[v]
		img.Pix[4*i], img.Pix[4*i+1], img.Pix[4*i+2], img.Pix[4*i+3] = c.R, c.G, c.B, c.A
	}
	return e.flat(img, f)
}

// compact replaces indices by those of a palette of the colours in use, so that
// pictures of few colours take few bits a pixel.
func compact(pix []uint8, colors [256]color.NRGBA) []color.NRGBA {
	var used [256]bool
	for _, v := range pix {
		used[v] = true
	}
	var to [256]uint8
	seen := make(map[color.NRGBA]uint8, 64)
	var list []color.NRGBA
	for v, in := range used {
		if !in {
			continue
		}
		c := colors[v]
		if c.A == 0 {
			c = color.NRGBA{}
		}
		i, ok := seen[c]
		if !ok {
			i = uint8(len(list))
			seen[c] = i
			list = append(list, c)
		}
		to[v] = i
	}
	for i, v := range pix {
		pix[i] = to[v]
	}
	return list
}

// picture encodes a picture in colour.
func (e *encoder) picture(img *image.NRGBA, f finish) ([]byte, error) {
	if f.format == formatJPEG || !f.transparent {
		flatten(img, f.background)
	}
	return e.flat(img, f)
}

// flatten lays the picture over an opaque background.
func flatten(img *image.NRGBA, background color.NRGBA) {
	p := img.Pix
	for i := 0; i < len(p); i += 4 {
		if p[i+3] != 255 {
			c := over(color.NRGBA{R: p[i], G: p[i+1], B: p[i+2], A: p[i+3]}, background)
			p[i], p[i+1], p[i+2], p[i+3] = c.R, c.G, c.B, 255
		}
	}
}

// flat encodes an image whose background is settled.
func (e *encoder) flat(img *image.NRGBA, f finish) ([]byte, error) {
	switch f.format {
	case formatPNG:
		return e.png.picture(img)
	case formatJPEG:
		var out bytes.Buffer
		// Opaque NRGBA and RGBA have the same bytes, and JPEG is fast for RGBA only.
		rgba := &image.RGBA{Pix: img.Pix, Stride: img.Stride, Rect: img.Rect}
		if err := jpeg.Encode(&out, rgba, &jpeg.Options{Quality: jpegQuality}); err != nil {
			return nil, fmt.Errorf("encode JPEG: %w", err)
		}
		return out.Bytes(), nil
	case formatWebP:
		return e.gdal("WEBP", ".webp", img, f.frame, "QUALITY="+strconv.Itoa(webpQuality))
	case formatTIFF:
		return e.gdal("GTiff", ".tif", img, f.frame, "COMPRESS=DEFLATE", "PHOTOMETRIC=RGB", "ALPHA=UNSPECIFIED", "ZLEVEL=1")
	}
	return nil, fmt.Errorf("%w %q", ErrUnknownFormat, f.format)
}

// gdal encodes with one of GDAL's drivers, georeferenced where the format can be.
func (e *encoder) gdal(driver, suffix string, img *image.NRGBA, f frame, options ...string) ([]byte, error) {
	ds, err := memory(f, 4, godal.Byte)
	if err != nil {
		return nil, err
	}
	defer ds.Close()
	if err := ds.Write(0, 0, img.Pix, f.width, f.height); err != nil {
		return nil, fmt.Errorf("encode %s: fill bands: %w", driver, err)
	}
	for i, c := range []godal.ColorInterp{godal.CIRed, godal.CIGreen, godal.CIBlue, godal.CIAlpha} {
		if err := ds.Bands()[i].SetColorInterp(c); err != nil {
			return nil, fmt.Errorf("encode %s: name bands: %w", driver, err)
		}
	}
	return e.export(ds, driver, suffix, options)
}

// floats encodes numbers as a cloud-optimised GeoTIFF with one band; NaN is no data.
func (e *encoder) floats(pix []float32, name string, f frame) ([]byte, error) {
	ds, err := memory(f, 1, godal.Float32)
	if err != nil {
		return nil, err
	}
	defer ds.Close()
	if err := ds.Write(0, 0, pix, f.width, f.height); err != nil {
		return nil, fmt.Errorf("encode GeoTIFF: fill band: %w", err)
	}
	return e.band(ds, name, math.NaN(), 1, "3")
}

// bytes encodes codes as a cloud-optimised GeoTIFF with one band, whose scale
// makes probabilities of them.
func (e *encoder) bytes(pix []uint8, name string, f frame) ([]byte, error) {
	ds, err := memory(f, 1, godal.Byte)
	if err != nil {
		return nil, err
	}
	defer ds.Close()
	if err := ds.Write(0, 0, pix, f.width, f.height); err != nil {
		return nil, fmt.Errorf("encode GeoTIFF: fill band: %w", err)
	}
	return e.band(ds, name, float64(inference.NoData), 1/float64(inference.MaxProbability), "2")
}

// band describes the one band of a raster of values, and encodes it.
func (e *encoder) band(ds *godal.Dataset, name string, noData, scale float64, predictor string) ([]byte, error) {
	band := ds.Bands()[0]
	if err := band.SetNoData(noData); err != nil {
		return nil, fmt.Errorf("encode GeoTIFF: set no-data value: %w", err)
	}
	if err := band.SetDescription(name); err != nil {
		return nil, fmt.Errorf("encode GeoTIFF: name band: %w", err)
	}
	if scale != 1 {
		if err := band.SetScaleOffset(scale, 0); err != nil {
			return nil, fmt.Errorf("encode GeoTIFF: set scale: %w", err)
		}
	}
	return e.export(ds, "COG", ".tif", []string{"COMPRESS=DEFLATE", "PREDICTOR=" + predictor, "LEVEL=1", "BLOCKSIZE=256", "OVERVIEW_RESAMPLING=NEAREST"})
}

// memory makes an empty georeferenced dataset.
func memory(f frame, bands int, kind godal.DataType) (*godal.Dataset, error) {
	ds, err := godal.Create(godal.Memory, "", bands, kind, f.width, f.height)
	if err != nil {
		return nil, fmt.Errorf("make a raster of %d×%d: %w", f.width, f.height, err)
	}
	sr, err := openCRS(f.epsg)
	if err != nil {
		ds.Close()
		return nil, err
	}
	defer sr.Close()
	dx, dy := f.pixel()
	if err = ds.SetSpatialRef(sr); err == nil {
		err = ds.SetGeoTransform([6]float64{f.bbox[0], dx, 0, f.bbox[3], 0, -dy})
	}
	if err != nil {
		ds.Close()
		return nil, fmt.Errorf("georeference a raster: %w", err)
	}
	return ds, nil
}

// export copies a dataset into a file in GDAL's memory and returns its bytes.
func (e *encoder) export(ds *godal.Dataset, driver, suffix string, options []string) ([]byte, error) {
	path := "/vsimem/scarp-tiles-" + strconv.FormatUint(e.serial.Add(1), 10) + suffix
	copied, err := ds.Translate(path, []string{"-of", driver}, godal.CreationOption(options...), godal.ErrLogger(onlyFailures))
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", driver, err)
	}
	defer func() { _ = godal.VSIUnlink(path) }()
	if err := copied.Close(godal.ErrLogger(onlyFailures)); err != nil {
		return nil, fmt.Errorf("encode %s: %w", driver, err)
	}
	file, err := godal.VSIOpen(path)
	if err != nil {
		return nil, fmt.Errorf("encode %s: read back: %w", driver, err)
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil {
		return nil, fmt.Errorf("encode %s: read back: %w", driver, err)
	}
	return data, nil
}
