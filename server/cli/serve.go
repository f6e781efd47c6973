package cli

import (
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/scarp-map/scarp/server"
)

func newServeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the map, the OGC APIs and WMS",
		Long: `Serve the map, the OGC APIs and WMS.

Every setting below has the same name as a flag (--data-dir), in the file that
--config names (data-dir: …) and in the environment (SCARP_DATA_DIR). A flag
wins over the environment, which wins over the file.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := settings(cmd)
			if err != nil {
				return err
			}
			log, err := server.NewLogger(config)
			if err != nil {
				return err
			}
			return server.Serve(cmd.Context(), config, log, func(address net.Addr) {
				fmt.Fprintf(cmd.OutOrStdout(), "Scarp serves %s\n", pageURL(config, address))
			})
		},
	}
	addSettings(cmd)
	return cmd
}

// pageURL is what a person puts into the browser.
func pageURL(c server.Config, address net.Addr) string {
	if c.PublicURL != "" {
		return c.PublicURL
	}
	host, port, err := net.SplitHostPort(address.String())
	if err != nil {
		return "http://" + address.String()
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}
