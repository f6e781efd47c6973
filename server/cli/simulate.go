package cli

import (
	"errors"
	"fmt"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"scarp/imagery/simulate"
)

// simulateFlags are the flags of scarp simulate.
type simulateFlags struct {
	out           string
	seed          uint64
	patches, edge int
	heldOut       bool
	workers       int
}

func newSimulateCommand() *cobra.Command {
	f := &simulateFlags{}
	cmd := &cobra.Command{
		Use:   "simulate -o DIR",
		Short: "Make a landslide event, or training patches, by simulation",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.out == "" {
				return errors.New("simulate: say where to write: -o DIR")
			}
			return simulatePatches(cmd, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.out, "output", "o", "", "folder to write to")
	flags.Uint64Var(&f.seed, "seed", 1, "the same seed gives the same bytes")
	flags.IntVar(&f.patches, "patches", 0, "write this many training patches as NumPy arrays instead of an event")
	flags.IntVar(&f.edge, "size", 128, "edge of a patch in pixels")
	flags.BoolVar(&f.heldOut, "held-out", false, "draw patches from ranges that training does not see")
	flags.IntVar(&f.workers, "workers", 0, "events to make at a time (default one a processor)")
	return cmd
}

// simulatePatches writes training patches with a progress bar and a summary.
func simulatePatches(cmd *cobra.Command, f *simulateFlags) error {
	start := time.Now()
	bar := progressbar.NewOptions(f.patches, progressbar.OptionSetWriter(cmd.ErrOrStderr()), progressbar.OptionSetDescription("patches"), progressbar.OptionShowCount(), progressbar.OptionThrottle(200*time.Millisecond))
	s, err := simulate.WritePatches(cmd.Context(), f.out, simulate.PatchOptions{
		Count: f.patches, Size: f.edge, Seed: f.seed, HeldOut: f.heldOut, Workers: f.workers,
		Progress: func(done int) { _ = bar.Set(done) }, // a bar that can't be drawn is no reason to stop
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(cmd.ErrOrStderr())
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d patches from %d events in %s: %d with many, %d with few, %d without landslide pixels (%.1f %% of all) in %s\n",
		f.patches, len(s.Events), time.Since(start).Round(time.Second), s.Many, s.Few, s.None, 100*s.Share, f.out)
	return err
}
