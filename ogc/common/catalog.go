package common

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/golang-lru/v2/expirable"
	"golang.org/x/sync/errgroup"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/tiles"
)

// Catalog knows the collections: one for each event and layer.
type Catalog struct {
	store   store.Store
	sources imagery.Sources
	log     *slog.Logger
	// places keeps what is learnt by opening an event's files, by the event's
	// definition. It expires, since the files may change.
	places *expirable.LRU[[32]byte, place]
}

// place is where and when an event's imagery is.
type place struct {
	bounds            [4]float64
	grid              imagery.Grid
	preDates, postDay []time.Time
}

const (
	placesKept   = 4096
	placesExpire = 5 * time.Minute
)

// NewCatalog returns a catalog over the store's events. log may be nil.
func NewCatalog(s store.Store, sources imagery.Sources, log *slog.Logger) *Catalog {
	return &Catalog{store: s, sources: sources, log: log, places: expirable.NewLRU[[32]byte, place](placesKept, nil, placesExpire)}
}

// Ref names an event's layer.
type Ref struct {
	Event string
	Layer tiles.Layer
}

// ID returns the collection's id: event and layer with an underscore between them.
func (r Ref) ID() string { return r.Event + "_" + string(r.Layer) }

// ParseID splits a collection's id at its last underscore. The error is a
// [Problem] with status 404. Whether there is such an event it does not know.
func ParseID(id string) (Ref, error) {
	i := strings.LastIndexByte(id, '_')
	if i > 0 {
		// A switch rather than a search in tiles.Layers: this is on the path of every tile.
		switch l := tiles.Layer(id[i+1:]); l {
		case tiles.PreImage, tiles.PostImage, tiles.Probability, tiles.Mask, tiles.Landslides:
			return Ref{Event: id[:i], Layer: l}, nil
		}
	}
	return Ref{}, NotFound("there is no collection %s; ids are {event}_{layer} with a layer of pre, post, probability, mask, landslides", Quote(id))
}

// Collection is an event's layer with what documents say of it.
type Collection struct {
	Ref
	Title, Description string
	Of                 imagery.Event
	// Bounds is west, south, east, north; EPSG is the event grid's CRS. Known
	// is false where the imagery can't be opened now: then both are empty.
	Bounds [4]float64
	EPSG   int
	Grid   imagery.Grid
	Known  bool
	// From and To are the first and last acquisition that the layer shows; zero is unknown.
	From, To time.Time
	// Dates lists the acquisitions that the layer shows, each once, ascending.
	Dates []time.Time
}

// Vector says whether the collection has features.
func (c Collection) Vector() bool { return c.Layer == tiles.Landslides }

// Collection finds a collection by id. The error is a [Problem] with status
// 404 where there is none.
func (c *Catalog) Collection(ctx context.Context, id string) (Collection, error) {
	ref, err := ParseID(id)
	if err != nil {
		return Collection{}, err
	}
	e, err := c.Event(ctx, ref.Event)
	if err != nil {
		return Collection{}, err
	}
	return describe(e, ref.Layer, c.place(ctx, e)), nil
}

// Event finds an event. The error is a [Problem] with status 404 where there is none.
func (c *Catalog) Event(ctx context.Context, id string) (imagery.Event, error) {
	e, err := c.store.Event(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return e, NotFound("there is no event %s", Quote(id))
	}
	if err != nil {
		return e, fmt.Errorf("find event %s: %w", id, err)
	}
	return e, nil
}

// Collections lists all collections, the newest event's first.
func (c *Catalog) Collections(ctx context.Context) ([]Collection, error) {
	events, err := c.store.Events(ctx)
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	places := make([]place, len(events))
	var g errgroup.Group
	g.SetLimit(4)
	for i, e := range events {
		g.Go(func() error {
			places[i] = c.place(ctx, e)
			return ctx.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return nil, fmt.Errorf("open events: %w", err)
	}
	var all []Collection
	for i, e := range events {
		for _, l := range tiles.Layers() {
			all = append(all, describe(e, l, places[i]))
		}
	}
	return all, nil
}

// place returns where the event's imagery is, and the zero place where that
// can't be found out: an event whose files are away must not take the list with it.
func (c *Catalog) place(ctx context.Context, e imagery.Event) place {
	definition, err := json.Marshal(e)
	if err != nil {
		return place{}
	}
	key := sha256.Sum256(definition)
	if p, ok := c.places.Get(key); ok {
		return p
	}
	src, err := c.sources.Source(ctx, e.ID)
	if err != nil {
		if c.log != nil && ctx.Err() == nil {
			c.log.WarnContext(ctx, "event can't be opened", "event", e.ID, "error", err)
		}
		return place{}
	}
	p := place{bounds: src.Bounds(), grid: src.Grid(), preDates: src.Dates(imagery.Pre), postDay: src.Dates(imagery.Post)}
	c.places.Add(key, p)
	return p
}

func describe(e imagery.Event, l tiles.Layer, p place) Collection {
	name := e.Title
	if name == "" {
		name = e.ID
	}
	c := Collection{Ref: Ref{e.ID, l}, Of: e, Bounds: p.bounds, EPSG: p.grid.EPSG, Grid: p.grid, Known: p.grid.EPSG != 0}
	dates := p.postDay
	switch l {
	case tiles.PreImage:
		dates = p.preDates
		c.Title, c.Description = name+": before", "Sentinel-2 image before the event, in true colour."
	case tiles.PostImage:
		c.Title, c.Description = name+": after", "Sentinel-2 image after the event, in true colour."
	case tiles.Probability:
		c.Title, c.Description = name+": probability of landslides", "Probability of a newly triggered landslide, 0 to 1, in 10 m pixels, predicted from the images before and after and the terrain."
	case tiles.Mask:
		c.Title, c.Description = name+": landslide mask", "Where the probability of a newly triggered landslide is at or above the model's threshold."
	case tiles.Landslides:
		c.Title, c.Description = name+": landslides", "Polygons of newly triggered landslides with area, terrain and probability, of the latest mapping."
	}
	if len(dates) > 0 {
		c.Dates = slices.CompactFunc(slices.SortedFunc(slices.Values(dates), time.Time.Compare), time.Time.Equal)
		c.From, c.To = c.Dates[0], c.Dates[len(c.Dates)-1]
	}
	return c
}

// Events lists the events, the newest first.
func (c *Catalog) Events(ctx context.Context) ([]imagery.Event, error) {
	events, err := c.store.Events(ctx)
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	return events, nil
}
