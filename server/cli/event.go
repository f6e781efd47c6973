package cli

import (
	"errors"
	"fmt"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/server"
	"github.com/scarp-map/scarp/store"
)

func newEventCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "event", Short: "Add, list, show and remove events"}
	for _, c := range []*cobra.Command{eventAddCommand(), eventListCommand(), eventShowCommand(), eventRemoveCommand()} {
		addSettings(c, "config", "data-dir", "database-url", "allow")
		cmd.AddCommand(c)
	}
	return cmd
}

// withStore runs do with the store that the command's settings name.
func withStore(cmd *cobra.Command, do func(server.Config, store.Store) error) (err error) {
	config, err := settings(cmd)
	if err != nil {
		return err
	}
	events, err := server.OpenStore(cmd.Context(), config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, events.Close()) }()
	return do(config, events)
}

func eventAddCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "add EVENT.yaml",
		Short: "Check an event's files and add it, or replace the event with its id",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd, func(config server.Config, events store.Store) error {
				path, err := filepath.Abs(args[0]) // the server may have another working folder
				if err != nil {
					return err
				}
				event, err := imagery.LoadEvent(path)
				if err != nil {
					return err
				}
				src, err := imagery.Open(cmd.Context(), event, config.Imagery())
				if err != nil {
					return err
				}
				grid := src.Grid()
				if err := src.Close(); err != nil {
					return err
				}
				if err := events.PutEvent(cmd.Context(), event); err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "Added %s: %s, %d × %d pixels of 10 m in EPSG:%d\n", event.ID, event.Title, grid.Width, grid.Height, grid.EPSG)
				return err
			})
		},
	}
}

func eventListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the events, the newest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(cmd, func(_ server.Config, events store.Store) error {
				list, err := events.Events(cmd.Context())
				if err != nil {
					return err
				}
				table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
				fmt.Fprintln(table, "ID\tTIME\tTYPE\tPRE\tPOST\tTITLE")
				for _, e := range list {
					fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%s\n", e.ID, e.Trigger.Time.Format(time.DateOnly), e.Trigger.Type, len(e.Pre), len(e.Post), e.Title)
				}
				return table.Flush()
			})
		},
	}
}

func eventShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ID",
		Short: "Show an event's definition and the runs that mapped it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd, func(_ server.Config, events store.Store) error {
				event, err := events.Event(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if err := event.WriteYAML(cmd.OutOrStdout()); err != nil {
					return err
				}
				runs, err := events.Runs(cmd.Context(), event.ID)
				if err != nil {
					return err
				}
				for _, r := range runs {
					fmt.Fprintf(cmd.OutOrStdout(), "# run %s, %s: %d landslides, %.2f km², by %s %s\n",
						r.ID, r.Published.Format(time.DateTime), r.Summary.Landslides, r.Summary.TotalArea/1e6, r.Model, r.ModelVersion)
				}
				return nil
			})
		},
	}
}

func eventRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove ID",
		Short: "Remove an event with its runs and landslides; its image files stay",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStore(cmd, func(_ server.Config, events store.Store) error {
				if err := events.DeleteEvent(cmd.Context(), args[0]); err != nil {
					return err
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "Removed %s\n", args[0])
				return err
			})
		},
	}
}
