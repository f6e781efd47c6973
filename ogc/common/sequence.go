package common

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// Sequence numbers the states of what a capabilities document describes. The
// zero value is ready.
type Sequence struct {
	mu     sync.Mutex
	digest [32]byte
	number int64
}

// Number returns a number that grows whenever the collections change, also
// across restarts: the time in seconds when the present ones were first seen.
func (s *Sequence) Number(all []Collection, now time.Time) (int64, error) {
	b, err := json.Marshal(all)
	if err != nil {
		return 0, fmt.Errorf("digest the collections: %w", err)
	}
	digest := sha256.Sum256(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if digest != s.digest {
		s.digest, s.number = digest, max(s.number+1, now.Unix())
	}
	return s.number, nil
}
