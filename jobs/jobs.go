// Package jobs runs mapping jobs: it plans the blocks of an area, predicts
// them in batches that any worker can take and that survive a worker's death,
// vectorises the mosaic without block seams, attributes the polygons, and
// publishes the run in one transaction. River is the queue: on SQLite when
// embedded, on Postgres when several machines share the work.
//
// The result depends only on a job's inputs, not on the number of workers, the
// order of batches, or interruptions.
package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/paulmach/orb/geojson"

	"github.com/scarp-map/scarp/store"
)

// Errors of the engine (returned wrapped).
var (
	ErrNotFound = errors.New("no such job")
	// ErrNotReady means that the job has not finished yet.
	ErrNotReady = errors.New("result not ready")
	// ErrFinished means that a finished job can't be dismissed any more in the asked way.
	ErrFinished = errors.New("job has finished")
	// ErrBadSpec means that the inputs are wrong; the text says which and how to mend it.
	ErrBadSpec = errors.New("bad inputs")
	// ErrBusy means that too many jobs wait already.
	ErrBusy = errors.New("too many jobs")
)

// Spec is what to map.
type Spec struct {
	// Event is the id of an event in the store.
	Event string `json:"event"`
	// AOI limits the area (GeoJSON geometry, longitude and latitude): Polygon or MultiPolygon; nil is the event's AOI, then its whole grid.
	AOI *geojson.Geometry `json:"aoi,omitempty"`
	// Model by name; empty is the event's, then the default.
	Model string `json:"model,omitempty"`
	// Threshold is a probability in (0, 1); 0 means the model's.
	Threshold float64 `json:"threshold,omitempty"`
	// MinArea in m² drops smaller polygons and fills smaller holes; nil means 500 (five pixels).
	MinArea *float64 `json:"min_area_m2,omitempty"`
}

// Status is a job's state, in the words of OGC API Processes.
type Status string

// The states of a job.
const (
	Accepted   Status = "accepted"
	Running    Status = "running"
	Successful Status = "successful"
	Failed     Status = "failed"
	Dismissed  Status = "dismissed"
)

// Job is a job's record. It outlives the work and a restart.
type Job struct {
	ID      string
	Process string // map-landslides, or the id of another process
	Spec    Spec
	// Request keeps what the client asked for beside Spec (its outputs and their
	// transmission), opaque to this package.
	Request json.RawMessage
	Status  Status
	// Progress is 0 to 100: blocks done of blocks planned, then vectorising and publishing.
	Progress                            int
	Message                             string // what it does now, or why it failed
	Log                                 []LogLine
	BlocksDone, BlocksPlanned           int
	Created, Started, Updated, Finished time.Time // zero where not yet
	// Summary is set when a mapping is successful.
	Summary *store.Summary
	// Outputs lists what a successful job of another process keeps.
	Outputs []Kept
	// BadInputs says that a failed job failed because of its inputs.
	BadInputs bool
}

// LogLine is one step of a job, kept also when it fails.
type LogLine struct {
	Time    time.Time `json:"time"`
	Message string    `json:"message"`
}

// Output names a result of a mapping job.
type Output string

// The results that a successful mapping job keeps.
const (
	LandslidesGeoJSON Output = "landslides"  // application/geo+json
	LandslidesGPKG    Output = "geopackage"  // application/geopackage+sqlite3
	MaskCOG           Output = "mask"        // image/tiff; application=geotiff; profile=cloud-optimized
	ProbabilityCOG    Output = "probability" // the same; Byte 0–250, nodata 255
	SummaryJSON       Output = "summary"     // application/json
)

// Result is an output to read.
type Result struct {
	io.ReadSeekCloser
	MediaType string
	Name      string // file name
	Size      int64
	Modified  time.Time
}

// Filter selects jobs.
type Filter struct {
	Status []Status
	// Processes by id; none means all.
	Processes []string
	Event     string
	Limit     int // 0 means 100
	Offset    int
}

// Service is what the OGC packages and the command line use. [Engine] is the real one.
type Service interface {
	// Submit checks the spec (ErrBadSpec, ErrBusy) and records the job durably before it returns.
	Submit(ctx context.Context, s Spec, request json.RawMessage) (Job, error)
	// Execute does the same for a process other than mapping, with its inputs as JSON.
	Execute(ctx context.Context, process string, inputs, request json.RawMessage) (Job, error)
	// CheckSubscriber refuses (ErrBadSpec) what Subscribe would refuse.
	CheckSubscriber(s Subscriber) error
	// Subscribe has somebody told of a job's progress and end, once each.
	Subscribe(ctx context.Context, id string, s Subscriber) error
	// Tell sets what makes the news that subscribers are sent.
	Tell(news func(ctx context.Context, j Job) (News, error))
	Job(ctx context.Context, id string) (Job, error)
	// Jobs lists jobs, newest first, and says how many the filter matches.
	Jobs(ctx context.Context, f Filter) (jobs []Job, matched int, err error)
	// Wait returns when the job has finished or ctx ends; changed is called with every new state that is seen.
	Wait(ctx context.Context, id string, changed func(Job)) (Job, error)
	// Dismiss stops a job that waits or runs (its computation truly stops) and
	// marks it dismissed; a finished job is removed with its results, the published run stays.
	Dismiss(ctx context.Context, id string) (Job, error)
	// Result opens an output (ErrNotReady, ErrNotFound).
	Result(ctx context.Context, id string, o Output) (*Result, error)
}
