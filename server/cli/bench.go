package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/scarp-map/scarp/server/bench"
)

func newBenchCommand() *cobra.Command {
	var o bench.Options
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure what Scarp adds to inference and file serving, as ratios",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Config, err = settings(cmd); err != nil {
				return err
			}
			figures, err := bench.Run(cmd.Context(), o, cmd.OutOrStdout())
			if err != nil {
				return err
			}
			missed := 0
			for _, f := range figures {
				if !f.Holds() {
					missed++
				}
			}
			if missed > 0 {
				return fmt.Errorf("%d of %d figures miss their bound", missed, len(figures))
			}
			return nil
		},
	}
	addSettings(cmd, "config", "default-model", "models-dir", "inference-workers", "inference-threads")
	cmd.Flags().IntVar(&o.Size, "size", 2048, "side of the simulated event in pixels")
	cmd.Flags().IntVar(&o.ColdTiles, "cold-tiles", 24, "uncached tiles to time")
	cmd.Flags().IntVar(&o.Tiles, "tiles", 10000, "different tiles to watch memory over")
	cmd.Flags().IntVar(&o.Seconds, "seconds", 6, "seconds to compare a cached tile with a file server")
	return cmd
}
