package common

import (
	"net/http"

	"github.com/labstack/echo/v4"
)

// Unrouted answers what no route answers at a path, and below it where it ends
// in /*, so that a service with exceptions of its own reports this in their form
// too: refuse gets 404 for an address that there is not, and 405, with Allow set,
// for a method other than those with which the service is read.
func Unrouted(e *echo.Echo, path string, refuse func(c echo.Context, status int) error) {
	e.RouteNotFound(path, func(c echo.Context) error {
		if !readable(c) {
			return refuse(c, http.StatusNotFound)
		}
		c.Response().Header().Set(echo.HeaderAllow, "GET, HEAD, OPTIONS")
		if c.Request().Method == http.MethodOptions {
			return c.NoContent(http.StatusNoContent)
		}
		return refuse(c, http.StatusMethodNotAllowed)
	})
}

// readable says whether GET is answered where the request went.
func readable(c echo.Context) bool {
	e, path := c.Echo(), echo.GetPath(c.Request())
	if c.Path() == path {
		return true // registered for the address of a route, not for all below one
	}
	get := e.NewContext(c.Request(), nil)
	e.Router().Find(http.MethodGet, path, get)
	return get.Path() != c.Path()
}
