package wms

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/ogc/common"
)

func TestParamsIgnoreCase(t *testing.T) {
	p := params(common.ParseKVP("Layers=a&LAYERS=b&bbox=1%2C2&%zz=1&x=%zz&FLAG"))
	require.Equal(t, params{"LAYERS": "a", "BBOX": "1,2", "FLAG": ""}, p)
}

func FuzzFrame(f *testing.F) {
	for _, s := range []string{
		"version=1.3.0&crs=EPSG:4326&bbox=42,141,43,142&width=10&height=10", "srs=EPSG:4326&bbox=1e-3,-1E2,3,4&width=1&height=1",
		"crs=CRS:84&bbox=NaN,1,2,3&width=10&height=10", "crs=EPSG:32654&bbox=1,1,Inf,3", "version=1.1.1&crs=EPSG:3857&BGCOLOR=0x12&TRANSPARENT=1&FORMAT=image/png;a",
	} {
		f.Add(s)
	}
	a := &API{LatLon: common.Geographic, CRS: []int{3857}, MaxWidth: 100, MaxHeight: 100}
	f.Fuzz(func(t *testing.T, query string) {
		p := params(common.ParseKVP(query))
		v, err := p.version()
		require.Contains(t, []version{v130, v111}, v)
		if err != nil {
			return
		}
		_, _, _ = p.background()
		_, _ = parseFormat(p["FORMAT"])
		fr, err := a.parseFrame(p, v, nil)
		if err != nil {
			return
		}
		require.True(t, fr.width >= 1 && fr.width <= 100 && fr.height >= 1 && fr.height <= 100)
		require.True(t, fr.box[0] < fr.box[2] && fr.box[1] < fr.box[3])
		require.Contains(t, []int{4326, 3857}, fr.epsg)
	})
}
