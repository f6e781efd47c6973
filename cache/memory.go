package cache

import (
	"math"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// entryOverhead is roughly what the list element, map slot and headers of an entry take.
const entryOverhead = 200

// memory is the memory tier: least recently used out first, bounded in bytes.
type memory struct {
	mu          sync.Mutex
	lru         *simplelru.LRU[string, Entry]
	used, limit int64
}

func newMemory(limit int64) *memory {
	m := &memory{limit: limit}
	// The bound is in bytes, kept by put; the list's own bound in entries is out of reach.
	lru, err := simplelru.NewLRU(math.MaxInt, func(key string, e Entry) { m.used -= cost(key, e.Value) })
	if err != nil {
		panic(err) // only for a size below 1
	}
	m.lru = lru
	return m
}

func cost(key string, value []byte) int64 { return int64(len(key)+cap(value)) + entryOverhead }

func (m *memory) get(key string) (Entry, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lru.Get(key)
}

// put keeps e unless it alone is larger than the bound.
func (m *memory) put(key string, e Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lru.Remove(key)
	c := cost(key, e.Value)
	if c > m.limit {
		return
	}
	m.lru.Add(key, e)
	m.used += c
	for m.used > m.limit {
		m.lru.RemoveOldest()
	}
}

func (m *memory) deletePrefix(prefix string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, key := range m.lru.Keys() {
		if strings.HasPrefix(key, prefix) {
			m.lru.Remove(key)
		}
	}
}

func (m *memory) bytes() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}
