package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// An entry in the blob store is a frame: magic, length of the value, the first
// half of the SHA-256 over key and value, value. The key is in the checksum so
// that a file that was copied to another name is not taken for that entry.
const (
	magic       = "SCARPC1\n"
	frameHeader = len(magic) + 8 + sha256.Size/2
)

var errDamaged = errors.New("the entry is cut short, changed, or not one of this cache")

func frame(key string, value []byte) []byte {
	f := make([]byte, 0, frameHeader+len(value))
	f = append(f, magic...)
	f = binary.BigEndian.AppendUint64(f, uint64(len(value)))
	f = append(f, checksum(key, value)...)
	return append(f, value...)
}

func unframe(key string, f []byte) ([]byte, error) {
	if len(f) < frameHeader || string(f[:len(magic)]) != magic {
		return nil, errDamaged
	}
	value := f[frameHeader:]
	if binary.BigEndian.Uint64(f[len(magic):]) != uint64(len(value)) ||
		!bytes.Equal(f[len(magic)+8:frameHeader], checksum(key, value)) {
		return nil, errDamaged
	}
	return value, nil
}

func checksum(key string, value []byte) []byte {
	h := sha256.New()
	h.Write([]byte(key))
	h.Write([]byte{0})
	h.Write(value)
	return h.Sum(nil)[:sha256.Size/2]
}
