package common

import "slices"

// FeatureCRS lists the CRSs that features are served in, the default first:
// CRS84, EPSG:4326, EPSG:3857 and those of the codes. latLon says for a code
// whether its axis order is northing first.
func FeatureCRS(codes []int, latLon func(epsg int) bool) []CRS {
	all := []CRS{CRS84()}
	for _, code := range append([]int{4326, 3857}, codes...) {
		if c := (CRS{EPSG: code, LatLon: latLon(code)}); !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}
