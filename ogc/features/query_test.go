package features

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"scarp/ogc/common"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{"bbox=1,2,3,4&limit=5", "bbox=1,2,3,4&bbox-crs=EPSG:3857", "datetime=../2018-01-01&after=Ag", "min_area=1e3&run=x", "limit=-1", "after=gICAgICAgICAAQ"} {
		f.Add(s)
	}
	a := &API{DefaultLimit: 100, MaxLimit: 1000}
	f.Fuzz(func(t *testing.T, s string) {
		q, err := url.ParseQuery(s)
		if err != nil {
			return
		}
		p, err := a.parse(q)
		if err != nil {
			require.Equal(t, 400, common.AsProblem(err).Status)
			return
		}
		require.True(t, p.query.Limit >= 1 && p.query.Limit <= 1000)
		require.GreaterOrEqual(t, p.query.After, int64(0))
		if b := p.query.BBox; b != nil {
			require.NoError(t, common.CheckLonLat(*b))
		}
	})
}

func TestCursor(t *testing.T) {
	for _, id := range []int64{1, 127, 128, 1 << 62} {
		got, err := parseCursor(cursor(id))
		require.NoError(t, err)
		require.Equal(t, id, got)
	}
}
