package common

import (
	"strconv"
	"strings"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/project"
)

// CRS is a coordinate reference system as a client named it.
type CRS struct {
	EPSG int
	// LatLon says that coordinates come northing or latitude first.
	LatLon bool
}

// URIs of the CRSs that have a role of their own.
const (
	CRS84URI  = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
	crs84hURI = "http://www.opengis.net/def/crs/OGC/0/CRS84h"
	epsgURI   = "http://www.opengis.net/def/crs/EPSG/0/"
)

// CRS84 is longitude, latitude on WGS 84.
func CRS84() CRS { return CRS{EPSG: 4326} }

// URI returns the CRS's URI in the OGC's register.
func (c CRS) URI() string {
	if c.EPSG == 4326 && !c.LatLon {
		return CRS84URI
	}
	return EPSGURI(c.EPSG)
}

// EPSGURI returns the URI of an EPSG code.
func EPSGURI(code int) string { return epsgURI + strconv.Itoa(code) }

// ParseCRS reads a CRS from its URI, URN, CURIE ([EPSG:3857]) or short form
// (EPSG:3857, OGC:CRS84). latLon says for a code whether its axis order is
// northing first. Whether the CRS may be used is the caller's to decide.
func ParseCRS(s string, latLon func(epsg int) bool) (CRS, error) {
	t := strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(s), "["), "]")
	switch {
	case t == CRS84URI, t == crs84hURI, strings.EqualFold(t, "OGC:CRS84"), strings.EqualFold(t, "CRS:84"),
		strings.EqualFold(t, "CRS84"), strings.EqualFold(t, "urn:ogc:def:crs:OGC:1.3:CRS84"):
		return CRS84(), nil
	}
	upper := strings.ToUpper(t)
	for _, prefix := range []string{strings.ToUpper(epsgURI), "HTTPS://WWW.OPENGIS.NET/DEF/CRS/EPSG/0/", "EPSG:", "URN:OGC:DEF:CRS:EPSG::"} {
		code, ok := strings.CutPrefix(upper, prefix)
		if !ok {
			continue
		}
		n, err := strconv.Atoi(code)
		if err != nil || n < 1 || n > 999999 || code[0] < '0' || code[0] > '9' {
			break
		}
		return CRS{EPSG: n, LatLon: latLon(n)}, nil
	}
	return CRS{}, BadRequest("%s is not a CRS that is known here; write %s or %s4326", Quote(s), CRS84URI, epsgURI)
}

// Geographic says which of the common codes are in latitude, longitude order.
// It is the default of what the server finds out from PROJ.
func Geographic(epsg int) bool {
	switch epsg {
	case 4326, 4258, 4269, 4979, 4283, 4612, 4617, 4674, 6668, 7844:
		return true
	}
	return false
}

// Projector converts between longitude, latitude (WGS 84) and a CRS whose x is easting whatever its axis order.
type Projector interface {
	ToLonLat(epsg int, x, y float64) (lon, lat float64, err error)
	FromLonLat(epsg int, lon, lat float64) (x, y float64, err error)
}

// WebProjector knows EPSG:4326 and EPSG:3857, for servers that have no PROJ at hand.
type WebProjector struct{}

// ToLonLat implements [Projector].
func (WebProjector) ToLonLat(epsg int, x, y float64) (float64, float64, error) {
	switch epsg {
	case 4326:
		return x, y, nil
	case 3857:
		p := project.Mercator.ToWGS84(orb.Point{x, y})
		return p[0], p[1], nil
	}
	return 0, 0, BadRequest("EPSG:%d can't be converted here", epsg)
}

// FromLonLat implements [Projector].
func (WebProjector) FromLonLat(epsg int, lon, lat float64) (float64, float64, error) {
	switch epsg {
	case 4326:
		return lon, lat, nil
	case 3857:
		p := project.WGS84.ToMercator(orb.Point{lon, max(-85.0511287798, min(85.0511287798, lat))})
		return p[0], p[1], nil
	}
	return 0, 0, BadRequest("EPSG:%d can't be converted here", epsg)
}

// ProjectBounds returns the box in the CRS that holds the box in longitude and
// latitude, from points along its sides.
func ProjectBounds(p Projector, epsg int, b [4]float64) ([4]float64, error) {
	const steps = 8
	var out [4]float64
	for i := 0; i <= steps; i++ {
		for j := 0; j <= steps; j++ {
			if i > 0 && i < steps && j > 0 && j < steps {
				continue
			}
			x, y, err := p.FromLonLat(epsg, b[0]+(b[2]-b[0])*float64(i)/steps, b[1]+(b[3]-b[1])*float64(j)/steps)
			if err != nil {
				return out, err
			}
			if i == 0 && j == 0 {
				out = [4]float64{x, y, x, y}
			}
			out = [4]float64{min(out[0], x), min(out[1], y), max(out[2], x), max(out[3], y)}
		}
	}
	return out, nil
}

// UnprojectBounds returns the box in longitude and latitude that holds the box in the CRS.
func UnprojectBounds(p Projector, epsg int, b [4]float64) ([4]float64, error) {
	if epsg == 4326 {
		return b, nil
	}
	return ProjectBounds(inverse{p}, epsg, b)
}

// inverse swaps a projector's directions.
type inverse struct{ p Projector }

func (i inverse) FromLonLat(epsg int, x, y float64) (float64, float64, error) {
	return i.p.ToLonLat(epsg, x, y)
}
func (i inverse) ToLonLat(epsg int, x, y float64) (float64, float64, error) {
	return i.p.FromLonLat(epsg, x, y)
}
