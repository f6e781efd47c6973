// Package analysis does what can be asked about landslides once they are
// mapped: what they hit ([Impact]) and how well one inventory agrees with
// another ([Compare]).
//
// Both read vector data of any kind through [Sources]: a collection of this
// server, GeoJSON that the client sends, or a file in an allowed place. All
// geometries are brought to longitude and latitude; lengths and areas are
// geodesic. GeoJSON is read here, one feature at a time, and not by GDAL, since
// GDAL would fetch coordinate systems from wherever a GeoJSON says that they are.
package analysis
