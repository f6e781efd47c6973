// Package open opens the store that a URL names.
package open

import (
	"context"
	"fmt"
	"strings"

	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/gpkg"
	"github.com/scarp-map/scarp/store/postgis"
)

// Open opens PostGIS for postgres:// or postgresql:// URLs, and a GeoPackage
// for a file's path, with or without gpkg: before it. The store's tables are
// made or brought up to date. No error shows the URL's password.
func Open(ctx context.Context, url string) (store.Store, error) {
	scheme, rest, found := strings.Cut(url, ":")
	switch {
	case scheme == "postgres" || scheme == "postgresql":
		return postgis.Open(ctx, url)
	case scheme == "gpkg":
		return gpkg.Open(ctx, strings.TrimPrefix(rest, "//"))
	case found && strings.HasPrefix(rest, "//"):
		return nil, fmt.Errorf("open store: there is no store for %s:// URLs: use postgres://… for PostGIS, or a path for a GeoPackage", scheme)
	}
	return gpkg.Open(ctx, url)
}
