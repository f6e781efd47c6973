package imagerytest

import (
	"math"
	"slices"

	"github.com/scarp-map/scarp/imagery"
)

// Reflectance × 10000 of the two surfaces, in the order of [imagery.Bands].
var (
	vegetation = []float64{300, 350, 600, 400, 900, 2200, 2800, 3000, 3200, 3100, 20, 1700, 800}
	bareSoil   = []float64{900, 1100, 1400, 1800, 2000, 2100, 2200, 2300, 2400, 2400, 20, 3000, 2600}
)

// Landslide says whether the pixel lies in a landslide of the post image:
// discs of radius 6 to 21 pixels, at most one in each cell of 101 × 101 pixels.
func (s *Source) Landslide(x, y int) bool {
	const cell = 101 // no multiple of anything that pictures are cut into
	cx, cy := floorDiv(x, cell), floorDiv(y, cell)
	h := s.hash(cx, cy, 0x51de)
	if h%3 == 0 {
		return false // every third cell has none
	}
	r := 6 + int(h>>8%16)
	mx, my := cx*cell+24+int(h>>16%53), cy*cell+24+int(h>>32%53)
	return (x-mx)*(x-mx)+(y-my)*(y-my) <= r*r
}

// DN returns the digital number of a band at a pixel where there is data.
func (s *Source) DN(side imagery.Side, band string, x, y int) uint16 {
	return s.dn(side, slices.Index(imagery.Bands(), band), x, y, s.light(x, y), s.bare(side, x, y))
}

// light is the illumination, which follows the relief and is the same on both sides.
func (s *Source) light(x, y int) float64 { return 0.75 + 0.5*s.smooth(x, y, 48, 7) }

// bare is the share of bare soil at a pixel of a side.
func (s *Source) bare(side imagery.Side, x, y int) float64 {
	switch {
	case side == imagery.Pre:
		return 0
	case s.Mixed:
		return s.smooth(3*x+2*y, 3*y-2*x, 43, 21) // turned, so that no column or row of pixels is special
	case s.Landslide(x, y):
		return 1
	}
	return 0
}

func (s *Source) dn(side imagery.Side, band, x, y int, light, bare float64) uint16 {
	if band < 0 {
		return 0
	}
	reflectance, salt := vegetation[band]*(1-bare)+bareSoil[band]*bare, 1
	if side == imagery.Post {
		salt = 2
	}
	noise := float64(s.hash(x, y, uint64(salt*100+band))&1023)/1024 - 0.5
	return uint16(max(1, math.Round(reflectance*light*(1+0.08*noise))))
}

// Terrain returns elevation (m), slope (degrees) and aspect (degrees clockwise from north) at a pixel.
func (s *Source) Terrain(x, y int) (elevation, slope, aspect float64) {
	at := func(x, y int) float64 {
		return 400 + 900*s.smooth(x, y, 160, 11) + 120*s.smooth(x, y, 40, 12)
	}
	dx := (at(x+1, y) - at(x-1, y)) / (2 * imagery.PixelSize)
	dy := (at(x, y+1) - at(x, y-1)) / (2 * imagery.PixelSize) // southwards
	aspect = math.Mod(math.Atan2(-dx, dy)*180/math.Pi+360, 360)
	return at(x, y), math.Atan(math.Hypot(dx, dy)) * 180 / math.Pi, aspect
}

func (s *Source) window(r imagery.Request) *imagery.Window {
	w := &imagery.Window{Rect: r.Rect, Width: r.Width, Height: r.Height}
	if w.Width == 0 || w.Height == 0 {
		w.Width, w.Height = r.Rect.W, r.Rect.H
	}
	n := w.Width * w.Height
	each := func(f func(i, x, y int)) {
		for j := range w.Height {
			y := r.Rect.Y + (2*j+1)*r.Rect.H/(2*w.Height)
			for i := range w.Width {
				f(j*w.Width+i, r.Rect.X+(2*i+1)*r.Rect.W/(2*w.Width), y)
			}
		}
	}
	// What all bands share is worked out once.
	light, bare := make([]float64, n), make([]float64, n)
	if !s.Flat {
		each(func(i, x, y int) { light[i], bare[i] = s.light(x, y), s.bare(imagery.Post, x, y) })
	}
	bands := func(side imagery.Side, names []string, empty func(x, y int) bool) [][]uint16 {
		var layers [][]uint16
		for _, b := range names {
			if !s.HasBand(side, b) {
				layers = append(layers, nil)
				continue
			}
			l := make([]uint16, n)
			if s.Flat {
				for i := range l {
					l[i] = uint16(1000 + (r.Rect.Y+i/w.Width)%2000)
				}
				layers = append(layers, l)
				continue
			}
			band := slices.Index(imagery.Bands(), b)
			share := bare
			if side == imagery.Pre {
				share = make([]float64, n)
			}
			each(func(i, x, y int) {
				if empty == nil || !empty(x, y) {
					l[i] = s.dn(side, band, x, y, light[i], share[i])
				}
			})
			layers = append(layers, l)
		}
		return layers
	}
	valid := func(empty func(x, y int) bool) []uint8 {
		l := make([]uint8, n)
		each(func(i, x, y int) {
			if empty == nil || !empty(x, y) {
				l[i] = 1
			}
		})
		return l
	}
	classes := func(class func(x, y int) uint8) []uint8 {
		l := make([]uint8, n)
		if class != nil {
			each(func(i, x, y int) { l[i] = class(x, y) })
		}
		return l
	}
	w.Pre, w.Post = bands(imagery.Pre, r.Pre, s.PreEmpty), bands(imagery.Post, r.Post, s.PostEmpty)
	if r.Clouds && len(r.Pre) > 0 {
		w.PreCloud, w.PreValid = classes(s.PreCloud), valid(s.PreEmpty)
	}
	if r.Clouds && len(r.Post) > 0 {
		w.PostCloud, w.PostValid = classes(s.PostCloud), valid(s.PostEmpty)
	}
	if len(r.Terrain) > 0 {
		w.TerrainValid = valid(s.TerrainEmpty)
		for range r.Terrain {
			w.Terrain = append(w.Terrain, make([]float32, n))
		}
		if s.Flat {
			for _, l := range w.Terrain {
				for i := range l {
					l[i] = float32(r.Rect.Y + i/w.Width%360)
				}
			}
			return w
		}
		each(func(i, x, y int) {
			if w.TerrainValid[i] == 0 {
				return
			}
			e, sl, a := s.Terrain(x, y)
			for k, name := range r.Terrain {
				switch name {
				case imagery.Elevation:
					w.Terrain[k][i] = float32(e)
				case imagery.Slope:
					w.Terrain[k][i] = float32(sl)
				case imagery.Aspect:
					w.Terrain[k][i] = float32(a)
				}
			}
		})
	}
	return w
}

// smooth is value noise in [0, 1] with features of the given size in pixels.
func (s *Source) smooth(x, y, size int, salt uint64) float64 {
	cx, cy := floorDiv(x, size), floorDiv(y, size)
	at := func(cx, cy int) float64 { return float64(s.hash(cx, cy, salt)%4096) / 4095 }
	ease := func(t float64) float64 { return t * t * (3 - 2*t) }
	fx, fy := ease(float64(x-cx*size)/float64(size)), ease(float64(y-cy*size)/float64(size))
	top := at(cx, cy)*(1-fx) + at(cx+1, cy)*fx
	bottom := at(cx, cy+1)*(1-fx) + at(cx+1, cy+1)*fx
	return top*(1-fy) + bottom*fy
}

// hash mixes a place to 64 even bits (the finaliser of splitmix64).
func (s *Source) hash(x, y int, salt uint64) uint64 {
	z := s.Seed*0x9e3779b97f4a7c15 + uint64(x)*0xd1342543de82ef95 + uint64(y)*0xaf251af3b0f025b5 + salt*0x94d049bb133111eb
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func floorDiv(a, b int) int {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
