package simulate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"time"
)

// Bands are the names of the twelve bands of a Sentinel-2 L2A image, in the order of Event.Pre and Event.Post.
func Bands() []string {
	return []string{"B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"}
}

// Config says what to simulate. Its zero value is a cloudless event of 512×512 pixels in which everything else is drawn
// from DefaultRanges with seed 0.
type Config struct {
	Seed          uint64
	Width, Height int // in pixels of 10 m, 32 to 4096; 0 means 512

	EPSG             int     // a UTM zone, 326xx or 327xx; 0 means 32648
	OriginX, OriginY float64 // the top left corner in metres; 0 means 500000 and 3700000

	PreDate, PostDate time.Time // zero: drawn, the post image in 2016 to 2024, the pre image 5 to 360 days before it

	PreCloud, PostCloud   float64 // share of the image under cloud, 0 to 0.95
	PreNoData, PostNoData float64 // share of the image beyond the edge of the swath, 0 to 0.9

	LandslideShare float64 // share of the land that slides; 0 means drawn from the ranges
	NoLandslides   bool    // a pair in which nothing slid, with all its confusers

	Ranges *Ranges // what to draw from; nil means DefaultRanges

	placed bool // an origin was given, and so a latitude
}

// Range is an interval to draw from evenly, or evenly in the logarithm where Ranges says so.
type Range struct {
	Min float64 `json:"min"`
	Max float64 `json:"max"`
}

func (v Range) draw(r *rand.Rand) float64    { return between(r, v.Min, v.Max) }
func (v Range) drawLog(r *rand.Rand) float64 { return logBetween(r, v.Min, v.Max) }

// Ranges are the intervals from which an event's nature is drawn, the simulator's domain randomisation.
// To measure how a network does on land unlike that of its training, train on one set and test on another (HeldOutRanges).
type Ranges struct {
	Steepness     Range `json:"steepness"`      // degrees that a tenth of the land exceeds
	ChannelHead   Range `json:"channel_head"`   // cells of 30 m that a channel needs: spacing of the hollows (log)
	Roughness     Range `json:"roughness"`      // detail below 250 m, m
	BaseElevation Range `json:"base_elevation"` // lowest point, m
	ValleyFill    Range `json:"valley_fill"`    // depth of the valley floors' fill, m

	Forest      Range `json:"forest"`      // share of the land below the tree line
	Conifer     Range `json:"conifer"`     // share of the forest
	Crops       Range `json:"crops"`       // share of gentle land
	Rockiness   Range `json:"rockiness"`   // bare rock on steep land, 0 to 1
	Dryness     Range `json:"dryness"`     // 0 lush to 1 semi-arid
	Seasonality Range `json:"seasonality"` // 0 evergreen to 1 leafless winters

	SoilRedness    Range `json:"soil_redness"`    // 0 grey to 1 red
	SoilBrightness Range `json:"soil_brightness"` // factor
	DebrisRock     Range `json:"debris_rock"`     // 0 soil to 1 rock in what slides lay bare

	Landslides Range `json:"landslides"`  // share of the land (log)
	SizeTail   Range `json:"size_tail"`   // exponent of the cumulative distribution of areas
	SmallestM2 Range `json:"smallest_m2"` // where that distribution begins, m² (log)
	Elongation Range `json:"elongation"`  // length to width (log)
	Clustering Range `json:"clustering"`  // 0 even to 1 one epicentre

	Haze            Range `json:"haze"`            // path reflectance in the blue, ×10000
	Gain            Range `json:"gain"`            // factor between dates (log)
	Offset          Range `json:"offset"`          // reflectance ×10000 that atmospheric correction left or took too much, in all bands
	SkyLight        Range `json:"sky_light"`       // diffuse light: 0.05 deep shade to 0.8 a nearly corrected relief
	Noise           Range `json:"noise"`           // sensor noise, reflectance ×10000
	Misregistration Range `json:"misregistration"` // pixels, of pre on post
	Latitude        Range `json:"latitude"`        // degrees, where Config gives no origin
}

// DefaultRanges are broad enough to cover humid tropics, temperate mountains, Mediterranean hills and semi-arid highlands.
func DefaultRanges() Ranges {
	return Ranges{
		Steepness: Range{21, 45}, ChannelHead: Range{4, 50}, Roughness: Range{1, 5}, BaseElevation: Range{20, 2600}, ValleyFill: Range{2, 45},
		Forest: Range{0.25, 1}, Conifer: Range{0, 1}, Crops: Range{0, 0.9}, Rockiness: Range{0, 0.8}, Dryness: Range{0, 0.75}, Seasonality: Range{0, 1},
		SoilRedness: Range{0, 1}, SoilBrightness: Range{0.6, 1.25}, DebrisRock: Range{0, 1},
		Landslides: Range{0.008, 0.08}, SizeTail: Range{0.8, 1.35}, SmallestM2: Range{300, 2500}, Elongation: Range{2, 8}, Clustering: Range{0, 1},
		Haze: Range{0, 350}, Gain: Range{0.8, 1.25}, Offset: Range{-30, 60}, SkyLight: Range{0.08, 0.5}, Noise: Range{8, 45}, Misregistration: Range{0, 1}, Latitude: Range{-45, 58},
	}
}

// HeldOutRanges are a corner of the possible that DefaultRanges hardly touches: hazier, lower sun, drier
// and rockier land, smaller and longer landslides. Seeds alone make unseen events; these make unseen kinds of event.
func HeldOutRanges() Ranges {
	r := DefaultRanges()
	r.Steepness = Range{32, 48}
	r.ChannelHead = Range{4, 14}
	r.Rockiness = Range{0.5, 1}
	r.Dryness = Range{0.4, 0.9}
	r.SoilBrightness = Range{0.5, 0.9}
	r.SizeTail = Range{1.2, 1.6}
	r.Elongation = Range{3, 10}
	r.Haze = Range{200, 500}
	r.Gain = Range{0.7, 1.4}
	r.Latitude = Range{25, 60}
	return r
}

// ParseRanges reads ranges from JSON, as patches.json has them: what the text leaves out stays as in DefaultRanges. It refuses
// unknown names, intervals that end before they begin, and values that mean nothing.
func ParseRanges(text []byte) (*Ranges, error) {
	r := DefaultRanges()
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("read ranges: %w", err)
	}
	return &r, r.validate()
}

// possibleRanges are the widest that mean something.
func possibleRanges() Ranges {
	share := Range{0, 1}
	return Ranges{
		Steepness: Range{5, 60}, ChannelHead: Range{1, 1000}, Roughness: Range{0, 50}, BaseElevation: Range{0, 6000}, ValleyFill: Range{0, 500},
		Forest: share, Conifer: share, Crops: share, Rockiness: share, Dryness: share, Seasonality: share,
		SoilRedness: share, SoilBrightness: Range{0.1, 3}, DebrisRock: share,
		Landslides: Range{1e-4, 0.5}, SizeTail: Range{0.3, 4}, SmallestM2: Range{50, 1e5}, Elongation: Range{1, 30}, Clustering: share,
		Haze: Range{0, 3000}, Gain: Range{0.1, 10}, Offset: Range{-1000, 1000}, SkyLight: Range{0.01, 1}, Noise: Range{0, 1000}, Misregistration: Range{0, 10}, Latitude: Range{-60, 70},
	}
}

// validate reports everything that is wrong with the ranges.
func (v Ranges) validate() error {
	var all []error
	given, possible := reflect.ValueOf(v), reflect.ValueOf(possibleRanges())
	for i := range given.NumField() {
		g, p := given.Field(i).Interface().(Range), possible.Field(i).Interface().(Range)
		if !(g.Min <= g.Max && g.Min >= p.Min && g.Max <= p.Max) {
			name := given.Type().Field(i).Tag.Get("json")
			all = append(all, fmt.Errorf("%s is %g to %g: give min and max in order, within %g to %g", name, g.Min, g.Max, p.Min, p.Max))
		}
	}
	return errors.Join(all...)
}

// withDefaults fills what is left at zero.
func (c Config) withDefaults() Config {
	if c.Width == 0 {
		c.Width = 512
	}
	if c.Height == 0 {
		c.Height = 512
	}
	if c.EPSG == 0 {
		c.EPSG = 32648
	}
	c.placed = c.OriginY != 0
	if c.OriginX == 0 {
		c.OriginX = 500000
	}
	if c.OriginY == 0 {
		c.OriginY = 3700000
	}
	if c.Ranges == nil {
		r := DefaultRanges()
		c.Ranges = &r
	}
	return c
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var all []error
	add := func(format string, args ...any) { all = append(all, fmt.Errorf(format, args...)) }
	for _, side := range []struct {
		name string
		size int
	}{{"width", c.Width}, {"height", c.Height}} {
		if side.size != 0 && (side.size < 32 || side.size > 4096) {
			add("%s is %d pixels: give 32 to 4096 (an event takes some 270 bytes of memory a pixel)", side.name, side.size)
		}
	}
	if zone := c.EPSG % 100; c.EPSG != 0 && ((c.EPSG/100 != 326 && c.EPSG/100 != 327) || zone < 1 || zone > 60) {
		add("EPSG %d is no UTM zone: give 32601 to 32660 or 32701 to 32760", c.EPSG)
	}
	for _, share := range []struct {
		name     string
		value, m float64
	}{{"pre cloud cover", c.PreCloud, 0.95}, {"post cloud cover", c.PostCloud, 0.95}, {"pre no-data share", c.PreNoData, 0.9}, {"post no-data share", c.PostNoData, 0.9}, {"landslide share", c.LandslideShare, 0.5}} {
		if !(share.value >= 0 && share.value <= share.m) {
			add("%s is %g: give a share from 0 to %g", share.name, share.value, share.m)
		}
	}
	if !c.PreDate.IsZero() && !c.PostDate.IsZero() && !c.PreDate.Before(c.PostDate) {
		add("the pre image (%s) must be older than the post image (%s)", c.PreDate.Format(time.DateOnly), c.PostDate.Format(time.DateOnly))
	}
	if math.IsNaN(c.OriginX+c.OriginY) || math.IsInf(c.OriginX+c.OriginY, 0) {
		add("the origin (%g, %g) is not a place", c.OriginX, c.OriginY)
	}
	if c.NoLandslides && c.LandslideShare > 0 {
		add("no landslides and a landslide share of %g contradict each other", c.LandslideShare)
	}
	return errors.Join(all...)
}
