package cli

import (
	"os"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/scarp-map/scarp/server"
)

// addSettings gives a command the server's settings as flags. Where shown are
// named the others still work but are not listed in the command's help.
func addSettings(cmd *cobra.Command, shown ...string) {
	settings := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	server.Flags(settings)
	settings.VisitAll(func(f *pflag.Flag) {
		f.Hidden = len(shown) > 0 && !slices.Contains(shown, f.Name)
	})
	cmd.Flags().AddFlagSet(settings)
}

// settings merges the command's flags with the environment and the configuration file.
func settings(cmd *cobra.Command) (server.Config, error) {
	return server.LoadConfig(cmd.Flags(), os.Environ())
}
