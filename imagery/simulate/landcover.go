package simulate

import (
	"math"
	"slices"
)

// cover is a class of land.
type cover uint8

const (
	broadleaf cover = iota
	conifer
	shrub
	grass
	crop
	soil
	rock
	town
	coverCount
)

// land is what stands on the relief before anything happens, and its texture.
type land struct {
	class  []cover
	field  []uint32  // parcel, for crops
	fine   []float32 // brightness texture of a few pixels
	middle []float32 // of tens of pixels
	broad  []float32 // of hundreds
	edge   []float32 // ragged outlines
}

// settle gives every pixel its class.
func settle(w, h int, p *params, rel *relief) *land {
	r := stream(p.seed, "land cover")
	l := &land{class: make([]cover, w*h), field: make([]uint32, w*h)}
	l.fine = noise(r, w, h, 4.5, 2, 0.8)
	l.middle = noise(r, w, h, 40, 4, 0.65)
	l.broad = noise(r, w, h, 260, 3, 0.6)
	l.edge = noise(r, w, h, 9, 3, 0.6)
	woods := noise(r, w, h, 130, 6, 0.6)
	kind := noise(r, w, h, 180, 4, 0.55)
	wild := noise(r, w, h, 70, 5, 0.6)

	// Woods prefer steep land where people farm, and moist hollows where it is dry.
	steepWoods := float32(between(r, 0.01, 0.04))
	for i := range woods {
		woods[i] -= steepWoods*(rel.slope[i]-20) + 0.3*l.fine[i]
	}
	// Even wooded land has a clearing.
	woodsLevel := quantile(woods, math.Min(p.forest, 0.985))
	coniferLevel := float32(2.5 * (p.conifer*2 - 1))
	cropLevel, cropSlope := float32(2.2*(p.crops*2-1)), float32(between(r, 6, 16))
	townLevel := float32(3.2 - 1.6*p.buildings)
	rockSlope := float32(58 - 22*p.rockiness)
	barren := float32(2.9 - 1.9*p.rockiness*(0.3+p.dryness))
	shrubLevel := float32(between(r, -1.2, 1.2))
	general := generalSlope(w, h, rel)
	parcels := newParcels(r.Float64()*math.Pi, between(r, 5, 16), between(r, 9, 30))

	for y := range h {
		for x := range w {
			i := y*w + x
			s, z := rel.slope[i], rel.z[i]
			up := (z - float32(p.treeLine) - 120*wild[i]) / 250 // above the tree line
			switch {
			case s+6*wild[i]+4*l.fine[i] > rockSlope:
				l.class[i] = rock
			case up > 1.5 && wild[i]+0.6*kind[i]+up*0.15 > 1.2-2*float32(p.rockiness):
				l.class[i] = rock
			case up > 0:
				l.class[i] = grass
				if up < 0.8 && kind[i] > 0.2 {
					l.class[i] = shrub
				}
			case s < 7 && rel.hand[i] > 1 && rel.hand[i] < 40 && wild[i]+0.5*l.broad[i] > townLevel:
				l.class[i] = town
			case s < cropSlope+3*wild[i] && kind[i] < cropLevel && general[i] < cropSlope+4:
				l.class[i] = crop
				l.field[i] = parcels.at(x, y, l.edge[i])
			case woods[i] < woodsLevel:
				l.class[i] = broadleaf
				if kind[i]+up*0.25 < coniferLevel {
					l.class[i] = conifer
				}
			case wild[i]+0.5*l.fine[i] > barren:
				l.class[i] = soil
			case kind[i]+0.3*wild[i] > shrubLevel:
				l.class[i] = shrub
			default:
				l.class[i] = grass
			}
		}
	}
	return l
}

// generalSlope is the mean slope in degrees over some hundred metres, where narrow crests and gullies don't count as level.
func generalSlope(w, h int, rel *relief) []float32 {
	const k = 10
	coarse, cw, ch := shrink(rel.slope, w, h, k)
	return upsample(coarse, cw, ch, 0.5/k-0.5, 0.5/k-0.5, 1.0/k, w, h)
}

// quantile returns the value below which the given share of a field lies, from a sample of it.
func quantile(field []float32, share float64) float32 {
	sample := make([]float32, 0, len(field)/7+1)
	for i := 0; i < len(field); i += 7 {
		sample = append(sample, field[i])
	}
	slices.Sort(sample)
	return sample[min(max(int(share*float64(len(sample))), 0), len(sample)-1)]
}

// parcels cuts the plane into fields: strips across one direction, each strip cut on its own.
type parcels struct{ cos, sin, long, short float64 }

func newParcels(angle, short, long float64) parcels {
	return parcels{math.Cos(angle), math.Sin(angle), long, short}
}

func (p parcels) at(x, y int, wobble float32) uint32 {
	fx, fy := float64(x), float64(y)
	u := (fx*p.cos+fy*p.sin)/p.long + 1000 + 0.03*float64(wobble)
	strip := uint32(u)
	v := (fy*p.cos-fx*p.sin)/p.short + 1000 + 0.03*float64(wobble) + unit(hash(strip, 77))
	return hash(strip, uint32(v))
}

// hash mixes two numbers by multiplications and shifts, as hash functions end.
func hash(a, b uint32) uint32 {
	h := a*0x9E3779B1 ^ (b+0x7F4A7C15)*0x85EBCA77
	h ^= h >> 15
	h *= 0xC2B2AE3D
	h ^= h >> 13
	h *= 0x27D4EB2F
	return h ^ h>>16
}

// unit maps a hash to [0, 1).
func unit(h uint32) float64 { return float64(h) / (1 << 32) }
