package wmts

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/tiles"
)

// Whatever a client sends is an address or an exception with a code of the standard.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{
		"service=WMTS&request=GetTile&version=1.0.0&layer=a_mask&style=&format=image/png&TileMatrixSet=WebMercatorQuad&TileMatrix=1&TileRow=0&TileCol=1",
		"version=1.0.0&LAYER=a&Style=default&format=image/png;x&tilematrixset=&tilematrix=-1", "version=1.1&layer=%zz", "time=a/b/c,current&threshold=NaN",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, query string) {
		p := params(common.ParseKVP(query))
		at, err := p.address()
		if err != nil {
			e, problem := asException(err, true)
			require.Contains(t, []string{"MissingParameterValue", "InvalidParameterValue"}, e.code)
			require.Equal(t, http.StatusBadRequest, problem.Status)
			require.NotEmpty(t, e.locator)
			return
		}
		require.NotEmpty(t, at.layer)
		a := &API{sets: []tiles.MatrixSet{{ID: "WebMercatorQuad", Matrices: []tiles.Matrix{{ID: "0"}, {ID: "1"}}}}}
		var tl tile
		if err := a.place(&tl, at); err == nil {
			require.True(t, tl.Row >= 0 && tl.Tile.Col >= 0 && tl.Matrix < 2)
		}
	})
}

func TestStatusOfExceptions(t *testing.T) {
	for _, kvp := range []bool{true, false} {
		_, p := asException(tiles.ErrOutsideLimits, kvp)
		require.Equal(t, map[bool]int{true: 400, false: 404}[kvp], p.Status)
	}
	e, p := asException(context.DeadlineExceeded, true)
	require.Equal(t, []any{"NoApplicableCode", 503}, []any{e.code, p.Status})
	e, p = asException(tiles.ErrBusy, false)
	require.Equal(t, []any{"NoApplicableCode", 503}, []any{e.code, p.Status})
}
