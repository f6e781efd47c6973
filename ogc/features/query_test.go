package features

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/store"
)

func FuzzParse(f *testing.F) {
	for _, s := range []string{"bbox=1,2,3,4&limit=5", "bbox=1,2,3,4&bbox-crs=EPSG:3857", "datetime=../2018-01-01&after=Ag", "min_area=1e3&run=x", "limit=-1", "sortby=-area_m2,+model",
		"properties=run,area_m2&cloud_adjacent=true&model=x", "post_date=2018-01-01/..", "filter=area_m2>1&filter-lang=cql2-text", `filter={"op":"=","args":[1,2]}&filter-lang=cql2-json`,
		"filter=S_INTERSECTS(geometry,POINT(1 2))&filter-crs=http://www.opengis.net/def/crs/EPSG/0/4326"} {
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
		_, err = p.query.Normal()
		require.NoError(t, err, "what is parsed can be asked")
		if b := p.query.BBox; b != nil {
			require.NoError(t, common.CheckLonLat(*b))
		}
	})
}

// A token continues its own list in its own order, and nothing else.
func TestToken(t *testing.T) {
	secret := []byte("secret")
	at := time.Date(2018, 9, 10, 1, 2, 3, 4e6, time.UTC)
	for _, keys := range [][]any{nil, {1.5, "x", true, at, nil}} {
		q := store.Query{Event: "e", Run: "r"}
		for i := range keys {
			q.Sort = append(q.Sort, store.SortKey{Field: []string{"area_m2", "model", "cloud_adjacent", "post_date", "pre_date"}[i]})
		}
		s, err := token(secret, q, store.Page{Next: 1 << 62, NextKeys: keys})
		require.NoError(t, err)
		got := q
		require.NoError(t, resume(secret, &got, s))
		require.Equal(t, int64(1<<62), got.After)
		require.Equal(t, keys, got.AfterKeys)

		for name, wrong := range map[string]store.Query{"event": {Event: "f", Run: "r", Sort: q.Sort}, "run": {Event: "e", Run: "s", Sort: q.Sort},
			"order": {Event: "e", Run: "r", Sort: append(q.Sort[:len(q.Sort):len(q.Sort)], store.SortKey{Field: "id"})}} {
			require.Error(t, resume(secret, &wrong, s), name)
		}
		require.Error(t, resume([]byte("another"), &got, s))
		for i := range s {
			changed := []byte(s)
			changed[i] ^= 1
			require.Error(t, resume(secret, &got, string(changed)), "byte %d", i)
		}
	}
}

func FuzzResume(f *testing.F) {
	f.Add("")
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, s string) {
		require.Equal(t, 400, common.AsProblem(resume([]byte("secret"), &store.Query{Event: "e"}, s)).Status)
	})
}
