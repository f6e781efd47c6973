package simulate

import (
	"math"
	"time"
)

// params is one event's nature, drawn from the ranges.
type params struct {
	seed                                                               uint64
	steepness, channelHead, roughness, baseElevation, valleyFill       float64
	forest, conifer, crops, rockiness, dryness, seasonality            float64
	treeLine                                                           float64
	soilRedness, soilBrightness, debrisRock                            float64
	landslides, sizeTail, smallest, elongation, clustering, startSlope float64
	latitude                                                           float64
	shiftX, shiftY                                                     float64 // misregistration of pre, px
	oldScars, clearCuts, newRoads, burns, buildings                    float64 // how much of each confuser, 0 to 1
	pre, post                                                          dateParams
}

// dateParams is what belongs to one acquisition.
type dateParams struct {
	name                          string
	date                          time.Time
	sunZenith, sunAzimuth         float64 // radians; azimuth clockwise from north
	summer                        float64 // 0 mid-winter to 1 mid-summer
	wet                           float64 // 0 dry to 1 wet soil
	haze, gain, offset, sky       float64
	sensorNoise                   float64
	snowLine                      float64 // m
	cloud, noData, turbid, cirrus float64
}

func draw(c Config) *params {
	r, v := stream(c.Seed, "parameters"), c.Ranges
	p := &params{seed: c.Seed}
	p.steepness, p.channelHead = v.Steepness.draw(r), v.ChannelHead.drawLog(r)
	p.roughness, p.baseElevation, p.valleyFill = v.Roughness.draw(r), v.BaseElevation.draw(r), v.ValleyFill.draw(r)
	p.forest, p.conifer, p.crops = v.Forest.draw(r), v.Conifer.draw(r), v.Crops.draw(r)
	p.rockiness, p.dryness, p.seasonality = v.Rockiness.draw(r), v.Dryness.draw(r), v.Seasonality.draw(r)
	p.soilRedness, p.soilBrightness, p.debrisRock = v.SoilRedness.draw(r), v.SoilBrightness.draw(r), v.DebrisRock.draw(r)
	p.landslides, p.sizeTail, p.smallest = v.Landslides.drawLog(r), v.SizeTail.draw(r), v.SmallestM2.drawLog(r)
	p.elongation, p.clustering = v.Elongation.drawLog(r), v.Clustering.draw(r)
	// Failures begin on what is steep for the land: about its steepest fifth where the ground is strong, its steeper half where it is weak.
	p.startSlope = p.steepness * between(r, 0.78, 0.95)
	if c.LandslideShare > 0 {
		p.landslides = c.LandslideShare
	}
	if c.NoLandslides {
		p.landslides = 0
	}
	angle, shift := r.Float64()*2*math.Pi, v.Misregistration.draw(r)
	p.shiftX, p.shiftY = shift*math.Cos(angle), shift*math.Sin(angle)
	for _, amount := range []*float64{&p.oldScars, &p.clearCuts, &p.newRoads, &p.burns, &p.buildings} {
		*amount = math.Max(0, between(r, -0.35, 1))
	}

	p.latitude = v.Latitude.draw(r)
	if c.placed {
		p.latitude = c.OriginY / 110900
		if c.EPSG/100 == 327 {
			p.latitude -= 1e7 / 110900
		}
	}
	// Trees stop near 4000 m at the equator and near sea level at 70°.
	p.treeLine = between(r, -300, 300) + math.Max(4000-math.Max(0, math.Abs(p.latitude)-20)*70, 600)

	// Landslides are mapped mostly where something grows.
	p.baseElevation = math.Min(p.baseElevation, 0.8*p.treeLine)

	post := c.PostDate
	if post.IsZero() {
		post = time.Date(2016, 1, 1, 3, 40, 0, 0, time.UTC).AddDate(0, 0, r.IntN(9*365))
	}
	pre := c.PreDate
	if pre.IsZero() {
		// Most pairs are weeks apart, some nearly a year.
		pre = post.AddDate(0, 0, -int(logBetween(r, 5, 360)))
	}
	gain, offset := v.Gain, v.Offset
	one := func(name string, date time.Time, cloud, noData float64) dateParams {
		d := dateParams{name: name, date: date, cloud: cloud, noData: noData}
		d.sunZenith, d.sunAzimuth = sun(p.latitude, date)
		d.summer = summer(p.latitude, date)
		d.wet = r.Float64()
		d.haze, d.gain, d.offset = v.Haze.draw(r)*r.Float64(), gain.drawLog(r), offset.draw(r)*r.Float64()
		d.sky, d.sensorNoise = v.SkyLight.draw(r), v.Noise.draw(r)
		d.turbid = r.Float64()
		d.cirrus = math.Max(0, between(r, -0.6, 0.12))
		winter := 1 - d.summer
		d.snowLine = p.treeLine + 700 - 1700*winter*p.seasonality + between(r, -300, 900)
		return d
	}
	p.pre = one("pre", pre, c.PreCloud, c.PreNoData)
	p.post = one("post", post, c.PostCloud, c.PostNoData)
	return p
}

// sun gives the sun's zenith angle and azimuth in radians at Sentinel-2's overpass, 10:30 local solar time.
func sun(latitude float64, date time.Time) (zenith, azimuth float64) {
	decl := 23.44 * math.Pi / 180 * math.Sin(2*math.Pi*float64(date.YearDay()-81)/365.25)
	lat, hour := latitude*math.Pi/180, -22.5*math.Pi/180
	up := math.Sin(lat)*math.Sin(decl) + math.Cos(lat)*math.Cos(decl)*math.Cos(hour)
	zenith = math.Min(math.Acos(up), 78*math.Pi/180)
	azimuth = math.Atan2(-math.Cos(decl)*math.Sin(hour), math.Sin(decl)*math.Cos(lat)-math.Cos(decl)*math.Sin(lat)*math.Cos(hour))
	return zenith, azimuth
}

// summer is 1 at the height of the growing season and 0 half a year away; the tropics have a wet season instead.
func summer(latitude float64, date time.Time) float64 {
	phase := 2 * math.Pi * float64(date.YearDay()-205) / 365.25
	if latitude < 0 {
		phase += math.Pi
	}
	return 0.5 + 0.5*math.Cos(phase)
}
