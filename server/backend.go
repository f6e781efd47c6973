package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"github.com/scarp-map/scarp/cache"
	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/models"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/open"
	"github.com/scarp-map/scarp/tiles"
)

// NewLogger returns the logger that the settings ask for. It writes to standard error.
func NewLogger(c Config) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		return nil, fmt.Errorf("log-level %q: want debug, info, warn or error", c.LogLevel)
	}
	options := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options)), nil
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options)), nil
}

// OpenStore opens PostGIS where the settings have a database, else the
// GeoPackage in the data folder, which it makes if there is none.
func OpenStore(ctx context.Context, c Config) (store.Store, error) {
	if c.DatabaseURL != "" {
		return open.Open(ctx, c.DatabaseURL)
	}
	if err := os.MkdirAll(c.DataDir, 0o755); err != nil {
		return nil, fmt.Errorf("make the data folder: %w", err)
	}
	return open.Open(ctx, c.path("scarp.gpkg"))
}

// Imagery returns what the settings say about reading imagery: files in the
// data folder and in what allow lists, nothing else.
func (c Config) Imagery() imagery.Options {
	return imagery.Options{
		Allow:      append([]string{c.DataDir}, c.Allow...),
		Base:       c.DataDir,
		BlockCache: c.GDALCache << 20,
	}
}

// LoadModels finds the models that come with Scarp and those in the models
// folder. Models that can be served are returned even when others are refused
// (the error then holds an [inference.RefusedError] for each).
func LoadModels(c Config) ([]*inference.Model, error) {
	var folders []fs.FS
	if c.ModelsDir != "" {
		own, err := inference.ModelsFolder(c.ModelsDir)
		if err != nil {
			return nil, err
		}
		folders = append(folders, own)
	}
	// A user's model of the same name stands before the shipped one.
	return inference.LoadModels(append(folders, models.Files()), nil)
}

// readStyles returns the styles that come with Scarp, behind those of the file if one is named.
func readStyles(path string) (tiles.Styles, error) {
	if path == "" {
		return tiles.DefaultStyles(), nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open styles: %w", err)
	}
	defer f.Close()
	own, err := tiles.ReadStyles(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return own.Over(tiles.DefaultStyles()), nil
}

// addEventFiles puts the events of the data folder's events/*.yaml into the
// store. A file that can't be used is logged and does not keep the others out.
func addEventFiles(ctx context.Context, c Config, events store.Store, log *slog.Logger) error {
	folder, err := filepath.Abs(c.path("events"))
	if err != nil {
		return err
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil {
		return fmt.Errorf("list event files in %s: %w", folder, err)
	}
	for _, path := range files {
		event, err := imagery.LoadEvent(path)
		if err != nil {
			log.Error("event file is not used", "error", err)
			continue
		}
		if err := events.PutEvent(ctx, event); err != nil {
			return err
		}
	}
	return nil
}

// Backend is everything behind the HTTP interface, wired as the settings say.
type Backend struct {
	Config    Config
	Log       *slog.Logger
	Store     store.Store
	Cache     cache.Cache
	Sources   *imagery.Catalog
	Inference *inference.Engine
	Tiles     *tiles.Engine
	Jobs      *jobs.Engine

	metrics *metrics
	closers []func() error // in order of opening
}

// OpenBackend opens store, cache, models and job queue. Close it after use.
// Jobs are not worked on before [Backend.Start].
func OpenBackend(ctx context.Context, c Config, log *slog.Logger) (b *Backend, err error) {
	b = &Backend{Config: c, Log: log, metrics: newMetrics()}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.Close())
			b = nil
		}
	}()

	stored, err := OpenStore(ctx, c)
	if err != nil {
		return b, err
	}
	b.closers = append(b.closers, stored.Close)
	fresh := newFreshStore(stored, func(event string) {
		if b.Tiles != nil {
			b.Tiles.Invalidate(event)
		}
	})
	b.Store = fresh
	if err := addEventFiles(ctx, c, fresh, log); err != nil {
		return b, err
	}

	if err := b.openCache(ctx); err != nil {
		return b, err
	}
	b.Sources = imagery.NewSources(fresh.Event, c.Imagery())
	b.closers = append(b.closers, b.Sources.Close)
	if err := b.openInference(); err != nil {
		return b, err
	}
	styles, err := readStyles(c.Styles)
	if err != nil {
		return b, err
	}
	b.Tiles, err = tiles.New(
		tiles.Config{MaxWidth: c.MaxImageSize, MaxHeight: c.MaxImageSize, Budget: c.BlockBudget, Styles: styles},
		tiles.Deps{Sources: b.Sources, Predictor: b.Inference, Store: fresh, Cache: b.Cache, Log: log, Observe: b.metrics.observeTile},
	)
	if err != nil {
		return b, err
	}
	b.closers = append(b.closers, b.Tiles.Close)
	if err := b.openJobs(ctx); err != nil {
		return b, err
	}
	b.registerGauges()
	return b, nil
}

func (b *Backend) openCache(ctx context.Context) (err error) {
	config := cache.Config{MemoryBytes: b.Config.CacheMemory << 20, BlobURL: b.Config.CacheURL, Prefix: "cache/", Log: b.Log}
	if config.BlobURL == "" {
		config.BlobURL, config.Prefix, config.FolderBytes = b.Config.path("cache"), "", b.Config.CacheDisk<<20
	}
	if b.Cache, err = cache.New(ctx, config); err != nil {
		return err
	}
	b.closers = append(b.closers, b.Cache.Close)
	return nil
}

func (b *Backend) openInference() error {
	runtime, err := inference.NewRuntime(b.Config.ONNXRuntime)
	if err != nil {
		return err
	}
	found, err := LoadModels(b.Config)
	if err != nil {
		var refused *inference.RefusedError
		if !errors.As(err, &refused) {
			return err
		}
		b.Log.Error("models are refused", "error", err)
	}
	b.Inference, err = inference.NewEngine(inference.Config{
		Runtime: runtime, Models: found, DefaultModel: b.Config.DefaultModel, Clouds: b.Config.Clouds, Cache: b.Cache,
		Workers: b.Config.Workers, Threads: b.Config.Threads, SessionBytes: b.Config.ModelMemory << 20,
		Hooks: inference.Hooks{Run: b.metrics.observeRun},
	})
	if err != nil {
		return err
	}
	b.closers = append(b.closers, b.Inference.Close)
	return nil
}

func (b *Backend) openJobs(ctx context.Context) error {
	results, err := openResults(ctx, b.Config)
	if err != nil {
		return err
	}
	b.closers = append(b.closers, results.Close)
	workers := b.Config.JobWorkers
	if workers == 0 {
		workers = -1 // this server only submits
	}
	callbacks, err := b.Config.callbacks()
	if err != nil {
		return err
	}
	b.Jobs, err = jobs.Open(ctx, jobs.Config{
		Processes: b.Config.processes(b.Store), Callbacks: callbacks,
		SQLite: b.Config.path("jobs.sqlite"), DatabaseURL: b.Config.DatabaseURL,
		Store: b.Store, Sources: b.Sources, Predictor: b.Inference, Results: results,
		Workers: workers, MaxUnfinished: b.Config.JobQueue, Retention: b.Config.JobRetention, Logger: b.Log,
	})
	return err
}

// openResults opens where the outputs of jobs are kept: beside the shared
// cache where there is one, since any server may be asked for them.
func openResults(ctx context.Context, c Config) (*blob.Bucket, error) {
	if c.CacheURL != "" {
		bucket, err := blob.OpenBucket(ctx, c.CacheURL)
		if err != nil {
			return nil, fmt.Errorf("open the store of results: %w", err)
		}
		return bucket, nil
	}
	bucket, err := fileblob.OpenBucket(c.DataDir, &fileblob.Options{Metadata: fileblob.MetadataDontWrite, NoTempDir: true})
	if err != nil {
		return nil, fmt.Errorf("open the folder of results: %w", err)
	}
	return bucket, nil
}

// Start begins to work on jobs, first on those that an earlier process left.
func (b *Backend) Start(ctx context.Context) error { return b.Jobs.Start(ctx) }

// Close stops the jobs (they go on at the next start) and closes everything.
func (b *Backend) Close() error {
	var failed []error
	if b.Jobs != nil {
		ctx, cancel := context.WithTimeout(context.Background(), b.Config.ShutdownTimeout)
		defer cancel()
		failed = append(failed, b.Jobs.Stop(ctx))
	}
	for i := len(b.closers) - 1; i >= 0; i-- {
		failed = append(failed, b.closers[i]())
	}
	b.closers = nil
	return errors.Join(failed...)
}

func (b *Backend) registerGauges() {
	m := b.metrics
	m.gauge("scarp_cache_bytes", "Bytes in the memory tier of the cache.", nil, func() float64 { used, _ := b.Cache.Bytes(); return float64(used) })
	m.gauge("scarp_cache_limit_bytes", "Bound of the memory tier of the cache.", nil, func() float64 { _, limit := b.Cache.Bytes(); return float64(limit) })
	m.gauge("scarp_model_bytes", "Bytes of loaded models.", nil, func() float64 { return float64(b.Inference.Stats().SessionBytes) })
	m.gauge("scarp_inference_running", "Patches that networks run over now.", nil, func() float64 { return float64(b.Inference.Stats().Running) })
	for _, priority := range []string{"interactive", "batch"} {
		m.gauge("scarp_inference_queue", "Patches that wait for a worker, by priority.", prometheus.Labels{"priority": priority}, func() float64 {
			stats := b.Inference.Stats()
			if priority == "batch" {
				return float64(stats.WaitingBatch)
			}
			return float64(stats.WaitingInteractive)
		})
	}
	for _, status := range []jobs.Status{jobs.Accepted, jobs.Running, jobs.Successful, jobs.Failed, jobs.Dismissed} {
		m.gauge("scarp_jobs", "Jobs by state.", prometheus.Labels{"status": string(status)}, func() float64 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_, matched, err := b.Jobs.Jobs(ctx, jobs.Filter{Status: []jobs.Status{status}, Limit: 1})
			if err != nil {
				return math.NaN()
			}
			return float64(matched)
		})
	}
}
