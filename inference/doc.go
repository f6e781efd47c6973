// Package inference runs networks over events.
//
// A [Manifest] beside an .onnx file says what its tensors hold; nothing of a
// particular network stands in this package. The unit that everybody asks for
// is the [Block]: 256×256 pixels of the event's grid. A block is what the
// fixed lattice of overlapping patches over it says together, so its bytes are
// a function of the place alone, whoever asks and in whatever order.
//
// The lattice is a manifest's (patch size, overlap, blending), unless the
// configuration says otherwise ([LatticeConfig]). Measured with BBUnet on
// simulated events (2 cores of an EPYC with AVX-512, ONNX Runtime 1.30), as
// the mean step of probability across edges of blocks, and of patches, ÷ that
// elsewhere, and the work of a job and of one cold block in block areas:
//
//	patch  overlap  blend    blocks  patches  IoU     job    cold block
//	320    64       cosine   0.989   1.045    0.3935  1.56   6.25
//	288    32       cosine   0.990   1.010    0.3933  1.27   5.06
//
// With the stride equal to a block's side, patches lie with their centres on
// the blocks' corners, so that a cold block takes four. Batches of 2 or 4
// patches were no faster than one at a time (142, 140 and 148 ms of processor
// time a block area), and two workers with a thread each need 5 % less
// processor time than one with two.
//
// The [Engine] computes each block once however many wait for it, prefers
// people who wait at a map (interactive) to jobs (batch), stops computing what
// nobody waits for any more, and bounds sessions, patches and blocks in bytes.
//
// The package knows imagery and the cache, and nothing of HTTP or tiles.
package inference
