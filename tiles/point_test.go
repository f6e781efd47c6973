package tiles_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/tiles"
)

func TestPoint(t *testing.T) {
	src := imagerytest.New(600, 600)
	src.PreCloud = func(x, y int) uint8 {
		if x < 100 {
			return imagery.ThickCloud
		}
		return imagery.Clear
	}
	src.TerrainEmpty = func(x, y int) bool { return y < 50 }
	f := newFixture(t, src, nil)
	f.publish(t, "run-1", [][][2]float64{circle(300, 300, 20)}, [][][2]float64{circle(310, 300, 20)}, [][][2]float64{circle(450, 450, 5)})
	g := src.Grid()
	at := func(x, y float64) tiles.PointInfo {
		lon, lat := project(t, g.EPSG, 4326, g.OriginX+x*10, g.OriginY-y*10)
		info, err := f.Point(t.Context(), tiles.PointQuery{Event: "synthetic", Lon: lon, Lat: lat})
		require.NoError(t, err)
		return info
	}

	info := at(300.5, 300.5)
	require.NotNil(t, info.Probability)
	assert.InDelta(t, float64(f.predictor.value(300, 300))/250, *info.Probability, 1e-9)
	assert.Equal(t, *info.Probability >= 0.5, *info.Landslide)
	elevation, slope, _ := src.Terrain(300, 300)
	assert.InDelta(t, elevation, *info.Elevation, 0.01)
	assert.InDelta(t, slope, *info.Slope, 0.01)
	assert.Equal(t, []int64{1, 2}, []int64{info.Landslides[0].ID, info.Landslides[1].ID})
	assert.Equal(t, "fake", info.Model)
	assert.Equal(t, src.Dates(imagery.Pre)[0], info.PreDate)
	assert.Equal(t, src.Dates(imagery.Post)[0], info.PostDate)

	info = at(50.5, 40.5)
	assert.Nil(t, info.Probability)
	assert.Nil(t, info.Landslide)
	assert.Equal(t, "cloud before", info.Reason)
	assert.Nil(t, info.Elevation)

	info = at(700, 300)
	assert.Equal(t, "outside the event", info.Reason)
	assert.Empty(t, info.Landslides)

	_, err := f.Point(t.Context(), tiles.PointQuery{Event: "synthetic", Lon: 130, Lat: 95})
	require.ErrorIs(t, err, tiles.ErrBadView)
}

func TestLegends(t *testing.T) {
	f := newFixture(t, imagerytest.New(300, 300), nil)
	for _, l := range tiles.Layers() {
		for _, s := range f.Styles(l) {
			for _, size := range [][2]int{{0, 0}, {20, 20}, {300, 400}} {
				data, err := f.LegendImage(l, s.ID, size[0], size[1])
				require.NoError(t, err)
				img := decode(t, data)
				if size[0] > 0 {
					assert.Equal(t, size, [2]int{img.Rect.Dx(), img.Rect.Dy()})
				}
			}
			assert.NotEmpty(t, s.Title)
		}
	}
	_, err := f.LegendImage(tiles.Mask, "none", 0, 0)
	require.ErrorIs(t, err, tiles.ErrUnknownStyle)
	_, err = f.LegendImage(tiles.Mask, "", 100000, 10)
	require.ErrorIs(t, err, tiles.ErrBadView)
	assert.Empty(t, f.Styles("none"))
}
