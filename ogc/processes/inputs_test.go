package processes

import (
	"encoding/json"
	"testing"

	"github.com/paulmach/orb"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/ogc/common"
)

// Whatever is sent, an order is either refused with a reason or has inputs
// that fit the schema and an area on the globe.
func FuzzMappingOrder(f *testing.F) {
	for _, s := range []string{
		`{"inputs":{"event":"a","aoi":{"type":"Polygon","coordinates":[[[1,2],[2,2],[2,3],[1,2]]]}}}`,
		`{"inputs":{"event":"a","aoi":{"type":"Feature","geometry":{"type":"MultiPolygon","coordinates":[[[[1,2],[2,2],[2,3],[1,2]]]]}}}}`,
		`{"inputs":{"event":{"value":"a"},"aoi":{"bbox":[1,2,3,4]},"threshold":0.5,"minimumArea":1e3}}`,
		`{"inputs":{"pre":["2018-08-06.tif"],"post":{"href":"20180910.tif"},"dem":"d.tif"},"outputs":{"mask":{"transmissionMode":"reference"}},"response":"raw"}`,
		`{"inputs":{"aoi":{"type":"Polygon","coordinates":[[[1e400,2],[2,2],[2,3],[1,2]]]}}}`,
		`{"inputs":null}`, `[]`, `{"inputs":{"event":[["a"]]}}`,
	} {
		f.Add(s)
	}
	d := mapLandslides(nil)
	schema, err := compileInputs(d.ID, d.Inputs)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, body string) {
		o, err := parseOrder([]byte(body), d)
		if err == nil {
			err = checkInputs(schema, o.Inputs)
		}
		var m mapInputs
		if err == nil {
			m, err = parseMapping(o.Inputs)
		}
		if err != nil {
			p := common.AsProblem(err)
			require.Equal(t, 400, p.Status, "%s: %v", body, err)
			require.NotEmpty(t, p.Detail)
			return
		}
		require.NotEmpty(t, m.spec.Event)
		if m.spec.AOI != nil {
			b := m.spec.AOI.Geometry().Bound()
			require.True(t, (orb.Bound{Min: orb.Point{-180, -90}, Max: orb.Point{180, 90}}).Contains(b.Min))
			require.False(t, b.IsEmpty())
		}
		_, err = json.Marshal(m.spec)
		require.NoError(t, err)
	})
}
