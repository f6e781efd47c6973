package inference

import (
	"context"
	"fmt"
	"slices"

	"github.com/scarp-map/scarp/imagery"
)

// pending marks a pixel that is to be predicted, in the result of codes.
const pending = NotPredicted

// codes returns a block's pixels at level 0 before prediction: codes where
// there will be no probability, pending elsewhere; any says whether some are.
func (e *Engine) codes(ctx context.Context, t task, at BlockIndex, u *urgency) (pixels []uint8, any bool, err error) {
	b, src, m := t.b, t.src, t.m
	block := imagery.Rect{X: at.Col * BlockSize, Y: at.Row * BlockSize, W: BlockSize, H: BlockSize}
	pixels = make([]uint8, BlockSize*BlockSize)
	for i := range pixels {
		pixels[i] = NoData
	}
	in := block.Intersect(src.Grid().Rect())
	if in.Empty() {
		return pixels, false, nil
	}
	r := imagery.Request{Rect: in, Pre: witness(b.pre), Post: witness(b.post), Clouds: true}
	if b.needsTerrain {
		r.Terrain = b.terrain[:1]
	}
	w, err := src.Read(ctx, r)
	if err != nil {
		return nil, false, fmt.Errorf("read validity and clouds of %s: %w", in, err)
	}
	var excluded [4]bool
	for class, name := range map[uint8]string{imagery.ThickCloud: "thick", imagery.ThinCloud: "thin", imagery.Shadow: "shadow"} {
		excluded[class] = slices.Contains(m.Manifest.Imagery.ExcludeClouds, name)
	}
	if w.PreCloud, err = e.findClouds(ctx, t, imagery.Pre, in, at, w.PreCloud, u); err != nil {
		return nil, false, err
	}
	if w.PostCloud, err = e.findClouds(ctx, t, imagery.Post, in, at, w.PostCloud, u); err != nil {
		return nil, false, err
	}
	cloudy := func(classes []uint8, i int) bool { return classes != nil && excluded[classes[i]&3] }
	for y := range in.H {
		row := pixels[(in.Y-block.Y+y)*BlockSize+in.X-block.X:]
		for x := range in.W {
			i := y*in.W + x
			pre, post := cloudy(w.PreCloud, i), cloudy(w.PostCloud, i)
			switch {
			case invalid(w.PreValid, i) || invalid(w.PostValid, i) || b.needsTerrain && invalid(w.TerrainValid, i):
				row[x] = NoData
			case pre && post:
				row[x] = CloudBoth
			case pre:
				row[x] = CloudPre
			case post:
				row[x] = CloudPost
			default:
				row[x], any = pending, true
			}
		}
	}
	return pixels, any, nil
}

// witness picks the band by which a side's validity is told: B04, as the
// published pipeline does, else the first.
func witness(bands []string) []string {
	if i := slices.Index(bands, "B04"); i > 0 {
		return bands[i : i+1]
	}
	return bands[:min(1, len(bands))]
}

func invalid(valid []uint8, i int) bool { return valid != nil && valid[i] == 0 }
