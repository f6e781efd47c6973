package export

import (
	"context"
	"fmt"
	"sync"

	"github.com/airbusgeo/godal"
)

// vectorDrivers registers what FlatGeobuf needs of GDAL, which keeps drivers per process.
var vectorDrivers = sync.OnceValue(func() error { return godal.RegisterVector(godal.GeoPackage, "FlatGeobuf") })

// FlatGeobuf converts a GeoPackage of landslides to
// FlatGeobuf at path, spatial index included. The landslides come in the order
// of the index.
func FlatGeobuf(ctx context.Context, geopackage, path string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := vectorDrivers(); err != nil {
		return fmt.Errorf("write FlatGeobuf: %w", err)
	}
	src, err := godal.Open(geopackage, godal.VectorOnly(), godal.Drivers("GPKG"))
	if err != nil {
		return fmt.Errorf("write FlatGeobuf: %w", err)
	}
	defer src.Close()
	// The key of a GeoPackage's table is no attribute to GDAL: the sum makes it one.
	dst, err := src.VectorTranslate(path, []string{"-f", "FlatGeobuf", "-nln", "landslides", "-nlt", "POLYGON", "-mapFieldType", "Integer=Integer64",
		"-sql", "SELECT id + 0 AS id, * FROM landslides"})
	if err != nil {
		return fmt.Errorf("write FlatGeobuf: %w", err)
	}
	if err := dst.Close(); err != nil {
		return fmt.Errorf("write FlatGeobuf: %w", err)
	}
	return nil
}
