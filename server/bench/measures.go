package bench

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/scarp-map/scarp/jobs"
)

const mib = 1 << 20

// coldTiles divides the time to the first byte of uncached probability tiles
// by the time of the bare runs of the network that they needed.
func (r *runner) coldTiles(ctx context.Context) ([]Figure, error) {
	if err := r.backend.Inference.Warm(ctx, r.model); err != nil { // loading the model is no tile's cost
		return nil, err
	}
	var tile, bare time.Duration
	var slowest time.Duration
	tiles := r.spread(14, r.ColdTiles)
	runs := int64(0)
	for _, t := range tiles {
		before := r.backend.Inference.Stats().Runs
		took, _, err := r.get(ctx, t.url(r.url, "cold_probability"))
		if err != nil {
			return nil, err
		}
		n := r.backend.Inference.Stats().Runs - before
		if n == 0 {
			continue // its patches were shared with a neighbour's
		}
		without, err := r.backend.Inference.BareRuns(ctx, r.model, int(n))
		if err != nil {
			return nil, err
		}
		tile, bare, slowest, runs = tile+took, bare+without, max(slowest, took), runs+n
	}
	return []Figure{{
		Name: "cold tile ÷ bare inference", Value: tile.Seconds() / bare.Seconds(), Bound: 1.25, AtMost: true,
		Detail: fmt.Sprintf("%d tiles, %d patches, mean %s, slowest %s", len(tiles), runs, (tile / time.Duration(len(tiles))).Round(time.Millisecond), slowest.Round(time.Millisecond)),
	}}, nil
}

// mappingJob divides the time of a job over the whole event by that of the
// bare runs of the network, and says how much memory it took at most.
func (r *runner) mappingJob(ctx context.Context) ([]Figure, error) {
	if err := resetPeak(); err != nil {
		fmt.Fprintf(r.out, "peak memory includes what came before the job: %v\n", err)
	}
	before := r.backend.Inference.Stats().Runs
	start := time.Now()
	job, err := r.backend.Jobs.Submit(ctx, jobs.Spec{Event: "job"}, nil)
	if err != nil {
		return nil, err
	}
	if job, err = r.backend.Jobs.Wait(ctx, job.ID, func(jobs.Job) {}); err != nil {
		return nil, err
	}
	took := time.Since(start)
	if job.Status != jobs.Successful {
		return nil, fmt.Errorf("the mapping job ended as %s: %s", job.Status, job.Message)
	}
	_, peak, err := memory()
	if err != nil {
		return nil, err
	}
	runs := r.backend.Inference.Stats().Runs - before
	bare, err := r.backend.Inference.BareRuns(ctx, r.model, int(runs))
	if err != nil {
		return nil, err
	}
	return []Figure{
		{
			Name: "mapping job ÷ bare inference", Value: took.Seconds() / bare.Seconds(), Bound: 1.25, AtMost: true,
			Detail: fmt.Sprintf("%s for %d blocks, %d patches, %d landslides", took.Round(time.Millisecond), job.BlocksPlanned, runs, job.Summary.Landslides),
		},
		{Name: "peak memory of the job, GiB", Value: float64(peak) / (1 << 30), Bound: 2, AtMost: true, Detail: "of the whole process"},
	}, nil
}

// cachedTile divides the requests a second of a cached tile by those of
// http.FileServer for a file of the same size, both behind net/http on loopback.
func (r *runner) cachedTile(ctx context.Context) ([]Figure, error) {
	url := r.spread(14, 1)[0].url(r.url, "job_probability")
	_, body, err := r.get(ctx, url)
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(r.Config.DataDir, "files-")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(folder, "tile.png"), body, 0o600); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	files := &http.Server{Handler: http.FileServer(http.Dir(folder)), ReadHeaderTimeout: time.Minute}
	go func() { _ = files.Serve(listener) }()
	defer files.Close()

	// They take turns, so that whatever else the machine does hits both.
	const turns = 6
	turn := time.Duration(r.Seconds) * time.Second / turns
	var ours, theirs float64
	for range turns {
		a, err := requestsPerSecond(ctx, url, turn)
		if err != nil {
			return nil, err
		}
		b, err := requestsPerSecond(ctx, "http://"+listener.Addr().String()+"/tile.png", turn)
		if err != nil {
			return nil, err
		}
		ours, theirs = ours+a/turns, theirs+b/turns
	}
	return []Figure{{
		Name: "cached tile ÷ http.FileServer", Value: ours / theirs, Bound: 0.6,
		Detail: fmt.Sprintf("%.0f and %.0f requests a second of %d bytes", ours, theirs, len(body)),
	}}, nil
}

// memory watches what the process holds over many different tiles: pictures
// and probabilities at zooms where each tile is new.
func (r *runner) memory(ctx context.Context) ([]Figure, error) {
	const zoom = 18
	layers := []string{"job_post", "job_probability", "job_pre", "job_mask"}
	west, north := tileAt(zoom, r.bounds[0], r.bounds[3])
	east, south := tileAt(zoom, r.bounds[2], r.bounds[1])
	columns, rows := east-west-1, south-north-1
	if columns*rows*len(layers) < r.Tiles {
		return nil, fmt.Errorf("the event has fewer than %d tiles at zoom %d: make it larger", r.Tiles, zoom)
	}
	early := r.Tiles / 5
	var after, resident int64
	for i := range r.Tiles {
		// A stride that is prime to the number of tiles visits each once, all over the event.
		n := (i / len(layers) * 7919) % (columns * rows)
		t := tile{zoom, north + 1 + n/columns, west + 1 + n%columns}
		if _, _, err := r.get(ctx, t.url(r.url, layers[i%len(layers)])); err != nil {
			return nil, err
		}
		if i+1 == early || i+1 == r.Tiles {
			var err error
			if resident, _, err = memory(); err != nil {
				return nil, err
			}
			if i+1 == early {
				after = resident
			}
		}
	}
	return []Figure{{
		Name: "memory after all ÷ after a fifth", Value: float64(resident) / float64(after), Bound: 1.1, AtMost: true,
		Detail: fmt.Sprintf("%d different tiles, %d MiB after %d, %d MiB at the end", r.Tiles, after/mib, early, resident/mib),
	}}, nil
}

// tile is a tile of WebMercatorQuad.
type tile struct{ zoom, row, column int }

func (t tile) url(server, collection string) string {
	return fmt.Sprintf("%s/collections/%s/map/tiles/WebMercatorQuad/%d/%d/%d?f=png", server, collection, t.zoom, t.row, t.column)
}

func tileAt(zoom int, lon, lat float64) (column, row int) {
	n := math.Exp2(float64(zoom))
	return int((lon + 180) / 360 * n), int((1 - math.Asinh(math.Tan(lat*math.Pi/180))/math.Pi) / 2 * n)
}

// spread returns up to n tiles that lie in the event, evenly over it.
func (r *runner) spread(zoom, n int) []tile {
	west, north := tileAt(zoom, r.bounds[0], r.bounds[3])
	east, south := tileAt(zoom, r.bounds[2], r.bounds[1])
	var inside []tile
	for row := north + 1; row < south; row++ {
		for column := west + 1; column < east; column++ {
			inside = append(inside, tile{zoom, row, column})
		}
	}
	if len(inside) <= n {
		return inside
	}
	chosen := make([]tile, n)
	for i := range chosen {
		chosen[i] = inside[i*len(inside)/n]
	}
	return chosen
}

// get fetches a URL and returns the time to its first byte.
func (r *runner) get(ctx context.Context, url string) (time.Duration, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	start := time.Now()
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	var one [1]byte
	if _, err := io.ReadFull(answer.Body, one[:]); err != nil {
		return 0, nil, fmt.Errorf("read %s: %w", url, err)
	}
	took := time.Since(start)
	rest, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, nil, fmt.Errorf("read %s: %w", url, err)
	}
	body := append(one[:], rest...)
	if answer.StatusCode != http.StatusOK {
		return 0, nil, fmt.Errorf("get %s: %s: %s", url, answer.Status, body)
	}
	return took, body, nil
}
