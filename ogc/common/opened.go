package common

import (
	"context"
	"fmt"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/store"
)

// Source opens an event's files. Do not close it.
func (c *Catalog) Source(ctx context.Context, event string) (imagery.Source, error) {
	return c.sources.Source(ctx, event)
}

// Runs lists an event's published runs, the newest first.
func (c *Catalog) Runs(ctx context.Context, event string) ([]store.Run, error) {
	runs, err := c.store.Runs(ctx, event)
	if err != nil {
		return nil, fmt.Errorf("list the runs of event %s: %w", event, err)
	}
	return runs, nil
}
