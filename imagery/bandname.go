package imagery

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

const sclName = "SCL"

// commonNames are the asset keys and common names of STAC's EO extension as
// the public Sentinel-2 catalogues use them.
var commonNames = map[string]string{
	"coastal": "B01", "blue": "B02", "green": "B03", "red": "B04",
	"rededge1": "B05", "rededge2": "B06", "rededge3": "B07", "nir": "B08", "nir08": "B8A", "rededge4": "B8A",
	"nir09": "B09", "cirrus": "B10", "swir16": "B11", "swir22": "B12", "scl": sclName,
}

var shortBand = regexp.MustCompile(`^b0?([1-9]|1[0-2]|8a)$`)

// bandName returns Scarp's name (B02, SCL) of a band under any of its usual names (b2, B02, blue).
func bandName(s string) (string, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	if n, ok := commonNames[s]; ok {
		return n, true
	}
	m := shortBand.FindStringSubmatch(s)
	if m == nil {
		return "", false
	}
	n := strings.ToUpper(m[1])
	if len(n) == 1 {
		n = "0" + n
	}
	return "B" + n, true
}

// describedBand finds the band's name in a band description, which may hold more words ("B02 blue 10m").
func describedBand(description string) (string, bool) {
	if n, ok := bandName(description); ok {
		return n, true
	}
	var found []string
	for _, w := range words(description) {
		if n, ok := bandName(w); ok && !slices.Contains(found, n) {
			found = append(found, n)
		}
	}
	if len(found) == 1 {
		return found[0], true
	}
	return "", false
}

// fileBand finds the band and, where it is told, the resolution in metres in
// the name of a file with one band: T31UDS_20200219T112111_B02_10m.jp2, B02.tif, blue.tif.
func fileBand(name string) (band string, resolution string, ok bool) {
	base := path.Base(name)
	ext := strings.ToLower(path.Ext(base))
	if !slices.Contains([]string{".jp2", ".tif", ".tiff"}, ext) {
		return "", "", false
	}
	base = base[:len(base)-len(ext)]
	// True-colour previews and masks carry band names of their own kind.
	w := words(base)
	for _, x := range w {
		switch strings.ToLower(x) {
		case "10m", "20m", "60m":
			resolution = x
		}
	}
	band, ok = describedBand(base)
	return band, resolution, ok
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune("_-. ,;:/()[]", r) })
}

var (
	isoDate     = regexp.MustCompile(`(20[1-9]\d)-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])`)
	compactDate = regexp.MustCompile(`(?:^|[^0-9])(20[1-9]\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?:T(\d{6}))?(?:[^0-9]|$)`)
	levelInName = regexp.MustCompile(`(?i)(?:MSI)?L(1C|2A)(?:[_.]|$)`)
)
