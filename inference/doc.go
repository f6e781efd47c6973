// Package inference runs networks over events.
//
// A [Manifest] beside an .onnx file says what its tensors hold; nothing of a
// particular network stands in this package. The unit that everybody asks for
// is the [Block]: 256×256 pixels of the event's grid. A block is what the
// fixed lattice of overlapping patches over it says together, so its bytes are
// a function of the place alone, whoever asks and in whatever order.
//
// The [Engine] computes each block once however many wait for it, prefers
// people who wait at a map (interactive) to jobs (batch), stops computing what
// nobody waits for any more, and bounds sessions, patches and blocks in bytes.
//
// The package knows imagery and the cache, and nothing of HTTP or tiles.
package inference
