package simulate

// spectrum is a surface's reflectance ×10000 in the twelve bands, in the order of Bands.
type spectrum [12]float32

// End members: round figures typical of the published spectra of these surfaces and of L2A scenes.
var (
	//                         B01   B02   B03   B04   B05   B06   B07   B08   B8A   B09   B11   B12
	leafyBroadleaf = spectrum{150, 210, 420, 250, 680, 2150, 2750, 2900, 3050, 3050, 1480, 640}
	bareBroadleaf  = spectrum{330, 400, 540, 640, 850, 1180, 1380, 1560, 1700, 1780, 1950, 1250}
	sunnyConifer   = spectrum{140, 180, 310, 210, 480, 1350, 1650, 1800, 1900, 1900, 900, 400}
	winterConifer  = spectrum{170, 210, 310, 270, 480, 1050, 1270, 1400, 1480, 1500, 850, 430}
	greenShrub     = spectrum{210, 290, 540, 380, 900, 2050, 2500, 2680, 2850, 2900, 1850, 950}
	dryShrub       = spectrum{400, 520, 760, 860, 1180, 1550, 1780, 1930, 2080, 2150, 2450, 1700}
	greenGrass     = spectrum{250, 340, 690, 420, 1080, 2650, 3250, 3450, 3600, 3550, 2050, 1050}
	dryGrass       = spectrum{500, 640, 940, 1120, 1500, 1950, 2200, 2400, 2580, 2600, 3250, 2300}
	greenCrop      = spectrum{250, 350, 720, 380, 1080, 3250, 4150, 4400, 4500, 4400, 2050, 950}
	greySoil       = spectrum{620, 760, 1000, 1200, 1350, 1480, 1600, 1720, 1830, 1880, 2350, 2050}
	brownSoil      = spectrum{480, 620, 900, 1230, 1480, 1640, 1800, 1960, 2100, 2150, 2850, 2400}
	redSoil        = spectrum{360, 470, 800, 1550, 1820, 1980, 2130, 2260, 2400, 2450, 3350, 2900}
	darkRock       = spectrum{500, 560, 650, 720, 770, 810, 850, 890, 930, 950, 1150, 1080}
	greyRock       = spectrum{880, 1020, 1220, 1370, 1480, 1540, 1600, 1660, 1720, 1740, 2000, 1850}
	lightRock      = spectrum{1400, 1640, 1930, 2130, 2280, 2340, 2400, 2460, 2520, 2520, 2850, 2550}
	clearWater     = spectrum{380, 390, 350, 190, 150, 120, 110, 95, 85, 70, 40, 25}
	turbidWater    = spectrum{700, 880, 1180, 1220, 1120, 800, 780, 620, 520, 420, 120, 70}
	riverGravel    = spectrum{950, 1130, 1370, 1520, 1620, 1680, 1740, 1800, 1850, 1850, 2150, 1900}
	asphalt        = spectrum{700, 800, 950, 1050, 1150, 1250, 1310, 1370, 1420, 1430, 1560, 1430}
	roofs          = spectrum{950, 1150, 1380, 1580, 1700, 1850, 1950, 2050, 2120, 2080, 2350, 2150}
	freshSnow      = spectrum{8700, 8900, 8800, 8700, 8500, 8100, 7900, 7700, 7300, 6500, 950, 750}
	oldSnow        = spectrum{5600, 5900, 5900, 5700, 5500, 5200, 5000, 4800, 4500, 4000, 550, 420}
	charred        = spectrum{330, 380, 440, 480, 540, 620, 680, 740, 800, 850, 1250, 1150}
	thickCloud     = spectrum{7600, 7500, 7400, 7500, 7600, 7700, 7800, 7800, 7900, 7000, 5200, 4000}
)

// hazeByBand is scattered light in each band relative to the blue one: roughly wavelength to the power −2.
var hazeByBand = spectrum{1.25, 1, 0.77, 0.55, 0.49, 0.44, 0.40, 0.35, 0.33, 0.28, 0.1, 0.05}

// diffuseByBand is the share of sky light relative to the mean: shade is blue.
var diffuseByBand = spectrum{1.8, 1.6, 1.3, 1.1, 1.0, 0.95, 0.9, 0.85, 0.82, 0.8, 0.6, 0.55}

// resolution of each band in pixels of 10 m.
var resolution = [12]int{6, 1, 1, 1, 2, 2, 2, 1, 2, 6, 2, 2}

func (s spectrum) times(k float32) spectrum {
	for b := range s {
		s[b] *= k
	}
	return s
}

func lerp(a, b spectrum, t float32) spectrum {
	for i := range a {
		a[i] += (b[i] - a[i]) * t
	}
	return a
}
