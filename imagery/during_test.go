package imagery_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
)

func TestScenesAreToldApartByDate(t *testing.T) {
	e := pair(t, 40, 40)
	day := func(d int) time.Time { return time.Date(2018, 9, d, 1, 20, 0, 0, time.UTC) }
	e.Trigger.Time = day(5)
	later := utm(20, 20, "B04") // over the first, half as wide
	flat := func(v uint16) func(_, x, y int) uint16 { return func(_, x, y int) uint16 { return v } }
	e.Post = []imagery.Scene{
		{Path: writeRaster(t, filepath.Join(filepath.Dir(e.DEM), "first.tif"), utm(40, 40, "B04"), flat(1000)), Date: day(6)},
		{Path: writeRaster(t, filepath.Join(filepath.Dir(e.DEM), "second.tif"), later, flat(2000)), Date: day(9)},
	}
	whole := open(t, e).(imagery.Dated)
	at := func(s imagery.Source) uint16 {
		w := read(t, s, imagery.Request{Rect: imagery.Rect{W: 1, H: 1}, Post: []string{"B04"}, Clouds: true})
		return w.Post[0][0]
	}

	second, err := whole.During(imagery.Post, day(8), time.Time{})
	require.NoError(t, err)
	assert.Equal(t, []time.Time{day(9)}, second.Dates(imagery.Post))
	assert.Equal(t, whole.Dates(imagery.Pre), second.Dates(imagery.Pre))
	assert.Equal(t, whole.Grid(), second.Grid(), "it lies over the whole")
	assert.Equal(t, uint16(1000), at(whole))
	assert.Equal(t, uint16(2000), at(second))

	first, err := whole.During(imagery.Post, time.Time{}, day(6))
	require.NoError(t, err)
	assert.Equal(t, uint16(1000), at(first))
	assert.Len(t, map[string]bool{whole.Revision(): true, first.Revision(): true, second.Revision(): true}, 3)

	all, err := whole.During(imagery.Post, day(1), day(30))
	require.NoError(t, err)
	assert.Equal(t, whole.Revision(), all.Revision(), "nothing is predicted twice")

	_, err = whole.During(imagery.Post, day(20), time.Time{})
	require.ErrorIs(t, err, imagery.ErrNoScene)
	assert.ErrorContains(t, err, "2018-09-06 2018-09-09")
}
