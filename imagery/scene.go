package imagery

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// scene is an opened Scene.
type scene struct {
	ref       string
	date      time.Time // zero if unknown
	level     string
	layers    map[string]*layer // by band
	scl       *layer            // nil without a scene classification
	footprint Rect              // on the grid
}

// validity is the layer whose nodata says where the scene has data: B04, or the first band.
func (s *scene) validity() *layer {
	if l := s.layers["B04"]; l != nil {
		return l
	}
	for _, b := range Bands() {
		if l := s.layers[b]; l != nil {
			return l
		}
	}
	return nil
}

// finest returns the layer with the smallest pixels; the earlier band where they are equal.
func (s *scene) finest() *layer {
	var best *layer
	for _, b := range Bands() {
		if l := s.layers[b]; l != nil && (best == nil || l.gt[1] < best.gt[1]) {
			best = l
		}
	}
	return best
}

// opener opens the files of one event and remembers them.
type opener struct {
	allow   *allowList
	handles int
	rasters []*raster
	files   []location // all that was looked at, for the revision
}

func (o *opener) raster(loc location) (*raster, error) {
	o.note(loc)
	for _, r := range o.rasters {
		if r.gdal == loc.gdal {
			return r, nil
		}
	}
	r, err := openRaster(loc, o.handles)
	if err != nil {
		return nil, err
	}
	o.rasters = append(o.rasters, r)
	return r, nil
}

func (o *opener) note(loc location) {
	if !slices.ContainsFunc(o.files, func(l location) bool { return l.gdal == loc.gdal }) {
		o.files = append(o.files, loc)
	}
}

func (o *opener) close() {
	for _, r := range o.rasters {
		r.retire()
	}
}

// scene opens a scene of any kind. fallback stands in for a date that nothing tells.
func (o *opener) scene(def Scene, fallback time.Time) (*scene, error) {
	loc, err := o.allow.locate(def.Path)
	if err != nil {
		return nil, err
	}
	o.note(loc)
	s := &scene{ref: def.Path, layers: map[string]*layer{}}
	var meta metadata
	switch kind, err := kindOf(loc); {
	case err != nil:
		return nil, err
	case kind == folderKind:
		meta, err = o.folder(s, loc)
		if err != nil {
			return nil, err
		}
	case kind == zipKind:
		meta, err = o.zip(s, loc)
		if err != nil {
			return nil, err
		}
	default:
		meta, err = o.stack(s, loc, def.Bands)
		if err != nil {
			return nil, err
		}
	}
	meta.fill(nameMetadata(path.Base(filepath.ToSlash(def.Path))))
	if def.SCL != "" {
		if err := o.classification(s, def.SCL); err != nil {
			return nil, err
		}
	}
	s.settle(def, meta, fallback)
	return s, s.validity().checkUnits()
}

// checkUnits refuses reflectance from 0 to 1, which would be read as next to nothing.
func (l *layer) checkUnits() error {
	if !l.bands[l.band].real {
		return nil
	}
	const side = 256 // pixels looked at, in the middle
	win := Rect{X: max(l.width/2-side/2, 0), Y: max(l.height/2-side/2, 0), W: side, H: side}.Intersect(Rect{W: l.width, H: l.height})
	buf := make([]float32, win.W*win.H)
	if err := l.read(context.Background(), l.band, nil, win.X, win.Y, win.W, win.H, buf, win.W); err != nil {
		return err
	}
	var highest float32
	for _, v := range buf {
		if b := l.bands[l.band]; v > highest && !(b.hasNodata && v == float32(b.nodata)) {
			highest = v
		}
	}
	if highest > 0 && highest <= 2 {
		return fmt.Errorf("band %s of %s: holds reflectance from 0 to 1; expected reflectance × 10000 in integers (gdal_translate -scale 0 1 0 10000 -ot UInt16 -a_nodata 0)", l.name, l.ref)
	}
	return nil
}

type sceneKind int

const (
	stackKind sceneKind = iota
	folderKind
	zipKind
)

func kindOf(loc location) (sceneKind, error) {
	if loc.local != "" {
		info, err := os.Stat(loc.local)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", loc.ref, errors.Unwrap(err))
		}
		if info.IsDir() {
			return folderKind, nil
		}
		if strings.EqualFold(filepath.Ext(loc.local), ".zip") {
			return zipKind, nil
		}
	}
	return stackKind, nil
}

// settle decides date, level and offset: the definition first, then what the files say, then the date.
func (s *scene) settle(def Scene, m metadata, fallback time.Time) {
	s.date = def.Date.UTC()
	if def.Date.IsZero() {
		s.date = m.date
	}
	s.level = def.Level
	if s.level == "" {
		s.level = m.level
	}
	if s.level == "" {
		s.level = levelL2A
	}
	for band, l := range s.layers {
		switch offset, single := m.offsets[band]; {
		case def.Offset != nil:
			l.offset = *def.Offset
		case single:
			l.offset = offset
		case m.offset != nil:
			l.offset = *m.offset
		case !s.date.IsZero():
			l.offset = offsetOfDate(s.date)
		default:
			l.offset = offsetOfDate(fallback)
		}
	}
}

// stack opens a file with several bands, named by the definition or by the band descriptions.
func (o *opener) stack(s *scene, loc location, names []string) (metadata, error) {
	r, err := o.raster(loc)
	if err != nil {
		return metadata{}, err
	}
	if len(names) > 0 && len(names) != len(r.bands) {
		return metadata{}, fmt.Errorf("%s: the event names %d bands (%s), the file has %d: name each of them in order, and those not to be used \"\"",
			loc.ref, len(names), strings.Join(names, ", "), len(r.bands))
	}
	var seen []string
	for i, b := range r.bands {
		text := b.description
		name, ok := describedBand(text)
		if len(names) > 0 {
			text = names[i]
			name, ok = bandName(text)
		}
		seen = append(seen, fmt.Sprintf("%q", text))
		if !ok {
			continue
		}
		l := &layer{raster: r, band: i, name: name}
		if name == sclName {
			s.scl = l
			continue
		}
		if s.layers[name] != nil {
			return metadata{}, fmt.Errorf("%s: bands %d and %d are both %s", loc.ref, s.layers[name].band+1, i+1, name)
		}
		s.layers[name] = l
	}
	if len(s.layers) == 0 {
		return metadata{}, fmt.Errorf("%s: none of its %d band descriptions (%s) names a Sentinel-2 band: expected B01 to B12, B8A, or common names such as red; list the names in order under `bands`",
			loc.ref, len(r.bands), strings.Join(seen, ", "))
	}
	return tagMetadata(r.meta), nil
}

// classification opens the separate file with the scene classification.
func (o *opener) classification(s *scene, ref string) error {
	loc, err := o.allow.locate(ref)
	if err != nil {
		return fmt.Errorf("scene classification: %w", err)
	}
	r, err := o.raster(loc)
	if err != nil {
		return fmt.Errorf("scene classification: %w", err)
	}
	band := slices.IndexFunc(r.bands, func(b rasterBand) bool { n, _ := describedBand(b.description); return n == sclName })
	if band < 0 {
		if len(r.bands) != 1 {
			return fmt.Errorf("scene classification %s: expected one band, or one that is described as SCL, of its %d", ref, len(r.bands))
		}
		band = 0
	}
	s.scl = &layer{raster: r, band: band, name: sclName}
	return nil
}
