// Package wms serves the Web Map Service 1.3.0 and 1.1.1: GetCapabilities,
// GetMap, GetFeatureInfo and GetLegendGraphic. Layers are the collections.
package wms

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/tiles"
)

// API serves the Web Map Service.
type API struct {
	Site      *common.Site
	Catalog   *common.Catalog
	Renderer  tiles.Renderer
	Projector common.Projector
	// LatLon says whether a code's axis order is northing first: version 1.3.0 heeds it.
	LatLon func(epsg int) bool
	// CRS lists the EPSG codes that maps can be asked for, beside CRS:84 and the layers' own.
	CRS []int
	// MaxWidth and MaxHeight bound pictures in pixels.
	MaxWidth, MaxHeight int

	capabilities capabilities
}

// version is one of the protocol's two that are spoken.
type version string

const (
	v130 version = "1.3.0"
	v111 version = "1.1.1"
)

// Register adds the route.
func (a *API) Register(e *echo.Echo) {
	a.capabilities.boxes = newBoxes(a.Projector)
	for _, m := range []string{http.MethodGet, http.MethodHead} {
		e.Add(m, "/wms", a.serve)
	}
	common.Unrouted(e, "/wms", a.refuse)
}

// serve dispatches a request. Errors are written in the way that the request
// asks for, so nothing is left to the common handler.
func (a *API) serve(c echo.Context) error {
	p := params(common.ParseKVP(c.Request().URL.RawQuery))
	v, err := p.version()
	if err == nil {
		err = a.dispatch(c, p, v)
	}
	if err != nil {
		return a.writeException(c, p, v, err)
	}
	return nil
}

// refuse reports a method that is not offered, in the form of the request's version.
func (a *API) refuse(c echo.Context, status int) error {
	p := params(common.ParseKVP(c.Request().URL.RawQuery))
	v, err := p.version()
	if err == nil {
		err = &exception{"OperationNotSupported", fmt.Sprintf("%s is not offered; this is a Web Map Service: ask with GET", c.Request().Method), status}
	}
	return a.writeException(c, p, v, err)
}

func (a *API) dispatch(c echo.Context, p params, v version) error {
	request := p["REQUEST"]
	if s := p["SERVICE"]; s != "" && !strings.EqualFold(s, "WMS") {
		return fault("", "SERVICE=%s is not offered here; write SERVICE=WMS", common.Quote(s))
	}
	switch strings.ToLower(request) {
	case "getcapabilities", "capabilities":
		return a.getCapabilities(c, p, v)
	case "getmap", "map":
		return a.getMap(c, p, v)
	case "getfeatureinfo", "feature_info":
		return a.getFeatureInfo(c, p, v)
	case "getlegendgraphic":
		return a.getLegendGraphic(c, p)
	case "":
		return fault("", "REQUEST is missing; this is a Web Map Service: ask for %s/wms?SERVICE=WMS&REQUEST=GetCapabilities", a.Site.Base(c))
	}
	return fault("OperationNotSupported", "REQUEST=%s is not offered; there are GetCapabilities, GetMap, GetFeatureInfo and GetLegendGraphic", common.Quote(request))
}
