package inference

import (
	"time"

	"github.com/scarp-map/scarp/cache"
)

// BlockSize is the side of a block in pixels.
const BlockSize = 256

// A block has one byte a pixel: 0 to [MaxProbability] is a probability in
// steps of 1/250, the codes above it say why there is none.
const (
	MaxProbability uint8 = 250
	NoData         uint8 = 251 // outside the grid, or a side or the DEM has no data there
	CloudPre       uint8 = 252 // cloud in the pre image
	CloudPost      uint8 = 253 // cloud in the post image
	CloudBoth      uint8 = 254 // cloud in both
	NotPredicted   uint8 = 255 // not computed yet: in views above a request's budget, never in a stored block
)

// BlockIndex places a block: Level 0 is the event's grid; level n shows
// 2^n × 2^n pixels of it as one. Column and row count blocks from the upper left.
type BlockIndex struct{ Level, Col, Row int }

// MaxLevel is the highest level of overviews: a pixel of it shows 655 km.
const MaxLevel = 16

// Block is the prediction for one block.
type Block struct {
	Index BlockIndex
	// Pixels has BlockSize×BlockSize bytes, row-major. Do not write to it: blocks are shared.
	Pixels []uint8
	// Modified is when the block was computed, and Tier where it was found
	// (cache.Miss: it was computed for this call).
	Modified time.Time
	Tier     cache.Tier
}

// Priority orders work in the scheduler.
type Priority int

const (
	// Interactive is for somebody who waits at a map.
	Interactive Priority = iota
	// Batch is for mapping jobs.
	Batch
)
