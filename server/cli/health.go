package cli

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// newHealthCommand asks the server on this machine whether it is ready, for
// containers that have no other program to ask with.
func newHealthCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask the server on this machine whether it is ready; fails if it is not",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			config, err := settings(cmd)
			if err != nil {
				return err
			}
			host, port, err := net.SplitHostPort(config.Listen)
			if err != nil {
				return fmt.Errorf("listen %q: %w", config.Listen, err)
			}
			if host == "" {
				host = "localhost"
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), 5*time.Second)
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/readyz", nil)
			if err != nil {
				return err
			}
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				return fmt.Errorf("the server does not answer: %w", err)
			}
			defer answer.Body.Close()
			text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
			if err != nil {
				return err
			}
			if answer.StatusCode != http.StatusOK {
				return fmt.Errorf("the server is not ready: %s", text)
			}
			return nil
		},
	}
	addSettings(cmd, "config", "listen")
	return cmd
}
