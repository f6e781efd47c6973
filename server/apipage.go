package server

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/web"
)

// addAPIPage serves /try.html, the page to try the API with, where the program
// was built with the map application.
func addAPIPage(e *echo.Echo) error {
	files, built := web.App()
	if !built {
		return nil
	}
	page, err := fs.ReadFile(files, "try.html")
	if errors.Is(err, fs.ErrNotExist) { // built before there was such a page
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the API page: %w", err)
	}
	show := func(c echo.Context) error {
		h := c.Response().Header()
		h.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; connect-src 'self'; frame-ancestors 'self'")
		h.Set("Cache-Control", "no-cache")
		return common.WriteBytes(c, http.StatusOK, "text/html; charset=utf-8", page)
	}
	e.GET("/try.html", show)
	e.HEAD("/try.html", show)
	return nil
}
