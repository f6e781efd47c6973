// Package inference runs networks over events.
//
// A [Manifest] beside an .onnx file says what its tensors hold; nothing of a
// particular network stands in this package. The unit that everybody asks for
// is the [Block]: 256×256 pixels of the event's grid. A block is what the
// fixed lattice of overlapping patches over it says together, so its bytes are
// a function of the place alone, whoever asks and in whatever order.
//
// The lattice is a manifest's (patch size, overlap, blending), unless the
// configuration says otherwise ([LatticeConfig]). Measured with BBUnet: the
// mean step of probability where blocks, and patches, meet ÷ that at the same
// places when they lie inside (see TestNoSeams), the IoU on simulated events,
// and the work of a large job and of one cold block in block areas:
//
//	patch  overlap  blend    blocks  patches  IoU     job    cold block
//	256    0        none     3.762   3.762            1.00   1.00
//	288    32       none     0.904   0.904    0.3930  1.27   1.27
//	288    32       cosine   0.998   1.013    0.3933  1.27   5.06
//	320    64       none     0.984   0.984    0.3940  1.56   1.56
//	320    64       cosine                    0.3935  1.56   6.25
//	384    128      none     0.994   0.994            2.25   2.25
//
// 320 with overlaps cut in their middle shows no seam and has each block come
// from one patch, so a view waits least; nearer than 32 pixels to a patch's
// edge (288) predictions turn flat. Batches of 2 or 4 patches were no faster
// than one at a time (142, 140 and 148 ms of processor time a block area on an
// EPYC with AVX-512 and ONNX Runtime 1.30). On two
// cores, two workers with a thread each take 108 ms a patch when there are many
// and 208 ms for a lone one, one worker with two threads 118 and 111 ms, two
// that share two threads (the default) 121 and 113 ms. A job takes 1.05 to 1.08
// times as long as the bare runs of its patches, a cold block 1.11 to 1.13 times.
//
// The [Engine] computes each block once however many wait for it, prefers
// people who wait at a map (interactive) to jobs (batch), stops computing what
// nobody waits for any more, and bounds sessions, patches and blocks in bytes.
//
// The package knows imagery and the cache, and nothing of HTTP or tiles.
package inference
