// Package tiles serves OGC API Tiles: tile matrix sets, tilesets (with
// TileJSON), map tiles in every style, and vector tiles of landslides
// (Mapbox and GeoJSON).
package tiles
