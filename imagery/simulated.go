package imagery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/airbusgeo/godal"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"

	"github.com/scarp-map/scarp/imagery/simulate"
)

// The files of a simulated event in its folder, besides its scenes.
const (
	simulatedEvent      = "event.yaml"
	simulatedDEM        = "dem.tif"
	simulatedMask       = "mask.tif"
	simulatedLandslides = "landslides.geojson"
)

// WriteSimulated writes a simulated event to a folder, which it makes: pre.tif and post.tif (twelve bands with their names,
// reflectance ×10000, 0 no data), pre_scl.tif and post_scl.tif (20 m), dem.tif (30 m), mask.tif (the true landslides: 1),
// landslides.geojson (the same as polygons, longitude and latitude) and event.yaml, which [LoadEvent] reads. id, title and
// description name the event. It returns the event as it was written, with paths relative to the folder.
func WriteSimulated(ctx context.Context, dir, id, title, description string, sim *simulate.Event) (Event, error) {
	event := simulatedDefinition(id, title, description, sim)
	if err := event.Validate(); err != nil {
		return Event{}, fmt.Errorf("simulated event: %w", err)
	}
	if err := Setup(0); err != nil {
		return Event{}, err
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return Event{}, fmt.Errorf("make folder of simulated event: %w", err)
	}
	srs, err := godal.NewSpatialRefFromEPSG(sim.Config.EPSG)
	if err != nil {
		return Event{}, fmt.Errorf("simulated event: EPSG %d: %w", sim.Config.EPSG, err)
	}
	defer srs.Close()
	w := &simulatedWriter{dir: dir, sim: sim, srs: srs}
	for _, write := range []func() error{
		func() error { return w.scene(event.Pre[0], sim.Pre[:], sim.PreSCL) },
		func() error { return w.scene(event.Post[0], sim.Post[:], sim.PostSCL) },
		func() error {
			return write(w, simulatedDEM, godal.Float32, 30, sim.DEMWidth, sim.DEMHeight, nil, []string{"elevation"}, [][]float32{sim.Elevation}, "PREDICTOR=3")
		},
		func() error {
			return write(w, simulatedMask, godal.Byte, 10, sim.Width, sim.Height, nil, []string{"landslide"}, [][]uint8{sim.Mask})
		},
		w.landslides,
		func() error { return w.definition(event) },
	} {
		if err := ctx.Err(); err != nil {
			return Event{}, fmt.Errorf("write simulated event %s: %w", id, err)
		}
		if err := write(); err != nil {
			return Event{}, fmt.Errorf("write simulated event %s: %w", id, err)
		}
	}
	return event, nil
}

// simulatedDefinition describes the event that the files make.
func simulatedDefinition(id, title, description string, sim *simulate.Event) Event {
	// Digital numbers are plain reflectance whatever the date, unlike those of real products of these years.
	none := 0
	scene := func(name string, date time.Time) []Scene {
		return []Scene{{Path: name + ".tif", SCL: name + "_scl.tif", Date: date, Offset: &none, Level: levelL2A}}
	}
	// The ground failed some time between the images.
	between := sim.PostDate.Sub(sim.PreDate)
	return Event{
		ID: id, Title: title, Description: description,
		Trigger: Trigger{Time: sim.PreDate.Add(between * 2 / 3).Truncate(time.Minute), Type: "earthquake"},
		Pre:     scene("pre", sim.PreDate), Post: scene("post", sim.PostDate),
		DEM: simulatedDEM,
	}
}

type simulatedWriter struct {
	dir string
	sim *simulate.Event
	srs *godal.SpatialRef
}

// scene writes one image and its classification.
func (w *simulatedWriter) scene(s Scene, bands [][]uint16, scl []uint8) error {
	tags := map[string]string{
		"ACQUISITION_DATE": s.Date.UTC().Format(time.RFC3339), "PROCESSING_LEVEL": s.Level, "BOA_ADD_OFFSET": "0",
		"TIFFTAG_IMAGEDESCRIPTION": "Simulated Sentinel-2 L2A image: no real place",
	}
	if err := write(w, s.Path, godal.UInt16, 10, w.sim.Width, w.sim.Height, tags, simulate.Bands(), bands, "PREDICTOR=2"); err != nil {
		return err
	}
	return write(w, s.SCL, godal.Byte, 20, (w.sim.Width+1)/2, (w.sim.Height+1)/2, tags, []string{sclName}, [][]uint8{scl})
}

// write writes one tiled, deflated GeoTIFF with the given pixel size in metres. Integers mean no data by 0, except in the mask.
func write[T uint8 | uint16 | float32](w *simulatedWriter, name string, kind godal.DataType, pixel float64, width, height int, tags map[string]string, names []string, bands [][]T, more ...string) (err error) {
	path := filepath.Join(w.dir, name)
	options := append([]string{"TILED=YES", "BLOCKXSIZE=256", "BLOCKYSIZE=256", "COMPRESS=DEFLATE", "ZLEVEL=6", "INTERLEAVE=BAND", "NUM_THREADS=ALL_CPUS"}, more...)
	ds, err := godal.Create(godal.GTiff, path, len(bands), kind, width, height, godal.CreationOption(options...))
	if err != nil {
		return fmt.Errorf("create %s: %w", path, err)
	}
	defer func() {
		if cerr := ds.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("write %s: %w", path, cerr)
		}
	}()
	c := w.sim.Config
	if err := errors.Join(ds.SetGeoTransform([6]float64{c.OriginX, pixel, 0, c.OriginY, 0, -pixel}), ds.SetSpatialRef(w.srs)); err != nil {
		return fmt.Errorf("place %s: %w", path, err)
	}
	for k, v := range tags {
		if err := ds.SetMetadata(k, v); err != nil {
			return fmt.Errorf("describe %s: %w", path, err)
		}
	}
	if kind != godal.Float32 && name != simulatedMask {
		if err := ds.SetNoData(0); err != nil {
			return fmt.Errorf("describe %s: %w", path, err)
		}
	}
	for i, band := range ds.Bands() {
		if err := errors.Join(band.SetDescription(names[i]), band.Write(0, 0, bands[i], width, height)); err != nil {
			return fmt.Errorf("write %s of %s: %w", names[i], path, err)
		}
	}
	return nil
}

// landslides writes the true polygons in longitude and latitude, with kind and area on the event's grid.
func (w *simulatedWriter) landslides() error {
	var t transforms
	defer t.close()
	all := geojson.NewFeatureCollection()
	for i, l := range w.sim.Landslides {
		poly, err := toDegrees(&t, l.Polygon, w.sim.Config.EPSG)
		if err != nil {
			return fmt.Errorf("landslide %d: %w", i+1, err)
		}
		f := geojson.NewFeature(poly)
		f.ID = i + 1
		f.Properties["kind"] = l.Kind
		f.Properties["area_m2"] = l.Area
		all.Append(f)
	}
	text, err := json.Marshal(all)
	if err != nil {
		return fmt.Errorf("encode landslides: %w", err)
	}
	return writeFile(filepath.Join(w.dir, simulatedLandslides), text)
}

// toDegrees transforms a polygon, rounded to 1e-7° (a centimetre).
func toDegrees(t *transforms, poly orb.Polygon, epsg int) (orb.Polygon, error) {
	out := make(orb.Polygon, len(poly))
	for k, ring := range poly {
		x, y := make([]float64, len(ring)), make([]float64, len(ring))
		for i, p := range ring {
			x[i], y[i] = p[0], p[1]
		}
		if err := t.apply(crsName(epsg), geographicCRS, x, y); err != nil {
			return nil, err
		}
		out[k] = make(orb.Ring, len(ring))
		for i := range ring {
			out[k][i] = orb.Point{math.Round(x[i]*1e7) / 1e7, math.Round(y[i]*1e7) / 1e7}
		}
	}
	return out, nil
}

// definition writes event.yaml.
func (w *simulatedWriter) definition(e Event) (err error) {
	f, err := os.Create(filepath.Join(w.dir, simulatedEvent))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return e.WriteYAML(f)
}

func writeFile(path string, text []byte) error {
	if err := os.WriteFile(path, append(text, '\n'), 0o666); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
