package tiles_test

import (
	"context"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/imagery/simulate"
	"github.com/scarp-map/scarp/tiles"
)

// simulated is a simulated event as a source, without files.
type simulated struct {
	located
	e *simulate.Event
}

func newSimulated(t testing.TB, c simulate.Config) simulated {
	t.Helper()
	e, err := simulate.Generate(t.Context(), c)
	require.NoError(t, err)
	src := imagerytest.New(e.Width, e.Height)
	src.EPSG, src.OriginX, src.OriginY = e.Config.EPSG, e.Config.OriginX, e.Config.OriginY
	cloud := func(scl []uint8) func(x, y int) uint8 {
		return func(x, y int) uint8 {
			switch scl[y/2*((e.Width+1)/2)+x/2] {
			case 8, 9:
				return imagery.ThickCloud
			case 10:
				return imagery.ThinCloud
			case 3:
				return imagery.Shadow
			}
			return imagery.Clear
		}
	}
	src.PreCloud, src.PostCloud = cloud(e.PreSCL), cloud(e.PostSCL)
	return simulated{located{src}, e}
}

// Read averages whole pixels for smaller sizes, as overviews do.
func (s simulated) Read(_ context.Context, r imagery.Request) (*imagery.Window, error) {
	w := &imagery.Window{Rect: r.Rect, Width: r.Width, Height: r.Height}
	k := r.Rect.W / r.Width
	layers := func(names []string, from *[12][]uint16) (out [][]uint16, valid []uint8) {
		valid = make([]uint8, w.Width*w.Height)
		for _, name := range names {
			band := from[slices.Index(simulate.Bands(), name)]
			layer := make([]uint16, w.Width*w.Height)
			for i := range layer {
				sum := 0
				for j := range k * k {
					sum += int(band[(r.Rect.Y+i/w.Width*k+j/k)*s.e.Width+r.Rect.X+i%w.Width*k+j%k])
				}
				layer[i] = uint16(sum / (k * k))
				if layer[i] > 0 {
					valid[i] = 1
				}
			}
			out = append(out, layer)
		}
		return out, valid
	}
	w.Pre, w.PreValid = layers(r.Pre, &s.e.Pre)
	w.Post, w.PostValid = layers(r.Post, &s.e.Post)
	w.PreCloud, w.PostCloud = make([]uint8, w.Width*w.Height), make([]uint8, w.Width*w.Height)
	for i := range w.PreCloud {
		x, y := r.Rect.X+i%w.Width*k, r.Rect.Y+i/w.Width*k
		w.PreCloud[i], w.PostCloud[i] = s.PreCloud(x, y), s.PostCloud(x, y)
	}
	return w, nil
}

// luminance returns the quantiles of a picture's brightness, 0 to 255.
func luminance(img *image.NRGBA, quantiles ...float64) (out []float64) {
	var all []float64
	for i := 0; i < len(img.Pix); i += 4 {
		if img.Pix[i+3] > 0 {
			all = append(all, 0.2126*float64(img.Pix[i])+0.7152*float64(img.Pix[i+1])+0.0722*float64(img.Pix[i+2]))
		}
	}
	slices.Sort(all)
	for _, q := range quantiles {
		out = append(out, all[int(q*float64(len(all)-1))])
	}
	return out
}

// look writes a picture to the folder SCARP_LOOK, for people.
func look(t *testing.T, name string, layers ...*image.NRGBA) {
	dir := os.Getenv("SCARP_LOOK")
	if dir == "" {
		return
	}
	all := image.NewNRGBA(layers[0].Rect)
	for _, l := range layers {
		draw.Draw(all, all.Rect, l, image.Point{}, draw.Over)
	}
	file, err := os.Create(filepath.Join(dir, name+".png"))
	require.NoError(t, err)
	require.NoError(t, png.Encode(file, all))
	require.NoError(t, file.Close())
}

// Landscapes come out neither dark nor burnt, and clouds do not darken the rest.
func TestTrueColourOfLandscapes(t *testing.T) {
	for seed := range uint64(2) {
		src := newSimulated(t, simulate.Config{Seed: seed, Width: 384, Height: 384, EPSG: 32652, OriginX: 400000, OriginY: 4500000, PostCloud: 0.1, PreCloud: 0.08})
		f := newFixture(t, src.synthetic, nil)
		e, err := tiles.New(tiles.Config{WarmUp: -1}, tiles.Deps{Sources: one{src}, Predictor: f.predictor})
		require.NoError(t, err)
		draw := func(layer tiles.Layer, style string, pixel float64, size int) *image.NRGBA {
			r, err := e.Render(t.Context(), tiles.View{Event: "synthetic", Layer: layer, Style: style, EPSG: 3857, Transparent: true,
				BBox: around(t, src.Grid(), 3857, 192, 192, pixel, size, size), Width: size, Height: size})
			require.NoError(t, err)
			return decode(t, r.Bytes)
		}
		for _, layer := range []tiles.Layer{tiles.PreImage, tiles.PostImage} {
			natural := draw(layer, "natural", 12, 400)
			q := luminance(natural, 0.02, 0.5, 0.98)
			assert.Greater(t, q[1], 45.0, "%s of seed %d: median", layer, seed)
			assert.Less(t, q[1], 150.0, "%s of seed %d: median", layer, seed)
			stretched := draw(layer, "stretched", 12, 400)
			look(t, fmt.Sprintf("sim%d-%s", seed, layer), natural)
			look(t, fmt.Sprintf("sim%d-%s-stretched", seed, layer), stretched)
			look(t, fmt.Sprintf("sim%d-%s-probability", seed, layer), natural, draw(tiles.Probability, "", 12, 400))
			look(t, fmt.Sprintf("sim%d-%s-overview", seed, layer), draw(layer, "natural", 40, 256))
		}
		require.NoError(t, e.Close())
	}
}

// A real pair goes the same way.
func TestTrueColourOfHokkaido(t *testing.T) {
	data := os.Getenv("SCARP_TEST_DATA")
	if data == "" {
		data = filepath.Join("..", "..", "shared", "data")
	}
	dir := filepath.Join(data, "sentinel2", "hokkaido_2018")
	if _, err := os.Stat(dir); err != nil {
		t.Skip("no test data: ", err)
	}
	dir, err := filepath.Abs(dir)
	require.NoError(t, err)
	src, err := imagery.Open(t.Context(), imagery.Event{
		ID: "synthetic", Title: "Hokkaido", Trigger: imagery.Trigger{Time: time.Date(2018, 9, 5, 18, 8, 0, 0, time.UTC)},
		Pre:  []imagery.Scene{{Path: filepath.Join(dir, "pre.tif")}},
		Post: []imagery.Scene{{Path: filepath.Join(dir, "post.tif")}},
		DEM:  filepath.Join(dir, "dem.tif"),
	}, imagery.Options{Allow: []string{dir}})
	require.NoError(t, err)
	defer src.Close()
	e, err := tiles.New(tiles.Config{WarmUp: -1}, tiles.Deps{Sources: one{src}, Predictor: newPredictor(imagerytest.New(10, 10))})
	require.NoError(t, err)
	defer e.Close()
	g := src.Grid()
	for _, style := range []string{"natural", "stretched"} {
		for _, layer := range []tiles.Layer{tiles.PreImage, tiles.PostImage} {
			r, err := e.Render(t.Context(), tiles.View{Event: "synthetic", Layer: layer, Style: style, EPSG: 3857, Transparent: true,
				BBox: around(t, g, 3857, float64(g.Width)/2, float64(g.Height)/2, 19, 800, 700), Width: 800, Height: 700})
			require.NoError(t, err)
			img := decode(t, r.Bytes)
			look(t, fmt.Sprintf("hokkaido-%s-%s", layer, style), img)
			q := luminance(img, 0.5)
			assert.Greater(t, q[0], 45.0, "%s %s", layer, style)
			assert.Less(t, q[0], 190.0, "%s %s", layer, style)
		}
	}
}

// one has one event only, whatever its id.
type one struct{ src imagery.Source }

func (o one) Source(context.Context, string) (imagery.Source, error) { return o.src, nil }
