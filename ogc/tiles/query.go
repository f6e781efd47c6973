package tiles

import (
	"net/url"

	"github.com/scarp-map/scarp/ogc/common"
	draw "github.com/scarp-map/scarp/tiles"
)

// query holds the parameters of a map tile beside its address.
type query struct {
	model, run  string
	threshold   float64 // 0 is the model's
	datetime    string
	scale       int
	formatGiven bool
	// versioned says that the client put a version into the address (v=…):
	// what the address names then never changes.
	versioned bool
}

// parseQuery reads a tile's parameters. v and _ are the client's own business:
// they keep old and new apart in caches.
func parseQuery(q url.Values, t draw.Tile) (query, error) {
	p := query{scale: t.Scale, formatGiven: q.Has("f"), versioned: q.Has("v")}
	known := []string{"model", "threshold", "datetime", "scale", "v", "_"}
	if t.Layer == draw.Landslides {
		known = []string{"run", "datetime", "scale", "v", "_"}
	}
	if err := common.CheckParams(q, known...); err != nil {
		return p, err
	}
	p.model, p.run, p.datetime = q.Get("model"), q.Get("run"), q.Get("datetime")
	var err error
	if p.scale, err = common.Int(q, "scale", t.Scale, 1, 2); err != nil {
		return p, err
	}
	p.threshold, err = common.Threshold(q)
	return p, err
}
