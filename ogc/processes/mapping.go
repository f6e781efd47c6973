package processes

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/geojson"
	"github.com/paulmach/orb/planar"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/jobs"
	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/store"
)

// mapInputs is what a checked request to map landslides says.
type mapInputs struct {
	spec jobs.Spec
	// event is the event that the request itself makes; nil where it names one.
	event *imagery.Event
}

// parseMapping turns inputs that fit their schema into a job's spec.
func parseMapping(in map[string]any) (mapInputs, error) {
	var m mapInputs
	var reasons []string
	m.spec.Event, _ = in["event"].(string)
	m.spec.Model, _ = in["model"].(string)
	if v, ok := number(in["threshold"]); ok {
		m.spec.Threshold = v
	}
	if v, ok := number(in["minimumArea"]); ok {
		m.spec.MinArea = &v
	}
	if aoi, ok := in["aoi"]; ok {
		g, err := parseAOI(aoi)
		if err != nil {
			reasons = append(reasons, "aoi: "+err.Error())
		}
		m.spec.AOI = g
	}
	pre, post, dem := hrefs(in["pre"]), hrefs(in["post"]), hrefs(in["dem"])
	own := len(pre)+len(post)+len(dem) > 0
	switch {
	case m.spec.Event != "" && own:
		reasons = append(reasons, "event: give either event, or pre, post and dem, not both")
	case m.spec.Event == "" && !own:
		reasons = append(reasons, "event: missing; give the id of an event, or pre, post and dem")
	case m.spec.Event == "":
		for name, refs := range map[string][]string{"pre": pre, "post": post, "dem": dem} {
			if len(refs) == 0 {
				reasons = append(reasons, name+": missing; pre, post and dem go together")
			}
		}
	}
	var trigger time.Time
	if own {
		var err error
		if trigger, err = triggerTime(in["triggerTime"]); err != nil {
			reasons = append(reasons, "triggerTime: "+err.Error())
		}
	}
	if len(reasons) > 0 {
		sort.Strings(reasons)
		return m, invalid(reasons)
	}
	if m.spec.Event == "" {
		e := ownEvent(pre, post, dem[0], trigger)
		m.event, m.spec.Event = &e, e.ID
	}
	return m, nil
}

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		return f, err == nil
	case float64:
		return v, true
	}
	return 0, false
}

// hrefs reads one reference or several, as strings or links.
func hrefs(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case map[string]any:
		if s, ok := v["href"].(string); ok {
			return []string{s}
		}
	case []any:
		var out []string
		for _, x := range v {
			out = append(out, hrefs(x)...)
		}
		return out
	}
	return nil
}

// AdHocPrefix begins the ids of events that a mapping request made up from the
// images that it named. Nobody said when such an event happened.
const AdHocPrefix = "adhoc-"

// ownEvent is the event that references make. Its id is a digest of them, so
// that the same images are the same event whoever sends them.
func ownEvent(pre, post []string, dem string, trigger time.Time) imagery.Event {
	h := sha256.New()
	fmt.Fprintln(h, trigger.UTC().Format(time.RFC3339))
	for _, side := range [][]string{pre, post, {dem}} {
		for _, ref := range side {
			fmt.Fprintf(h, "%d:%s", len(ref), ref)
		}
		h.Write([]byte{0})
	}
	e := imagery.Event{ID: AdHocPrefix + hex.EncodeToString(h.Sum(nil))[:16], DEM: dem,
		Description: "Registered by a request to map these images.", Trigger: imagery.Trigger{Time: trigger, Type: "other"}}
	for _, ref := range pre {
		e.Pre = append(e.Pre, imagery.Scene{Path: ref})
	}
	for _, ref := range post {
		e.Post = append(e.Post, imagery.Scene{Path: ref})
	}
	e.Title = "Images " + clip(lastPart(pre[0])) + " and " + clip(lastPart(post[0]))
	return e
}

// triggerTime reads when the event happened. Where the request does not say
// it stays zero: whoever registers the event knows the dates of its images.
func triggerTime(v any) (time.Time, error) {
	s, ok := v.(string)
	if !ok {
		return time.Time{}, nil
	}
	t, _, err := common.ParseDatetime(s)
	if err != nil || t.IsZero() || strings.Contains(s, "/") {
		return t, fmt.Errorf("%s must be a date or an RFC 3339 date-time", common.Quote(s))
	}
	return t.UTC(), nil
}

func lastPart(ref string) string {
	ref = strings.TrimRight(ref, "/")
	return ref[strings.LastIndexByte(ref, '/')+1:]
}

// clip shortens a name for a title.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

// submitMapping records a mapping job, and the event before it where the request makes one.
func (a *API) submitMapping(ctx context.Context, o order, request json.RawMessage) (jobs.Job, error) {
	m, err := parseMapping(o.Inputs)
	if err != nil {
		return jobs.Job{}, err
	}
	if m.event != nil {
		if err := a.RegisterEvent(ctx, *m.event); err != nil {
			return jobs.Job{}, fmt.Errorf("register event %s: %w", m.event.ID, err)
		}
	} else if _, err := a.Catalog.Event(ctx, m.spec.Event); err != nil {
		var p *common.Problem
		if errors.As(err, &p) {
			return jobs.Job{}, invalid([]string{"event: " + p.Detail})
		}
		return jobs.Job{}, err
	}
	job, err := a.Jobs.Submit(ctx, m.spec, request)
	switch {
	case errors.Is(err, jobs.ErrBadSpec):
		return job, badInputs(err)
	case errors.Is(err, store.ErrNotFound):
		return job, invalid([]string{"event: " + err.Error()})
	}
	return job, err
}

// submitTo records jobs of a process that the engine carries out on its own.
func (a *API) submitTo(id string) func(context.Context, order, json.RawMessage) (jobs.Job, error) {
	return func(ctx context.Context, o order, request json.RawMessage) (jobs.Job, error) {
		inputs, err := json.Marshal(o.raw)
		if err != nil {
			return jobs.Job{}, fmt.Errorf("keep the inputs: %w", err)
		}
		job, err := a.Jobs.Execute(ctx, id, inputs, request)
		if errors.Is(err, jobs.ErrBadSpec) {
			return job, badInputs(err)
		}
		return job, err
	}
}

// badInputs is the problem of an error of the engine that the client can mend.
func badInputs(err error) error {
	return invalid([]string{strings.TrimPrefix(err.Error(), jobs.ErrBadSpec.Error()+": ")})
}

// maxVertices bounds an area of interest.
const maxVertices = 20000

// parseAOI reads a GeoJSON Polygon or MultiPolygon, a Feature with one, or a
// bounding box, and checks that it is an area on the globe.
func parseAOI(v any) (*geojson.Geometry, error) {
	o, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("it must be an object")
	}
	if b, ok := o["bbox"]; ok && o["type"] == nil {
		return parseBBoxAOI(b)
	}
	if o["type"] == "Feature" {
		inner, ok := o["geometry"].(map[string]any)
		if !ok {
			return nil, errors.New("the feature has no geometry")
		}
		return parseAOI(inner)
	}
	raw, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("it can't be read: %w", err)
	}
	g, err := geojson.UnmarshalGeometry(raw)
	if err != nil || g == nil {
		return nil, errors.New("it is not a GeoJSON geometry, a Feature or a bbox")
	}
	var polygons orb.MultiPolygon
	switch shape := g.Geometry().(type) {
	case orb.Polygon:
		polygons = orb.MultiPolygon{shape}
	case orb.MultiPolygon:
		polygons = shape
	default:
		return nil, fmt.Errorf("it is a %s; a Polygon or MultiPolygon is needed", common.Quote(g.Type))
	}
	if err := checkArea(polygons); err != nil {
		return nil, err
	}
	return g, nil
}

func parseBBoxAOI(v any) (*geojson.Geometry, error) {
	list, _ := v.([]any)
	if len(list) != 4 {
		return nil, errors.New("bbox must have 4 numbers: west, south, east, north")
	}
	var b [4]float64
	for i := range list {
		f, ok := number(list[i])
		if !ok {
			return nil, errors.New("bbox must have 4 numbers: west, south, east, north")
		}
		b[i] = f
	}
	if err := common.CheckLonLat(b); err != nil {
		return nil, err
	}
	if b[0] >= b[2] || b[1] >= b[3] {
		return nil, errors.New("bbox is empty: west must be below east and south below north")
	}
	return geojson.NewGeometry(orb.Bound{Min: orb.Point{b[0], b[1]}, Max: orb.Point{b[2], b[3]}}.ToPolygon()), nil
}

func checkArea(polygons orb.MultiPolygon) error {
	vertices, area := 0, 0.0
	for _, p := range polygons {
		if len(p) == 0 {
			return errors.New("a polygon has no rings")
		}
		for _, r := range p {
			vertices += len(r)
			if len(r) < 4 || r[0] != r[len(r)-1] {
				return errors.New("every ring needs at least four positions, the last the same as the first")
			}
			for _, q := range r {
				if !(math.Abs(q[0]) <= 180 && math.Abs(q[1]) <= 90) {
					return fmt.Errorf("position %g, %g is not a longitude and a latitude", q[0], q[1])
				}
			}
		}
		area += math.Abs(planar.Area(p))
	}
	switch {
	case vertices > maxVertices:
		return fmt.Errorf("it has %d vertices; at most %d are accepted: simplify it", vertices, maxVertices)
	case !(area > 0):
		return errors.New("it has no area")
	}
	return nil
}
