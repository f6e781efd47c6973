package coverages

import (
	"net/url"
	"slices"
	"strings"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/tiles"
)

// scaleSize is the pixels that a client asks for by axis.
type scaleSize struct {
	// name is the parameter's; empty where there is none.
	name, value string
	pixels      [2]string // of the x and of the y axis, as written
	// degrees says that the axes are named as those of longitude and latitude.
	// A client that names them so and no CRS expects pixels of degrees: GDAL does.
	degrees bool
}

// readScaleSize reads the parameter scale-size, such as E(200),N(100), or what
// drafts of the standard called it, which GDAL still does. Axes go by the names
// of any CRS, since it is clear which one is meant.
func readScaleSize(q url.Values) (scaleSize, error) {
	var s scaleSize
	for _, name := range []string{"scale-size", "scaleSize"} {
		if !q.Has(name) {
			continue
		}
		if s.name != "" {
			return s, common.BadRequest("scale-size and scaleSize are the same; give one of them")
		}
		s.name, s.value = name, q.Get(name)
	}
	if s.name == "" {
		return s, nil
	}
	axes, err := common.ParseSubset([]string{s.value})
	if err != nil {
		return s, s.bad("must be pixels by axis, such as E(200),N(100)")
	}
	geographic, projected := common.AxisNames(4326), common.AxisNames(3857)
	for axis, ends := range axes {
		named := func(names []string) bool {
			return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, axis) })
		}
		i := slices.IndexFunc([]int{0, 1}, func(i int) bool { return named(geographic[i]) || named(projected[i]) })
		switch {
		case i < 0:
			return s, s.bad("names the axis " + common.Quote(axis) + "; there are Lon (or Long, E, X) and Lat (or N, Y)")
		case s.pixels[i] != "":
			return s, s.bad("names the same axis twice")
		}
		s.pixels[i] = ends[0]
		s.degrees = s.degrees || named(geographic[i])
	}
	if s.pixels[0] == "" || s.pixels[1] == "" {
		return s, s.bad("must name both axes, such as E(200),N(100)")
	}
	return s, nil
}

// apply sets a view's pixels, of which there are limits by axis.
func (s scaleSize) apply(v *tiles.View, limits [2]int) (err error) {
	for i, into := range []*int{&v.Width, &v.Height} {
		if *into, err = common.Int(url.Values{s.name: {s.pixels[i]}}, s.name, 0, 1, limits[i]); err != nil {
			return err
		}
	}
	return nil
}

// bad says what is wrong with the parameter.
func (s scaleSize) bad(what string) error {
	return common.BadRequest("%s=%s %s", s.name, common.Quote(s.value), what)
}
