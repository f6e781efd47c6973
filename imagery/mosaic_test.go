package imagery_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
)

func TestTheClearestPixelIsTakenWhereScenesOverlap(t *testing.T) {
	dir := t.TempDir()
	e := pair(t, 100, 20)
	// Ten columns a class, in the scene closest to the trigger; the other has its own below.
	near := []uint8{4, 3, 10, 8, 0, 9, 9, 10, 3, 4}
	far := []uint8{4, 4, 3, 10, 9, 0, 9, 8, 8, 3}
	scene := func(name string, value uint16, classes []uint8) imagery.Scene {
		return imagery.Scene{
			Path: writeRaster(t, filepath.Join(dir, name+".tif"), utm(100, 20, "B04", "B08"), func(b, x, y int) uint16 { return value + uint16(b) }),
			SCL:  writeRaster(t, filepath.Join(dir, name+"_SCL.tif"), utm(100, 20, "SCL"), func(_, x, y int) uint8 { return classes[x/10] }),
		}
	}
	e.Post = []imagery.Scene{scene("b_20180930", 2000, far), scene("a_20180910", 1000, near)}
	s := open(t, e)
	assert.Equal(t, []time.Time{time.Date(2018, 9, 10, 0, 0, 0, 0, time.UTC), time.Date(2018, 9, 30, 0, 0, 0, 0, time.UTC)}, s.Dates(imagery.Post))
	w := read(t, s, imagery.Request{Rect: s.Grid().Rect(), Post: []string{"B08", "B04"}, Clouds: true})

	wantScene := []uint16{1000, 2000, 2000, 2000, 2000, 1000, 1000, 1000, 1000, 1000}
	wantCloud := []uint8{imagery.Clear, imagery.Clear, imagery.Shadow, imagery.ThinCloud, imagery.ThickCloud, imagery.ThickCloud, imagery.ThickCloud, imagery.ThinCloud, imagery.Shadow, imagery.Clear}
	for x := range 100 {
		require.Equal(t, wantScene[x/10]+1, w.Post[0][x], "B08 in column %d", x)
		require.Equal(t, wantScene[x/10], w.Post[1][x], "B04 in column %d", x)
		require.Equal(t, wantCloud[x/10], w.PostCloud[x], "cloud in column %d", x)
		require.Equal(t, uint8(1), w.PostValid[x])
	}
}

func TestScenesBesideEachOtherMakeOneGrid(t *testing.T) {
	dir := t.TempDir()
	e := pair(t, 100, 50)
	east := utm(100, 50, "B04", "B12")
	east.left += 800
	e.Post = []imagery.Scene{
		{Path: writeRaster(t, filepath.Join(dir, "west_20180910.tif"), utm(100, 50, "B04"), func(_, x, y int) uint16 { return 11 })},
		{Path: writeRaster(t, filepath.Join(dir, "east_20180910.tif"), east, func(b, x, y int) uint16 { return 22 + uint16(b) })},
	}
	s := open(t, e)
	assert.Equal(t, 180, s.Grid().Width)
	w := read(t, s, imagery.Request{Rect: s.Grid().Rect(), Pre: []string{"B04"}, Post: []string{"B04", "B12"}, Clouds: true})
	assert.Equal(t, []uint16{11, 11, 22}, []uint16{w.Post[0][0], w.Post[0][99], w.Post[0][100]}, "the event's order decides between scenes of one day")
	assert.Equal(t, []uint16{0, 23, 23}, []uint16{w.Post[1][0], w.Post[1][99], w.Post[1][100]}, "a band that one scene lacks comes from the other")
	assert.Equal(t, uint8(0), w.PreValid[150], "the pre scene ends before the grid does")
	assert.Equal(t, uint8(1), w.PostValid[150])
}

func TestBaselinesAreHarmonised(t *testing.T) {
	offset := func(n int) *int { return &n }
	values := []uint16{0, 1, 999, 1000, 1001, 3000, 65535}
	old := []uint16{0, 1, 999, 1000, 1001, 3000, 65535}
	moved := []uint16{0, 1, 1, 1, 1, 2000, 64535}
	for name, c := range map[string]struct {
		scene  imagery.Scene
		file   string
		tags   map[string]string
		nodata float64
		want   []uint16
	}{
		"by date, before":              {file: "a_20220124.tif", want: old},
		"by date, from 2022-01-25":     {file: "a_20220125.tif", want: moved},
		"by the definition's date":     {file: "a_20220125.tif", scene: imagery.Scene{Date: time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC)}, want: old},
		"baseline in the name":         {file: "S2A_MSIL2A_20210601T012345_N0500_R016.tif", want: moved},
		"baseline in the tags":         {file: "a_20220301.tif", tags: map[string]string{"PROCESSING_BASELINE": "03.01"}, want: old},
		"offset in the tags":           {file: "a_20220301.tif", tags: map[string]string{"PROCESSING_BASELINE": "05.09", "BOA_ADD_OFFSET": "0"}, want: old},
		"the definition overrides all": {file: "a_20220301.tif", tags: map[string]string{"BOA_ADD_OFFSET": "0"}, scene: imagery.Scene{Offset: offset(-1000)}, want: moved},
		"another mark of nodata":       {file: "a_20200101.tif", nodata: 65535, want: []uint16{0, 1, 999, 1000, 1001, 3000, 0}},
		"the trigger stands in":        {file: "undated.tif", want: old},
	} {
		t.Run(name, func(t *testing.T) {
			e := pair(t, len(values), 1)
			spec := utm(len(values), 1, "B04")
			spec.tags, spec.nodata = c.tags, c.nodata
			c.scene.Path = writeRaster(t, filepath.Join(t.TempDir(), c.file), spec, func(_, x, y int) uint16 { return values[x] })
			e.Post = []imagery.Scene{c.scene}
			w := read(t, open(t, e), imagery.Request{Rect: imagery.Rect{W: len(values), H: 1}, Post: []string{"B04"}, Clouds: true})
			assert.Equal(t, c.want, w.Post[0])
			for i, v := range c.want {
				assert.Equal(t, v != 0, w.PostValid[i] == 1)
			}
		})
	}
}
