package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/paulmach/orb"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/jobs/mapping"
	"github.com/scarp-map/scarp/server"
	"github.com/scarp-map/scarp/store/export"
)

// mapFlags are the flags of scarp map.
type mapFlags struct {
	event, dem, date   string
	pre, post          []string
	preSCL, postSCL    []string
	aoi, model         string
	threshold, minArea float64
	outputs            []string
	probability        string
}

func newMapCommand() *cobra.Command {
	f := &mapFlags{}
	cmd := &cobra.Command{
		Use:   "map (--pre A --post B --dem D | --event EVENT.yaml) -o OUTPUT",
		Short: "Map the new landslides between two images, without a server",
		Long: `Map predicts where landslides have appeared between the pre and the post images, and writes their outlines with
their attributes (out.gpkg, out.geojson), or the mask as a Cloud-Optimized GeoTIFF (out.tif). Outlines follow the pixels' edges.

A single-date model (scarp model list) needs no image before. Images are GeoTIFF stacks, folders with a file per band, Sentinel-2 SAFE folders or the zips as downloaded.`,
		Example: `  scarp map --pre S2A_20180820.zip --post S2B_20180914.zip --dem dem.tif -o landslides.gpkg
  scarp map --event event.yaml --aoi valley.geojson --threshold 0.6 -o landslides.geojson -o mask.tif`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runMap(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringArrayVar(&f.pre, "pre", nil, "image before the event; repeat it for more")
	flags.StringArrayVar(&f.post, "post", nil, "image after the event; repeat it for more")
	flags.StringArrayVar(&f.preSCL, "pre-scl", nil, "scene classification (SCL) of the image before, where it is a file of its own; without one no clouds are masked")
	flags.StringArrayVar(&f.postSCL, "post-scl", nil, "the same of the image after")
	flags.StringVar(&f.dem, "dem", "", "raster of elevation in metres")
	flags.StringVar(&f.date, "date", "", "day of the event, as 2018-09-06; needed where images do not say when they were taken")
	flags.StringVar(&f.event, "event", "", "event file, instead of --pre, --post and --dem")
	flags.StringVar(&f.aoi, "aoi", "", "GeoJSON file with the area to map (default: where the images are)")
	flags.StringVar(&f.model, "model", "", "model (default: the event's, then --default-model)")
	flags.Float64Var(&f.threshold, "threshold", 0, "probability from which a pixel counts as landslide (default: the model's)")
	flags.Float64Var(&f.minArea, "min-area", mapping.DefaultMinArea, "m² below which polygons are dropped and holes filled")
	flags.StringArrayVarP(&f.outputs, "output", "o", nil, "file to write, by its ending .gpkg, .geojson or .tif; repeat it for more")
	flags.StringVar(&f.probability, "probability", "", "also write the probabilities as this .tif")
	addSettings(cmd, "config", "models-dir", "default-model", "clouds", "inference-workers", "inference-threads")
	return cmd
}

func runMap(cmd *cobra.Command, f *mapFlags) (err error) {
	ctx := cmd.Context()
	files, err := f.files()
	if err != nil {
		return err
	}
	config, err := settings(cmd)
	if err != nil {
		return err
	}
	src, err := f.open(ctx, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, src.Close()) }()
	config.DefaultModel = cmp.Or(f.model, src.Event().Model, config.DefaultModel)
	predictor, closePredictor, err := openPredictor(cmd, config)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closePredictor()) }()

	in := mapping.Inputs{Threshold: f.threshold, MinArea: &f.minArea}
	if in.AOI, err = f.readAOI(); err != nil {
		return err
	}
	if in.Model, err = predictor.Model(""); err != nil {
		return err
	}
	plan, err := mapping.NewPlan(src, in)
	if err != nil {
		return err
	}
	for _, warning := range plan.Warnings {
		fmt.Fprintln(cmd.ErrOrStderr(), "Mind:", warning)
	}
	progress := newProgress(cmd.ErrOrStderr(), len(plan.Blocks))
	m, res, err := mapping.Map(ctx, plan, predictor, "", progress.done)
	progress.end()
	if err == nil {
		defer func() { err = errors.Join(err, m.Close()) }()
	}
	if ctx.Err() != nil {
		return fmt.Errorf("interrupted, nothing is written: %w", context.Cause(ctx))
	}
	if err != nil {
		return err
	}
	for _, file := range files {
		if err := file.write(ctx, m, res); err != nil {
			return err
		}
	}
	fmt.Fprintln(cmd.OutOrStdout(), mapping.Describe(res.Summary))
	for _, file := range files {
		fmt.Fprintln(cmd.OutOrStdout(), file.path)
	}
	return nil
}

// open opens the event that the flags describe. What somebody names on the own
// command line may be read.
func (f *mapFlags) open(ctx context.Context, config server.Config) (imagery.Source, error) {
	event, err := f.describe()
	if err != nil {
		return nil, err
	}
	options := config.Imagery()
	options.Base = ""
	for _, scenes := range [][]imagery.Scene{event.Pre, event.Post} {
		for _, s := range scenes {
			options.Allow = append(options.Allow, s.Path)
			if s.SCL != "" {
				options.Allow = append(options.Allow, s.SCL)
			}
		}
	}
	if event.DEM != "" {
		options.Allow = append(options.Allow, event.DEM)
	}
	src, err := imagery.Open(ctx, event, options)
	if err != nil || f.event != "" || f.date != "" {
		return src, err
	}
	for _, side := range []imagery.Side{imagery.Pre, imagery.Post} {
		scenes := len(event.Pre)
		if side == imagery.Post {
			scenes = len(event.Post)
		}
		if len(src.Dates(side)) < scenes {
			src.Close()
			return nil, fmt.Errorf("a %s image does not say when it was taken: say when the event was (--date 2018-09-06), so that its numbers can be read rightly", side)
		}
	}
	return src, nil
}

// describe makes an event of the flags.
func (f *mapFlags) describe() (imagery.Event, error) {
	given := len(f.pre) > 0 || len(f.post) > 0 || f.dem != ""
	if f.event != "" {
		if given {
			return imagery.Event{}, errors.New("map: give either --event, or --pre, --post and --dem")
		}
		return imagery.LoadEvent(f.event)
	}
	if len(f.post) == 0 {
		return imagery.Event{}, errors.New("map: --post is missing: give an image after the event (and, but for single-date models, one --pre and a --dem), or an --event")
	}
	e := imagery.Event{ID: "map", Title: "Mapping", DEM: f.dem, Trigger: imagery.Trigger{Time: time.Now().UTC()}}
	if f.date != "" {
		day, err := time.Parse(time.DateOnly, f.date)
		if err != nil {
			return e, fmt.Errorf("map: --date %q: give a day such as 2018-09-06", f.date)
		}
		e.Trigger.Time = day
	}
	for _, path := range slices.Concat(f.pre, f.post, []string{f.dem}) {
		if path == "" {
			continue
		}
		if _, err := os.Stat(path); err != nil && !strings.Contains(path, "://") {
			return e, fmt.Errorf("map: %w", err)
		}
	}
	var err error
	if e.Pre, err = scenes("--pre", f.pre, f.preSCL); err != nil {
		return e, err
	}
	if e.Post, err = scenes("--post", f.post, f.postSCL); err != nil {
		return e, err
	}
	return e, nil
}

// scenes pairs images with their scene classifications, which are given for all of a side or none.
func scenes(flag string, images, classes []string) ([]imagery.Scene, error) {
	if len(classes) > 0 && len(classes) != len(images) {
		return nil, fmt.Errorf("map: %s is given %d times and %s-scl %d times: give one classification an image, in the same order", flag, len(images), flag, len(classes))
	}
	list := make([]imagery.Scene, len(images))
	for i, path := range images {
		list[i].Path = path
		if len(classes) > 0 {
			list[i].SCL = classes[i]
		}
	}
	return list, nil
}

func (f *mapFlags) readAOI() (orb.Geometry, error) {
	if f.aoi == "" {
		return nil, nil
	}
	file, err := os.Open(f.aoi)
	if err != nil {
		return nil, fmt.Errorf("open the AOI: %w", err)
	}
	defer file.Close()
	g, err := imagery.ReadAOI(file)
	if err != nil {
		return nil, fmt.Errorf("read the AOI %s: %w", f.aoi, err)
	}
	return g.Geometry(), nil
}

// outputFile is a file to write and how.
type outputFile struct {
	path string
	make func(ctx context.Context, path string, m *mapping.Mosaic, res *mapping.Result) error
}

// files checks what is to be written before anything is computed.
func (f *mapFlags) files() ([]outputFile, error) {
	var files []outputFile
	for _, path := range f.outputs {
		make, ok := writers[strings.ToLower(filepath.Ext(path))]
		if !ok {
			return nil, fmt.Errorf("map: output %s: the name must end in .gpkg, .geojson or .tif", path)
		}
		files = append(files, outputFile{path, make})
	}
	if f.probability != "" {
		if ext := strings.ToLower(filepath.Ext(f.probability)); ext != ".tif" {
			return nil, fmt.Errorf("map: output %s: the name must end in .tif", f.probability)
		}
		files = append(files, outputFile{f.probability, func(ctx context.Context, path string, m *mapping.Mosaic, _ *mapping.Result) error {
			return m.WriteProbability(ctx, path)
		}})
	}
	if len(files) == 0 {
		return nil, errors.New("map: say what to write: -o out.gpkg, out.geojson or out.tif")
	}
	for _, file := range files {
		if info, err := os.Stat(filepath.Dir(file.path)); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("map: output %s: there is no folder %s", file.path, filepath.Dir(file.path))
		}
	}
	return files, nil
}

var writers = map[string]func(context.Context, string, *mapping.Mosaic, *mapping.Result) error{
	".gpkg": func(ctx context.Context, path string, m *mapping.Mosaic, res *mapping.Result) error {
		plan := m.Plan()
		return export.GeoPackage(ctx, path, plan.Source.Event(), plan.Run("map", res.Summary), res.Landslides)
	},
	".geojson": func(_ context.Context, path string, _ *mapping.Mosaic, res *mapping.Result) error {
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		return errors.Join(export.GeoJSON(f, res.Landslides), f.Close())
	},
	".tif": func(ctx context.Context, path string, m *mapping.Mosaic, _ *mapping.Result) error {
		return m.WriteMask(ctx, path)
	},
}

// write makes the file beside its place and moves it there when it is whole.
func (o outputFile) write(ctx context.Context, m *mapping.Mosaic, res *mapping.Result) error {
	dir, err := os.MkdirTemp(filepath.Dir(o.path), ".scarp-map-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", o.path, err)
	}
	defer os.RemoveAll(dir)
	whole := filepath.Join(dir, filepath.Base(o.path))
	if err := o.make(ctx, whole, m, res); err != nil {
		return fmt.Errorf("write %s: %w", o.path, err)
	}
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if err := os.Rename(whole, o.path); err != nil {
		return fmt.Errorf("write %s: %w", o.path, err)
	}
	return nil
}

// progress shows how many blocks are predicted: a bar on a terminal, a line
// every tenth elsewhere. done may be called by many goroutines.
type progress struct {
	mu        sync.Mutex
	out       io.Writer
	bar       *progressbar.ProgressBar
	n, of, at int
}

func newProgress(out io.Writer, blocks int) *progress {
	p := &progress{out: out, of: blocks}
	if f, ok := out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.bar = progressbar.NewOptions(blocks, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription("Predicting"),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionSetWidth(30), progressbar.OptionClearOnFinish())
	}
	return p
}

func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n++
	if p.bar != nil {
		p.bar.Add(1)
		return
	}
	if tenth := 10 * p.n / p.of; tenth > p.at {
		p.at = tenth
		fmt.Fprintf(p.out, "predicted %d of %d blocks\n", p.n, p.of)
	}
}

func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		p.bar.Exit()
	}
}
