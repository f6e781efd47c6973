package cache

import (
	"errors"
	"fmt"
	"strings"
)

// ErrBadKey is returned (wrapped) for keys that are not paths of letters, digits and "._-".
var ErrBadKey = errors.New("bad cache key")

const maxKeyLength = 512

// checkKey keeps keys apart from anything that a folder or an object store
// would take for more than a name.
func checkKey(key string) error {
	if key == "" || len(key) > maxKeyLength {
		return fmt.Errorf("%w: length %d is not between 1 and %d", ErrBadKey, len(key), maxKeyLength)
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part[0] == '.' {
			return fmt.Errorf("%w %q: a part is empty or starts with a dot", ErrBadKey, key)
		}
		for _, c := range []byte(part) {
			if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
				return fmt.Errorf("%w %q: %q is not a letter, digit or one of /._-", ErrBadKey, key, c)
			}
		}
	}
	return nil
}
