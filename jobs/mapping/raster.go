package mapping

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/airbusgeo/godal"
	"github.com/paulmach/orb"

	"github.com/scarp-map/scarp/inference"
)

// noData marks pixels without a value in the written rasters.
const noData = 255

// WriteMask writes the landslides as a Cloud-Optimized GeoTIFF on the event's
// grid: 1 inside a landslide, 0 where the ground was seen and there is none,
// 255 (nodata) under cloud, without data and outside the area. It agrees pixel
// by pixel with the polygons, so it needs [Mosaic.Landslides] to have run.
func (m *Mosaic) WriteMask(ctx context.Context, path string) error {
	w := m.plan.window
	inside := make([][]span, w.H)
	for _, p := range m.polys {
		c, err := cover(orb.MultiPolygon{p}, boundsOf(p))
		if err != nil {
			return fmt.Errorf("write mask %s: %w", path, err)
		}
		c.each(c.rect, func(y, x0, x1 int) {
			inside[y-w.Y] = append(inside[y-w.Y], span{int32(x0 - w.X), int32(x1 - w.X)})
		})
	}
	err := m.writeCOG(ctx, path, raster{
		description: "newly triggered landslide (1)",
		resampling:  "NEAREST",
		row: func(y int, from, to []byte) {
			for i, v := range from {
				if to[i] = 0; v > inference.MaxProbability {
					to[i] = noData
				}
			}
			for _, s := range inside[y] {
				for x := s.x0; x < s.x1; x++ {
					to[x] = 1
				}
			}
		},
		finish: func(b godal.Band) error {
			colors := godal.ColorTable{PaletteInterp: godal.RGBPalette, Entries: make([][4]int16, 256)}
			colors.Entries[0] = [4]int16{245, 245, 245, 255}
			colors.Entries[1] = [4]int16{220, 50, 32, 255}
			return b.SetColorTable(colors)
		},
	})
	if err != nil {
		return fmt.Errorf("write mask %s: %w", path, err)
	}
	return nil
}

// WriteProbability writes the probabilities as a Cloud-Optimized GeoTIFF on the
// event's grid: bytes 0 to 250, probability = byte × 0.004 (the file states
// this scale), 255 (nodata) under cloud, without data and outside the area.
func (m *Mosaic) WriteProbability(ctx context.Context, path string) error {
	err := m.writeCOG(ctx, path, raster{
		description: "probability of newly triggered landslide",
		resampling:  "AVERAGE",
		row: func(_ int, from, to []byte) {
			for i, v := range from {
				if to[i] = v; v > inference.MaxProbability {
					to[i] = noData
				}
			}
		},
		finish: func(b godal.Band) error {
			return b.SetScaleOffset(1/float64(inference.MaxProbability), 0)
		},
	})
	if err != nil {
		return fmt.Errorf("write probability %s: %w", path, err)
	}
	return nil
}

// raster says how to make one band from the mosaic.
type raster struct {
	description, resampling string
	// row turns row y of the mosaic's window into the file's bytes.
	row    func(y int, from, to []byte)
	finish func(godal.Band) error
}

func (m *Mosaic) writeCOG(ctx context.Context, path string, r raster) (err error) {
	w := m.plan.window
	plain := filepath.Join(m.dir, "plain.tif")
	defer os.Remove(plain)
	ds, err := godal.Create(godal.GTiff, plain, 1, godal.Byte, w.W, w.H, godal.CreationOption("COMPRESS=LZW", "BIGTIFF=IF_SAFER"))
	if err != nil {
		return err
	}
	defer ds.Close()
	if err := m.describe(ds, r); err != nil {
		return err
	}
	band, to := ds.Bands()[0], make([]byte, w.W)
	for y := range w.H {
		if y%256 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		r.row(y, m.row(w.Y+y), to)
		if err := band.Write(0, y, to, w.W, 1); err != nil {
			return err
		}
	}
	cog, err := ds.Translate(path, []string{"-of", "COG"},
		godal.CreationOption("COMPRESS=DEFLATE", "LEVEL=6", "BLOCKSIZE=512", "BIGTIFF=IF_SAFER", "OVERVIEW_RESAMPLING="+r.resampling))
	if err != nil {
		return err
	}
	return cog.Close()
}

func (m *Mosaic) describe(ds *godal.Dataset, r raster) error {
	grid := m.plan.Source.Grid()
	crs, err := godal.NewSpatialRefFromEPSG(grid.EPSG)
	if err != nil {
		return err
	}
	defer crs.Close()
	if err := ds.SetSpatialRef(crs); err != nil {
		return err
	}
	if err := ds.SetGeoTransform(grid.GeoTransform(m.plan.window)); err != nil {
		return err
	}
	for key, value := range map[string]string{
		"EVENT": m.plan.Source.Event().ID, "MODEL": m.plan.Model.Name() + " " + m.plan.Model.Manifest.Version,
		"THRESHOLD": fmt.Sprint(m.plan.Threshold), "MIN_AREA_M2": fmt.Sprint(m.plan.MinArea), "QUALITY": m.plan.Quality.String(),
	} {
		if value == "" {
			continue
		}
		if err := ds.SetMetadata(key, value); err != nil {
			return err
		}
	}
	band := ds.Bands()[0]
	if err := band.SetDescription(r.description); err != nil {
		return err
	}
	if err := band.SetNoData(noData); err != nil {
		return err
	}
	return r.finish(band)
}
