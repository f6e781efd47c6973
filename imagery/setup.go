package imagery

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"

	"github.com/airbusgeo/godal"
)

// drivers are the GDAL drivers that may open a file named by an event. Formats
// that point at other files or at addresses (VRT, WMS, STACIT, …) are left out
// on purpose: their contents could reach past [Options].Allow.
func drivers() []string {
	return []string{"GTiff", "JP2OpenJPEG", "SRTMHGT", "AAIGrid", "DTED", "GPKG"}
}

// DefaultBlockCache is the size in bytes of GDAL's block cache where [Setup] is
// given none. A tile of 1024×1024 pixels of 12 bands on two sides, as JPEG 2000
// decodes it, takes 48 MiB; ten of them fit, most of a granule's row.
const DefaultBlockCache = 512 << 20

var setup struct {
	once sync.Once
	err  error
}

// Setup readies GDAL for the whole process: its drivers, its block cache
// (blockCache bytes; 0 means [DefaultBlockCache]) and the options that keep it
// from looking at files beside those it was given. The first call counts and
// later ones return its result. [Open] calls it with its Options.
func Setup(blockCache int64) error {
	setup.once.Do(func() { setup.err = setUpGDAL(blockCache) })
	return setup.err
}

func setUpGDAL(blockCache int64) error {
	if blockCache <= 0 {
		blockCache = DefaultBlockCache
	}
	// GDAL reads its options from the environment where they are not set otherwise; what the operator set stays.
	for _, o := range [][2]string{
		{"GDAL_CACHEMAX", strconv.FormatInt(max(blockCache>>20, 1), 10)}, // in MB
		{"GDAL_PAM_ENABLED", "NO"},                                       // .aux.xml files may point anywhere
		{"GDAL_NUM_THREADS", "1"},                                        // callers read in parallel
		{"GDAL_HTTP_CONNECTTIMEOUT", "10"},
		{"GDAL_HTTP_TIMEOUT", "60"},
		{"GDAL_HTTP_MAX_RETRY", "2"},
		{"CPL_VSIL_CURL_USE_HEAD", "YES"},
		{"VSI_CACHE", "TRUE"},
	} {
		if _, set := os.LookupEnv(o[0]); set {
			continue
		}
		if err := os.Setenv(o[0], o[1]); err != nil {
			return fmt.Errorf("set GDAL's option %s: %w", o[0], err)
		}
	}
	if err := godal.RegisterRaster(godal.GTiff, godal.OpenJPEG, "SRTMHGT", "AAIGrid", "DTED", godal.Memory, godal.GeoPackage); err != nil {
		return fmt.Errorf("register GDAL's drivers: %w", err)
	}
	return nil
}

// tolerant makes GDAL's failures errors and lets its warnings pass.
var tolerant = godal.ErrLogger(func(ec godal.ErrorCategory, _ int, msg string) error {
	if ec > godal.CE_Warning {
		return errors.New(msg)
	}
	return nil
})
