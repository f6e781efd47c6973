package assess

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/airbusgeo/godal"
)

// Options says how maps are compared.
type Options struct {
	// Area limits the comparison to polygons, or to a raster's pixels that are neither 0 nor nodata. Nil is no limit.
	Area *Map
	// Threshold turns probabilities into landslides; 0 means what the file of
	// probabilities says it was mapped with, else 0.5. It does not concern masks and polygons.
	Threshold float64
	Rule      Rule
	// Picture asks for a drawing of hits, misses and false alarms in the report.
	Picture bool
	// TempDir holds the maps on the common grid while they are compared; empty is the system's.
	TempDir string
}

// Report is the outcome of [Compare].
type Report struct {
	Map   string `json:"map"`
	Truth string `json:"truth"`
	Area  string `json:"area,omitempty"`
	// CRS, Width and Height are the common grid's; its pixels have 10 m.
	CRS    string `json:"crs"`
	Width  int    `json:"width"`
	Height int    `json:"height"`
	// Compared counts the pixels about which both maps say something.
	Compared   int64        `json:"pixels_compared"`
	Pixels     Scores       `json:"pixels"`
	Objects    ObjectScores `json:"objects"`
	Soft       bool         `json:"probabilities"`
	ECE        *float64     `json:"expected_calibration_error,omitempty"`
	Bins       []Bin        `json:"calibration,omitempty"`
	Thresholds []Scores     `json:"thresholds,omitempty"`

	// Match has every object; Picture is drawn where Options asked for it.
	Match   *Objects `json:"-"`
	Picture *Picture `json:"-"`
}

// ObjectScores are counts of objects by size, and the rule that they go by.
type ObjectScores struct {
	MinOverlap float64      `json:"min_overlap"`
	Classes    []ClassScore `json:"classes"` // "all" is the last
}

// Compare scores a map against the truth. It stops when ctx ends.
func Compare(ctx context.Context, mapped, truth Map, o Options) (_ *Report, err error) {
	switch {
	case o.Threshold != 0 && !(o.Threshold > 0 && o.Threshold < 1):
		return nil, fmt.Errorf("threshold %v: give a probability between 0 and 1, both excluded", o.Threshold)
	case !(o.Rule.MinOverlap > 0 && o.Rule.MinOverlap <= 1):
		return nil, fmt.Errorf("least overlap %v: give a share above 0 and at most 1", o.Rule.MinOverlap)
	}
	c := &comparison{options: o}
	defer func() { err = errors.Join(err, c.close()) }()
	if c.mapped, err = openMap(mapped); err != nil {
		return nil, err
	}
	if c.truth, err = openMap(truth); err != nil {
		return nil, err
	}
	if o.Area != nil {
		if c.area, err = openMap(*o.Area); err != nil {
			return nil, err
		}
	}
	if c.grid, err = commonGrid(c.mapped, c.truth, c.area); err != nil {
		return nil, err
	}
	if c.dir, err = os.MkdirTemp(o.TempDir, "scarp-evaluate-*"); err != nil {
		return nil, fmt.Errorf("make a folder for temporary files: %w", err)
	}
	return c.run(ctx)
}

// comparison is a [Compare] under way.
type comparison struct {
	options             Options
	mapped, truth, area *input
	grid                *grid
	dir                 string
	rasters             []*godal.Dataset
}

func (c *comparison) close() error {
	var failed []error
	for _, ds := range c.rasters {
		failed = append(failed, ds.Close())
	}
	for _, in := range []*input{c.mapped, c.truth, c.area} {
		if in != nil {
			failed = append(failed, in.close())
		}
	}
	if c.grid != nil {
		c.grid.close()
	}
	if c.dir != "" {
		failed = append(failed, os.RemoveAll(c.dir))
	}
	return errors.Join(failed...)
}

func (c *comparison) run(ctx context.Context) (*Report, error) {
	threshold := c.options.Threshold
	if threshold == 0 {
		threshold = c.mapped.threshold()
	}
	if threshold == 0 {
		threshold = 0.5
	}
	tally, matcher := &Tally{}, NewMatcher()
	var picture *Picture
	if c.options.Picture {
		picture = newPicture(c.grid.width, c.grid.height)
	}
	mapped, truth := make([]bool, c.grid.width), make([]bool, c.grid.width)
	err := c.rows(ctx, func(y int, p, t, area []float32) {
		for x := range p {
			mapped[x], truth[x] = false, false
			valid := p[x] != nowhere && t[x] != nowhere && (area == nil || area[x] != nowhere && area[x] > 0)
			if valid {
				step := c.mapped.step(p[x])
				mapped[x] = step >= Above(threshold)
				truth[x] = c.truth.step(t[x]) >= Above(0.5)
				tally.Add(step, truth[x])
			}
			if picture != nil {
				picture.add(x, y, valid, mapped[x], truth[x])
			}
		}
		matcher.Row(mapped, truth)
	})
	if err != nil {
		return nil, err
	}
	if tally.Pixels() == 0 {
		return nil, errors.New("there is no pixel about which both maps say something")
	}
	match := matcher.Objects(pixelSize*pixelSize, c.options.Rule)
	r := &Report{
		Map: c.mapped.Path, Truth: c.truth.Path, CRS: crsName(c.grid.srs), Width: c.grid.width, Height: c.grid.height,
		Compared: tally.Pixels(), Pixels: tally.At(threshold), Soft: c.mapped.soft,
		Objects: ObjectScores{MinOverlap: c.options.Rule.MinOverlap, Classes: match.ByClass()},
		Match:   match, Picture: picture,
	}
	if c.area != nil {
		r.Area = c.area.Path
	}
	if c.mapped.soft {
		bins, ece := tally.Calibration()
		r.Bins, r.ECE, r.Thresholds = bins, &ece, tally.Curve()
	}
	return r, nil
}

// step returns a value of the map as a step of probability: in a mask all above 0 is a landslide.
func (in *input) step(v float32) int {
	if in.soft {
		return Step(float64(v)*in.scale + in.offset)
	}
	if v > 0 {
		return Steps
	}
	return 0
}

// stripRows is how many rows are read at a time.
const stripRows = 64

// rows brings the maps to the grid and calls f with each row of them; area is nil without one.
func (c *comparison) rows(ctx context.Context, f func(y int, mapped, truth, area []float32)) error {
	inputs := []*input{c.mapped, c.truth}
	if c.area != nil {
		inputs = append(inputs, c.area)
	}
	for i, in := range inputs {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		ds, err := in.onto(c.grid, c.dir, fmt.Sprint("map", i))
		if err != nil {
			return err
		}
		c.rasters = append(c.rasters, ds)
	}
	w := c.grid.width
	strips := make([][]float32, 3)
	for i := range inputs {
		strips[i] = make([]float32, w*stripRows)
	}
	for y := 0; y < c.grid.height; y += stripRows {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		n := min(stripRows, c.grid.height-y)
		for i, ds := range c.rasters {
			if err := ds.Bands()[0].Read(0, y, strips[i], w, n, quiet); err != nil {
				return fmt.Errorf("read %s on the common grid: %w", inputs[i].Path, err)
			}
		}
		for k := range n {
			var rows [3][]float32
			for i := range inputs {
				rows[i] = strips[i][k*w : (k+1)*w]
			}
			f(y+k, rows[0], rows[1], rows[2])
		}
	}
	return nil
}

// crsName returns EPSG:n, or what the projection is called.
func crsName(sr *godal.SpatialRef) string {
	if code := sr.AuthorityCode(""); code != "" {
		return sr.AuthorityName("") + ":" + code
	}
	name, _ := sr.AttrValue("PROJCS", 0)
	return name
}
