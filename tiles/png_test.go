package tiles

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
)

// picture makes up something like a satellite image, in n colours or any number.
func picture(width, height, colors int, holes bool) *image.NRGBA {
	r := rand.New(rand.NewPCG(1, uint64(colors)))
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		x, y := i%width, i/width
		v := 60 + (x*y/30)%80 + r.IntN(40)
		c := color.NRGBA{R: uint8(v), G: uint8(v + r.IntN(9)), B: uint8(v - 20), A: 255}
		if colors > 0 {
			k := (x + y/7) % colors
			c = color.NRGBA{R: uint8(k), G: uint8(k>>8) * 50, B: uint8(255 - k), A: uint8(255 - k%3)}
		}
		if holes && x < 20 {
			c.A = 0
		}
		img.SetNRGBA(x, y, c)
	}
	return img
}

func TestPNG(t *testing.T) {
	for _, tt := range []struct {
		name                  string
		width, height, colors int
		holes                 bool
		depth                 color.Model
	}{
		{"imagery", 161, 147, 0, false, color.RGBAModel}, {"imagery with holes", 161, 147, 0, true, color.NRGBAModel},
		{"one pixel", 1, 1, 1, false, nil}, {"two colours", 61, 47, 2, false, nil}, {"four colours", 61, 47, 4, false, nil},
		{"16 colours", 61, 47, 16, false, nil}, {"256 colours", 64, 64, 256, false, nil}, {"300 colours", 256, 512, 300, false, color.NRGBAModel},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var e pngEncoder
			want := picture(tt.width, tt.height, tt.colors, tt.holes)
			for range 2 { // the second time with a compressor that has been used
				data, err := e.picture(want)
				require.NoError(t, err)
				got, err := png.Decode(bytes.NewReader(data))
				require.NoError(t, err)
				if tt.depth != nil {
					require.Equal(t, tt.depth, got.ColorModel())
				} else {
					require.IsType(t, color.Palette{}, got.ColorModel())
				}
				seen := image.NewNRGBA(want.Rect)
				draw.Draw(seen, seen.Rect, got, image.Point{}, draw.Src)
				for i := 0; i < len(want.Pix); i += 4 {
					if want.Pix[i+3] != 0 || seen.Pix[i+3] != 0 {
						require.Equal(t, want.Pix[i:i+4], seen.Pix[i:i+4], "pixel %d", i/4)
					}
				}
			}
		})
	}
}

// BenchmarkPNG compares with the standard library's encoder at its fastest.
func BenchmarkPNG(b *testing.B) {
	for _, colors := range []int{0, 60} {
		img := picture(256, 256, colors, false)
		b.Run(fmt.Sprintf("own %d", colors), func(b *testing.B) {
			var e pngEncoder
			size := 0
			for b.Loop() {
				data, err := e.picture(img)
				require.NoError(b, err)
				size = len(data)
			}
			b.ReportMetric(float64(size), "bytes")
		})
		b.Run(fmt.Sprintf("standard %d", colors), func(b *testing.B) {
			size := 0
			e := png.Encoder{CompressionLevel: png.BestSpeed}
			for b.Loop() {
				var out bytes.Buffer
				require.NoError(b, e.Encode(&out, img))
				size = out.Len()
			}
			b.ReportMetric(float64(size), "bytes")
		})
	}
}
