package inference

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/semaphore"

	"github.com/scarp-map/scarp/cache"
)

// Config configures an [Engine]. Zero numbers stand for the defaults, which
// are the best that were measured (see the package's benchmarks).
type Config struct {
	// Runtime is ONNX Runtime; Models what may be served, as [LoadModels] gives them.
	Runtime *Runtime
	Models  []*Model
	// DefaultModel is the name of the model that the empty name means; empty is the first.
	DefaultModel string
	// Clouds is how clouds are found (see [CloudModes]); empty is auto. The
	// network for it is the first of Models with kind cloud; such models are not
	// listed among those that find landslides.
	Clouds string
	// Cache keeps blocks. The engine does not close it.
	Cache cache.Cache

	// Workers is how many patches run at a time; 0 is the number of cores, at most 4.
	// Threads is the number of threads within a run; 0 is cores − Workers + 2, at
	// most cores: runs of a model share all threads but their first, so that many
	// runs keep the cores busy and a lone one has them all.
	Workers, Threads int
	// Readers is how many patches are read ahead at a time; 0 is Workers.
	Readers int
	// SessionBytes bounds the memory of loaded models (those in use stay); 0 is 2 GiB.
	SessionBytes int64
	// PatchBytes bounds the patches that are kept for neighbouring blocks; 0 is 64 MiB.
	PatchBytes int64
	// MaxInteractive is how many calls with priority Interactive may wait before
	// others get a BusyError; 0 is 512. MaxBatch is how many with priority Batch
	// are computed at a time, others waiting in line; 0 is 4 × Workers, at least 8.
	MaxInteractive, MaxBatch int

	// Hooks are called at events, for metrics.
	Hooks Hooks
}

// Hooks are told what happens, for metrics. Any may be nil; they must be quick
// and safe for use by many goroutines.
type Hooks struct {
	// Run is called after each run of a network with the time that ONNX Runtime took.
	Run func(model string, took time.Duration)
	// Block is called when a block was delivered with where it was found and how long it took.
	Block func(tier cache.Tier, took time.Duration)
}

// NewEngine returns an engine that serves the models. Close it to stop its goroutines.
func NewEngine(c Config) (*Engine, error) {
	if c.Runtime == nil || c.Cache == nil {
		return nil, errors.New("new inference engine: Runtime and Cache are needed")
	}
	if len(c.Models) == 0 {
		return nil, errors.New("new inference engine: there is no model to serve")
	}
	for _, n := range []int64{int64(c.Workers), int64(c.Threads), int64(c.Readers), c.SessionBytes, c.PatchBytes, int64(c.MaxInteractive), int64(c.MaxBatch)} {
		if n < 0 {
			return nil, errors.New("new inference engine: numbers must not be negative")
		}
	}
	cores := runtime.GOMAXPROCS(0)
	orElse(&c.Workers, min(cores, 4))
	orElse(&c.Threads, max(1, min(cores, cores-c.Workers+2)))
	orElse(&c.Readers, c.Workers)
	orElse(&c.SessionBytes, 2<<30)
	orElse(&c.PatchBytes, 64<<20)
	orElse(&c.MaxInteractive, 512)
	orElse(&c.MaxBatch, max(8, 4*c.Workers))
	codec, err := newCodec()
	if err != nil {
		return nil, fmt.Errorf("new inference engine: %w", err)
	}
	models, err := withClouds(c)
	if err != nil {
		return nil, fmt.Errorf("new inference engine: %w", err)
	}
	e := &Engine{
		models: models, cache: c.Cache, codec: codec, hooks: c.Hooks, workers: c.Workers,
		kept:           cache.NewLRU(c.PatchBytes, patchCost),
		sessions:       newSessions(c.Threads, c.SessionBytes),
		scheduler:      newScheduler(c.Workers, c.Readers),
		maxInteractive: int64(c.MaxInteractive),
		batch:          semaphore.NewWeighted(int64(c.MaxBatch)),
		partial:        cache.NewLRU(partialBytes, partialCost),
	}
	if c.DefaultModel != "" {
		def, err := e.Model(c.DefaultModel)
		if err != nil {
			e.scheduler.close()
			return nil, fmt.Errorf("new inference engine: default model: %w", err)
		}
		e.models = defaultFirst(e.models, def)
	}
	return e, nil
}

// withClouds returns the models that find landslides, which from now on leave
// out the clouds that the configuration's way finds.
func withClouds(c Config) ([]*Model, error) {
	var network *Model
	var models []*Model
	for _, m := range c.Models {
		if m.Manifest.Kind != Cloud {
			models = append(models, m)
		} else if network == nil {
			network = m
		}
	}
	if len(models) == 0 {
		return nil, errors.New("there is no model that finds landslides")
	}
	if c.Clouds == "" {
		c.Clouds = CloudsAuto
	}
	finder, err := newCloudFinder(c.Clouds, network)
	if err != nil {
		return nil, err
	}
	for i, m := range models {
		own := *m
		own.clouds = finder
		if own.qualities, err = lru.New[string, *Quality](qualitiesKept); err != nil {
			return nil, err
		}
		if key := finder.key(); key != "" {
			sum := sha256.Sum256([]byte(m.Digest + key))
			own.Digest = hex.EncodeToString(sum[:])[:16]
		}
		models[i] = &own
	}
	return models, nil
}

// qualitiesKept bounds the events whose quality a model remembers; each takes a few hundred bytes.
const qualitiesKept = 256

func orElse[T int | int64](n *T, fallback T) {
	if *n == 0 {
		*n = fallback
	}
}

func defaultFirst(models []*Model, def *Model) []*Model {
	ordered := []*Model{def}
	for _, m := range models {
		if m != def {
			ordered = append(ordered, m)
		}
	}
	return ordered
}

// Model finds a model by name; the empty name is the default.
func (e *Engine) Model(name string) (*Model, error) {
	var known []string
	for _, m := range e.models {
		if name == "" || m.Name() == name {
			return m, nil
		}
		known = append(known, m.Name())
	}
	return nil, fmt.Errorf("%w %q: there are %s", ErrUnknownModel, name, strings.Join(known, ", "))
}

// Models lists the models, the default first.
func (e *Engine) Models() []*Model { return append([]*Model(nil), e.models...) }
