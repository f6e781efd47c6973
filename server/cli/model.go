package cli

import (
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"go.yaml.in/yaml/v3"

	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/server"
)

func newModelCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "model", Short: "List and show the models"}
	for _, c := range []*cobra.Command{modelListCommand(), modelShowCommand(), modelTensorCommand()} {
		addSettings(c, "config", "models-dir", "default-model")
		cmd.AddCommand(c)
	}
	return cmd
}

// loadModels returns the models that can be served, and prints why others can't.
func loadModels(cmd *cobra.Command) ([]*inference.Model, error) {
	config, err := settings(cmd)
	if err != nil {
		return nil, err
	}
	models, err := server.LoadModels(config)
	var refused *inference.RefusedError
	if errors.As(err, &refused) {
		fmt.Fprintln(cmd.ErrOrStderr(), err)
		err = nil
	}
	return models, err
}

func modelListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List the models",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			models, err := loadModels(cmd)
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(table, "NAME\tVERSION\tKIND\tTHRESHOLD\tDIGEST\tTITLE")
			for _, m := range models {
				fmt.Fprintf(table, "%s\t%s\t%s\t%.2f\t%s\t%s\n", m.Name(), m.Manifest.Version, m.Manifest.Kind, m.Manifest.Threshold, m.Digest, m.Manifest.Title)
			}
			return table.Flush()
		},
	}
}

func modelShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show a model's manifest: inputs, threshold, provenance, licence",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			models, err := loadModels(cmd)
			if err != nil {
				return err
			}
			m, err := findModel(models, args[0])
			if err != nil {
				return err
			}
			return yaml.NewEncoder(cmd.OutOrStdout()).Encode(m.Manifest)
		},
	}
}

func findModel(models []*inference.Model, name string) (*inference.Model, error) {
	for _, m := range models {
		if m.Name() == name {
			return m, nil
		}
	}
	return nil, fmt.Errorf("%w %q: `scarp model list` shows those that there are", inference.ErrUnknownModel, name)
}
