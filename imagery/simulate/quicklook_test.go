package simulate_test

import (
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/scarp-map/scarp/imagery/simulate"
)

// TestQuicklook writes pre, post and mask of a few events as PNG into the folder SCARP_QUICKLOOK, for the eye to judge.
func TestQuicklook(t *testing.T) {
	dir := os.Getenv("SCARP_QUICKLOOK")
	if dir == "" {
		t.Skip("set SCARP_QUICKLOOK to a folder to get pictures")
	}
	first, _ := strconv.Atoi(os.Getenv("SCARP_QUICKLOOK_SEED"))
	for seed := first; seed < first+6; seed++ {
		e, err := simulate.Generate(context.Background(), simulate.Config{Seed: uint64(seed), PostCloud: 0.1 * float64(seed%3)})
		if err != nil {
			t.Fatal(err)
		}
		w, h := e.Width, e.Height
		img := image.NewRGBA(image.Rect(0, 0, 3*w, h))
		scale := func(v uint16) uint8 { return uint8(255 * math.Pow(math.Min(float64(v)/3000, 1), 1/1.5)) }
		for y := range h {
			for x := range w {
				i := y*w + x
				img.Set(x, y, color.RGBA{scale(e.Pre[3][i]), scale(e.Pre[2][i]), scale(e.Pre[1][i]), 255})
				img.Set(w+x, y, color.RGBA{scale(e.Post[3][i]), scale(e.Post[2][i]), scale(e.Post[1][i]), 255})
				c := color.RGBA{scale(e.Post[10][i]), scale(e.Post[7][i]), scale(e.Post[3][i]), 255}
				if e.Mask[i] == 1 {
					c = color.RGBA{255, 0, 0, 255}
				}
				img.Set(2*w+x, y, c)
			}
		}
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("event-%d.png", seed)))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, img); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		px := 0
		for _, m := range e.Mask {
			px += int(m)
		}
		t.Logf("seed %d: %s %s, %d landslides, %.2f %%", seed, e.PreDate.Format("2006-01-02"), e.PostDate.Format("2006-01-02"), len(e.Landslides), 100*float64(px)/float64(w*h))
	}
}

func BenchmarkGenerate(b *testing.B) {
	for i := range b.N {
		if _, err := simulate.Generate(context.Background(), simulate.Config{Seed: uint64(i)}); err != nil {
			b.Fatal(err)
		}
	}
}
