// Package imagery turns files into numbers on an event's grid.
//
// An [Event] names what happened and which files show it: Sentinel-2 scenes
// before (pre) and after (post), and a DEM. [Open] finds out the event's
// [Grid] (10 m pixels in the UTM zone of the post scenes, aligned to the
// granule) and returns a [Source], which reads any window of it: bands
// harmonised across processing baselines and resampled, terrain layers, cloud
// classes. A Source never loads a whole scene and may be used by many
// goroutines at once.
//
// The package knows GDAL, and nothing of networks or HTTP.
package imagery
