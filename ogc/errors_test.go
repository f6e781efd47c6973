package ogc_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Everything that is wrong gets its status, says how to mend it, and is kept by no cache.
func TestBadRequests(t *testing.T) {
	s := withJobs(t, newServer(t))
	const items, tile, maps = "/collections/atsuma-2018_landslides/items", "/collections/atsuma-2018_mask/map/tiles/WebMercatorQuad", "/collections/atsuma-2018_mask/map"
	execute := func(process, body string) func() *http.Response {
		return func() *http.Response {
			return s.ask(http.MethodPost, "/processes/"+process+"/execution", body, "Content-Type", "application/json")
		}
	}
	get := func(target string, headers ...string) func() *http.Response {
		return func() *http.Response { return s.get(target, headers...) }
	}
	write := func(method, target, body string) func() *http.Response {
		return func() *http.Response { return s.ask(method, target, body, "Content-Type", "application/json") }
	}
	for name, tt := range map[string]struct {
		ask    func() *http.Response
		status int
		says   string
	}{
		"unknown f":              {get("/collections?f=xml"), 400, `f=\"xml\" is not offered here; choose one of json, html`},
		"not acceptable":         {get("/collections", "Accept", "image/png"), 406, "application/json, text/html"},
		"unknown parameter":      {get("/collections?colour=red"), 400, `unknown query parameter \"colour\"; known here: f`},
		"repeated parameter":     {get(items + "?limit=1&limit=2"), 400, "limit is given more than once"},
		"no such collection":     {get("/collections/atsuma-2018_snow"), 404, "{event}_{layer}"},
		"no such event":          {get("/collections/nowhere_mask"), 404, `no event \"nowhere\"`},
		"no layer":               {get("/collections/mask"), 404, "{event}_{layer}"},
		"items of a raster":      {get("/collections/atsuma-2018_mask/items"), 404, "atsuma-2018_landslides"},
		"unknown item parameter": {get(items + "?min_aera=3"), 400, "min_area"},
		"limit 0":                {get(items + "?limit=0"), 400, "limit=\\\"0\\\" must be an integer from 1"},
		"limit text":             {get(items + "?limit=many"), 400, "must be an integer"},
		"limit empty":            {get(items + "?limit="), 400, "limit is empty"},
		"bbox of 3":              {get(items + "?bbox=1,2,3"), 400, "4 or 6 numbers"},
		"bbox NaN":               {get(items + "?bbox=1,2,NaN,4"), 400, "is not a number"},
		"bbox upside down":       {get(items + "?bbox=1,4,3,2"), 400, "south 4 is above north 2"},
		"bbox off the globe":     {get(items + "?bbox=1,2,300,4"), 400, "longitudes"},
		"bbox-crs alone":         {get(items + "?bbox-crs=http://www.opengis.net/def/crs/OGC/1.3/CRS84"), 400, "without bbox"},
		"unknown crs":            {get(items + "?crs=EPSG:31467"), 400, "is not offered"},
		"datetime":               {get(items + "?datetime=yesterday"), 400, "RFC 3339"},
		"datetime open":          {get(items + "?datetime=../.."), 400, "one end"},
		"datetime backwards":     {get(items + "?datetime=2019-01-01/2018-01-01"), 400, "ends before it starts"},
		"min_area":               {get(items + "?min_area=-1"), 400, "must be a number from 0"},
		"cursor":                 {get(items + "?after=1"), 400, "links with rel next"},
		"token of nothing":       {get(items + "?after="), 400, "links with rel next"},
		"filter empty":           {get(items + "?filter="), 400, "filter: the filter is empty"},
		"filter broken":          {get(items + "?filter=area_m2+%3E"), 400, "filter: at character 10: the filter ends"},
		"filter unknown":         {get(items + "?filter=surface+%3E+1"), 400, `there is no property \"surface\"; there are area_m2, aspect_deg`},
		"filter wrong type":      {get(items + "?filter=area_m2+%3E+'a'"), 400, "a number can't be compared with a text"},
		"filter no truth":        {get(items + "?filter=area_m2"), 400, "compare it with something"},
		"filter overflow":        {get(items + "?filter=area_m2*1e308*1e308+%3E+1"), 400, "numbers of the filter overflow"},
		"filter function":        {get(items + "?filter=BUFFER(geometry,1)"), 400, "there is no function"},
		"filter SQL":             {get(items + "?filter=1=1;DROP+TABLE+landslides"), 400, "write ; as %3B"},
		"filter SQL encoded":     {get(items + "?filter=1=1%3BDROP+TABLE+landslides"), 400, "has no meaning here"},
		"filter geometry":        {get(items + "?filter=S_INTERSECTS(geometry,POLYGON((0+0,1+1,1+0,0+1,0+0)))"), 400, "the geometry is not valid"},
		"filter JSON":            {get(items + "?filter-lang=cql2-json&filter=area_m2"), 400, "the filter is not JSON"},
		"filter JSON place":      {get(items + "?filter-lang=cql2-json&filter=%7B%22op%22:%22not%22,%22args%22:%5B1%5D%7D"), 400, "at /args/0: NOT takes a truth"},
		"filter language":        {get(items + "?filter=true&filter-lang=sql"), 400, "cql2-text or cql2-json"},
		"filter-lang alone":      {get(items + "?filter-lang=cql2-text"), 400, "filter-lang is given without filter"},
		"filter-crs alone":       {get(items + "?filter-crs=EPSG:4326"), 400, "filter-crs is given without filter"},
		"filter-crs":             {get(items + "?filter=true&filter-crs=EPSG:31467"), 400, "is not offered"},
		"filter-crs order":       {get(items + "?filter=S_INTERSECTS(geometry,POINT(141+42))&filter-crs=EPSG:4326"), 400, "in the order of filter-crs"},
		"sortby unknown":         {get(items + "?sortby=size"), 400, "can't sort by"},
		"sortby outline":         {get(items + "?sortby=geometry"), 400, "can't sort by"},
		"sortby empty":           {get(items + "?sortby="), 400, "can't sort by"},
		"sortby twice":           {get(items + "?sortby=model,-model"), 400, "names model twice"},
		"sortby many":            {get(items + "?sortby=id,model,run,event,area_m2,length_m"), 400, "more than 5"},
		"properties unknown":     {get(items + "?properties=size"), 400, "there is no property"},
		"property number":        {get(items + "?area_m2=large"), 400, "area_m2=\\\"large\\\" must be a number"},
		"property empty":         {get(items + "?area_m2="), 400, "area_m2 is empty"},
		"property truth":         {get(items + "?cloud_adjacent=perhaps"), 400, "true or false"},
		"property time":          {get(items + "?post_date=soon"), 400, "RFC 3339"},
		"crs empty":              {get(items + "?crs="), 400, "crs is empty"},
		"crs of a GeoPackage":    {get(items + "?f=gpkg&crs=EPSG:3857"), 400, "can't be chosen for f=gpkg"},
		"properties of Parquet":  {get(items + "?f=parquet&properties=run"), 400, "can't be chosen for f=parquet"},
		"crs of a sequence":      {get(items + "?f=geojsonseq&crs=EPSG:3857"), 400, "RFC 8142"},
		"file of a bad filter":   {get(items + "?f=csv&filter=area_m2*1e308*1e308%3E1"), 400, "overflow"},
		"file of no run":         {get(items + "?f=csv&run=none"), 404, "none"},
		"item as a file":         {get(items + "/1?f=csv"), 400, "is not offered here; choose one of geojson, html, jsonfg"},
		"queryables parameter":   {get("/collections/atsuma-2018_landslides/queryables?limit=1"), 400, "unknown query parameter"},
		"queryables of a raster": {get("/collections/atsuma-2018_mask/queryables"), 404, "has no features"},
		"no such run":            {get(items + "?run=none"), 404, "none"},
		"no such item":           {get(items + "/99"), 404, `no item \"99\"`},
		"item is text":           {get(items + "/first"), 404, `no item \"first\"`},
		"no such matrix set":     {get("/tileMatrixSets/Mine"), 404, "WebMercatorQuad, WorldCRS84Quad"},
		"tile outside":           {get(tile + "/12/0/0"), 404, "outside the limits"},
		"tile too deep":          {get(tile + "/60/0/0"), 404, "outside the limits"},
		"tile of text":           {get(tile + "/12/a/0"), 400, `tileRow \"a\"`},
		"tile negative":          {get(tile + "/12/-1/0"), 400, "tileRow"},
		"tile in no set":         {get("/collections/atsuma-2018_mask/map/tiles/Mine/0/0/0"), 404, "unknown tile matrix set"},
		"tile f":                 {get(tile + "/0/0/0?f=gif"), 400, "png, jpeg, webp, tiff"},
		"tile Accept":            {get(tile+"/0/0/0", "Accept", "video/mp4"), 406, "image/png"},
		"tile model":             {get(tile + "/0/0/0?model=none"), 400, "bbunet, small"},
		"tile threshold":         {get(tile + "/0/0/0?threshold=1"), 400, "above 0 and below 1"},
		"tile threshold outside": {get(tile + "/12/0/0?threshold=0.5"), 404, "outside the limits"},
		"tile scale":             {get(tile + "/0/0/0?scale=3"), 400, "from 1 to 2"},
		"tile parameter":         {get(tile + "/0/0/0?treshold=0.5"), 400, "threshold"},
		"tile style":             {get("/collections/atsuma-2018_mask/styles/none/map/tiles/WebMercatorQuad/0/0/0"), 404, "none"},
		"tileset style":          {get("/collections/atsuma-2018_mask/styles/none/map/tiles"), 404, "default, plain"},
		"vector tile of mask":    {get("/collections/atsuma-2018_mask/tiles/WebMercatorQuad/0/0/0"), 404, "map tiles are at"},
		"tilejson of 4326":       {get("/collections/atsuma-2018_mask/map/tiles/WorldCRS84Quad?f=tilejson"), 400, "json, html"},
		"map too wide":           {get(maps + "?width=100000"), 400, "from 1 to 4096"},
		"map bbox empty":         {get(maps + "?bbox=1,2,1,3"), 400, "is empty"},
		"map crs":                {get(maps + "?crs=EPSG:2154"), 400, "is not offered"},
		"map bgcolor":            {get(maps + "?bgcolor=sky"), 400, "0xRRGGBB"},
		"map transparent":        {get(maps + "?transparent=maybe"), 400, "true or false"},
		"map of files away":      {get("/collections/away_mask/map"), 503, "can't be opened now"},
		"no such process":        {get("/processes/none"), 404, "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/no-such-process"},
		"execute no process":     {execute("none", "{}"), 404, "no-such-process"},
		"execute nothing":        {execute("echo", ""), 400, "it is empty"},
		"execute no JSON":        {execute("echo", "message=1"), 400, "not an execute request"},
		"execute two":            {execute("echo", `{"inputs":{"message":"a"}}{}`), 400, "behind"},
		"execute no message":     {execute("echo", `{"inputs":{}}`), 400, "such as message"},
		"execute all wrong":      {execute("echo", `{"inputs":{"message":7,"pause":-1,"x":1}}`), 400, "pause: "},
		"execute output":         {execute("echo", `{"inputs":{"message":"a"},"outputs":{"nothing":{}}}`), 400, "there are box, colour"},
		"execute mode":           {execute("echo", `{"inputs":{"message":"a"},"outputs":{"message":{"transmissionMode":"pigeon"}}}`), 400, "value or reference"},
		"execute format":         {execute("map-landslides", `{"inputs":{"event":"atsuma-2018"},"outputs":{"mask":{"format":{"mediaType":"image/png"}}}}`), 400, "image/tiff"},
		"execute response":       {execute("echo", `{"inputs":{"message":"a"},"response":"loud"}`), 400, "raw or document"},
		"execute callback":       {execute("echo", `{"inputs":{"message":"a"},"subscriber":{"successUri":"http://x"}}`), 400, "callbacks to http://x are not allowed"},
		"execute as XML": {func() *http.Response {
			return s.ask(http.MethodPost, "/processes/echo/execution", "<a/>", "Content-Type", "text/xml")
		}, 415, "application/json"},
		"map nothing":          {execute("map-landslides", `{"inputs":{}}`), 400, "event: missing"},
		"map no such event":    {execute("map-landslides", `{"inputs":{"event":"nowhere"}}`), 400, "no event"},
		"map both":             {execute("map-landslides", `{"inputs":{"event":"atsuma-2018","dem":"d.tif"}}`), 400, "not both"},
		"map half":             {execute("map-landslides", `{"inputs":{"post":"2018-09-10.tif"}}`), 400, "pre: missing"},
		"map forbidden file":   {execute("map-landslides", `{"inputs":{"pre":"a.tif","post":"b.tif","dem":"/etc/passwd","triggerTime":"2018-09-05"}}`), 400, "not in an allowed place"},
		"map trigger":          {execute("map-landslides", `{"inputs":{"pre":"a.tif","post":"b.tif","dem":"c.tif","triggerTime":"yesterday"}}`), 400, "triggerTime: "},
		"map model":            {execute("map-landslides", `{"inputs":{"event":"atsuma-2018","model":"none"}}`), 400, "model: "},
		"map threshold":        {execute("map-landslides", `{"inputs":{"event":"atsuma-2018","threshold":1.5}}`), 400, "threshold: "},
		"map aoi point":        {execute("map-landslides", `{"inputs":{"event":"atsuma-2018","aoi":{"type":"Point","coordinates":[1,2]}}}`), 400, "aoi"},
		"map aoi open":         {execute("map-landslides", `{"inputs":{"event":"atsuma-2018","aoi":{"type":"Polygon","coordinates":[[[1,2],[2,2],[2,3],[1,3]]]}}}`), 400, "the last the same as the first"},
		"map aoi off":          {execute("map-landslides", `{"inputs":{"event":"atsuma-2018","aoi":{"type":"Polygon","coordinates":[[[1,2],[200,2],[2,3],[1,2]]]}}}`), 400, "not a longitude"},
		"map aoi flat":         {execute("map-landslides", `{"inputs":{"event":"atsuma-2018","aoi":{"bbox":[1,2,1,3]}}}`), 400, "is empty"},
		"no such job":          {get("/jobs/none"), 404, "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/no-such-job"},
		"results of no job":    {get("/jobs/none/results"), 404, "no-such-job"},
		"results too early":    {get("/jobs/job-1/results"), 404, "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0/result-not-ready"},
		"output too early":     {get("/jobs/job-1/results/mask"), 404, "result-not-ready"},
		"no such output":       {get("/jobs/job-2/results/none"), 404, "geopackage"},
		"dismiss no job":       {write(http.MethodDelete, "/jobs/none", ""), 404, "no-such-job"},
		"job status":           {get("/jobs?status=sleeping"), 400, "accepted, running"},
		"job type":             {get("/jobs?type=party"), 400, "must be process"},
		"event id":             {write(http.MethodPost, "/events", `{"id":"No_Good"}`), 400, "a-z, 0-9 and hyphen"},
		"event twice":          {write(http.MethodPost, "/events", `{"id":"atsuma-2018"}`), 409, "PUT"},
		"event unknown member": {write(http.MethodPost, "/events", `{"id":"new","tittle":"x"}`), 400, "tittle"},
		"event other id":       {write(http.MethodPut, "/events/one", `{"id":"two"}`), 400, "must be the same"},
		"event forbidden file": {write(http.MethodPut, "/events/one", `{"id":"one","dem":"/etc/shadow"}`), 400, "not in an allowed place"},
		"delete no event":      {write(http.MethodDelete, "/events/none", ""), 404, "no event"},
		"no such model":        {get("/models/none"), 404, "no model"},
	} {
		t.Run(name, func(t *testing.T) {
			r := tt.ask()
			body := text(t, r)
			require.Equal(t, tt.status, r.StatusCode, body)
			require.Contains(t, body, tt.says)
			require.Equal(t, "application/problem+json", r.Header.Get("Content-Type"))
			require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
			var p struct {
				Type, Title, Detail string
				Status              int
			}
			require.NoError(t, json.Unmarshal([]byte(body), &p))
			require.Equal(t, tt.status, p.Status)
			require.NotEmpty(t, p.Title)
			require.NotEmpty(t, p.Type)
		})
	}
}

func TestErrorsAreForPeopleToo(t *testing.T) {
	r := newServer(t).get("/collections/nowhere_mask", "Accept", "text/html")
	body := text(t, r)
	require.Equal(t, 404, r.StatusCode)
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	require.Contains(t, body, "there is no event")
	r = newServer(t).get("/collections/%3Cscript%3E_mask", "Accept", "text/html")
	require.False(t, strings.Contains(text(t, r), "<script>"))
}

// Whatever parameter of whatever route is given nonsense, the answer is a problem that names it, and nobody keeps it.
func TestEveryParameterRefusesNonsense(t *testing.T) {
	s := withJobs(t, newServer(t))
	free := map[string]string{
		"v":           "any version is the client's own business",
		"processID":   "no job is of a process that is not there",
		"run":         "who draws knows the runs, and that is not here",
		"items/event": "attributes are compared with any text", "items/model": "", "items/model_version": "",
	}
	asked := 0
	for path, item := range document(t, s).Paths.Map() {
		if strings.HasPrefix(path, "/wms") || strings.HasPrefix(path, "/wmts") {
			continue // they have tables of their own
		}
		for method, op := range item.Operations() {
			all, needed := slices.Concat(item.Parameters, op.Parameters), ""
			for _, p := range all {
				if p.Value.In == "query" && p.Value.Required {
					needed += fmt.Sprintf("&%s=%v", p.Value.Name, p.Value.Example)
				}
			}
			for _, p := range all {
				name := p.Value.Name
				_, anything := free[name]
				_, anyText := free[path[strings.LastIndex(path, "/")+1:]+"/"+name]
				if p.Value.In != "query" || anything || anyText {
					continue
				}
				target := pathFor(path) + "?" + name + "=%7Enonsense%7E"
				if !p.Value.Required {
					target += needed
				}
				r := s.ask(method, target, "{}", "Content-Type", "application/json")
				body := text(t, r)
				where := fmt.Sprintf("%s %s: %d %.300q", method, target, r.StatusCode, body)
				assert.Contains(t, []int{400, 404}, r.StatusCode, where)
				assert.Equal(t, "application/problem+json", r.Header.Get("Content-Type"), where)
				assert.Equal(t, "no-store", r.Header.Get("Cache-Control"), where)
				assert.Contains(t, body, name, where)
				asked++
			}
		}
	}
	assert.Greater(t, asked, 120)
}
