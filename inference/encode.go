package inference

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// codec packs blocks for the cache. Encoders and decoders are safe for use by many goroutines.
type codec struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

func newCodec() (*codec, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedDefault), zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, fmt.Errorf("make zstd encoder: %w", err)
	}
	// The memory bound keeps a forged entry from unpacking to more than a block.
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(BlockSize*BlockSize))
	if err != nil {
		return nil, fmt.Errorf("make zstd decoder: %w", err)
	}
	return &codec{enc, dec}, nil
}

func (c *codec) pack(pixels []uint8) []byte { return c.enc.EncodeAll(pixels, nil) }

func (c *codec) unpack(packed []byte) ([]uint8, error) {
	pixels, err := c.dec.DecodeAll(packed, make([]uint8, 0, BlockSize*BlockSize))
	if err != nil {
		return nil, fmt.Errorf("unpack block: %w", err)
	}
	if len(pixels) != BlockSize*BlockSize {
		return nil, fmt.Errorf("unpack block: %d bytes instead of %d", len(pixels), BlockSize*BlockSize)
	}
	return pixels, nil
}
