package tiles

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/scarp-map/scarp/cache"
)

// A kept tile begins with a header: a version, when it was drawn, and the hash
// that its ETag is made of, so that serving it again computes nothing.
const (
	keptVersion = 1
	hashSize    = 16
	headerSize  = 1 + 8 + hashSize
)

// newRendered wraps encoded bytes that were drawn just now.
func newRendered(data []byte, format string, complete bool) Rendered {
	sum := sha256.Sum256(data)
	return Rendered{
		Bytes: data, ContentType: format, ETag: etag(sum[:hashSize]),
		Modified: time.Now().UTC().Truncate(time.Second), Complete: complete, Tier: cache.Miss,
	}
}

// etag quotes a hash.
func etag(hash []byte) string {
	var out [2*hashSize + 2]byte
	out[0], out[len(out)-1] = '"', '"'
	hex.Encode(out[1:], hash)
	return string(out[:])
}

// keep packs a tile for the cache.
func (r Rendered) keep() []byte {
	out := make([]byte, 0, headerSize+len(r.Bytes))
	out = append(out, keptVersion)
	out = binary.BigEndian.AppendUint64(out, uint64(r.Modified.Unix()))
	sum := sha256.Sum256(r.Bytes)
	return append(append(out, sum[:hashSize]...), r.Bytes...)
}

// kept unpacks a tile from the cache; ok is false for one of another version.
func kept(value []byte, format string, tier cache.Tier) (r Rendered, ok bool) {
	if len(value) < headerSize || value[0] != keptVersion {
		return Rendered{}, false
	}
	return Rendered{
		Bytes: value[headerSize:], ContentType: format, ETag: etag(value[9:headerSize]),
		Modified: time.Unix(int64(binary.BigEndian.Uint64(value[1:9])), 0).UTC(), Complete: true, Tier: tier,
	}, true
}
