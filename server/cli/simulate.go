package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/simulate"
)

// simulateFlags are the flags of scarp simulate.
type simulateFlags struct {
	out     string
	seed    uint64
	size    string
	heldOut bool
	from    string // a file of ranges

	patches, workers int

	id, title, origin, preDate, postDate string
	epsg                                 int
	config                               simulate.Config
}

// The demo: its place, its dates and its seed.
const (
	demoEPSG    = 32648
	demoOrigin  = "360000,3675000"
	demoPre     = "2022-07-03"
	demoPost    = "2022-09-11"
	demoID      = "demo"
	demoTitle   = "Jiuzhai hills earthquake 2022 (simulated)"
	demoSeed    = 22 // wooded hills with many hundred landslides about one epicentre
	demoSize    = "1024x1024"
	patchSize   = "128"
	overpassUTC = 3*time.Hour + 48*time.Minute // near longitude 103° E
)

func newSimulateCommand() *cobra.Command {
	f := &simulateFlags{}
	cmd := &cobra.Command{
		Use:   "simulate -o DIR",
		Short: "Make a landslide event, or training patches, by simulation",
		Long: `Simulate writes a whole event to a folder: pre.tif and post.tif (twelve Sentinel-2 bands), pre_scl.tif and post_scl.tif
(scene classification), dem.tif, the truth as mask.tif and landslides.geojson, and event.yaml for scarp event add.

With --patches it writes training data instead: pre.npy and post.npy (uint16, N×12×S×S), terrain.npy (float32, N×3×S×S: elevation m,
slope °, aspect °), mask.npy (uint8, N×S×S), cloud.npy (uint8, N×2×S×S: 0 clear, 1 thick, 2 thin, 3 shadow) and patches.json.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.out == "" {
				return errors.New("simulate: say where to write: -o DIR")
			}
			if f.patches != 0 {
				return simulatePatches(cmd, f)
			}
			return simulateEvent(cmd, f)
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.out, "output", "o", "", "folder to write to")
	flags.Uint64Var(&f.seed, "seed", demoSeed, "the same seed gives the same pixels")
	flags.StringVar(&f.size, "size", "", "size in pixels: of the event, as 1024x1024 (default "+demoSize+"), or of a patch (default "+patchSize+")")
	flags.BoolVar(&f.heldOut, "held-out", false, "draw from ranges that training does not see")
	flags.StringVar(&f.from, "ranges", "", "JSON file of what to draw an event's nature from, like the ranges of patches.json; what it leaves out stays as it is (patches have a share of landslides of their own)")
	cmd.MarkFlagsMutuallyExclusive("held-out", "ranges")
	flags.IntVar(&f.patches, "patches", 0, "write this many training patches as NumPy arrays instead of an event")
	flags.IntVar(&f.workers, "workers", 0, "events to make at a time for patches (default one a processor)")
	flags.StringVar(&f.id, "id", demoID, "the event's id")
	flags.StringVar(&f.title, "title", demoTitle, "the event's title")
	flags.IntVar(&f.epsg, "epsg", demoEPSG, "the event's UTM zone")
	flags.StringVar(&f.origin, "origin", demoOrigin, "easting and northing of the event's top left corner in metres")
	flags.StringVar(&f.preDate, "pre-date", demoPre, "date of the pre image")
	flags.StringVar(&f.postDate, "post-date", demoPost, "date of the post image")
	flags.Float64Var(&f.config.PreCloud, "pre-cloud", 0.02, "share of the pre image under cloud")
	flags.Float64Var(&f.config.PostCloud, "post-cloud", 0.06, "share of the post image under cloud")
	flags.Float64Var(&f.config.PreNoData, "pre-nodata", 0, "share of the pre image beyond the swath's edge")
	flags.Float64Var(&f.config.PostNoData, "post-nodata", 0, "share of the post image beyond the swath's edge")
	flags.Float64Var(&f.config.LandslideShare, "landslides", 0, "share of the land that slides (default drawn by the seed)")
	flags.BoolVar(&f.config.NoLandslides, "no-landslides", false, "a pair of images between which nothing slid")
	return cmd
}

// simulateEvent writes one event as files.
func simulateEvent(cmd *cobra.Command, f *simulateFlags) error {
	c, err := f.eventConfig()
	if err != nil {
		return err
	}
	sim, err := simulate.Generate(cmd.Context(), c)
	if err != nil {
		return err
	}
	description := fmt.Sprintf("A simulated event (seed %d): land, images and landslides are made up, and no real place looks like this.", f.seed)
	event, err := imagery.WriteSimulated(cmd.Context(), f.out, f.id, f.title, description, sim)
	if err != nil {
		return err
	}
	var area float64
	for _, l := range sim.Landslides {
		area += l.Area
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d × %d pixels of 10 m in EPSG:%d, %d landslides of %.2f km² in all\n%s\n",
		event.Title, sim.Width, sim.Height, sim.Config.EPSG, len(sim.Landslides), area/1e6, filepath.Join(f.out, "event.yaml"))
	return err
}

// eventConfig reads the flags of an event.
func (f *simulateFlags) eventConfig() (simulate.Config, error) {
	c := f.config
	ranges, err := f.ranges()
	if err != nil {
		return c, err
	}
	c.Seed, c.EPSG, c.Ranges = f.seed, f.epsg, ranges
	size := f.size
	if size == "" {
		size = demoSize
	}
	if c.Width, c.Height, err = parseSize(size); err != nil {
		return c, err
	}
	x, y, _ := strings.Cut(f.origin, ",")
	var errX, errY error
	c.OriginX, errX = strconv.ParseFloat(strings.TrimSpace(x), 64)
	c.OriginY, errY = strconv.ParseFloat(strings.TrimSpace(y), 64)
	if errX != nil || errY != nil {
		return c, fmt.Errorf("simulate: --origin %q: give easting and northing, such as %s", f.origin, demoOrigin)
	}
	for _, d := range []struct {
		flag, text string
		to         *time.Time
	}{{"--pre-date", f.preDate, &c.PreDate}, {"--post-date", f.postDate, &c.PostDate}} {
		day, err := time.Parse(time.DateOnly, d.text)
		if err != nil {
			return c, fmt.Errorf("simulate: %s %q: give a date such as %s", d.flag, d.text, demoPre)
		}
		*d.to = day.Add(overpassUTC)
	}
	return c, nil
}

func (f *simulateFlags) ranges() (*simulate.Ranges, error) {
	r := simulate.DefaultRanges()
	if f.heldOut {
		r = simulate.HeldOutRanges()
	}
	if f.from == "" {
		return &r, nil
	}
	text, err := os.ReadFile(f.from)
	if err != nil {
		return nil, fmt.Errorf("simulate: --ranges: %w", err)
	}
	given, err := simulate.ParseRanges(text)
	if err != nil {
		return nil, fmt.Errorf("simulate: --ranges %s: %w", f.from, err)
	}
	return given, nil
}

// parseSize reads a size such as 1024x768, or 512 for a square.
func parseSize(s string) (width, height int, err error) {
	w, h, two := strings.Cut(s, "x")
	if !two {
		h = w
	}
	width, err = strconv.Atoi(w)
	if err == nil {
		height, err = strconv.Atoi(h)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("simulate: --size %q: give pixels, such as 1024x1024 or 512", s)
	}
	return width, height, nil
}

// simulatePatches writes training patches with a progress bar and a summary.
func simulatePatches(cmd *cobra.Command, f *simulateFlags) error {
	size := f.size
	if size == "" {
		size = patchSize
	}
	edge, height, err := parseSize(size)
	if err != nil {
		return err
	}
	if edge != height {
		return fmt.Errorf("simulate: --size %q: patches are square", f.size)
	}
	ranges, err := f.ranges()
	if err != nil {
		return err
	}
	start := time.Now()
	bar := progressbar.NewOptions(f.patches, progressbar.OptionSetWriter(cmd.ErrOrStderr()), progressbar.OptionSetDescription("patches"),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(time.Second))
	s, err := simulate.WritePatches(cmd.Context(), f.out, simulate.PatchOptions{
		Count: f.patches, Size: edge, Seed: f.seed, HeldOut: f.heldOut, Ranges: ranges, Workers: f.workers,
		Progress: func(done int) { _ = bar.Set(done) }, // a bar that can't be drawn is no reason to stop
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "\n%d patches from %d events in %s: %d with many, %d with few, %d without landslide pixels (%.1f %% of all) in %s\n",
		f.patches, len(s.Events), time.Since(start).Round(time.Second), s.Many, s.Few, s.None, 100*s.Share, f.out)
	return err
}
