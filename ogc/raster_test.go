package ogc_test

import (
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/ogc"
	"github.com/scarp-map/scarp/ogc/ogctest"
	"github.com/scarp-map/scarp/tiles"
)

// ogcapi-tiles-1/1.0/conf/datetime, ogcapi-maps-1/1.0/conf/datetime and general-subsetting.
func TestDatetimeSelectsImages(t *testing.T) {
	s := newServer(t)
	series(t, s)
	day := func(n int) time.Time { return ogctest.Day().AddDate(0, 0, n) }
	tile, picture := "/collections/series_post/map/tiles/WebMercatorQuad/1/0/1?datetime=", "/collections/series_post/map?datetime="
	for value, want := range map[string]tiles.Span{
		"2018-09-10T03:07:59Z": {From: day(4), To: day(4)}, "../2018-09-25T00:00:00Z": {To: time.Date(2018, 9, 25, 0, 0, 0, 0, time.UTC)}, "": {},
	} {
		require.Equal(t, http.StatusOK, s.get(tile+value).StatusCode, value)
		require.Equal(t, want, s.renderer.LastTile().During, value)
		require.Equal(t, http.StatusOK, s.get(picture+value).StatusCode, value)
		require.Equal(t, want, s.renderer.LastView().During, value)
	}
	require.Equal(t, http.StatusOK, s.get(`/collections/series_post/map?subset=time(%222018-09-10T03:07:59Z%22)`).StatusCode)
	require.Equal(t, tiles.Span{From: day(4), To: day(4)}, s.renderer.LastView().During)
	for _, target := range []string{tile, picture} {
		r := s.get(target + "2020-01-01")
		require.Equal(t, http.StatusNotFound, r.StatusCode)
		require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
		require.Contains(t, text(t, r), "2018-09-30T03:07:59Z", "it says what there is")
	}
}

// ogcapi-tiles-1/1.0/conf/dataset-tilesets and collections-selection,
// ogcapi-maps-1/1.0/conf/dataset-map and collections-selection.
func TestTheDatasetIsAllCollections(t *testing.T) {
	s := newServer(t)
	series(t, s)
	for _, target := range []string{"/map/tiles/WebMercatorQuad/1/0/1?x", "/map?width=200&height=150&x"} {
		tile := target[:10] == "/map/tiles"
		target := target[:len(target)-1]
		layer := func() tiles.Layer {
			if tile {
				return s.renderer.LastTile().Layer
			}
			return s.renderer.LastView().Layer
		}
		r := s.get(target)
		require.Equal(t, http.StatusOK, r.StatusCode, text(t, r))
		require.Equal(t, tiles.Landslides, layer())
		require.NotEmpty(t, r.Header.Get("ETag"))
		r = s.get(target + "collections=atsuma-2018_pre,series_mask")
		require.Equal(t, http.StatusOK, r.StatusCode)
		require.Equal(t, tiles.Mask, layer(), "the last is on top")
		img, err := png.Decode(r.Body)
		require.NoError(t, err)
		c, _, _, _ := img.At(100, 70).RGBA()
		require.Equal(t, uint32(0xffff), c)
		require.Equal(t, http.StatusBadRequest, s.get(target+"collections=none_mask").StatusCode)
		require.Equal(t, http.StatusBadRequest, s.get(target+"f=webp").StatusCode)
		require.Equal(t, http.StatusOK, s.get(target+"datetime=2020-01-01").StatusCode, "without images of the time it is empty")
	}
	require.Equal(t, http.StatusNotFound, s.get("/map/tiles/WebMercatorQuad/1/1/1").StatusCode)
	require.Equal(t, http.StatusNotFound, s.get("/map/tiles/WebMercatorQuad/99/1/1").StatusCode)
	require.Equal(t, http.StatusNotFound, s.get("/map/tiles/Mine").StatusCode)
	var doc struct {
		TileMatrixSetLimits []any
		BoundingBox         struct{ LowerLeft [2]float64 }
		Links               []struct{ Rel, Href string }
	}
	require.NoError(t, json.Unmarshal([]byte(text(t, s.get("/map/tiles/WebMercatorQuad"))), &doc))
	require.NotEmpty(t, doc.TileMatrixSetLimits)
	require.Equal(t, [2]float64{141.9, 42.65}, doc.BoundingBox.LowerLeft)
}

// ogcapi-maps-1/1.0/conf/spatial-subsetting, scaling and crs.
func TestMapAreaAndScale(t *testing.T) {
	s := newServer(t)
	for query, want := range map[string]tiles.View{
		"subset=Lat(42.7:42.75),Lon(142:142.05)&width=100":                               {EPSG: 4326, BBox: [4]float64{142, 42.7, 142.05, 42.75}, Width: 100, Height: 100},
		"subset=Lat(42.7:*)&width=200":                                                   {EPSG: 4326, BBox: [4]float64{141.9, 42.7, 142.1, 42.8}, Width: 200, Height: 100},
		"center=142,42.7&width=100&height=50&scale-denominator=111319.49&mm-per-pixel=1": {EPSG: 4326, BBox: [4]float64{141.95, 42.675, 142.05, 42.725}, Width: 100, Height: 50},
		"center=42.7,142&center-crs=[EPSG:4326]&width=10&height=10":                      {EPSG: 4326, BBox: [4]float64{141.99955, 42.69955, 142.00045, 42.70045}, Width: 10, Height: 10},
		"bbox=0,0,1000,500&bbox-crs=[EPSG:3857]&crs=[EPSG:3857]&scale-denominator=35714": {EPSG: 3857, BBox: [4]float64{0, 0, 1000, 500}, Width: 100, Height: 50},
	} {
		r := s.get("/collections/atsuma-2018_mask/map?" + query)
		require.Equal(t, http.StatusOK, r.StatusCode, "%s: %s", query, text(t, r))
		got := s.renderer.LastView()
		require.InDeltaSlice(t, want.BBox[:], got.BBox[:], 1e-5, query)
		require.Equal(t, []int{want.EPSG, want.Width, want.Height}, []int{got.EPSG, got.Width, got.Height}, query)
		require.NotEmpty(t, r.Header.Get("Content-Bbox"))
	}
}

// A coverage is a file that clients read in pieces, as GDAL's /vsicurl/ does.
func TestCoverageInRanges(t *testing.T) {
	s := newServer(t)
	const target = "/collections/atsuma-2018_probability/coverage?width=60&height=50"
	r := s.get(target)
	file, tag := text(t, r), r.Header.Get("ETag")
	require.Equal(t, "bytes", r.Header.Get("Accept-Ranges"))
	require.NotEmpty(t, tag)
	size := len(file)
	for _, ask := range []struct {
		headers []string
		status  int
		body    string
	}{
		{[]string{"Range", "bytes=2-9"}, 206, file[2:10]},
		{[]string{"Range", "bytes=-5"}, 206, file[size-5:]},
		{[]string{"Range", "bytes=5-"}, 206, file[5:]},
		{[]string{"Range", "bytes=2-9", "If-Range", tag}, 206, file[2:10]},
		{[]string{"Range", "bytes=2-9", "If-Range", `"another"`}, 200, file},
		{[]string{"Range", "rows=2-9"}, 200, file},
		{[]string{"If-None-Match", tag}, 304, ""},
		{[]string{"If-Match", tag}, 200, file},
	} {
		r := s.get(target, ask.headers...)
		require.Equal(t, ask.status, r.StatusCode, ask.headers)
		require.Equal(t, ask.body, text(t, r), ask.headers)
		require.Equal(t, tag, r.Header.Get("ETag"), ask.headers)
		require.Equal(t, "public, max-age=3600", r.Header.Get("Cache-Control"), ask.headers)
		if ask.status == 206 {
			require.Contains(t, r.Header.Get("Content-Range"), fmt.Sprintf("/%d", size))
			require.Equal(t, "image/tiff; application=geotiff", r.Header.Get("Content-Type"))
		}
	}
	r = s.ask(http.MethodHead, target, "")
	require.Equal(t, []string{strconv.Itoa(size), "bytes"}, []string{r.Header.Get("Content-Length"), r.Header.Get("Accept-Ranges")})
	require.Empty(t, text(t, r))

	for status, headers := range map[int][]string{416: {"Range", fmt.Sprintf("bytes=%d-", size)}, 412: {"If-Match", `"another"`}} {
		r := s.get(target, headers...)
		require.Equal(t, status, r.StatusCode)
		require.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
		require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
		require.Empty(t, r.Header.Get("ETag"))
		require.Contains(t, text(t, r), `"detail":`)
		if status == 416 {
			require.Equal(t, fmt.Sprintf("bytes */%d", size), r.Header.Get("Content-Range"))
		}
	}

	s.renderer.Incomplete = true
	r = s.get(target, "Range", "bytes=2-9")
	require.Equal(t, http.StatusOK, r.StatusCode, "the pieces of two incomplete files do not fit each other")
	require.Equal(t, []string{"no-store", "false", ""}, []string{r.Header.Get("Cache-Control"), r.Header.Get("Scarp-Complete"), r.Header.Get("Accept-Ranges")})
	require.Equal(t, file, text(t, r))
}

func TestCoverage(t *testing.T) {
	s := newServer(t)
	const target = "/collections/atsuma-2018_probability/coverage"
	for query, want := range map[string]tiles.View{
		"":                                      {EPSG: 32654, BBox: [4]float64{573000, 4722000, 590000, 4739000}, Width: 1700, Height: 1700},
		"?scale-factor=4":                       {EPSG: 32654, BBox: [4]float64{573000, 4722000, 590000, 4739000}, Width: 425, Height: 425},
		"?scale-size=E(200),N(100)&values=byte": {EPSG: 32654, BBox: [4]float64{573000, 4722000, 590000, 4739000}, Width: 200, Height: 100, Bytes: true},
		"?bbox=574003,4730001,575000,4731009&bbox-crs=[EPSG:32654]":                                  {EPSG: 32654, BBox: [4]float64{574000, 4730000, 575000, 4731010}, Width: 100, Height: 101},
		"?subset=E(574000:575000),N(4730000:4731000)&subset-crs=[EPSG:32654]&f=geotiff":              {EPSG: 32654, BBox: [4]float64{574000, 4730000, 575000, 4731000}, Width: 100, Height: 100},
		"?crs=http://www.opengis.net/def/crs/OGC/1.3/CRS84&bbox=141.9,42.7,142,42.75&width=50":       {EPSG: 4326, BBox: [4]float64{141.9, 42.7, 142, 42.75}, Width: 50, Height: 25},
		"?crs=http://www.opengis.net/def/crs/EPSG/0/3857&bbox=141.9,42.7,142,42.75&width=5&height=9": {EPSG: 3857, Width: 5, Height: 9},
		// As GDAL asks: it takes the answer to be in longitude and latitude.
		"?bbox=141.9,42.7,142,42.75&scaleSize=Lat(256),Long(128)": {EPSG: 4326, BBox: [4]float64{141.9, 42.7, 142, 42.75}, Width: 128, Height: 256},
		"?scale-size=lon(20),LAT(10)&bbox=141.9,42.7,142,42.75":   {EPSG: 4326, BBox: [4]float64{141.9, 42.7, 142, 42.75}, Width: 20, Height: 10},
		"?scale-size=x(20),y(10)":                                 {EPSG: 32654, BBox: [4]float64{573000, 4722000, 590000, 4739000}, Width: 20, Height: 10},
		"?scale-size=Lat(10),Lon(20)&crs=[EPSG:32654]":            {EPSG: 32654, BBox: [4]float64{573000, 4722000, 590000, 4739000}, Width: 20, Height: 10},
	} {
		r := s.get(target + query)
		body := text(t, r)
		require.Equal(t, http.StatusOK, r.StatusCode, "%s: %s", query, body)
		require.Equal(t, "image/tiff; application=geotiff", r.Header.Get("Content-Type"))
		got := s.renderer.LastView()
		require.True(t, got.Keep, "it is read in pieces")
		if want.EPSG != 3857 {
			require.InDeltaSlice(t, want.BBox[:], got.BBox[:], 1e-6, query)
		}
		require.Equal(t, []any{want.EPSG, want.Width, want.Height, want.Bytes, "values"}, []any{got.EPSG, got.Width, got.Height, got.Bytes, got.Style}, query)
	}
	small := newServer(t, func(d *ogc.Deps) { d.MaxWidth, d.MaxHeight = 500, 500 })
	require.Equal(t, http.StatusOK, small.get(target).StatusCode)
	got := small.renderer.LastView()
	require.Equal(t, [4]float64{573000, 4722000, 590000, 4739000}, got.BBox)
	require.Equal(t, 425, got.Width, "coarser by a whole factor where it is too large")
}

func TestInfoAtAPlace(t *testing.T) {
	s := newServer(t)
	const target = "/collections/atsuma-2018_probability/info?point=142,42.7"
	r := s.get(target)
	require.Equal(t, "application/geo+json", r.Header.Get("Content-Type"))
	var doc struct {
		Features []struct{ Properties map[string]any }
	}
	require.NoError(t, json.Unmarshal([]byte(text(t, r)), &doc))
	p := doc.Features[0].Properties
	require.Equal(t, []any{0.75, "high", true, 123.0, 25.0, "2018-08-06", "2018-09-10"},
		[]any{p["probability"], p["class"], p["landslide"], p["elevation_m"], p["slope_deg"], p["pre_date"], p["post_date"]})
	require.Equal(t, base+"/collections/atsuma-2018_landslides/items/1", p["landslides"].([]any)[0].(map[string]any)["link"])
	require.Contains(t, text(t, s.get(target+"&f=txt")), "Class: high")
	require.Contains(t, text(t, s.get(target, "Accept", "text/html")), "<td>high</td>")
	require.Equal(t, http.StatusOK, s.get(target+"&threshold=0.3&model=small&datetime=2018-09-10").StatusCode)
	require.Equal(t, 0.3, s.renderer.LastPoint().Threshold)
}

func TestLegendIsData(t *testing.T) {
	s := newServer(t)
	var doc struct {
		Style, Kind string
		Entries     []struct{ Label, Color string }
	}
	require.NoError(t, json.Unmarshal([]byte(text(t, s.get("/collections/atsuma-2018_mask/styles/plain/legend?f=json"))), &doc))
	require.Equal(t, "plain", doc.Style)
	require.Equal(t, "#ff0000ff", doc.Entries[0].Color)
}

// Every wrong parameter of the routes of pictures gets its status, says how to
// mend it, and is kept by no cache.
func TestWrongParametersOfPictures(t *testing.T) {
	s := newServer(t)
	require.NoError(t, s.store.PutEvent(context.Background(), imagery.Event{ID: "bare"}))
	const (
		maps, tile, coverage = "/collections/atsuma-2018_mask/map", "/collections/atsuma-2018_mask/map/tiles/WebMercatorQuad/1/0/1", "/collections/atsuma-2018_mask/coverage"
		info, legend         = "/collections/atsuma-2018_mask/info", "/collections/atsuma-2018_mask/legend"
	)
	for target, want := range map[string]struct {
		status int
		says   string
	}{
		maps + "?bbox=1,2,3":                                        {400, "4 or 6 numbers"},
		maps + "?bbox=1,2,3,x":                                      {400, "is not a number"},
		maps + "?bbox=1,2,1,3":                                      {400, "is empty"},
		maps + "?bbox=1,2,2,3&bbox-crs=none":                        {400, "not a CRS"},
		maps + "?bbox=1,2,2,3&bbox-crs=[EPSG:2154]":                 {400, "is not offered"},
		maps + "?crs=EPSG:2154":                                     {400, "is not offered"},
		maps + "?center=1":                                          {400, "two numbers"},
		maps + "?center=1,x":                                        {400, "two numbers"},
		maps + "?center=1,2&center-crs=x":                           {400, "not a CRS"},
		maps + "?center=1,2&bbox=1,2,3,4":                           {400, "in one way"},
		maps + "?subset=Lat":                                        {400, "axes with their ends"},
		maps + "?subset=Lat(1:2)Lon(1:2)":                           {400, "comma"},
		maps + "?subset=Lat(1:2),Lat(1:2)":                          {400, "more than once"},
		maps + "?subset=Lat(:2)":                                    {400, "has no value"},
		maps + "?subset=Lat(a:2)":                                   {400, "is not a number"},
		maps + "?subset=Lat(2:1)":                                   {400, "is empty"},
		maps + "?subset=height(1:2)":                                {400, "there is no axis"},
		maps + "?subset=Lat(42.7:42.8)&subset-crs=x":                {400, "not a CRS"},
		maps + "?subset=time(%222018-09-10%22)&datetime=2018-09-10": {400, "not both"},
		maps + "?datetime=yesterday":                                {400, "RFC 3339"},
		maps + "?datetime=1999-01-01":                               {404, "2018-09-10"},
		maps + "?width=0":                                           {400, "from 1 to 4096"},
		maps + "?height=x":                                          {400, "from 1 to 4096"},
		maps + "?scale-denominator=0":                               {400, "scale-denominator"},
		maps + "?scale-denominator=1":                               {400, "can be had"},
		maps + "?scale-denominator=1000&width=10":                   {400, "not both"},
		maps + "?mm-per-pixel=0":                                    {400, "mm-per-pixel"},
		maps + "?bgcolor=sky":                                       {400, "0xRRGGBB"},
		maps + "?transparent=maybe":                                 {400, "true or false"},
		maps + "?model=none":                                        {400, "bbunet, small"},
		maps + "?threshold=0":                                       {400, "above 0 and below 1"},
		maps + "?f=gif":                                             {400, "png, jpeg, webp, tiff"},
		maps + "?colour=red":                                        {400, "unknown query parameter"},
		"/collections/atsuma-2018_mask/styles/none/map":             {404, "none"},
		"/collections/none_mask/map":                                {404, "no event"},
		"/collections/away_mask/map":                                {503, "can't be opened now"},
		"/map?collections=none":                                     {400, "there is no collection"},
		"/map?collections=a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q":        {400, "at most 16"},
		"/map?datetime=x":                                           {400, "RFC 3339"},
		"/map?model=small":                                          {400, "unknown query parameter"},
		"/map?f=tiff":                                               {400, "png, jpeg"},
		"/map/tiles?f=xml":                                          {400, "json, html"},
		"/map/tiles/None/0/0/0":                                     {404, "there is no tile matrix set"},
		"/map/tiles/WebMercatorQuad/0/a/0":                          {400, "tileRow"},
		"/map/tiles/WebMercatorQuad/1/0/0":                          {404, "outside the limits"},
		"/map/tiles/WebMercatorQuad/1/0/1?collections=x":            {400, "there is no collection"},
		"/map/tiles/WebMercatorQuad/1/0/1?scale=9":                  {400, "from 1 to 2"},
		tile + "?datetime=x":                                        {400, "RFC 3339"},
		tile + "?datetime=1999-01-01":                               {404, "2018-09-10"},
		tile + "?threshold=7":                                       {400, "above 0 and below 1"},
		tile + "?model=none":                                        {400, "bbunet, small"},
		tile + "?scale=0":                                           {400, "from 1 to 2"},
		tile + "?f=gif":                                             {400, "png, jpeg, webp, tiff"},
		tile + "@3x":                                                {400, "tileCol"},
		coverage + "?f=png":                                         {400, "tiff"},
		coverage + "?values=double":                                 {400, "float or byte"},
		coverage + "?width=99999":                                   {400, "from 1 to 4096"},
		coverage + "?height=-1":                                     {400, "from 1 to 4096"},
		coverage + "?scale-factor=0":                                {400, "scale-factor"},
		coverage + "?scale-factor=0.2":                              {400, "at most 4096"},
		coverage + "?scale-factor=2&width=4":                        {400, "in one way"},
		coverage + "?scale-size=E(5)":                               {400, "must name both axes"},
		coverage + "?scale-size=E":                                  {400, "pixels by axis"},
		coverage + "?scale-size=E(0),N(9)":                          {400, "from 1 to 4096"},
		coverage + "?center=1,2":                                    {400, "unknown query parameter"},
		maps + "?bbox-crs=zzz":                                      {400, "bbox-crs is given without bbox"},
		maps + "?center-crs=zzz":                                    {400, "center-crs is given without center"},
		maps + "?subset-crs=zzz":                                    {400, "subset-crs is given without subset"},
		coverage + "?bbox-crs=zzz":                                  {400, "bbox-crs is given without bbox"},
		maps + "?run=run-2":                                         {400, "unknown query parameter"},
		"/collections/atsuma-2018_landslides/map?threshold=0.4":     {400, "unknown query parameter"},
		coverage + "?scaleSize=Lat(9),Long(5000)":                   {400, "from 1 to 4096"},
		coverage + "?scale-size=E(5),N(5),Q(5)":                     {400, "names the axis"},
		coverage + "?scale-size=E(5),N(5),Lon(5)":                   {400, "twice"},
		coverage + "?scale-size=E(5),N(5)&scaleSize=E(5),N(5)":      {400, "give one of them"},
		coverage + "?scaleSize=E(5),N(5)&width=5":                   {400, "in one way"},
		coverage + "?crs=EPSG:2154":                                 {400, "is not offered"},
		coverage + "?threshold=1":                                   {400, "above 0 and below 1"},
		coverage + "?model=none":                                    {400, "bbunet, small"},
		coverage + "?datetime=1999-01-01":                           {404, "2018-09-10"},
		"/collections/atsuma-2018_pre/coverage":                     {404, "has no coverage"},
		"/collections/away_mask/coverage":                           {503, "can't be opened now"},
		info:                                                        {400, "point is missing"},
		info + "?point=1":                                           {400, "two numbers"},
		info + "?point=200,4":                                       {400, "not on the globe"},
		info + "?point=142,42.7&model=none":                         {400, "bbunet, small"},
		info + "?point=142,42.7&threshold=x":                        {400, "above 0 and below 1"},
		info + "?point=142,42.7&datetime=x":                         {400, "RFC 3339"},
		info + "?point=142,42.7&f=png":                              {400, "geojson, html, txt"},
		info + "?point=142,42.7&x=1":                                {400, "unknown query parameter"},
		"/collections/none_mask/info?point=1,2":                     {404, "no event"},
		legend + "?width=0":                                         {400, "from 1 to 2048"},
		legend + "?height=9999":                                     {400, "from 1 to 2048"},
		legend + "?f=gif":                                           {400, "png, json"},
		"/collections/atsuma-2018_mask/styles/none/legend":          {404, "no style"},
		"/collections/atsuma-2018_mask/styles/none":                 {404, "no style"},
	} {
		t.Run(target, func(t *testing.T) {
			r := s.get(target)
			body := text(t, r)
			require.Equal(t, want.status, r.StatusCode, body)
			require.Contains(t, body, want.says)
			require.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
			require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
		})
	}
}

// Before there is any event, the dataset's map is an empty picture, and its tiles are not there.
func TestMapWithoutEvents(t *testing.T) {
	s := newServer(t)
	for _, event := range []string{"atsuma-2018", "away"} {
		require.NoError(t, s.store.DeleteEvent(t.Context(), event))
	}
	r := s.get("/map")
	require.Equal(t, http.StatusOK, r.StatusCode)
	require.Equal(t, "image/png", r.Header.Get("Content-Type"))
	require.Equal(t, http.StatusNotFound, s.get("/map/tiles/WebMercatorQuad/0/0/0").StatusCode)
}
