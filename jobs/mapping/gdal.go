package mapping

import (
	"fmt"
	"sync"

	"github.com/airbusgeo/godal"
)

// registerDrivers makes GDAL know the drivers that this package writes with.
// It registers no others, so that it widens what untrusted files can reach by nothing.
var registerDrivers = sync.OnceValue(func() error {
	if err := godal.RegisterRaster(godal.Memory, godal.GTiff, "COG"); err != nil {
		return fmt.Errorf("register GDAL's raster drivers: %w", err)
	}
	if err := godal.RegisterVector(godal.Memory, godal.GeoPackage); err != nil {
		return fmt.Errorf("register GDAL's vector drivers: %w", err)
	}
	return nil
})
