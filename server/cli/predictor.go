package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/scarp-map/scarp/cache"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/server"
)

// openPredictor makes a predictor of the models that the settings name, for a
// command that runs once: blocks are kept in memory only.
func openPredictor(cmd *cobra.Command, config server.Config) (inference.Predictor, func() error, error) {
	runtime, err := inference.NewRuntime(config.ONNXRuntime)
	if err != nil {
		return nil, nil, err
	}
	models, err := loadModels(cmd)
	if err != nil {
		return nil, nil, err
	}
	blocks, err := cache.New(context.WithoutCancel(cmd.Context()), cache.Config{MemoryBytes: config.CacheMemory << 20})
	if err != nil {
		return nil, nil, err
	}
	engine, err := inference.NewEngine(inference.Config{
		Runtime: runtime, Models: models, DefaultModel: config.DefaultModel, Clouds: config.Clouds, Cache: blocks,
		Workers: config.Workers, Threads: config.Threads, SessionBytes: config.ModelMemory << 20,
	})
	if err != nil {
		return nil, nil, errors.Join(err, blocks.Close())
	}
	return engine, func() error { return errors.Join(engine.Close(), blocks.Close()) }, nil
}
