// Package assess scores one landslide map against another: pixel by pixel
// (one confusion matrix over everything), object by object (which landslides
// were found, and which were made up, by size), and, where the map gives
// probabilities, by how far they can be believed.
//
// [Compare] takes files of any kind and CRS and brings them to one grid of
// 10 m pixels. What it is made of can be used alone: [Tally] counts pixels,
// [Matcher] matches the objects of two masks that it is shown row by row,
// [MatchPolygons] those of two inventories. All of it works on a strip of rows
// at a time, so memory does not grow with the area but with the number of
// objects.
//
// The package knows GDAL, and nothing of networks or events.
package assess
