package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference/assess"
)

// evaluateFlags are the flags of scarp evaluate.
type evaluateFlags struct {
	mapped, truth assess.Map
	area          string
	options       assess.Options
	json, html    string
}

// evaluateCache is GDAL's block cache in bytes: maps are read once, from top to bottom.
const evaluateCache = 128 << 20

func newEvaluateCommand() *cobra.Command {
	f := &evaluateFlags{options: assess.Options{Rule: assess.DefaultRule(), Picture: true}}
	cmd := &cobra.Command{
		Use:   "evaluate MAP TRUTH",
		Short: "Score a landslide map against another",
		Long: `Evaluate says how well a map agrees with one that is taken for the truth. Either is a GeoTIFF (probabilities, or a mask in which
landslides are above 0) or a file of polygons (GeoPackage, GeoJSON, FlatGeobuf, Shapefile), in any projection. They are compared in 10 m pixels
where both say something; give --area where polygons do not tell which ground was mapped.

Pixels: precision, recall, F1 and IoU over all pixels together. Landslides: groups of pixels joined by edges; one counts as found (or, of
those mapped, as right) where the other map's landslides cover at least --min-overlap of it; by size. Probabilities: the expected
calibration error in ten bins, and the scores at other thresholds.`,
		Example: `  scarp evaluate probability.tif truth.gpkg --area mapped.geojson --html report.html
  scarp evaluate landslides.gpkg mask.tif --json scores.json`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.mapped.Path, f.truth.Path = args[0], args[1]
			return runEvaluate(cmd, f)
		},
	}
	flags := cmd.Flags()
	flags.Float64Var(&f.options.Threshold, "threshold", 0, "probability from which a pixel counts as landslide (default: what the file says it was mapped with, else 0.5)")
	flags.StringVar(&f.area, "area", "", "compare only inside these polygons, or where this raster is neither 0 nor nodata")
	flags.Float64Var(&f.options.Rule.MinOverlap, "min-overlap", f.options.Rule.MinOverlap, "least share of a landslide that must be covered for a match")
	flags.StringVar(&f.mapped.Layer, "layer", "", "layer of MAP where it has several")
	flags.StringVar(&f.truth.Layer, "truth-layer", "", "layer of TRUTH where it has several")
	flags.StringVar(&f.mapped.Where, "where", "", "select polygons of MAP, as in SQL: \"run = 'x'\"")
	flags.StringVar(&f.truth.Where, "truth-where", "", "the same of TRUTH")
	flags.Float64Var(&f.mapped.Scale, "scale", 0, "what numbers of MAP are multiplied with to be probabilities (default: what the file says)")
	flags.StringVar(&f.json, "json", "", "also write the scores to this file")
	flags.StringVar(&f.html, "html", "", "also write a page with curves and a picture")
	return cmd
}

func runEvaluate(cmd *cobra.Command, f *evaluateFlags) error {
	if err := imagery.Setup(evaluateCache); err != nil {
		return err
	}
	if f.area != "" {
		f.options.Area = &assess.Map{Path: f.area}
	}
	report, err := assess.Compare(cmd.Context(), f.mapped, f.truth, f.options)
	if err != nil {
		return fmt.Errorf("evaluate: %w", err)
	}
	if f.json != "" {
		if err := writeTo(f.json, func(w io.Writer) error {
			enc := json.NewEncoder(w)
			enc.SetIndent("", "  ")
			return enc.Encode(report)
		}); err != nil {
			return err
		}
	}
	if f.html != "" {
		if err := writeTo(f.html, report.WriteHTML); err != nil {
			return err
		}
	}
	return report.WriteText(cmd.OutOrStdout())
}

func writeTo(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := errors.Join(write(file), file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
