package tiles_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/airbusgeo/godal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/tiles"
)

var update = flag.Bool("update", false, "write the golden pictures anew")

// project transforms one point.
func project(t testing.TB, from, to int, x, y float64) (float64, float64) {
	t.Helper()
	a, err := godal.NewSpatialRefFromEPSG(from)
	require.NoError(t, err)
	defer a.Close()
	b, err := godal.NewSpatialRefFromEPSG(to)
	require.NoError(t, err)
	defer b.Close()
	tr, err := godal.NewTransform(a, b)
	require.NoError(t, err)
	defer tr.Close()
	px, py := []float64{x}, []float64{y}
	require.NoError(t, tr.TransformEx(px, py, nil, nil))
	return px[0], py[0]
}

// around returns a view's bounding box of so many pixels of a size around a grid pixel.
func around(t testing.TB, g imagery.Grid, epsg int, x, y, pixel float64, width, height int) [4]float64 {
	cx, cy := project(t, g.EPSG, epsg, g.OriginX+x*10, g.OriginY-y*10)
	w, h := pixel*float64(width)/2, pixel*float64(height)/2
	return [4]float64{cx - w, cy - h, cx + w, cy + h}
}

// tileAt returns the tile of a matrix that shows a grid pixel.
func tileAt(t testing.TB, g imagery.Grid, set tiles.MatrixSet, z int, x, y float64) (row, col int) {
	px, py := project(t, g.EPSG, set.EPSG, g.OriginX+x*10, g.OriginY-y*10)
	m := set.Matrices[z]
	return int((m.OriginY - py) / (m.CellSize * 256)), int((px - m.OriginX) / (m.CellSize * 256))
}

func decode(t testing.TB, data []byte) *image.NRGBA {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	out := image.NewNRGBA(img.Bounds())
	switch img := img.(type) {
	case *image.NRGBA:
		return img
	case *image.RGBA: // PNG without transparency
		copy(out.Pix, img.Pix)
	case *image.Paletted:
		for i, v := range img.Pix {
			c := color.NRGBAModel.Convert(img.Palette[v]).(color.NRGBA)
			out.Pix[4*i], out.Pix[4*i+1], out.Pix[4*i+2], out.Pix[4*i+3] = c.R, c.G, c.B, c.A
		}
	default:
		require.Fail(t, "a PNG of another kind", "%T", img)
	}
	return out
}

// golden compares a PNG with the one in testdata, pixel by pixel with a small tolerance.
func golden(t *testing.T, name string, data []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".png")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, data, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update to write it")
	a, b := decode(t, want), decode(t, data)
	require.Equal(t, a.Rect, b.Rect)
	off := 0
	for i := 0; i < len(a.Pix); i += 4 {
		for k := range 4 {
			if d := int(a.Pix[i+k]) - int(b.Pix[i+k]); d > 3 || d < -3 {
				off++
				break
			}
		}
	}
	// Another version of PROJ may move a sample across a pixel's border.
	assert.LessOrEqual(t, off, len(a.Pix)/4/500, "pixels that differ from %s", path)
}

func TestGoldenPictures(t *testing.T) {
	src := cloudy(600, 600)
	f := newFixture(t, src, nil)
	e, err := tiles.New(tiles.Config{WarmUp: -1}, tiles.Deps{Sources: one{painted{located{src}}}, Predictor: f.predictor})
	require.NoError(t, err)
	defer e.Close()
	set := f.MatrixSets()[0]
	row, col := tileAt(t, src.Grid(), set, 13, 260, 260)
	for _, c := range []struct {
		layer tiles.Layer
		style string
	}{
		{tiles.Probability, ""}, {tiles.Probability, "ramp-full"}, {tiles.Probability, "classes"}, {tiles.Probability, "values"},
		{tiles.Mask, ""}, {tiles.PreImage, ""}, {tiles.PostImage, ""}, {tiles.PostImage, "stretched"},
	} {
		t.Run(fmt.Sprintf("%s %s", c.layer, c.style), func(t *testing.T) {
			r, err := e.Tile(t.Context(), tiles.Tile{Event: "synthetic", Layer: c.layer, Style: c.style, MatrixSet: set.ID, Matrix: 13, Row: row, Col: col})
			require.NoError(t, err)
			assert.True(t, r.Complete)
			assert.Equal(t, "image/png", r.ContentType)
			name := string(c.layer)
			if c.style != "" {
				name += "-" + c.style
			}
			golden(t, name, r.Bytes)
		})
	}
	for _, l := range []tiles.Layer{tiles.Probability, tiles.Mask} {
		data, err := f.LegendImage(l, "", 0, 0)
		require.NoError(t, err)
		golden(t, "legend-"+string(l), data)
	}
}

// One place looks the same in whatever picture it is: two tiles side by side,
// or one above the other, are the view that covers both.
func TestTilesHaveNoEdges(t *testing.T) {
	src := cloudy(1100, 1000)
	f := newFixture(t, src, func(c *tiles.Config) { c.Budget = 100 })
	for _, set := range f.MatrixSets() {
		for _, z := range []int{8, 11, 12, 13, 15} {
			for _, layer := range []tiles.Layer{tiles.Probability, tiles.Mask, tiles.PostImage} {
				t.Run(fmt.Sprintf("%s %d %s", set.ID, z, layer), func(t *testing.T) {
					row, col := tileAt(t, src.Grid(), set, z, 540, 520)
					tile := tiles.Tile{Event: "synthetic", Layer: layer, MatrixSet: set.ID, Matrix: z, Row: row, Col: col}
					a, err := f.Tile(t.Context(), tile)
					require.NoError(t, err)
					left := decode(t, a.Bytes)
					m := set.Matrices[z]
					side := m.CellSize * 256
					x, y := m.OriginX+float64(col)*side, m.OriginY-float64(row)*side
					// The tile is a corner of four different double-size views.
					for _, corner := range [4][2]int{{0, 0}, {1, 0}, {0, 1}, {1, 1}} {
						x0, y1 := x-float64(corner[0])*side, y+float64(corner[1])*side
						v, err := f.Render(t.Context(), tiles.View{Event: "synthetic", Layer: layer, EPSG: set.EPSG, Transparent: true,
							BBox: [4]float64{x0, y1 - 2*side, x0 + 2*side, y1}, Width: 512, Height: 512})
						require.NoError(t, err)
						require.True(t, v.Complete)
						both := decode(t, v.Bytes)
						differ := 0
						for py := range 256 {
							for px := range 256 {
								if left.NRGBAAt(px, py) != both.NRGBAAt(px+256*corner[0], py+256*corner[1]) {
									differ++
								}
							}
						}
						assert.Zero(t, differ, "pixels differ in corner %v", corner)
					}
				})
			}
		}
	}
}

// In the event's own grid a picture's values are the blocks' bytes.
func TestNativeViewShowsTheBlocks(t *testing.T) {
	src := cloudy(700, 500)
	f := newFixture(t, src, nil)
	g := src.Grid()
	r, err := f.Render(t.Context(), tiles.View{Event: "synthetic", Layer: tiles.Probability, Style: "values", Format: "image/tiff", EPSG: g.EPSG,
		BBox: [4]float64{g.OriginX + 1000, g.OriginY - 4000, g.OriginX + 6000, g.OriginY - 1000}, Width: 500, Height: 300})
	require.NoError(t, err)
	ds := openBytes(t, r.Bytes, "values.tif")
	got := make([]float32, 500*300)
	require.NoError(t, ds.Read(0, 0, got, 500, 300))
	for y := range 300 {
		for x := range 500 {
			want := f.predictor.value(x+100, y+100)
			if v := got[y*500+x]; want > inference.MaxProbability {
				require.True(t, math.IsNaN(float64(v)), "at %d,%d", x, y)
			} else {
				require.InDelta(t, float64(want)/250, float64(v), 1e-6, "at %d,%d", x, y)
			}
		}
	}
	gt, err := ds.GeoTransform()
	require.NoError(t, err)
	assert.Equal(t, [6]float64{g.OriginX + 1000, 10, 0, g.OriginY - 1000, 0, -10}, gt)
	assert.Equal(t, "32652", ds.SpatialRef().AuthorityCode(""))
}

// openBytes opens an encoded picture with GDAL.
func openBytes(t testing.TB, data []byte, name string) *godal.Dataset {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o644))
	ds, err := godal.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = ds.Close() })
	return ds
}

// Whatever the CRS, a landslide is drawn where it lies.
func TestAnyCRS(t *testing.T) {
	src := imagerytest.New(900, 900)
	f := newFixture(t, src, func(c *tiles.Config) { c.Budget = 100 })
	g := src.Grid()
	for epsg, pixel := range map[int]float64{
		3857: 8, 4326: 1e-4, 32652: 10, 32651: 10, 3395: 8, 3035: 12, 3413: 10, 6933: 9, 2100: 10, 54030: 0, 8857: 9, 3031: 10,
	} {
		if pixel == 0 {
			continue
		}
		t.Run(fmt.Sprintf("EPSG:%d", epsg), func(t *testing.T) {
			const side = 200
			box := around(t, g, epsg, 450, 450, pixel, side, side)
			r, err := f.Render(t.Context(), tiles.View{Event: "synthetic", Layer: tiles.Mask, EPSG: epsg, BBox: box, Width: side, Height: side, Transparent: true})
			require.NoError(t, err)
			require.True(t, r.Complete)
			img := decode(t, r.Bytes)
			wrong := 0
			for py := 5; py < side; py += 10 {
				for px := 5; px < side; px += 10 {
					x, y := project(t, epsg, g.EPSG, box[0]+(float64(px)+0.5)*pixel, box[3]-(float64(py)+0.5)*pixel)
					gx, gy := int(math.Floor((x-g.OriginX)/10)), int(math.Floor((g.OriginY-y)/10))
					want := gx >= 0 && gy >= 0 && gx < 900 && gy < 900 && f.predictor.value(gx, gy) >= 125 && f.predictor.value(gx, gy) <= 250
					if want != (img.NRGBAAt(px, py).A > 0) {
						wrong++
					}
				}
			}
			assert.LessOrEqual(t, wrong, 2, "of 400 pixels") // samples within a tenth of a pixel of a border
		})
	}
}

// An event at the antimeridian is drawn on both sides of it, in tiles of either
// edge of the world and in views beyond the edge.
func TestAntimeridian(t *testing.T) {
	src := imagerytest.New(800, 800)
	src.EPSG, src.OriginX, src.OriginY = 32601, 260000, 5_000_000 // zone 1 begins at 180°, which is x ≈ 264 km at this latitude
	f := newFixture(t, src, func(c *tiles.Config) { c.Budget = 100 })
	g := src.Grid()
	lon, lat := project(t, g.EPSG, 4326, g.OriginX+4000, g.OriginY-4000)
	require.InDelta(t, 180, math.Abs(lon), 0.5)
	count := func(epsg int, box [4]float64) int {
		r, err := f.Render(t.Context(), tiles.View{Event: "synthetic", Layer: tiles.PostImage, EPSG: epsg, BBox: box, Width: 256, Height: 256, Transparent: true})
		require.NoError(t, err)
		return opaquePixels(decode(t, r.Bytes))
	}
	span := 0.2
	east := count(4326, [4]float64{180 - span, lat - span, 180, lat + span})
	west := count(4326, [4]float64{-180, lat - span, -180 + span, lat + span})
	across := count(4326, [4]float64{180 - span, lat - span, 180 + span, lat + span})
	assert.Positive(t, east)
	assert.Positive(t, west)
	assert.InDelta(t, (east+west)/2, across, float64(across)/20)
	assert.InDelta(t, across, count(4326, [4]float64{-180 - span, lat - span, -180 + span, lat + span}), 20)
	_, err := f.Render(t.Context(), tiles.View{Event: "synthetic", Layer: tiles.Probability, EPSG: 3857, BBox: [4]float64{-2.1e7, -2.1e7, 2.1e7, 2.1e7}, Width: 256, Height: 256})
	require.NoError(t, err)
}

func opaquePixels(img *image.NRGBA) (n int) {
	for i := 3; i < len(img.Pix); i += 4 {
		if img.Pix[i] > 0 {
			n++
		}
	}
	return n
}

func TestCloudIsHatchedAndNoDataIsTransparent(t *testing.T) {
	src := cloudy(600, 600)
	f := newFixture(t, src, nil)
	g := src.Grid()
	r, err := f.Render(t.Context(), tiles.View{Event: "synthetic", Layer: tiles.Probability, EPSG: g.EPSG, Transparent: true,
		BBox: [4]float64{g.OriginX, g.OriginY - 6000, g.OriginX + 6000, g.OriginY}, Width: 600, Height: 600})
	require.NoError(t, err)
	img := decode(t, r.Bytes)
	colors := map[uint8]map[color.NRGBA]int{}
	for y := range 600 {
		for x := range 600 {
			code := f.predictor.value(x, y)
			if code > inference.MaxProbability {
				if colors[code] == nil {
					colors[code] = map[color.NRGBA]int{}
				}
				colors[code][img.NRGBAAt(x, y)]++
			}
		}
	}
	assert.Equal(t, map[color.NRGBA]int{{}: colors[inference.NoData][color.NRGBA{}]}, colors[inference.NoData])
	for _, code := range []uint8{inference.CloudPre, inference.CloudPost, inference.CloudBoth} {
		assert.Len(t, colors[code], 2, "lines and the ground between them")
	}
}

func TestOpaquePicturesHaveTheBackground(t *testing.T) {
	src := imagerytest.New(300, 300)
	f := newFixture(t, src, nil)
	g := src.Grid()
	for _, layer := range tiles.Layers() {
		r, err := f.Render(t.Context(), tiles.View{Event: "synthetic", Layer: layer, EPSG: g.EPSG, Background: color.NRGBA{R: 10, G: 20, B: 30, A: 255},
			BBox: [4]float64{g.OriginX - 1000, g.OriginY - 1000, g.OriginX + 1000, g.OriginY + 1000}, Width: 100, Height: 100})
		require.NoError(t, err)
		img := decode(t, r.Bytes)
		assert.Equal(t, color.NRGBA{R: 10, G: 20, B: 30, A: 255}, img.NRGBAAt(3, 3), layer)
		assert.Equal(t, 10000, opaquePixels(img), layer)
	}
}

func TestEveryFormatDecodes(t *testing.T) {
	src := cloudy(400, 400)
	f := newFixture(t, src, nil)
	g := src.Grid()
	for _, format := range f.Formats() {
		for _, layer := range tiles.Layers() {
			t.Run(format+" "+string(layer), func(t *testing.T) {
				r, err := f.Render(t.Context(), tiles.View{Event: "synthetic", Layer: layer, EPSG: 3857, Format: format, Transparent: true,
					BBox: around(t, g, 3857, 200, 200, 10, 320, 200), Width: 320, Height: 200})
				require.NoError(t, err)
				assert.Equal(t, format, r.ContentType)
				if format == "image/png" || format == "image/jpeg" {
					img, kind, err := image.Decode(bytes.NewReader(r.Bytes))
					require.NoError(t, err)
					assert.Equal(t, format, "image/"+kind)
					assert.Equal(t, image.Rect(0, 0, 320, 200), img.Bounds())
					return
				}
				ds := openBytes(t, r.Bytes, "picture")
				assert.Equal(t, 320, ds.Structure().SizeX)
				assert.Equal(t, 200, ds.Structure().SizeY)
				if format == "image/tiff" {
					assert.Equal(t, "3857", ds.SpatialRef().AuthorityCode(""))
					assert.Equal(t, 4, ds.Structure().NBands)
				}
			})
		}
	}
}

func TestRefusals(t *testing.T) {
	src := imagerytest.New(300, 300)
	f := newFixture(t, src, nil)
	good := tiles.View{Event: "synthetic", Layer: tiles.Probability, EPSG: 3857, BBox: around(t, src.Grid(), 3857, 150, 150, 10, 64, 64), Width: 64, Height: 64}
	for name, c := range map[string]struct {
		change func(*tiles.View)
		want   error
	}{
		"layer":         {func(v *tiles.View) { v.Layer = "snow" }, tiles.ErrUnknownLayer},
		"style":         {func(v *tiles.View) { v.Style = "pretty" }, tiles.ErrUnknownStyle},
		"format":        {func(v *tiles.View) { v.Format = "image/gif" }, tiles.ErrUnknownFormat},
		"vector format": {func(v *tiles.View) { v.Layer, v.Format = tiles.Landslides, "application/vnd.mapbox-vector-tile" }, tiles.ErrUnknownFormat},
		"CRS":           {func(v *tiles.View) { v.EPSG = 999999 }, tiles.ErrUnknownCRS},
		"vertical CRS":  {func(v *tiles.View) { v.EPSG = 5773 }, tiles.ErrUnknownCRS},
		"geocentric":    {func(v *tiles.View) { v.EPSG = 4978 }, tiles.ErrUnknownCRS},
		"too wide":      {func(v *tiles.View) { v.Width = 5000 }, tiles.ErrBadView},
		"no height":     {func(v *tiles.View) { v.Height = 0 }, tiles.ErrBadView},
		"empty box":     {func(v *tiles.View) { v.BBox[2] = v.BBox[0] }, tiles.ErrBadView},
		"turned box":    {func(v *tiles.View) { v.BBox[1], v.BBox[3] = v.BBox[3], v.BBox[1] }, tiles.ErrBadView},
		"NaN":           {func(v *tiles.View) { v.BBox[0] = math.NaN() }, tiles.ErrBadView},
		"infinite":      {func(v *tiles.View) { v.BBox[2] = math.Inf(1) }, tiles.ErrBadView},
		"threshold":     {func(v *tiles.View) { v.Threshold = 1.5 }, tiles.ErrBadView},
		"model":         {func(v *tiles.View) { v.Model = "other" }, inference.ErrUnknownModel},
	} {
		t.Run(name, func(t *testing.T) {
			v := good
			c.change(&v)
			_, err := f.Render(t.Context(), v)
			require.ErrorIs(t, err, c.want)
		})
	}
	_, err := f.Render(t.Context(), good)
	require.NoError(t, err)
}

// A view anywhere, of any shape, is drawn or refused: nothing else.
func FuzzRender(f *testing.F) {
	src := imagerytest.New(300, 300)
	fx := newFixture(f, src, nil)
	f.Add(3857, 0.0, 0.0, 1.0, 1.0, 10, 10)
	f.Add(4326, -180.0, -90.0, 180.0, 90.0, 64, 32)
	f.Add(4326, -720.0, -900.0, 720.0, 900.0, 64, 32)
	f.Add(3413, -1e7, -1e7, 1e7, 1e7, 50, 50)
	f.Add(32652, 400000.0, 4400000.0, 400000.001, 4500000.0, 33, 1)
	f.Fuzz(func(t *testing.T, epsg int, x0, y0, x1, y1 float64, w, h int) {
		if w > 300 || h > 300 {
			return
		}
		for _, l := range []tiles.Layer{tiles.Mask, tiles.PostImage} {
			_, err := fx.Render(context.Background(), tiles.View{Event: "synthetic", Layer: l, EPSG: epsg, BBox: [4]float64{x0, y0, x1, y1}, Width: w, Height: h})
			if err != nil && !errors.Is(err, tiles.ErrBadView) && !errors.Is(err, tiles.ErrUnknownCRS) {
				t.Fatal(err)
			}
		}
	})
}

// A strip of pixels is seen from far away too.
func TestNarrowEvent(t *testing.T) {
	f := newFixture(t, imagerytest.New(2000, 3), func(c *tiles.Config) { c.Budget = 100 })
	for _, layer := range []tiles.Layer{tiles.PostImage, tiles.Probability} {
		r, err := f.Render(t.Context(), tiles.View{Event: "synthetic", Layer: layer, Style: map[tiles.Layer]string{tiles.Probability: "ramp-full"}[layer],
			EPSG: 32652, BBox: [4]float64{400000, 4489985, 420000, 4509985}, Width: 101, Height: 101, Transparent: true})
		require.NoError(t, err)
		assert.Positive(t, opaquePixels(decode(t, r.Bytes)), layer)
	}
}
