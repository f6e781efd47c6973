package cache

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// LRU keeps values in memory, bounded in bytes: the least recently used go
// first. It is safe for use by many goroutines.
type LRU[K comparable, V any] struct {
	cost  func(K, V) int64
	limit int64

	mu   sync.Mutex
	list *simplelru.LRU[K, V]
	used int64
}

// NewLRU returns an LRU that holds at most limit bytes; cost says how many an entry takes.
func NewLRU[K comparable, V any](limit int64, cost func(K, V) int64) *LRU[K, V] {
	l := &LRU[K, V]{cost: cost, limit: limit}
	// The bound is in bytes, kept by Put; the list's own bound in entries is out of reach.
	list, err := simplelru.NewLRU(math.MaxInt, func(k K, v V) { l.used -= cost(k, v) })
	if err != nil {
		panic(err) // only for a size below 1
	}
	l.list = list
	return l
}

// Get returns the value and marks it as used.
func (l *LRU[K, V]) Get(key K) (V, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.list.Get(key)
}

// Put keeps the value, unless it alone exceeds the bound.
func (l *LRU[K, V]) Put(key K, value V) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list.Remove(key)
	c := l.cost(key, value)
	if c > l.limit {
		return
	}
	l.list.Add(key, value)
	l.used += c
	for l.used > l.limit {
		l.list.RemoveOldest()
	}
}

// Remove drops an entry, if it is there.
func (l *LRU[K, V]) Remove(key K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list.Remove(key)
}

// DeleteFunc drops the entries whose keys match.
func (l *LRU[K, V]) DeleteFunc(match func(K) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range l.list.Keys() {
		if match(key) {
			l.list.Remove(key)
		}
	}
}

// Bytes returns what is held and the bound.
func (l *LRU[K, V]) Bytes() (used, limit int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.used, l.limit
}
