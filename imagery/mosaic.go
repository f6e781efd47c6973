package imagery

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

// How clear a pixel of a scene is: where scenes overlap the lowest wins.
const (
	rankClear uint8 = iota
	rankShadow
	rankThin
	rankThick
	rankEmpty
)

// sclRank and rankCloud translate between the scene classification of L2A
// (Sen2Cor: 0 no data, 1 saturated or defective, 3 cloud shadow, 8 and 9 cloud
// of medium and high probability, 10 thin cirrus), ranks and cloud classes.
func sclRank(class uint16) uint8 {
	switch class {
	case 0, 1:
		return rankEmpty
	case 3:
		return rankShadow
	case 10:
		return rankThin
	case 8, 9:
		return rankThick
	}
	return rankClear
}

func rankCloud(rank uint8) uint8 {
	switch rank {
	case rankShadow:
		return Shadow
	case rankThin:
		return ThinCloud
	case rankThick:
		return ThickCloud
	}
	return Clear
}

// mosaic is the reading of one side.
type mosaic struct {
	*reading
	scenes []*scene // those that touch the window, the closest to the trigger first

	ranking sync.Mutex // held while scenes are ranked
	ranks   [][]uint8
	kept    map[*layer][]uint16 // validity layers, which are often asked for as bands too
	choices []choice            // made so far: bands mostly come in the same scenes
}

// choice is which scene each pixel is taken from.
type choice struct {
	among []int   // the scenes to choose from, by index
	of    []uint8 // the index chosen, a pixel
	used  int     // how many scenes were chosen at all
}

// side fills layers with the bands of a side that are not nil, and cloud and valid unless they are nil.
func (rd *reading) side(ctx context.Context, side Side, bands []string, layers [][]uint16, cloud, valid []uint8) error {
	if len(bands) == 0 {
		return nil
	}
	m := &mosaic{reading: rd, kept: map[*layer][]uint16{}}
	for _, sc := range rd.sides[side] {
		if !sc.footprint.Intersect(rd.view.area()).Empty() {
			m.scenes = append(m.scenes, sc)
		}
	}
	m.ranks = make([][]uint8, len(m.scenes))
	if cloud != nil && len(m.scenes) > 0 {
		if err := m.clouds(ctx, cloud, valid); err != nil {
			return fmt.Errorf("%s: %w", side, err)
		}
	}
	if err := m.bands(ctx, bands, layers); err != nil {
		return fmt.Errorf("%s: %w", side, err)
	}
	return nil
}

// bands reads bands into layers, except those that are nil. Bands in different
// files are read at the same time, since JPEG 2000 is slow to decode; bands of
// one file one after the other, since they often share blocks.
func (m *mosaic) bands(ctx context.Context, bands []string, layers [][]uint16) error {
	byFile := map[*raster][]int{}
	for i, band := range bands {
		for _, sc := range m.scenes {
			if l := sc.layers[band]; l != nil && layers[i] != nil {
				byFile[l.raster] = append(byFile[l.raster], i)
				break
			}
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, indices := range byFile {
		group.Go(func() error {
			for _, i := range indices {
				if err := m.band(ctx, bands[i], layers[i]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

// band reads a band from the clearest of the scenes that have it.
func (m *mosaic) band(ctx context.Context, band string, out []uint16) error {
	var with []int
	for i, sc := range m.scenes {
		if sc.layers[band] != nil {
			with = append(with, i)
		}
	}
	switch len(with) {
	case 0:
		return nil // no scene with it reaches the window: no data
	case 1:
		return m.layer(ctx, m.scenes[with[0]].layers[band], out)
	}
	chosen, err := m.choose(ctx, with)
	if err != nil {
		return err
	}
	if chosen.used == 1 {
		return m.layer(ctx, m.scenes[chosen.of[0]].layers[band], out)
	}
	buffer := getScratch(len(out))
	defer putScratch(buffer)
	for _, i := range with {
		if !slices.Contains(chosen.of, uint8(i)) {
			continue
		}
		if err := m.layer(ctx, m.scenes[i].layers[band], buffer); err != nil {
			return err
		}
		for p, c := range chosen.of {
			if c == uint8(i) {
				out[p] = buffer[p]
			}
		}
	}
	return nil
}

// layer reads a layer, or copies it where it was read before.
func (m *mosaic) layer(ctx context.Context, l *layer, out []uint16) error {
	m.ranking.Lock()
	kept, ok := m.kept[l]
	m.ranking.Unlock()
	if ok {
		copy(out, kept)
		return nil
	}
	return m.fill(ctx, l, out)
}

// choose takes for every pixel the clearest scene among some, the first of equals.
func (m *mosaic) choose(ctx context.Context, among []int) (choice, error) {
	m.ranking.Lock()
	defer m.ranking.Unlock()
	for _, c := range m.choices {
		if slices.Equal(c.among, among) {
			return c, nil
		}
	}
	n := m.view.width * m.view.height
	c := choice{among: among, of: make([]uint8, n)}
	best := make([]uint8, n)
	for k, i := range among {
		rank, err := m.rank(ctx, i)
		if err != nil {
			return choice{}, err
		}
		left := false
		for p, r := range rank {
			if k == 0 || r < best[p] {
				best[p], c.of[p] = r, uint8(i)
			}
			left = left || best[p] != rankClear
		}
		if !left {
			break // nothing can be clearer
		}
	}
	for _, i := range among {
		if slices.Contains(c.of, uint8(i)) {
			c.used++
		}
	}
	m.choices = append(m.choices, c)
	return c, nil
}

// rank returns how clear each pixel of a scene is.
func (m *mosaic) rank(ctx context.Context, i int) ([]uint8, error) {
	if m.ranks[i] != nil {
		return m.ranks[i], nil
	}
	sc := m.scenes[i]
	n := m.view.width * m.view.height
	rank := make([]uint8, n)
	if sc.scl != nil {
		classes := getScratch(n)
		defer putScratch(classes)
		if err := m.fill(ctx, sc.scl, classes); err != nil {
			return nil, err
		}
		for p, c := range classes {
			rank[p] = sclRank(c)
		}
	}
	l := sc.validity()
	data, ok := m.kept[l]
	if !ok {
		data = make([]uint16, n)
		if err := m.fill(ctx, l, data); err != nil {
			return nil, err
		}
		m.kept[l] = data
	}
	for p, v := range data {
		if v == 0 {
			rank[p] = rankEmpty
		}
	}
	m.ranks[i] = rank
	return rank, nil
}

// clouds fills in cloud classes and validity of the mosaic.
func (m *mosaic) clouds(ctx context.Context, cloud, valid []uint8) error {
	all := make([]int, len(m.scenes))
	for i := range all {
		all[i] = i
	}
	chosen, err := m.choose(ctx, all)
	if err != nil {
		return err
	}
	for p, i := range chosen.of {
		if r := m.ranks[i][p]; r != rankEmpty {
			valid[p], cloud[p] = 1, rankCloud(r)
		}
	}
	return nil
}
