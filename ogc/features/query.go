package features

import (
	"encoding/base64"
	"encoding/binary"
	"net/url"

	"scarp/ogc/common"
	"scarp/store"
)

// parsed is what the parameters of an items request say.
type parsed struct {
	query store.Query
	crs   common.CRS // of the answer
}

// parameters lists what an items request may carry beside f.
func parameters() []string {
	return []string{"bbox", "bbox-crs", "crs", "datetime", "limit", "after", "run", "min_area"}
}

// collectionCRS lists the CRSs of features, the default first.
func collectionCRS() []common.CRS {
	return []common.CRS{common.CRS84(), {EPSG: 4326, LatLon: true}, {EPSG: 3857}}
}

// parse turns an items request's parameters into a query; the event is the caller's.
func (a *API) parse(q url.Values) (parsed, error) {
	p := parsed{}
	var err error
	if p.crs, err = featureCRS(q, "crs"); err != nil {
		return p, err
	}
	if q.Has("bbox") {
		if p.query.BBox, err = parseBox(q); err != nil {
			return p, err
		}
	} else if q.Has("bbox-crs") {
		return p, common.BadRequest("bbox-crs is given without bbox")
	}
	if q.Has("datetime") {
		if p.query.From, p.query.To, err = common.ParseDatetime(q.Get("datetime")); err != nil {
			return p, err
		}
	}
	limit, err := common.Int(q, "limit", a.DefaultLimit, 1, 1<<31-1)
	if err != nil {
		return p, err
	}
	p.query.Limit = min(limit, a.MaxLimit)
	if p.query.MinArea, err = common.Float(q, "min_area", 0, 0, 1e12); err != nil {
		return p, err
	}
	if s := q.Get("after"); s != "" {
		if p.query.After, err = parseCursor(s); err != nil {
			return p, err
		}
	}
	p.query.Run = q.Get("run")
	return p, nil
}

func featureCRS(q url.Values, name string) (common.CRS, error) {
	s := q.Get(name)
	if s == "" {
		return common.CRS84(), nil
	}
	crs, err := common.ParseCRS(s, common.Geographic)
	if err == nil {
		for _, c := range collectionCRS() {
			if crs == c {
				return crs, nil
			}
		}
	}
	return crs, common.BadRequest("%s=%s is not offered; there are %s, %s and %s", name, common.Quote(s), common.CRS84URI, common.EPSGURI(4326), common.EPSGURI(3857))
}

// parseBox reads bbox in its bbox-crs and returns west, south, east, north.
func parseBox(q url.Values) (*[4]float64, error) {
	crs, err := featureCRS(q, "bbox-crs")
	if err != nil {
		return nil, err
	}
	b, err := common.ParseBBox(q.Get("bbox"))
	if err != nil {
		return nil, err
	}
	switch {
	case crs.EPSG == 3857:
		if b[0] > b[2] || b[1] > b[3] {
			return nil, common.BadRequest("bbox: its minimum is above its maximum")
		}
		if b, err = common.UnprojectBounds(common.WebProjector{}, 3857, b); err != nil {
			return nil, err
		}
		b = [4]float64{max(b[0], -180), b[1], min(b[2], 180), b[3]}
		if b[0] > b[2] {
			return nil, common.BadRequest("bbox lies outside Web Mercator")
		}
	case crs.LatLon:
		b = [4]float64{b[1], b[0], b[3], b[2]}
	}
	if err := common.CheckLonLat(b); err != nil {
		return nil, err
	}
	return &b, nil
}

// cursor makes the token that continues behind a landslide. It is opaque to
// clients so that paging may change.
func cursor(after int64) string {
	return base64.RawURLEncoding.EncodeToString(binary.AppendUvarint(nil, uint64(after)))
}

func parseCursor(s string) (int64, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err == nil {
		if v, n := binary.Uvarint(b); n == len(b) && n > 0 && v > 0 && v < 1<<63 {
			return int64(v), nil
		}
	}
	return 0, common.BadRequest("after=%s is not a token of this server; follow the links with rel next", common.Quote(s))
}
