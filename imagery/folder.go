package imagery

import (
	"archive/zip"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// product is a folder or zip seen as a list of files, so that both are understood in one way.
type product struct {
	ref    string
	names  []string // of all files, with slashes, relative to the product
	open   func(name string) (io.ReadCloser, error)
	locate func(name string) (location, error)
}

// Bounds on what is looked at in a folder or zip.
const (
	maxFiles = 20000
	maxDepth = 8
)

func (o *opener) folder(s *scene, loc location) (metadata, error) {
	p := &product{ref: loc.ref}
	err := filepath.WalkDir(loc.local, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(loc.local, file)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		if d.IsDir() {
			if strings.Count(rel, "/") >= maxDepth {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasPrefix(d.Name(), ".") {
			return nil // hidden, such as the ._ files that some systems add
		}
		if p.names = append(p.names, rel); len(p.names) > maxFiles {
			return fmt.Errorf("holds more than %d files: name the scene's own folder", maxFiles)
		}
		return nil
	})
	if err != nil {
		return metadata{}, fmt.Errorf("look through folder %s: %w", loc.ref, err)
	}
	p.locate = func(name string) (location, error) { return o.allow.child(loc, name) }
	p.open = func(name string) (io.ReadCloser, error) {
		l, err := p.locate(name)
		if err != nil {
			return nil, err
		}
		o.note(l)
		return os.Open(l.local)
	}
	return o.product(s, p)
}

func (o *opener) zip(s *scene, loc location) (metadata, error) {
	z, err := zip.OpenReader(loc.local)
	if err != nil {
		return metadata{}, fmt.Errorf("open zip %s: %w", loc.ref, err)
	}
	defer z.Close()
	p := &product{ref: loc.ref, open: func(name string) (io.ReadCloser, error) { return z.Open(name) }}
	if len(z.File) > maxFiles {
		return metadata{}, fmt.Errorf("zip %s holds more than %d files", loc.ref, maxFiles)
	}
	for _, f := range z.File {
		if fs.ValidPath(f.Name) && !f.FileInfo().IsDir() {
			p.names = append(p.names, f.Name)
		}
	}
	p.locate = func(name string) (location, error) {
		// GDAL takes the part in braces literally, so the zip may have any name.
		if strings.ContainsAny(loc.local, "{}") {
			return location{}, fmt.Errorf("%s: the path of a zip can't contain { or }", loc.ref)
		}
		return location{ref: loc.ref + "/" + name, gdal: "/vsizip/{" + loc.local + "}/" + name, local: loc.local}, nil
	}
	return o.product(s, p)
}

// bandFile is a candidate for a band.
type bandFile struct {
	name, band, resolution string
}

var safeImage = regexp.MustCompile(`(?:^|/)GRANULE/[^/]+/IMG_DATA/(?:R(?:10|20|60)m/)?[^/]+\.(?:jp2|tif)$`)

// product opens the bands of a SAFE product, or of a folder with a file a band.
func (o *opener) product(s *scene, p *product) (metadata, error) {
	slices.Sort(p.names)
	names := slices.DeleteFunc(slices.Clone(p.names), func(n string) bool { return !safeImage.MatchString(n) })
	if len(names) == 0 {
		names = shallowest(p.names)
	} else if err := oneGranule(p.ref, names); err != nil {
		return metadata{}, err
	}
	best, err := finestFiles(p.ref, names)
	if err != nil {
		return metadata{}, err
	}
	if len(best) == 0 || len(best) == 1 && best[sclName].name != "" {
		return metadata{}, fmt.Errorf("%s: no file of a Sentinel-2 band found among its %d files (%s): expected names such as …_B02_10m.jp2, B02.tif or blue.tif",
			p.ref, len(p.names), someOf(p.names))
	}
	var tags metadata
	for _, band := range append(Bands(), sclName) {
		f, ok := best[band]
		if !ok {
			continue
		}
		loc, err := p.locate(f.name)
		if err != nil {
			return metadata{}, fmt.Errorf("band %s: %w", band, err)
		}
		r, err := o.raster(loc)
		if err != nil {
			return metadata{}, fmt.Errorf("band %s: %w", band, err)
		}
		if len(r.bands) != 1 {
			return metadata{}, fmt.Errorf("band %s: %s has %d bands, expected one: name a stack by its file, not its folder", band, loc.ref, len(r.bands))
		}
		l := &layer{raster: r, name: band}
		if band == sclName {
			s.scl = l
		} else {
			s.layers[band] = l
			tags.fill(tagMetadata(r.meta))
		}
	}
	meta, err := p.metadata()
	if err != nil {
		return metadata{}, err
	}
	meta.fill(tags)
	// The names of a product's folders say what its own may not.
	for _, n := range []string{names[0], path.Dir(names[0])} {
		for part := range strings.SplitSeq(n, "/") {
			meta.fill(nameMetadata(part))
		}
	}
	return meta, nil
}

// shallowest keeps the files that name a band and lie highest in the folder, so that previews in sub-folders don't count.
func shallowest(names []string) []string {
	depth := maxDepth + 1
	var keep []string
	for _, n := range names {
		if _, _, ok := fileBand(n); !ok {
			continue
		}
		switch d := strings.Count(n, "/"); {
		case d < depth:
			depth, keep = d, []string{n}
		case d == depth:
			keep = append(keep, n)
		}
	}
	return keep
}

func oneGranule(ref string, names []string) error {
	granule := func(n string) string {
		return n[:strings.Index(n, "/IMG_DATA/")]
	}
	first, last := granule(names[0]), granule(names[len(names)-1])
	if first != last {
		return fmt.Errorf("%s: holds more than one granule (%s, %s): name each granule's folder as a scene of its own", ref, first, last)
	}
	return nil
}

// finestFiles picks a file for every band: the one of the finest resolution that the names tell.
func finestFiles(ref string, names []string) (map[string]bandFile, error) {
	best := map[string]bandFile{}
	for _, n := range names {
		band, resolution, ok := fileBand(n)
		if !ok {
			continue
		}
		f := bandFile{n, band, resolution}
		old, have := best[band]
		switch {
		case !have || f.rank() < old.rank():
			best[band] = f
		case f.rank() == old.rank():
			return nil, fmt.Errorf("%s: band %s has two files, %s and %s: a scene is one acquisition; put each into a folder of its own", ref, band, old.name, f.name)
		}
	}
	return best, nil
}

// rank orders files of the same band: 10m before 20m before 60m; without a word on it, last.
func (f bandFile) rank() string {
	if f.resolution == "" {
		return "~"
	}
	return f.resolution
}

// metadata reads the product's metadata file, or the STAC item beside the bands.
func (p *product) metadata() (metadata, error) {
	for _, n := range p.names {
		isSAFE := path.Base(n) == "MTD_MSIL2A.xml" || path.Base(n) == "MTD_MSIL1C.xml"
		isSTAC := strings.EqualFold(path.Ext(n), ".json") && !strings.Contains(n, "/")
		if !isSAFE && !isSTAC {
			continue
		}
		f, err := p.open(n)
		if err != nil {
			return metadata{}, fmt.Errorf("open %s of %s: %w", n, p.ref, err)
		}
		var m metadata
		if isSAFE {
			m, err = readSAFE(f)
		} else {
			m, err = readSTAC(f)
		}
		f.Close()
		if err == nil {
			return m, nil
		}
		if isSAFE {
			return metadata{}, fmt.Errorf("%s of %s: %w", n, p.ref, err)
		}
		// Other JSON files may lie beside the bands.
	}
	return metadata{}, nil
}

// someOf names the first few of many.
func someOf(names []string) string {
	const few = 5
	if len(names) > few {
		return strings.Join(names[:few], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}
