package mapping_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/airbusgeo/godal"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"
	"github.com/paulmach/orb/geojson"
	"github.com/peterstace/simplefeatures/geom"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/inference/inferencetest"
	"github.com/scarp-map/scarp/jobs/mapping"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/export"
)

func inputs(p *inferencetest.Fake) mapping.Inputs { return mapping.Inputs{Model: p.Models()[0]} }

func ptr[T any](v T) *T { return &v }

// run maps the source with the predictor.
func run(t testing.TB, src *imagerytest.Source, p *inferencetest.Fake, in mapping.Inputs) (*mapping.Mosaic, *mapping.Result) {
	t.Helper()
	plan, err := mapping.NewPlan(src, in)
	require.NoError(t, err)
	m, res, err := mapping.Map(context.Background(), plan, p, t.TempDir(), func() {})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	return m, res
}

// rectangle is 1 inside [x0,x1)×[y0,y1).
func rectangle(x0, y0, x1, y1 int) func(imagery.Source, int, int) uint8 {
	return func(_ imagery.Source, x, y int) uint8 {
		if x >= x0 && x < x1 && y >= y0 && y < y1 {
			return 200
		}
		return 10
	}
}

func TestRectangleAcrossBlocks(t *testing.T) {
	src := imagerytest.New(600, 600)
	// 40 × 20 pixels over the corner where four blocks meet.
	p := &inferencetest.Fake{Pixel: rectangle(236, 246, 276, 266)}
	_, res := run(t, src, p, inputs(p))
	require.Len(t, res.Landslides, 1)
	l := res.Landslides[0]
	assert.Len(t, l.Geometry, 1)
	assert.Len(t, l.Geometry[0], 5, "no vertex at block edges")
	assert.Equal(t, orb.CCW, l.Geometry[0].Orientation())
	assert.InEpsilon(t, 400*200, l.Area, 0.002)
	assert.InEpsilon(t, 2*(400+200), l.Perimeter, 0.001)
	assert.InDelta(t, 400, l.Length, 1e-6)
	assert.InDelta(t, 200, l.Width, 1e-6)
	assert.InDelta(t, 0.8, l.ProbMean, 1e-12)
	assert.InDelta(t, 0.8, l.ProbMax, 1e-12)
	assert.False(t, l.CloudAdjacent)
	assert.LessOrEqual(t, l.ElevMin, l.ElevMean)
	assert.LessOrEqual(t, l.ElevMean, l.ElevMax)
	require.NotNil(t, l.DeltaNDVI)
	assert.Equal(t, "fake", l.Model)
	assert.Equal(t, "synthetic", l.Event)
	assert.Equal(t, 1, res.Summary.Landslides)
	assert.Equal(t, l.Area, res.Summary.TotalArea)
	assert.InEpsilon(t, 600*600*100, res.Summary.MappedArea, 0.002)
	assert.Zero(t, res.Summary.CloudShare)
	assert.Zero(t, res.Summary.NoDataShare)
}

// hash is a value in 0..n-1 that looks random and depends on the place only.
func hash(x, y, n int) int {
	h := uint64(x)*0x9E3779B97F4A7C15 ^ uint64(y)*0xC2B2AE3D27D4EB4F
	h ^= h >> 29
	h *= 0xBF58476D1CE4E5B9
	h ^= h >> 32
	return int(h % uint64(n))
}

// speckle is random at every pixel, the worst case for outlines: rings that
// touch each other and themselves at corners.
func speckle(share int) func(imagery.Source, int, int) uint8 {
	return func(_ imagery.Source, x, y int) uint8 {
		if hash(x, y, 100) < share {
			return 150
		}
		return 0
	}
}

func TestOutlinesAreValidAndCoverThePixels(t *testing.T) {
	for _, share := range []int{30, 50, 60, 70, 90} {
		src := imagerytest.New(290, 60)
		p := &inferencetest.Fake{Pixel: speckle(share)}
		in := inputs(p)
		in.MinArea = ptr(0.0)
		m, res := run(t, src, p, in)
		want := 0
		for y := range 60 {
			for x := range 290 {
				if p.Pixel(src, x, y) >= 125 {
					want++
				}
			}
		}
		area := 0.0
		for _, l := range res.Landslides {
			requireValid(t, l.Geometry)
			area += l.Area
		}
		assert.InEpsilon(t, float64(want*100), area, 0.002, "share %d", share)

		path := filepath.Join(t.TempDir(), "mask.tif")
		require.NoError(t, m.WriteMask(context.Background(), path))
		wrong := 0
		for i, v := range readBand(t, path, 290, 60) {
			if (v == 1) != (p.Pixel(src, i%290, i/290) >= 125) {
				wrong++
			}
		}
		assert.Zero(t, wrong, "pixels of the mask")
	}
}

func requireValid(t *testing.T, p orb.Polygon) {
	t.Helper()
	b, err := wkb.Marshal(p)
	require.NoError(t, err)
	_, err = geom.UnmarshalWKB(b)
	require.NoError(t, err)
}

func readBand(t *testing.T, path string, w, h int) []byte {
	t.Helper()
	ds, err := godal.Open(path)
	require.NoError(t, err)
	defer ds.Close()
	require.Equal(t, [2]int{w, h}, [2]int{ds.Structure().SizeX, ds.Structure().SizeY})
	buf := make([]byte, w*h)
	require.NoError(t, ds.Bands()[0].Read(0, 0, buf, w, h))
	return buf
}

func TestMinimumArea(t *testing.T) {
	src := imagerytest.New(256, 256)
	value := func(_ imagery.Source, x, y int) uint8 {
		switch {
		case x == 5 && y < 4, // 4 pixels: dropped
			x == 20 && y < 5, // 5 pixels: kept
			x >= 100 && x < 120 && y >= 100 && y < 120 &&
				!(x == 105 && y >= 105 && y < 109) && // a hole of 4 pixels: filled
				!(x == 110 && y >= 105 && y < 110): // a hole of 5 pixels: kept
			return 250
		}
		return 0
	}
	p := &inferencetest.Fake{Pixel: value}
	_, res := run(t, src, p, inputs(p))
	require.Len(t, res.Landslides, 2)
	assert.Len(t, res.Landslides[0].Geometry, 1)
	assert.InEpsilon(t, 500, res.Landslides[0].Area, 0.002)
	require.Len(t, res.Landslides[1].Geometry, 2)
	assert.Equal(t, orb.CW, res.Landslides[1].Geometry[1].Orientation())
	assert.InEpsilon(t, 39500, res.Landslides[1].Area, 0.002)

	in := inputs(p)
	in.MinArea = ptr(600.0)
	_, res = run(t, src, p, in)
	require.Len(t, res.Landslides, 1)
	assert.Len(t, res.Landslides[0].Geometry, 1)
}

func TestAOI(t *testing.T) {
	src := imagerytest.New(1024, 1024)
	p := &inferencetest.Fake{Pixel: func(_ imagery.Source, x, y int) uint8 { return 200 }}
	plan, err := mapping.NewPlan(src, inputs(p))
	require.NoError(t, err)
	assert.Len(t, plan.Blocks, 16)

	// A small box inside one block, found from a polygon that the mapping itself gave.
	small := &inferencetest.Fake{Pixel: rectangle(300, 300, 400, 350)}
	_, res := run(t, src, small, inputs(small))
	in := inputs(p)
	in.AOI = res.Landslides[0].Geometry
	plan, err = mapping.NewPlan(src, in)
	require.NoError(t, err)
	assert.Equal(t, []inference.BlockIndex{{Col: 1, Row: 1}}, plan.Blocks)
	_, clipped := run(t, src, p, in)
	require.Len(t, clipped.Landslides, 1)
	assert.Equal(t, res.Landslides[0].Geometry, clipped.Landslides[0].Geometry, "clipped to the AOI's pixels")

	// The whole world is the whole grid.
	in.AOI = orb.Polygon{{{-180, -90}, {180, -90}, {180, 90}, {-180, 90}, {-180, -90}}}
	_, all := run(t, src, p, in)
	require.Len(t, all.Landslides, 1)
	assert.InEpsilon(t, 1024*1024*100, all.Landslides[0].Area, 0.002)
}

func TestAcrossTheAntimeridian(t *testing.T) {
	src := imagerytest.New(1024, 256)
	src.EPSG, src.OriginX, src.OriginY = 32601, 165000, 1000000 // 180° is at about easting 170000 here
	p := &inferencetest.Fake{Pixel: rectangle(50, 50, 950, 200)}
	_, res := run(t, src, p, inputs(p))
	require.Len(t, res.Landslides, 1)
	l := res.Landslides[0]
	requireValid(t, l.Geometry)
	b := l.Geometry.Bound()
	assert.Less(t, b.Max[0]-b.Min[0], 0.1, "in one piece")
	assert.True(t, b.Min[0] < 180 && b.Max[0] > 180 || b.Min[0] < -180 && b.Max[0] > -180, "%v", b)
	assert.InEpsilon(t, 9000*1500, l.Area, 0.004)

	everywhere := &inferencetest.Fake{Pixel: func(imagery.Source, int, int) uint8 { return 250 }}
	for _, turn := range []float64{-360, 0, 360} {
		in := inputs(everywhere)
		aoi := orb.Polygon{make(orb.Ring, 5)}
		for i, pt := range l.Geometry[0] {
			aoi[0][i] = orb.Point{pt[0] + turn, pt[1]}
		}
		if a := aoi.Bound(); a.Min[0] < -360 || a.Max[0] > 360 {
			continue
		}
		in.AOI = aoi
		_, clipped := run(t, src, everywhere, in)
		require.Len(t, clipped.Landslides, 1)
		assert.InEpsilon(t, l.Area, clipped.Landslides[0].Area, 1e-3)
	}
}

// FuzzAOI plans with whatever a client may send as an area.
func FuzzAOI(f *testing.F) {
	f.Add([]byte(`{"type":"Polygon","coordinates":[[[127.85,40.6],[127.9,40.6],[127.9,40.65],[127.85,40.65],[127.85,40.6]]]}`))
	f.Add([]byte(`{"type":"MultiPolygon","coordinates":[[[[-180,-90],[180,-90],[180,90],[-180,90],[-180,-90]]],[[]]]}`))
	f.Add([]byte(`{"type":"Polygon","coordinates":[[[127.85,40.6],[127.85,40.6],[127.85,40.6],[127.85,40.6]],[]]}`))
	f.Add([]byte(`{"type":"GeometryCollection","geometries":[]}`))
	f.Add([]byte(`{"type":"Polygon","coordinates":[]}`))
	src := imagerytest.New(512, 512)
	p := &inferencetest.Fake{}
	f.Fuzz(func(t *testing.T, text []byte) {
		g, err := geojson.UnmarshalGeometry(text)
		if err != nil {
			return
		}
		in := inputs(p)
		in.AOI = g.Geometry()
		plan, err := mapping.NewPlan(src, in)
		if err != nil {
			require.ErrorIs(t, err, mapping.ErrInput)
			return
		}
		require.NotEmpty(t, plan.Blocks)
	})
}

func TestBadInputs(t *testing.T) {
	src := imagerytest.New(256, 256)
	p := &inferencetest.Fake{}
	square := func(x, y float64) orb.Polygon {
		return orb.Polygon{{{x, y}, {x + 1, y}, {x + 1, y + 1}, {x, y + 1}, {x, y}}}
	}
	tests := map[string]struct {
		edit func(*mapping.Inputs)
		want []string
	}{
		"threshold":  {func(in *mapping.Inputs) { in.Threshold = 1 }, []string{"threshold 1"}},
		"NaN":        {func(in *mapping.Inputs) { in.Threshold = math.NaN() }, []string{"threshold NaN"}},
		"area":       {func(in *mapping.Inputs) { in.MinArea = ptr(-1.0) }, []string{"minimum area -1"}},
		"point":      {func(in *mapping.Inputs) { in.AOI = orb.Point{1, 2} }, []string{"Point", "Polygon or MultiPolygon"}},
		"empty":      {func(in *mapping.Inputs) { in.AOI = orb.Polygon{} }, []string{"empty"}},
		"metres":     {func(in *mapping.Inputs) { in.AOI = square(400000, 4500000) }, []string{"no longitude and latitude"}},
		"elsewhere":  {func(in *mapping.Inputs) { in.AOI = square(7, 46) }, []string{"none of it lies in event", "longitude first"}},
		"bow tie":    {func(in *mapping.Inputs) { in.AOI = orb.Polygon{{{0, 0}, {1, 1}, {1, 0}, {0, 1}, {0, 0}}} }, []string{"not a valid polygon"}},
		"everything": {func(in *mapping.Inputs) { in.Threshold = -3; in.MinArea = ptr(math.Inf(1)); in.AOI = square(7, 46) }, []string{"threshold", "minimum area", "AOI"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			in := inputs(p)
			tt.edit(&in)
			_, err := mapping.NewPlan(src, in)
			require.ErrorIs(t, err, mapping.ErrInput)
			for _, w := range tt.want {
				assert.ErrorContains(t, err, w)
			}
		})
	}
}

func TestCloud(t *testing.T) {
	src := imagerytest.New(256, 256)
	p := &inferencetest.Fake{Pixel: func(_ imagery.Source, x, y int) uint8 {
		switch {
		case x >= 128:
			return inference.CloudPost
		case x >= 116 && x < 126 && y < 10, // two pixels of clear ground before the cloud
			x >= 115 && x < 125 && y >= 50 && y < 60: // three
			return 250
		}
		return 0
	}}
	_, res := run(t, src, p, inputs(p))
	require.Len(t, res.Landslides, 2)
	assert.False(t, res.Landslides[0].CloudAdjacent)
	assert.False(t, res.Landslides[1].CloudAdjacent)
	assert.InDelta(t, 0.5, res.Summary.CloudShare, 1e-12)

	clouds := &inferencetest.Fake{Pixel: func(_ imagery.Source, x, y int) uint8 { return inference.CloudBoth }}
	_, res = run(t, src, clouds, inputs(clouds))
	assert.Empty(t, res.Landslides)
	assert.Equal(t, store.Summary{CloudShare: 1}, res.Summary)
}

func TestNoNearInfrared(t *testing.T) {
	src := imagerytest.New(256, 256)
	src.MissingPre = []string{"B08"}
	p := &inferencetest.Fake{Pixel: rectangle(10, 10, 20, 20)}
	_, res := run(t, src, p, inputs(p))
	require.Len(t, res.Landslides, 1)
	assert.Nil(t, res.Landslides[0].DeltaNDVI)
	assert.Positive(t, res.Landslides[0].ElevMax)
}

// blobs is a landscape of smooth, irregular shapes.
func blobs(_ imagery.Source, x, y int) uint8 {
	v := math.Sin(float64(x)/17) + math.Sin(float64(y)/23+float64(x)/61) + math.Sin(float64(x+2*y)/31)
	return uint8(min(max(v-1.5, 0), 1) * 250)
}

func TestSameBytesEveryTime(t *testing.T) {
	src := imagerytest.New(530, 300)
	p := &inferencetest.Fake{Pixel: blobs}
	var first []byte
	for range 2 {
		_, res := run(t, src, p, inputs(p))
		require.NotEmpty(t, res.Landslides)
		var buf bytes.Buffer
		require.NoError(t, export.GeoJSON(&buf, res.Landslides))
		if first == nil {
			first = buf.Bytes()
		}
		assert.Equal(t, first, buf.Bytes())
	}
}

func TestFiles(t *testing.T) {
	src := imagerytest.New(400, 300)
	p := &inferencetest.Fake{Pixel: func(_ imagery.Source, x, y int) uint8 {
		if x > 350 {
			return inference.NoData
		}
		return blobs(nil, x, y)
	}}
	m, _ := run(t, src, p, inputs(p))
	dir := t.TempDir()
	ctx := context.Background()

	prob := filepath.Join(dir, "prob.tif")
	require.NoError(t, m.WriteProbability(ctx, prob))
	ds, err := godal.Open(prob)
	require.NoError(t, err)
	assert.Equal(t, "COG", ds.Metadata("LAYOUT", godal.Domain("IMAGE_STRUCTURE")))
	assert.InDelta(t, 0.004, ds.Bands()[0].Structure().Scale, 1e-12)
	require.NoError(t, ds.Close())
	wrong := 0
	for i, v := range readBand(t, prob, 400, 300) {
		want := p.Pixel(src, i%400, i/400)
		if want == inference.NoData {
			want = 255
		}
		if v != want {
			wrong++
		}
	}
	assert.Zero(t, wrong, "pixels")
}

func TestStopsWithTheContext(t *testing.T) {
	src := imagerytest.New(1024, 1024)
	ctx, cancel := context.WithCancel(context.Background())
	p := &inferencetest.Fake{Pixel: blobs, OnBlock: func(context.Context, inference.BlockIndex) error { cancel(); return nil }}
	plan, err := mapping.NewPlan(src, inputs(p))
	require.NoError(t, err)
	dir := t.TempDir()
	_, _, err = mapping.Map(ctx, plan, p, dir, func() {})
	require.ErrorIs(t, err, context.Canceled)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left, "no temporary files")

	bad := errors.New("no such band")
	p = &inferencetest.Fake{Pixel: blobs, OnBlock: func(context.Context, inference.BlockIndex) error { return bad }}
	_, _, err = mapping.Map(context.Background(), plan, p, dir, func() {})
	require.ErrorIs(t, err, bad)
	assert.True(t, strings.Contains(err.Error(), "block column"))
}
