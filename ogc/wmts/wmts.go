// Package wmts serves the Web Map Tile Service 1.0.0 in both of its forms: as
// key-value pairs at /wmts, and as resources below /wmts/1.0.0. Layers are the
// collections; tiles and styles are those of OGC API Tiles.
package wmts

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/tiles"
)

// API serves the Web Map Tile Service.
type API struct {
	Site      *common.Site
	Catalog   *common.Catalog
	Renderer  tiles.Renderer
	Projector common.Projector

	sets     []tiles.MatrixSet
	sequence common.Sequence
}

// version is the only one that there is.
const version = "1.0.0"

// Register adds the routes.
func (a *API) Register(e *echo.Echo) error {
	a.sets = a.Renderer.MatrixSets()
	get := func(path string, kvp bool, f func(echo.Context) error) {
		h := func(c echo.Context) error {
			if err := f(c); err != nil {
				return a.writeException(c, err, kvp)
			}
			return nil
		}
		e.Add(http.MethodGet, path, h)
		e.Add(http.MethodHead, path, h)
	}
	get("/wmts", true, a.serve)
	get("/wmts/1.0.0/WMTSCapabilities.xml", false, func(c echo.Context) error { return a.capabilities(c, allSections()) })
	// A collection with dates has them in its addresses; those without are understood too.
	for _, when := range []string{"", "/:time"} {
		tile := "/wmts/1.0.0/:layer/:style" + when + "/:tms/:matrix/:row/:col"
		get(tile, false, a.resourceTile)
		get(tile+"/:j/:i", false, a.resourceInfo)
	}
	common.Unrouted(e, "/wmts", a.refuse)
	common.Unrouted(e, "/wmts/*", a.refuse)
	return nil
}

// refuse reports an address that there is not, or a method that is not offered.
func (a *API) refuse(c echo.Context, status int) error {
	e := &exception{code: "NoApplicableCode", text: fmt.Sprintf("there is no %s; the addresses of tiles are in %s/wmts/1.0.0/WMTSCapabilities.xml", common.Quote(c.Request().URL.Path), a.Site.Base(c)), status: status}
	if status == http.StatusMethodNotAllowed {
		e.code, e.text = "OperationNotSupported", fmt.Sprintf("%s is not offered; this is a Web Map Tile Service: ask with GET", c.Request().Method)
	}
	return a.writeException(c, e, false)
}

// serve answers key-value pairs.
func (a *API) serve(c echo.Context) error {
	p := params(common.ParseKVP(c.Request().URL.RawQuery))
	service, err := p.need("service")
	if err != nil {
		return err
	}
	if !strings.EqualFold(service, "WMTS") {
		return invalid("service", "service=%s is not offered here; write service=WMTS", common.Quote(service))
	}
	request, err := p.need("request")
	if err != nil {
		return err
	}
	switch strings.ToLower(request) {
	case "getcapabilities":
		return a.getCapabilities(c, p)
	case "gettile":
		return a.getTile(c, p)
	case "getfeatureinfo":
		return a.getFeatureInfo(c, p)
	}
	return invalid("request", "request=%s is not offered; there are GetCapabilities, GetTile and GetFeatureInfo", common.Quote(request))
}
