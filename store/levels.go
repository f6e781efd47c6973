package store

import (
	"cmp"
	"database/sql"
	"math"
	"slices"

	"github.com/paulmach/orb"
)

const (
	// CellLandslides is how many landslides of a run a cell of a level shows: the largest.
	CellLandslides = 1500
	// LastLevel is the level on which every landslide shows.
	LastLevel = 15
)

// Levels gives each landslide of a run the level from which on it is drawn. A level is a
// zoom of Web Mercator's quadtree: on level n, a cell is a tile of zoom n, and shows
// the [CellLandslides] largest of those whose box has its centre there. So a map of a million draws few
// of them at every zoom, the same in neighbouring tiles, and zooming in only ever adds some.
// bounds are in degrees, areas in any unit.
func Levels(bounds []orb.Bound, areas []float64) []uint8 {
	levels := make([]uint8, len(bounds))
	if len(bounds) <= CellLandslides {
		return levels
	}
	order := make([]int32, len(bounds))
	centres := make([]orb.Point, len(bounds))
	for i, b := range bounds {
		order[i] = int32(i)
		centres[i] = mercator(b.Center())
		levels[i] = LastLevel
	}
	slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(areas[b], areas[a]) })
	shown := make(map[[2]int32]int)
	for level, hidden := uint8(0), len(bounds); level < LastLevel && hidden > 0; level++ {
		clear(shown)
		side := math.Ldexp(1, int(level))
		for _, i := range order {
			cell := [2]int32{int32(centres[i][0] * side), int32(centres[i][1] * side)}
			if shown[cell] == CellLandslides {
				continue
			}
			shown[cell]++
			if levels[i] == LastLevel {
				levels[i] = level
				hidden--
			}
		}
	}
	return levels
}

// LevelsOf gives the landslides of a run their [Levels].
func LevelsOf(landslides []Landslide) []uint8 {
	bounds, areas := make([]orb.Bound, len(landslides)), make([]float64, len(landslides))
	for i := range landslides {
		bounds[i], areas[i] = landslides[i].Geometry.Bound(), landslides[i].Area
	}
	return Levels(bounds, areas)
}

// ReadLevels gives the landslides of a run their [Levels], by id. rows has id, area,
// west, south, east and north of each, in order of id; it is closed at the end.
func ReadLevels(rows *sql.Rows) (ids []int64, levels []uint8, err error) {
	defer rows.Close()
	var areas []float64
	var bounds []orb.Bound
	for rows.Next() {
		var id int64
		var area float64
		var b orb.Bound
		if err := rows.Scan(&id, &area, &b.Min[0], &b.Min[1], &b.Max[0], &b.Max[1]); err != nil {
			return nil, nil, err
		}
		ids, areas, bounds = append(ids, id), append(areas, area), append(bounds, b)
	}
	return ids, Levels(bounds, areas), rows.Err()
}

// Height is where a level of a run lies in the third dimension of a store's index of boxes: a
// run's levels one above the other, runs above each other by their number.
func Height(run int64, level int) float64 { return float64(run*(LastLevel+1) + int64(level)) }

// Level is the finest level of [Levels] that a sketch draws: the one on which its box has
// about as many landslides as it asks for, where they are dense.
func (q Query) Level() int {
	share := 0.0 // of the world's square
	for _, b := range q.Drawn() {
		low, high := mercator(orb.Point{b.Min[0], b.Max[1]}), mercator(orb.Point{b.Max[0], b.Min[1]})
		share += (high[0] - low[0]) * (high[1] - low[1])
	}
	level := math.Round(math.Log2(float64(q.Sketch)/CellLandslides/share) / 2)
	return int(min(max(level, 0), LastLevel)) // a box without area has every level
}

// Drawn are the boxes of a sketch: the whole world where it has none.
func (q Query) Drawn() []orb.Bound {
	if q.BBox == nil {
		return []orb.Bound{{Min: orb.Point{-180, -90}, Max: orb.Point{180, 90}}}
	}
	return q.Boxes()
}

// mercator is where a place lies in Web Mercator's square, 0..1 from the north-west, short of 1.
func mercator(p orb.Point) orb.Point {
	sin := math.Sin(p[1] * math.Pi / 180)
	x, y := p[0]/360+0.5, 0.5-math.Atanh(sin)/(2*math.Pi)
	const last = 1 - 1.0/(1<<20)
	return orb.Point{min(max(x, 0), last), min(max(y, 0), last)}
}
