// Package mapping maps the landslides of an area, without a queue: it plans
// the blocks that touch the area, predicts them, joins them in a mosaic on
// disk, and turns the mosaic into polygons with attributes and into files.
//
// The steps are separate, so that a queue can spread the prediction over
// workers ([Plan.Predict]) and any one of them can finish ([Plan.Mosaic],
// [Mosaic.Landslides]); [Map] does them all at once. Everything after the
// prediction is a function of the blocks alone: the same blocks give the same
// bytes, whatever the number of workers.
//
// Outlines follow the pixels' edges exactly: they are not smoothed, so that a
// polygon's area is that of its pixels. Pixels are joined where they share an
// edge; two that touch at a corner only belong to two polygons.
package mapping
