package wms

import (
	"image/color"
	"math"
	"strconv"
	"strings"

	"github.com/scarp-map/scarp/ogc/common"
)

// params holds a request's parameters under upper-case names.
type params map[string]string

// version negotiates: capabilities go down to the nearest version below the
// asked one, and without one are those of the highest that has the request's
// name; other requests must name one that is spoken, or show by CRS or
// SRS which they mean.
func (p params) version() (version, error) {
	s := p["VERSION"]
	if s == "" {
		s = p["WMTVER"]
	}
	before := strings.EqualFold(p["REQUEST"], "capabilities") // its name in 1.0, which 1.1.1 still has
	if before || strings.EqualFold(p["REQUEST"], "GetCapabilities") {
		if n, ok := versionNumber(s); ok && n < 10300 || before && s == "" {
			return v111, nil
		}
		return v130, nil
	}
	switch s {
	case string(v130):
		return v130, nil
	case string(v111), "1.1.0":
		return v111, nil
	case "":
		if _, ok := p["SRS"]; ok {
			return v111, nil
		}
		return v130, nil
	}
	return v130, fault("", "VERSION=%s is not spoken here; there are 1.3.0 and 1.1.1", common.Quote(s))
}

// versionNumber makes 10300 of 1.3.0.
func versionNumber(s string) (int, bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return 0, false
	}
	n := 0
	for _, part := range parts {
		v, err := strconv.ParseUint(part, 10, 16)
		if err != nil || v > 99 {
			return 0, false
		}
		n = n*100 + int(v)
	}
	return n, true
}

// frame is the part of a request that GetMap and GetFeatureInfo share: where
// the picture lies and how large it is. Box is x before y.
type frame struct {
	epsg          int
	box           [4]float64
	width, height int
}

func (a *API) parseFrame(p params, v version, own []int) (frame, error) {
	var f frame
	crs, err := a.parseCRS(p, v, own)
	if err != nil {
		return f, err
	}
	f.epsg = crs.EPSG
	if f.box, err = parseBox(p["BBOX"]); err != nil {
		return f, err
	}
	if crs.LatLon {
		f.box = [4]float64{f.box[1], f.box[0], f.box[3], f.box[2]}
	}
	if f.width, err = parseSize(p, "WIDTH", a.MaxWidth); err != nil {
		return f, err
	}
	f.height, err = parseSize(p, "HEIGHT", a.MaxHeight)
	return f, err
}

// parseCRS reads CRS (1.3.0) or SRS (1.1.1). In 1.1.1 x comes first in every CRS.
func (a *API) parseCRS(p params, v version, own []int) (common.CRS, error) {
	name, code := "CRS", "InvalidCRS"
	latLon := a.LatLon
	if v == v111 {
		name, code = "SRS", "InvalidSRS"
		latLon = func(int) bool { return false }
	}
	s := p[name]
	if s == "" {
		// Some clients mix the versions' names up.
		s = p["CRS"] + p["SRS"]
	}
	if s == "" {
		return common.CRS{}, fault(code, "%s is missing", name)
	}
	crs, err := common.ParseCRS(s, latLon)
	if err == nil {
		for _, list := range [][]int{{4326}, a.CRS, own} {
			for _, code := range list {
				if crs.EPSG == code {
					return crs, nil
				}
			}
		}
	}
	return crs, fault(code, "%s=%s is not offered; the capabilities list what is", name, common.Quote(s))
}

// parseBox reads four numbers with a minimum below its maximum.
func parseBox(s string) ([4]float64, error) {
	var b [4]float64
	if s == "" {
		return b, fault("", "BBOX is missing")
	}
	parts := strings.Split(s, ",")
	if len(parts) != 4 {
		return b, fault("", "BBOX=%s must have four numbers with commas between them", common.Quote(s))
	}
	for i, part := range parts {
		v, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return b, fault("", "BBOX=%s: %s is not a number", common.Quote(s), common.Quote(part))
		}
		b[i] = v
	}
	if b[0] >= b[2] || b[1] >= b[3] {
		return b, fault("", "BBOX=%s is empty: its minima must be below its maxima", common.Quote(s))
	}
	return b, nil
}

func parseSize(p params, name string, highest int) (int, error) {
	n, err := strconv.Atoi(p[name])
	if err != nil || n < 1 || n > highest {
		return 0, fault("", "%s=%s must be an integer from 1 to %d", name, common.Quote(p[name]), highest)
	}
	return n, nil
}

// parseFormat reads a picture's media type; parameters of it (image/png; mode=8bit) are left aside.
func parseFormat(s string) (common.Format, error) {
	name, _, _ := strings.Cut(strings.ToLower(s), ";")
	switch strings.TrimSpace(name) {
	case "image/png":
		return common.PNG, nil
	case "image/jpeg", "image/jpg":
		return common.JPEG, nil
	case "image/webp":
		return common.WebP, nil
	case "image/tiff", "image/geotiff":
		return common.TIFF, nil
	case "":
		return "", fault("InvalidFormat", "FORMAT is missing; there are image/png, image/jpeg, image/webp and image/tiff")
	}
	return "", fault("InvalidFormat", "FORMAT=%s is not offered; there are image/png, image/jpeg, image/webp and image/tiff", common.Quote(s))
}

// background returns whether what has no data stays transparent, and the colour that shows otherwise.
func (p params) background() (bool, color.Color, error) {
	var bg color.Color = color.White
	if s := p["BGCOLOR"]; s != "" {
		c, err := common.ParseColor(s)
		if err != nil {
			return false, nil, fault("", "BGCOLOR=%s must be 0xRRGGBB", common.Quote(s))
		}
		c.A = 255
		bg = c
	}
	switch strings.ToUpper(p["TRANSPARENT"]) {
	case "TRUE", "1":
		return true, bg, nil
	case "FALSE", "0", "":
		return false, bg, nil
	}
	return false, nil, fault("", "TRANSPARENT=%s must be TRUE or FALSE", common.Quote(p["TRANSPARENT"]))
}
