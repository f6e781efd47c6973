package inference

import (
	"maps"
	"sync"
	"time"

	"github.com/scarp-map/scarp/cache"
)

// Stats is a snapshot of an engine, for metrics and benchmarks. Counters count from the engine's start.
type Stats struct {
	// Patches that wait for imagery or a worker, by priority, and that run now.
	WaitingInteractive, WaitingBatch, Running int
	// Models that are loaded, and their bytes.
	Models       int
	SessionBytes int64
	// What is kept of patches, and its bound.
	PatchBytes, PatchBytesLimit int64
	// Runs of networks, and the time that ONNX Runtime took for them, all workers together.
	Runs    int64
	RunTime time.Duration
	// Time that reading imagery and making tensors of it took, all readers together.
	ReadTime, PrepareTime time.Duration
	// Blocks delivered, by where they were found.
	Blocks map[cache.Tier]int64
}

// Stats returns a snapshot.
func (e *Engine) Stats() Stats {
	s := e.counts.snapshot()
	s.WaitingInteractive, s.WaitingBatch, s.Running = e.scheduler.depth()
	s.Models, s.SessionBytes = e.sessions.stats()
	s.PatchBytes, s.PatchBytesLimit = e.kept.Bytes()
	return s
}

type counts struct {
	mu sync.Mutex
	s  Stats
}

func (c *counts) ran(took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.Runs++
	c.s.RunTime += took
}

func (c *counts) reading(read, prepare time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.ReadTime += read
	c.s.PrepareTime += prepare
}

func (c *counts) delivered(tier cache.Tier) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.s.Blocks == nil {
		c.s.Blocks = map[cache.Tier]int64{}
	}
	c.s.Blocks[tier]++
}

// meanRun is the mean time of a run so far; before the first a guess.
func (c *counts) meanRun() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.s.Runs == 0 {
		return 200 * time.Millisecond
	}
	return c.s.RunTime / time.Duration(c.s.Runs)
}

func (c *counts) snapshot() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.s
	s.Blocks = maps.Clone(c.s.Blocks)
	return s
}
