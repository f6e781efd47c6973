// Package cli is Scarp's command line: one file a command, each with a constructor that root lists.
package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Execute runs the command that args name and returns the process's exit code: 0, or 1 after it has printed the error.
// SIGINT and SIGTERM cancel the command's context; a second one ends the process at once.
func Execute(ctx context.Context, args []string) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

	root := newRootCommand()
	root.SetArgs(args)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(root.ErrOrStderr(), "scarp:", err)
		return 1
	}
	return 0
}

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "scarp",
		Short: "Map newly triggered landslides from Sentinel-2 and serve the map",
		// Execute prints errors, once, and nobody wants the usage after a failed download.
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.AddCommand(
		newServeCommand(),
		newEventCommand(),
		newModelCommand(),
		newMapCommand(),
		newEvaluateCommand(),
		newSimulateCommand(),
		newBenchCommand(),
		newHealthCommand(),
		newVersionCommand(),
	)
	return root
}
