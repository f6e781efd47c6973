package simulate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
)

// PatchOptions says what training data to make.
type PatchOptions struct {
	Count   int     // patches, at least 1
	Size    int     // of a patch in pixels, 32 to 512; 0 means 128
	Seed    uint64  // the same seed gives the same files
	HeldOut bool    // draw from HeldOutRanges rather than Ranges, from seeds of their own
	Ranges  *Ranges // what to draw from, but for the share of landslides; nil means DefaultRanges
	Workers int     // events made at a time; 0 means one a processor. It doesn't change the result

	Progress func(done int) // called after each event with the number of patches written; may be nil
}

// The share of patches with many, with few and with no landslide pixels.
const (
	manyShare = 0.45
	fewShare  = 0.40
)

// manyPixels is the number of landslide pixels from which on a patch has many: more than 200 in one of 128×128, in proportion
// in others.
func manyPixels(size int) int { return 200 * size * size / (128 * 128) }

// patience is how many events in a row may have nothing that is still wanted before any kind of patch is taken instead.
const patience = 24

// PatchSummary describes the patches that were written; it is the content of patches.json.
type PatchSummary struct {
	Options struct {
		Count   int    `json:"count"`
		Size    int    `json:"size"`
		Seed    uint64 `json:"seed"`
		HeldOut bool   `json:"held_out"`
	} `json:"options"`
	Bands        []string     `json:"bands"`
	Terrain      []string     `json:"terrain"`
	CloudClasses []string     `json:"cloud_classes"`
	Many         int          `json:"patches_with_many"` // more than 200 landslide pixels, for patches of 128
	Few          int          `json:"patches_with_few"`  // fewer
	None         int          `json:"patches_with_none"`
	Share        float64      `json:"landslide_share"` // of all pixels
	Ranges       Ranges       `json:"ranges"`
	Events       []PatchEvent `json:"events"` // in the order of the patches
}

// PatchEvent is one event that patches were cut from.
type PatchEvent struct {
	Seed           uint64  `json:"seed"`
	PreDate        string  `json:"pre_date"`
	PostDate       string  `json:"post_date"`
	PreCloud       float64 `json:"pre_cloud"`
	PostCloud      float64 `json:"post_cloud"`
	LandslideShare float64 `json:"landslide_share"`
	Patches        int     `json:"patches"`
}

// patch is one training example in the layout of its files.
type patch struct {
	pre, post []uint16  // 12,S,S
	terrain   []float32 // 3,S,S
	mask      []uint8   // S,S
	cloud     []uint8   // 2,S,S
	slid      int       // pixels
}

// WritePatches makes training patches from many events and writes them to dir: pre.npy and post.npy (uint16, N×12×S×S,
// reflectance ×10000, 0 no data), terrain.npy (float32, N×3×S×S: elevation m, slope °, aspect ° clockwise from north, on the
// 10 m grid), mask.npy (uint8, N×S×S), cloud.npy (uint8, N×2×S×S for pre and post: 0 clear, 1 thick, 2 thin, 3 shadow) and
// patches.json (PatchSummary). It needs memory for a few events, however many patches are asked for.
func WritePatches(ctx context.Context, dir string, o PatchOptions) (*PatchSummary, error) {
	if o.Size == 0 {
		o.Size = 128
	}
	if o.Count < 1 || o.Size < 32 || o.Size > 512 {
		return nil, fmt.Errorf("%d patches of %d pixels: give at least 1 patch, of 32 to 512 pixels", o.Count, o.Size)
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, fmt.Errorf("create patch folder: %w", err)
	}
	files, err := createPatchFiles(dir, o)
	if err != nil {
		return nil, err
	}
	s, err := cutPatches(ctx, o, files)
	if cerr := files.close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return nil, fmt.Errorf("describe patches: %w", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "patches.json"), text, 0o666); err != nil {
		return nil, fmt.Errorf("describe patches: %w", err)
	}
	return s, nil
}

// cutPatches makes events at once on several processors, and takes patches from them in the order of their numbers.
func cutPatches(ctx context.Context, o PatchOptions, files *patchFiles) (*PatchSummary, error) {
	s := newSummary(o)
	many := int(math.Round(manyShare * float64(o.Count)))
	few := int(math.Round(fewShare * float64(o.Count)))
	left := [3]int{o.Count - many - few, few, many} // by kind: none, few, many
	var taken [3]int
	done, slid, dry := 0, 0, 0
	for first := uint64(0); done < o.Count; first += uint64(o.Workers) {
		batch := make([]*cuttings, o.Workers)
		g, ctx := errgroup.WithContext(ctx)
		for k := range batch {
			g.Go(func() (err error) {
				batch[k], err = cutEvent(ctx, o, s.Ranges, first+uint64(k))
				return err
			})
		}
		if err := g.Wait(); err != nil {
			return nil, err
		}
		for _, c := range batch {
			for kind, list := range c.byKind {
				take := left[kind]
				if dry >= patience {
					take = o.Count - done
				}
				for _, p := range list[:min(len(list), take)] {
					if err := files.write(p); err != nil {
						return nil, err
					}
					left[kind] = max(left[kind]-1, 0)
					taken[kind]++
					done++
					slid += p.slid
					c.event.Patches++
				}
			}
			if dry++; c.event.Patches > 0 {
				dry = 0
				s.Events = append(s.Events, c.event)
			}
		}
		if o.Progress != nil {
			o.Progress(done)
		}
	}
	s.None, s.Few, s.Many = taken[0], taken[1], taken[2]
	s.Share = float64(slid) / float64(o.Count*o.Size*o.Size)
	return s, nil
}

func newSummary(o PatchOptions) *PatchSummary {
	s := &PatchSummary{Bands: Bands(), Terrain: []string{"elevation", "slope", "aspect"}, CloudClasses: []string{"clear", "thick", "thin", "shadow"}, Ranges: DefaultRanges()}
	if o.Ranges != nil {
		s.Ranges = *o.Ranges
	}
	if o.HeldOut {
		s.Ranges = HeldOutRanges()
	}
	// Patches meet more and fewer landslides than the typical event shows.
	s.Ranges.Landslides = Range{0.003, 0.12}
	s.Options.Count, s.Options.Size, s.Options.Seed, s.Options.HeldOut = o.Count, o.Size, o.Seed, o.HeldOut
	return s
}

// cuttings are the patches of one event by kind: without, with few and with many landslide pixels.
type cuttings struct {
	event  PatchEvent
	byKind [3][]*patch
}

// cutEvent makes event number k and cuts patches from places that overlap little.
func cutEvent(ctx context.Context, o PatchOptions, ranges Ranges, k uint64) (*cuttings, error) {
	domain := "patches"
	if o.HeldOut {
		domain = "held-out patches"
	}
	r := stream(o.Seed^(k+1)*0x9E3779B97F4A7C15, domain)
	edge := max(256, min(4*o.Size, max(512, 2*o.Size)))
	c := Config{Seed: r.Uint64(), Width: edge, Height: edge, Ranges: &ranges}
	c.NoLandslides = r.Float64() < 0.1
	share := func(odds, most float64) float64 {
		if r.Float64() > odds {
			return 0
		}
		return most * r.Float64() * r.Float64()
	}
	c.PreCloud, c.PostCloud = share(0.4, 0.5), share(0.5, 0.6)
	c.PreNoData, c.PostNoData = share(0.06, 0.5), share(0.06, 0.5)
	e, err := Generate(ctx, c)
	if err != nil {
		return nil, err
	}
	out := &cuttings{event: PatchEvent{Seed: c.Seed, PreDate: e.PreDate.Format(time.DateOnly), PostDate: e.PostDate.Format(time.DateOnly), PreCloud: c.PreCloud, PostCloud: c.PostCloud}}
	for _, m := range e.Mask {
		out.event.LandslideShare += float64(m) / float64(len(e.Mask))
	}
	elevation, slope, aspect := e.Terrain()
	most := [3]int{4, 9, 10}
	var taken [][2]int
	for range 120 {
		x, y := r.IntN(e.Width-o.Size+1), r.IntN(e.Height-o.Size+1)
		if crowded(taken, x, y, o.Size/2) {
			continue
		}
		kind, slid := kindOf(e, x, y, o.Size)
		if len(out.byKind[kind]) >= most[kind] {
			continue
		}
		p := cut(e, elevation, slope, aspect, x, y, o.Size)
		if p == nil {
			continue
		}
		p.slid = slid
		out.byKind[kind] = append(out.byKind[kind], p)
		taken = append(taken, [2]int{x, y})
	}
	return out, nil
}

func crowded(taken [][2]int, x, y, least int) bool {
	for _, t := range taken {
		if max(t[0]-x, x-t[0]) < least && max(t[1]-y, y-t[1]) < least {
			return true
		}
	}
	return false
}

func kindOf(e *Event, x, y, size int) (kind, slid int) {
	for v := y; v < y+size; v++ {
		for _, m := range e.Mask[v*e.Width+x : v*e.Width+x+size] {
			slid += int(m)
		}
	}
	switch {
	case slid > manyPixels(size):
		return 2, slid
	case slid > 0:
		return 1, slid
	}
	return 0, 0
}

// cut copies one patch out of an event, or returns nil where too little of the ground is seen at both dates.
func cut(e *Event, elevation, slope, aspect []float32, x, y, size int) *patch {
	n := size * size
	p := &patch{cloud: make([]uint8, 2*n), mask: make([]uint8, 0, n), pre: make([]uint16, 0, 12*n), post: make([]uint16, 0, 12*n), terrain: make([]float32, 0, 3*n)}
	seen, half := 0, (e.Width+1)/2
	for v := range size {
		for u := range size {
			at := (y+v)/2*half + (x+u)/2
			a, b := cloudClass(e.PreSCL[at]), cloudClass(e.PostSCL[at])
			i := v*size + u
			p.cloud[i], p.cloud[n+i] = a, b
			clear := func(c uint8) bool { return c == 0 || c == 3 }
			if clear(a) && clear(b) && e.PreSCL[at] != SCLNoData && e.PostSCL[at] != SCLNoData {
				seen++
			}
		}
	}
	if seen*2 < n {
		return nil
	}
	for b := range 12 {
		p.pre = window(p.pre, e.Pre[b], e.Width, x, y, size)
		p.post = window(p.post, e.Post[b], e.Width, x, y, size)
	}
	for _, layer := range [][]float32{elevation, slope, aspect} {
		p.terrain = window(p.terrain, layer, e.Width, x, y, size)
	}
	p.mask = window(p.mask, e.Mask, e.Width, x, y, size)
	return p
}

func window[T any](dst, src []T, width, x, y, size int) []T {
	for v := y; v < y+size; v++ {
		dst = append(dst, src[v*width+x:v*width+x+size]...)
	}
	return dst
}

// cloudClass reads the four classes of cloud masking out of the scene classification.
func cloudClass(scl uint8) uint8 {
	switch scl {
	case SCLCloudMedium, SCLCloudHigh:
		return 1
	case SCLCirrus:
		return 2
	case SCLShadow:
		return 3
	}
	return 0
}

// patchFiles are the arrays of a patch folder.
type patchFiles struct {
	pre, post, terrain, mask, cloud *npy
	all                             []*npy
}

func createPatchFiles(dir string, o PatchOptions) (*patchFiles, error) {
	f := &patchFiles{}
	n, s := o.Count, o.Size
	for _, one := range []struct {
		to         **npy
		name, kind string
		shape      []int
	}{
		{&f.pre, "pre.npy", "u2", []int{n, 12, s, s}},
		{&f.post, "post.npy", "u2", []int{n, 12, s, s}},
		{&f.terrain, "terrain.npy", "f4", []int{n, 3, s, s}},
		{&f.mask, "mask.npy", "u1", []int{n, s, s}},
		{&f.cloud, "cloud.npy", "u1", []int{n, 2, s, s}},
	} {
		a, err := createNPY(filepath.Join(dir, one.name), one.kind, one.shape...)
		if err != nil {
			return nil, errors.Join(err, f.abandon())
		}
		*one.to = a
		f.all = append(f.all, a)
	}
	return f, nil
}

func (f *patchFiles) write(p *patch) error {
	return errors.Join(f.pre.uint16s(p.pre), f.post.uint16s(p.post), f.terrain.float32s(p.terrain), f.mask.uint8s(p.mask), f.cloud.uint8s(p.cloud))
}

func (f *patchFiles) close() error {
	var err error
	for _, a := range f.all {
		err = errors.Join(err, a.close())
	}
	return err
}

// abandon closes files that will not be completed.
func (f *patchFiles) abandon() error {
	var err error
	for _, a := range f.all {
		err = errors.Join(err, a.file.Close())
	}
	return err
}
