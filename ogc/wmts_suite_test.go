package ogc_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/ogc/ogctest"
	"github.com/scarp-map/scarp/tiles"
)

// The names of the cases below are those of the tests of the OGC's suite for WMTS
// 1.0.0 (opengeospatial/ets-wmts10) without what they all begin with, which is
// Server.KVP.GET, or Server.RESTful where a test says so. What stands behind a blank says which of several requests of a
// test it is. XML.Well.Formed, SchemaReferenced and SchemaValid of
// GetCapabilities.Response are in TestXMLIsValidByTheOGCsSchemas, what goes through
// all layers, formats and matrix sets in TestWMTSGivesWhatItOffers.

// Requests that must be refused, with code, locator and status of the standard.
func TestWMTSSuiteExceptions(t *testing.T) {
	s := newServer(t)
	info := replaced(wmtsTile, "GetTile", "GetFeatureInfo") + "&infoformat=text/plain&i=1&j=2"
	cases := map[string]wmtsRefusal{
		"InvalidQueryString":                             {"/wmts?request~GetCapabilities!service~!'WMTS'version~'1.0.0'", "MissingParameterValue", "service"},
		"InvalidService":                                 {"/wmts?service=BOGUS&request=GetCapabilities", "InvalidParameterValue", "service"},
		"InvalidRequest":                                 {"/wmts?service=WMTS&request=GetBOGUS", "InvalidParameterValue", "request"},
		"GetCapabilities.Request.NoService":              {"/wmts?request=GetCapabilities", "MissingParameterValue", "service"},
		"GetCapabilities.Request.InvalidService":         {"/wmts?service=BOGUS&request=GetCapabilities", "InvalidParameterValue", "service"},
		"GetCapabilities.Request.AcceptVersions.Invalid": {"/wmts?service=WMTS&request=GetCapabilities&acceptversions=9.9.9,2.0.0", "VersionNegotiationFailed", ""},
		"GetCapabilities.Request.Sections.Invalid":       {"/wmts?service=WMTS&request=GetCapabilities&sections=Bogus", "InvalidParameterValue", "Sections"},
		"GetTile.Invalid.Tile.Format":                    {replaced(wmtsTile, "image/png", "image/bogus"), "InvalidParameterValue", "format"},
		"GetFeatureInfo.Missing J":                       {replaced(info, "&j=2", ""), "MissingParameterValue", "J"},
		"GetFeatureInfo.Missing I":                       {replaced(info, "&i=1", ""), "MissingParameterValue", "I"},
		"GetFeatureInfo.Missing InfoFormat":              {replaced(info, "&infoformat=text/plain", ""), "MissingParameterValue", "InfoFormat"},
		"GetFeatureInfo.Invalid.InfoFormat":              {replaced(info, "text/plain", "text/klingon"), "InvalidParameterValue", "InfoFormat"},
		"GetFeatureInfo.Invalid.Pixel.Row.J":             {replaced(info, "&j=2", "&j=256"), "PointIJOutOfRange", "J"},
		"GetFeatureInfo.Invalid.Pixel.Row.J below":       {replaced(info, "&j=2", "&j=-1"), "PointIJOutOfRange", "J"},
		"GetFeatureInfo.Invalid.Pixel.Col.I":             {replaced(info, "&i=1", "&i=256"), "PointIJOutOfRange", "I"},
		"GetFeatureInfo.Invalid.Pixel.Col.I below":       {replaced(info, "&i=1", "&i=-1"), "PointIJOutOfRange", "I"},
	}
	// What both operations refuse, since both name a tile.
	for operation, target := range map[string]string{"GetTile": wmtsTile, "GetFeatureInfo": info} {
		for name, tt := range map[string]wmtsRefusal{
			"Missing version":                      {replaced(target, "&version=1.0.0", ""), "MissingParameterValue", "version"},
			"Missing layer":                        {replaced(target, "&layer=atsuma-2018_mask", ""), "MissingParameterValue", "layer"},
			"Missing style":                        {replaced(target, "&style=default", ""), "MissingParameterValue", "style"},
			"Missing format":                       {replaced(target, "&format=image/png", ""), "MissingParameterValue", "format"},
			"Missing TileMatrixSet":                {replaced(target, "&TileMatrixSet=WebMercatorQuad", ""), "MissingParameterValue", "TileMatrixSet"},
			"Missing TileMatrix":                   {replaced(target, "&TileMatrix=1", ""), "MissingParameterValue", "TileMatrix"},
			"Missing TileRow":                      {replaced(target, "&TileRow=0", ""), "MissingParameterValue", "TileRow"},
			"Missing TileCol":                      {replaced(target, "&TileCol=1", ""), "MissingParameterValue", "TileCol"},
			"Invalid.Layer":                        {replaced(target, "atsuma-2018_mask", "bogus"), "InvalidParameterValue", "layer"},
			"Invalid.Tile.Style":                   {replaced(target, "style=default", "style=bogus"), "InvalidParameterValue", "style"},
			"Invalid.TileMatrixSet":                {replaced(target, "WebMercatorQuad", "bogus"), "InvalidParameterValue", "TileMatrixSet"},
			"Invalid.TileMatrix":                   {replaced(target, "TileMatrix=1", "TileMatrix=99"), "InvalidParameterValue", "TileMatrix"},
			"Invalid.Tile.Row.TileMatrixSetLimits": {replaced(target, "TileRow=0", "TileRow=1"), "TileOutOfRange", "TileRow"},
			"Invalid.Tile.Col.TileMatrixSetLimits": {replaced(target, "TileCol=1", "TileCol=0"), "TileOutOfRange", "TileCol"},
			"Invalid.SampleDimension.Value":        {target + "&time=BOGUS", "InvalidParameterValue", "Time"},
		} {
			cases[operation+"."+name] = tt
		}
	}
	requireReports(t, s, http.StatusBadRequest, cases)
}

// wmtsRefusal is a request with the code and the locator of the report that answers it.
type wmtsRefusal struct{ target, code, locator string }

// requireReports sends requests that are all refused with one status.
func requireReports(t *testing.T, s *server, status int, cases map[string]wmtsRefusal) {
	t.Helper()
	for name, tt := range cases {
		t.Run(name, func(t *testing.T) {
			r := s.get(tt.target)
			require.Equal(t, status, r.StatusCode)
			code, locator, _ := owsException(t, r)
			require.Equal(t, []string{tt.code, tt.locator}, []string{code, locator})
		})
	}
}

// What there is not as a resource is 404, with the same report: the suite's tests
// that begin with Server.RESTful, which want any status of an error.
func TestWMTSSuiteResourceExceptions(t *testing.T) {
	s := newServer(t)
	cases := map[string]wmtsRefusal{
		"InvalidQueryString":                       {"/wmts/1.0.0/BOGUS.xml", "NoApplicableCode", ""},
		"GetTile.Missing Format":                   {wmtsRest, "InvalidParameterValue", "format"},
		"GetTile.Invalid.Tile.Format":              {wmtsRest + ".gif", "InvalidParameterValue", "format"},
		"GetFeatureInfo.Missing J":                 {wmtsRest + "//2.json", "InvalidParameterValue", "J"},
		"GetFeatureInfo.Missing I":                 {wmtsRest + "/2/.json", "InvalidParameterValue", "I"},
		"GetFeatureInfo.Missing InfoFormat":        {wmtsRest + "/2/2", "InvalidParameterValue", "InfoFormat"},
		"GetFeatureInfo.Invalid.InfoFormat":        {wmtsRest + "/2/2.xls", "InvalidParameterValue", "InfoFormat"},
		"GetFeatureInfo.Invalid.Pixel.Row.J":       {wmtsRest + "/256/2.json", "PointIJOutOfRange", "J"},
		"GetFeatureInfo.Invalid.Pixel.Col.I":       {wmtsRest + "/2/256.json", "PointIJOutOfRange", "I"},
		"GetFeatureInfo.Invalid.Pixel.Col.I below": {wmtsRest + "/2/-1.json", "PointIJOutOfRange", "I"},
	}
	for operation, rest := range map[string]string{"GetTile": ".png", "GetFeatureInfo": "/2/3.json"} {
		at := func(pairs ...string) string { return replaced(wmtsRest, pairs...) + rest }
		for name, tt := range map[string]wmtsRefusal{
			"Missing Style":                        {at("/default/", "//"), "InvalidParameterValue", "style"},
			"Missing TileMatrixSet":                {at("/WebMercatorQuad/", "//"), "InvalidParameterValue", "TileMatrixSet"},
			"Missing TileMatrix":                   {at("/1/0/1", "//0/1"), "InvalidParameterValue", "TileMatrix"},
			"Missing TileRow":                      {at("/1/0/1", "/1//1"), "InvalidParameterValue", "TileRow"},
			"Missing TileCol":                      {at("/1/0/1", "/1/0/"), "InvalidParameterValue", "TileCol"},
			"Invalid.Layer":                        {at("atsuma-2018_mask", "bogus"), "InvalidParameterValue", "layer"},
			"Invalid.Tile.Style":                   {at("/default/", "/bogus/"), "InvalidParameterValue", "style"},
			"Invalid.TileMatrixSet":                {at("WebMercatorQuad", "bogus"), "InvalidParameterValue", "TileMatrixSet"},
			"Invalid.TileMatrix":                   {at("/1/0/1", "/99/0/1"), "InvalidParameterValue", "TileMatrix"},
			"Invalid.Tile.Row.TileMatrixSetLimits": {at("/1/0/1", "/1/1/1"), "TileOutOfRange", "TileRow"},
			"Invalid.Tile.Col.TileMatrixSetLimits": {at("/1/0/1", "/1/0/0"), "TileOutOfRange", "TileCol"},
			"Invalid.SampleDimension.Value":        {at("/all/", "/BOGUS/"), "InvalidParameterValue", "Time"},
		} {
			cases[operation+"."+name] = tt
		}
	}
	requireReports(t, s, http.StatusNotFound, cases)
}

// Requests for capabilities.
func TestWMTSSuiteGetCapabilities(t *testing.T) {
	s := newServer(t)
	whole := text(t, s.get("/wmts?service=WMTS&request=GetCapabilities"))
	all := wmtsCapabilities(t, s, "")
	for name, query := range map[string]string{
		"Request.Mandatory":                  "service=WMTS&request=GetCapabilities",
		"Request.CaseInsensitive.KVP.Names":  "sErViCe=WMTS&ReQuEsT=GetCapabilities",
		"Request.AcceptVersions.Valid":       "service=WMTS&request=GetCapabilities&AcceptVersions=1.0.0",
		"Request.AcceptVersions.Valid first": "service=WMTS&request=GetCapabilities&AcceptVersions=2.0.0,1.0.0",
		"Request.Sections.All":               "service=WMTS&request=GetCapabilities&Sections=All",
		"Request.Sections.Missing":           "service=WMTS&request=GetCapabilities&Sections=",
		"Request.UpdateSequence lower":       "service=WMTS&request=GetCapabilities&UpdateSequence=1",
	} {
		t.Run("GetCapabilities."+name, func(t *testing.T) { require.Equal(t, whole, text(t, s.get("/wmts?"+query))) })
	}
	for name, tt := range map[string]struct {
		query string
		want  [5]bool
	}{
		"Sections.ServiceIdentification": {"&sections=ServiceIdentification", [5]bool{0: true}},
		"Sections.ServiceProvider":       {"&sections=ServiceProvider", [5]bool{1: true}},
		"Sections.OperationsMetadata":    {"&sections=OperationsMetadata", [5]bool{2: true}},
		"Sections.Contents":              {"&sections=Contents", [5]bool{3: true}},
		"Sections.Themes":                {"&sections=Themes", [5]bool{4: true}},
		"Sections.Multiple":              {"&sections=Contents,Themes", [5]bool{3: true, 4: true}},
		"UpdateSequence":                 {"&updatesequence=" + all.UpdateSequence, [5]bool{}},
	} {
		t.Run("GetCapabilities.Request."+name, func(t *testing.T) {
			d := wmtsCapabilities(t, s, tt.query)
			require.Equal(t, tt.want, [5]bool{d.Identification != nil, d.Provider != nil, d.Operations != nil, d.Contents != nil, d.Themes != nil})
		})
	}
}

// What the capabilities say.
func TestWMTSSuiteCapabilities(t *testing.T) {
	s := newServer(t)
	series(t, s)
	d := wmtsCapabilities(t, s, "")
	require.Len(t, d.Contents.Layer, 10)
	require.Len(t, d.Contents.TileMatrixSet, 2)
	unique := func(t *testing.T, ids []string) {
		t.Helper()
		require.NotEmpty(t, ids)
		slices.Sort(ids)
		require.Equal(t, slices.Compact(slices.Clone(ids)), ids)
	}
	for name, check := range map[string]func(*testing.T){
		"AdvertisedFormat": func(t *testing.T) {
			require.Equal(t, "application/xml", s.get("/wmts?service=WMTS&request=GetCapabilities").Header.Get("Content-Type"), "none is advertised, so it is the default")
		},
		"OnlineResource": func(t *testing.T) {
			for _, o := range d.Operations.Operation {
				require.Equal(t, base+"/wmts?", o.Get[0].Href, o.Name)
			}
		},
		"Encoding.Constraint": func(t *testing.T) {
			names := []string{}
			for _, o := range d.Operations.Operation {
				require.Equal(t, []string{"KVP", "RESTful"}, []string{o.Get[0].Value, o.Get[1].Value}, o.Name)
				names = append(names, o.Name)
			}
			require.Equal(t, []string{"GetCapabilities", "GetFeatureInfo", "GetTile"}, names)
		},
		"Layer.Identifiers.Unique": func(t *testing.T) {
			var ids []string
			for _, l := range d.Contents.Layer {
				ids = append(ids, l.Identifier)
			}
			unique(t, ids)
		},
		"Style.Identifiers.Unique": func(t *testing.T) {
			for _, l := range d.Contents.Layer {
				var ids []string
				defaults := 0
				for _, style := range l.Style {
					ids = append(ids, style.Identifier)
					if style.IsDefault {
						defaults++
					}
				}
				unique(t, ids)
				require.Equal(t, 1, defaults, l.Identifier)
			}
		},
		"Layer.TileMatrixSet.Valid": func(t *testing.T) {
			for _, l := range d.Contents.Layer {
				require.NotEmpty(t, l.TileMatrixSetLink, l.Identifier)
				for _, link := range l.TileMatrixSetLink {
					set := matrixSet(t, d, link.TileMatrixSet)
					for _, limits := range link.Limits {
						m := set[limits.TileMatrix]
						require.True(t, 0 <= limits.MinTileRow && limits.MinTileRow <= limits.MaxTileRow && limits.MaxTileRow < m.height, "%s %s %v", l.Identifier, link.TileMatrixSet, limits)
						require.True(t, 0 <= limits.MinTileCol && limits.MinTileCol <= limits.MaxTileCol && limits.MaxTileCol < m.width, "%s %s %v", l.Identifier, link.TileMatrixSet, limits)
					}
				}
			}
		},
		"TileMatrixSet.Identifiers.Unique": func(t *testing.T) {
			unique(t, []string{d.Contents.TileMatrixSet[0].Identifier, d.Contents.TileMatrixSet[1].Identifier})
		},
		"TileMatrix.Identifiers.Unique": func(t *testing.T) {
			for _, set := range d.Contents.TileMatrixSet {
				var ids []string
				for _, m := range set.TileMatrix {
					ids = append(ids, m.Identifier)
				}
				unique(t, ids)
			}
		},
		"TileMatrixSet.ScaleDenominators.Unique": func(t *testing.T) {
			for _, set := range d.Contents.TileMatrixSet {
				for i := 1; i < len(set.TileMatrix); i++ {
					require.Less(t, set.TileMatrix[i].ScaleDenominator, set.TileMatrix[i-1].ScaleDenominator, set.Identifier)
				}
			}
		},
		"Layer.LegendURL.Correct.Resource, Correct.Format and Correct.Size": func(t *testing.T) {
			for _, l := range d.Contents.Layer {
				for _, style := range l.Style {
					u := style.LegendURL
					requireSize(t, s, strings.TrimPrefix(u.Href, base), u.Format, u.Width, u.Height)
				}
			}
		},
		"Dimension.Identifiers.Unique": func(t *testing.T) {
			body := text(t, s.get("/wmts?service=WMTS&request=GetCapabilities"))
			require.Equal(t, len(d.Contents.Layer), strings.Count(body, "<Dimension>"), "one each")
		},
		"TileMatrixSet.WellKnownScaleSet": func(t *testing.T) {
			for _, set := range d.Contents.TileMatrixSet {
				require.Contains(t, []string{"urn:ogc:def:wkss:OGC:1.0:GoogleMapsCompatible", "urn:ogc:def:wkss:OGC:1.0:GoogleCRS84Quad"}, set.WellKnownScaleSet)
				require.Equal(t, set.WellKnownScaleSet == "urn:ogc:def:wkss:OGC:1.0:GoogleCRS84Quad", set.SupportedCRS == "urn:ogc:def:crs:OGC:1.3:CRS84")
				for _, m := range set.TileMatrix {
					known := 559082264.0287178 // of the coarsest of both, and half of the one before it for every other
					for known > 1.5*m.ScaleDenominator {
						known /= 2
					}
					require.InEpsilon(t, known, m.ScaleDenominator, 1e-7, "%s %s", set.Identifier, m.Identifier)
				}
			}
		},
		"Theme.LayerRef.Valid": func(t *testing.T) {
			n := 0
			for _, theme := range d.Themes.Theme {
				for _, ref := range theme.LayerRef {
					require.True(t, slices.ContainsFunc(d.Contents.Layer, func(l wmtsLayer) bool { return l.Identifier == ref }), ref)
					n++
				}
			}
			require.Equal(t, len(d.Contents.Layer), n)
		},
	} {
		t.Run("GetCapabilities.Response."+name, check)
	}
	// These tests of the suite have no object here: what they look at is not declared.
	for name, absent := range map[string]bool{
		"GetCapabilities.Request.AcceptFormats, since only application/xml is offered": true,
		"GetCapabilities.Response.No.Layers.OtherSource":                               len(d.Contents.Layer) > 0,
		"GetTile and GetFeatureInfo.Invalid.Tile.Row and Col.No.TileMatrixSetLimits": !slices.ContainsFunc(d.Contents.Layer, func(l wmtsLayer) bool {
			return slices.ContainsFunc(l.TileMatrixSetLink, func(k wmtsLink) bool { return len(k.Limits) == 0 })
		}),
		"GetTile and GetFeatureInfo.Missing.Optional": !slices.ContainsFunc(d.Contents.Layer, func(l wmtsLayer) bool { return l.Dimension != nil && l.Dimension.Default == "" }),
		"GetFeatureInfo.NonQueryable.Layer":           !slices.ContainsFunc(d.Contents.Layer, func(l wmtsLayer) bool { return len(l.InfoFormat) == 0 }),
		"GetTile.Valid.Tile.Transparency":             !slices.ContainsFunc(d.Contents.Layer, func(l wmtsLayer) bool { return l.Identifier == "TransparentNodata" }),
	} {
		require.True(t, absent, "%s has an object now: it needs a test", name)
	}
}

// extent is how many columns and rows a matrix has, and the size of its tiles.
type extent struct{ width, height, tileWidth, tileHeight int }

// matrixSet finds the matrices of a set that a layer links to.
func matrixSet(t *testing.T, d wmtsDoc, id string) map[string]extent {
	t.Helper()
	for _, set := range d.Contents.TileMatrixSet {
		if set.Identifier == id {
			matrices := map[string]extent{}
			for _, m := range set.TileMatrix {
				matrices[m.Identifier] = extent{m.MatrixWidth, m.MatrixHeight, m.TileWidth, m.TileHeight}
			}
			return matrices
		}
	}
	require.Fail(t, "there is no such set", id)
	return nil
}

// GetTile.Valid.Tile.Size: tiles of every matrix that a layer links to are as
// large as the matrix says, in both bindings.
func TestWMTSSuiteTileSize(t *testing.T) {
	s := newServer(t)
	d := wmtsCapabilities(t, s, "")
	asked := 0
	for _, l := range d.Contents.Layer[:2] {
		for _, link := range l.TileMatrixSetLink {
			set := matrixSet(t, d, link.TileMatrixSet)
			for _, at := range link.Limits {
				m := set[at.TileMatrix]
				require.NotZero(t, m.tileWidth, at.TileMatrix)
				for format, extension := range map[string]string{"image/png": "png", "image/jpeg": "jpg"} {
					requireSize(t, s, fmt.Sprintf("/wmts?service=WMTS&request=GetTile&version=1.0.0&layer=%s&style=%s&format=%s&TileMatrixSet=%s&TileMatrix=%s&TileRow=%d&TileCol=%d",
						l.Identifier, l.Style[0].Identifier, format, link.TileMatrixSet, at.TileMatrix, at.MinTileRow, at.MaxTileCol), format, m.tileWidth, m.tileHeight)
					requireSize(t, s, fmt.Sprintf("/wmts/1.0.0/%s/%s/%s/%s/%s/%d/%d.%s", l.Identifier, l.Style[0].Identifier, l.Dimension.Default,
						link.TileMatrixSet, at.TileMatrix, at.MinTileRow, at.MaxTileCol, extension), format, m.tileWidth, m.tileHeight)
					asked++
				}
			}
		}
	}
	require.Greater(t, asked, 40)
}

// Default.SampleDimension and Current.SampleDimension of both operations: the
// words default and current, where a layer has several dates. A parameter that
// is no dimension's name (Invalid.SampleDimension.Name, which the suite lists and
// has no test of) is left alone, as others that nobody knows are.
func TestWMTSSuiteSampleDimension(t *testing.T) {
	s := newServer(t)
	series(t, s)
	last := ogctest.Day().AddDate(0, 0, 24)
	tile := replaced(wmtsTile, "atsuma-2018", "series")
	for name, tt := range map[string]struct {
		query string
		want  tiles.Span
	}{
		"Default.SampleDimension":            {"&Time=default", tiles.Span{}},
		"Default.SampleDimension left out":   {"", tiles.Span{}},
		"Current.SampleDimension":            {"&Time=current", tiles.Span{From: last, To: last}},
		"Invalid.SampleDimension.Name alone": {"&BOGUS=2018-09-10", tiles.Span{}},
	} {
		t.Run(name, func(t *testing.T) {
			requireAnswered(t, s, tile+tt.query, "image/png")
			require.Equal(t, tt.want, s.renderer.LastTile().During, "GetTile")
			requireAnswered(t, s, replaced(tile, "GetTile", "GetFeatureInfo")+"&infoformat=text/plain&i=1&j=2"+tt.query, "text/plain")
			require.Equal(t, tt.want, s.renderer.LastPoint().During, "GetFeatureInfo")
		})
	}
	for name, want := range map[string]tiles.Span{"default": {}, "current": {From: last, To: last}} {
		rest := replaced(wmtsRest, "atsuma-2018", "series", "/all/", "/"+name+"/")
		requireAnswered(t, s, rest+".png", "image/png")
		require.Equal(t, want, s.renderer.LastTile().During, "Server.RESTful.GetTile, %s", name)
		requireAnswered(t, s, rest+"/2/3.json", "application/json")
		require.Equal(t, want, s.renderer.LastPoint().During, "Server.RESTful.GetFeatureInfo, %s", name)
	}
}
