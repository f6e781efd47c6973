package tiles

import (
	"fmt"
	"regexp"
)

// ToLonLat converts easting and northing (x is easting whatever the CRS's axis
// order) to longitude and latitude in degrees. The error is ErrUnknownCRS, or
// says that the point has no image.
func (e *Engine) ToLonLat(epsg int, x, y float64) (lon, lat float64, err error) {
	return e.project(epsg, 4326, x, y)
}

// FromLonLat converts longitude and latitude in degrees to easting and northing.
func (e *Engine) FromLonLat(epsg int, lon, lat float64) (x, y float64, err error) {
	return e.project(4326, epsg, lon, lat)
}

func (e *Engine) project(from, to int, x, y float64) (float64, float64, error) {
	p, err := e.projections.get(from, to)
	if err != nil {
		return 0, 0, err
	}
	defer p.release()
	xs, ys, ok := []float64{x}, []float64{y}, []bool{false}
	p.transform(xs, ys, ok)
	if !ok[0] {
		return 0, 0, fmt.Errorf("%w: %g, %g of EPSG:%d lies outside of EPSG:%d", ErrBadView, x, y, from, to)
	}
	return xs[0], ys[0], nil
}

// wktAxes finds the directions of the axes in WKT 1; those of the outermost CRS come last.
var wktAxes = regexp.MustCompile(`AXIS\["[^"]*",(NORTH|SOUTH|EAST|WEST)`)

// NorthingFirst says whether EPSG writes the CRS's coordinates as latitude,
// longitude or northing, easting. Unknown CRSs are not.
func NorthingFirst(epsg int) bool {
	sr, err := openCRS(epsg)
	if err != nil {
		return false
	}
	defer sr.Close()
	if sr.Geographic() {
		return sr.EPSGTreatsAsLatLong()
	}
	wkt, err := sr.WKT()
	if err != nil {
		return false
	}
	axes := wktAxes.FindAllStringSubmatch(wkt, -1)
	return len(axes) >= 2 && axes[len(axes)-2][1] == "NORTH" && axes[len(axes)-1][1] == "EAST"
}
