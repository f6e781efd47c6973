package terrain_test

import (
	"bufio"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery/terrain"
)

const nodata = -9999

// plane is a plane that falls towards a compass direction at an angle, in pixels of dx × dy metres.
func plane(w, h int, dx, dy, slope, aspect float64) []float32 {
	s, c := math.Sincos(aspect * math.Pi / 180)
	fall := math.Tan(slope * math.Pi / 180)
	z := make([]float32, w*h)
	for y := range h {
		for x := range w {
			east, north := float64(x)*dx, -float64(y)*dy
			z[y*w+x] = float32(5000 - fall*(east*s+north*c))
		}
	}
	return z
}

func TestHornOnPlanesInEveryDirection(t *testing.T) {
	for aspect := 0.0; aspect < 360; aspect += 45 {
		for _, pixel := range [][2]float64{{30, 30}, {20, 31}} {
			t.Run(fmt.Sprintf("aspect %g, pixel %v", aspect, pixel), func(t *testing.T) {
				z := plane(7, 6, pixel[0], pixel[1], 25, aspect)
				slope, got := terrain.Horn(z, 7, 6, pixel[0], pixel[1], nodata)
				for y := 1; y < 5; y++ {
					for x := 1; x < 6; x++ {
						i := y*7 + x
						assert.InDelta(t, 25, slope[i], 0.01)
						away := math.Mod(float64(got[i])-aspect+540, 360) - 180
						assert.InDelta(t, 0, away, 0.01)
						assert.GreaterOrEqual(t, got[i], float32(0))
						assert.Less(t, got[i], float32(360))
					}
				}
			})
		}
	}
}

func TestHornOnFlatGroundAndAtEdges(t *testing.T) {
	flat := make([]float32, 12)
	slope, aspect := terrain.Horn(flat, 4, 3, 30, 30, nodata)
	assert.Equal(t, make([]float32, 12), slope)
	assert.Equal(t, make([]float32, 12), aspect)

	// A replicated edge sees half of the fall across it and all of the fall along it.
	slope, aspect = terrain.Horn(plane(5, 5, 10, 10, 45, 90), 5, 5, 10, 10, nodata)
	assert.InDelta(t, math.Atan(0.5)*180/math.Pi, slope[10], 0.01)
	assert.InDelta(t, 45, slope[2], 0.01)
	assert.InDelta(t, 90, aspect[10], 0.01)
}

func TestHornKeepsNoDataToItself(t *testing.T) {
	z := plane(5, 5, 10, 10, 20, 180)
	z[12] = nodata
	z[4] = float32(math.NaN())
	slope, aspect := terrain.Horn(z, 5, 5, 10, 10, nodata)
	for i := range z {
		missing := i == 12 || i == 4
		assert.Equal(t, missing, slope[i] == nodata, "slope %d", i)
		assert.Equal(t, missing, aspect[i] == nodata, "aspect %d", i)
	}
	assert.InDelta(t, 180, aspect[11], 15)
}

func TestHornRowsOnAGridInDegrees(t *testing.T) {
	// Pixels get narrower northwards, so the same rise a pixel is steeper there.
	z := make([]float32, 9*9)
	for i := range z {
		z[i] = float32(i % 9)
	}
	width := func(row int) float64 { return 10 + float64(row) }
	slope, aspect := terrain.HornRows(z, 9, 9, width, 30, nodata)
	for y := 1; y < 8; y++ {
		assert.InDelta(t, math.Atan(1/width(y))*180/math.Pi, slope[y*9+4], 1e-4)
		assert.InDelta(t, 270, aspect[y*9+4], 1e-4)
	}
}

// TestHornAgreesWithGdaldem compares with the real program on rough ground.
func TestHornAgreesWithGdaldem(t *testing.T) {
	gdaldem, err := exec.LookPath("gdaldem")
	if err != nil {
		t.Skip("gdaldem is not installed")
	}
	const w, h = 20, 15
	r := rand.New(rand.NewPCG(1, 2))
	z := make([]float32, w*h)
	var text strings.Builder
	fmt.Fprintf(&text, "ncols %d\nnrows %d\nxllcorner 0\nyllcorner 0\ncellsize 30\nNODATA_value %d\n", w, h, nodata)
	for i := range z {
		z[i] = float32(r.IntN(400)) / 4
		fmt.Fprintf(&text, "%g ", z[i])
		if i%w == w-1 {
			text.WriteByte('\n')
		}
	}
	dir := t.TempDir()
	in := filepath.Join(dir, "dem.asc")
	require.NoError(t, os.WriteFile(in, []byte(text.String()), 0o600))
	slope, aspect := terrain.Horn(z, w, h, 30, 30, nodata)
	for mode, got := range map[string][]float32{"slope": slope, "aspect": aspect} {
		out := filepath.Join(dir, mode+".asc")
		said, err := exec.Command(gdaldem, mode, in, out, "-of", "AAIGrid", "-q").CombinedOutput()
		require.NoError(t, err, string(said))
		want := readASCII(t, out)
		for y := 1; y < h-1; y++ {
			for x := 1; x < w-1; x++ {
				assert.InDelta(t, want[y*w+x], got[y*w+x], 0.01, "%s at %d, %d", mode, x, y)
			}
		}
	}
}

func readASCII(t *testing.T, path string) (values []float64) {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		words := strings.Fields(lines.Text())
		if len(words) < 3 { // a line of the header
			continue
		}
		for _, word := range words {
			v, err := strconv.ParseFloat(word, 64)
			require.NoError(t, err)
			values = append(values, v)
		}
	}
	return values
}

func TestBilinearReproducesAPlane(t *testing.T) {
	z := make([]float32, 6*5)
	for i := range z {
		z[i] = float32(10*(i%6) + 3*(i/6))
	}
	out := terrain.Bilinear(z, 6, 5, terrain.Refine(18, 15, 3), nodata)
	for y := 1; y < 14; y++ {
		for x := 1; x < 17; x++ {
			assert.InDelta(t, 10*(float64(x)-1)/3+3*(float64(y)-1)/3, out[y*18+x], 1e-4)
		}
	}
}

func TestBilinearLeavesOutNoData(t *testing.T) {
	out := terrain.Bilinear([]float32{1, nodata, 3, nodata, nodata, nodata}, 3, 2, terrain.Grid{Width: 3, Height: 1, X0: 0.75, Y0: 0.6, StepX: 0.75, StepY: 1}, nodata)
	assert.Equal(t, []float32{1, nodata, 3}[0], out[0])
	assert.Equal(t, float32(3), out[2])
	gone := terrain.Bilinear([]float32{nodata, nodata, nodata, nodata}, 2, 2, terrain.Refine(2, 2, 1), nodata)
	assert.Equal(t, []float32{nodata, nodata, nodata, nodata}, gone)
}

func TestBilinearAspectDoesNotTearAtNorth(t *testing.T) {
	mid := terrain.Grid{Width: 1, Height: 1, X0: 1, Y0: 0.5, StepX: 1, StepY: 1}
	for _, c := range []struct {
		name       string
		a, b, want float32
	}{{"across north", 350, 10, 0}, {"near north", 340, 10, 355}, {"south", 170, 190, 180}, {"opposite", 0, 180, 0}} {
		t.Run(c.name, func(t *testing.T) {
			got := terrain.BilinearAspect([]float32{c.a, c.b}, 2, 1, mid, nodata)[0]
			away := math.Mod(float64(got-c.want)+540, 360) - 180
			if c.name != "opposite" {
				assert.InDelta(t, 0, away, 0.01)
			}
			assert.True(t, got >= 0 && got < 360)
		})
	}
}
