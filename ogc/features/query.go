package features

import (
	"net/url"
	"slices"
	"strings"

	"github.com/paulmach/orb"
	"github.com/peterstace/simplefeatures/geom"

	"github.com/scarp-map/scarp/ogc/common"
	"github.com/scarp-map/scarp/ogc/cql2"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/filter"
)

// parsed is what the parameters of an items request say.
type parsed struct {
	query store.Query
	crs   common.CRS // of the answer
	// token is the parameter after; it is read once the collection and its run are known.
	token string
	// fields are the attributes that are asked for, all where properties is absent.
	fields []store.Field
	// limited says that the request names a limit or continues a page.
	limited bool
}

// parameters lists what an items request may carry beside f.
func parameters() []string {
	all := []string{"bbox", "bbox-crs", "crs", "datetime", "limit", "after", "run", "min_area", "filter", "filter-lang", "filter-crs", "sortby", "properties"}
	for _, f := range queryParameters() {
		all = append(all, f.Name)
	}
	return all
}

// queryParameters are the queryables that are parameters of their own: all but
// the geometry, which bbox selects by, and run, which chooses among the runs.
func queryParameters() []store.Field {
	return slices.DeleteFunc(store.Fields(), func(f store.Field) bool { return f.Of == nil || f.Name == "run" })
}

// parse turns an items request's parameters into a query; the event is the caller's.
func (a *API) parse(q url.Values) (parsed, error) {
	p := parsed{token: q.Get("after"), limited: q.Has("limit") || q.Has("after")}
	var err error
	if p.crs, err = a.featureCRS(q, "crs"); err != nil {
		return p, err
	}
	if q.Has("bbox") {
		if p.query.BBox, err = a.parseBox(q); err != nil {
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
	if p.query.Filter, err = a.parseFilter(q); err != nil {
		return p, err
	}
	if p.query.Sort, err = parseSort(q); err != nil {
		return p, err
	}
	if p.fields, err = parseProperties(q); err != nil {
		return p, err
	}
	p.query.Run = q.Get("run")
	return p, nil
}

// featureCRS reads a CRS that features are served in; CRS84 where the parameter is absent.
func (a *API) featureCRS(q url.Values, name string) (common.CRS, error) {
	s := q.Get(name)
	if s == "" {
		if q.Has(name) {
			return common.CRS{}, common.BadRequest("%s is empty; give the URI of a CRS such as %s", name, common.EPSGURI(3857))
		}
		return common.CRS84(), nil
	}
	latLon := a.LatLon
	if latLon == nil {
		latLon = common.Geographic
	}
	offered := common.FeatureCRS(a.CRS, latLon)
	crs, err := common.ParseCRS(s, latLon)
	if err == nil && slices.Contains(offered, crs) {
		return crs, nil
	}
	uris := make([]string, len(offered))
	for i, c := range offered {
		uris[i] = c.URI()
	}
	return crs, common.BadRequest("%s=%s is not offered; there are %s", name, common.Quote(s), strings.Join(uris, ", "))
}

// projector converts coordinates; it knows Web Mercator where no better is given.
func (a *API) projector() common.Projector {
	if a.Projector == nil {
		return common.WebProjector{}
	}
	return a.Projector
}

// parseBox reads bbox in its bbox-crs and returns west, south, east, north.
func (a *API) parseBox(q url.Values) (*[4]float64, error) {
	crs, err := a.featureCRS(q, "bbox-crs")
	if err != nil {
		return nil, err
	}
	b, err := common.ParseBBox(q.Get("bbox"))
	if err != nil {
		return nil, err
	}
	if crs.LatLon {
		b = [4]float64{b[1], b[0], b[3], b[2]}
	}
	if crs.EPSG != 4326 {
		if b[0] > b[2] || b[1] > b[3] {
			return nil, common.BadRequest("bbox: its minimum is above its maximum")
		}
		if b, err = common.UnprojectBounds(a.projector(), crs.EPSG, b); err != nil {
			return nil, common.BadRequest("bbox can't be converted from %s: %s", crs.URI(), err)
		}
		b = [4]float64{max(b[0], -180), max(b[1], -90), min(b[2], 180), min(b[3], 90)}
		if !(b[0] <= b[2] && b[1] <= b[3]) {
			return nil, common.BadRequest("bbox lies outside of %s", crs.URI())
		}
	}
	if err := common.CheckLonLat(b); err != nil {
		return nil, err
	}
	return &b, nil
}

// parseFilter joins filter and the parameters that name a queryable.
func (a *API) parseFilter(q url.Values) (filter.Expr, error) {
	terms, err := equalities(q)
	if err != nil {
		return nil, err
	}
	lang := q.Get("filter-lang")
	if q.Has("filter-lang") && lang != "cql2-text" && lang != "cql2-json" {
		return nil, common.BadRequest("filter-lang=%s must be cql2-text or cql2-json", common.Quote(lang))
	}
	if !q.Has("filter") {
		for _, name := range []string{"filter-lang", "filter-crs"} {
			if q.Has(name) {
				return nil, common.BadRequest("%s is given without filter", name)
			}
		}
	} else {
		e, err := a.parseCQL(q, lang)
		if err == nil {
			err = filter.Check(e, store.FieldTypes())
		}
		if err != nil {
			return nil, common.BadRequest("filter: %s", err)
		}
		terms = append(terms, e)
	}
	switch len(terms) {
	case 0:
		return nil, nil
	case 1:
		return terms[0], nil
	}
	return &filter.Call{Op: filter.And, Args: terms}, nil
}

func (a *API) parseCQL(q url.Values, lang string) (filter.Expr, error) {
	crs, err := a.featureCRS(q, "filter-crs")
	if err != nil {
		return nil, err
	}
	var options cql2.Options
	if crs != common.CRS84() {
		options.ToLonLat = func(p geom.XY) (geom.XY, error) {
			if crs.LatLon {
				p.X, p.Y = p.Y, p.X
			}
			lon, lat, err := a.projector().ToLonLat(crs.EPSG, p.X, p.Y)
			return geom.XY{X: lon, Y: lat}, err
		}
	}
	if lang == "cql2-json" {
		return cql2.ParseJSON([]byte(q.Get("filter")), options)
	}
	return cql2.ParseText(q.Get("filter"), options)
}

// equalities are the parameters that name a queryable and its value.
func equalities(q url.Values) ([]filter.Expr, error) {
	var terms []filter.Expr
	for _, f := range queryParameters() {
		if !q.Has(f.Name) {
			continue
		}
		e, err := equality(f, q)
		if err != nil {
			return nil, err
		}
		terms = append(terms, e)
	}
	return terms, nil
}

func equality(f store.Field, q url.Values) (filter.Expr, error) {
	property := &filter.Property{Name: f.Name}
	equal := func(v any) filter.Expr {
		return &filter.Call{Op: filter.Equal, Args: []filter.Expr{property, &filter.Literal{Value: v}}}
	}
	s := q.Get(f.Name)
	switch f.Type {
	case filter.Number:
		if s == "" {
			return nil, common.BadRequest("%s is empty; give a number", f.Name)
		}
		v, err := common.Float(q, f.Name, 0, -1e300, 1e300)
		return equal(v), err
	case filter.Bool:
		if s != "true" && s != "false" {
			return nil, common.BadRequest("%s=%s must be true or false", f.Name, common.Quote(s))
		}
		return equal(s == "true"), nil
	case filter.Time:
		from, to, err := common.ParseDatetime(s)
		if err != nil {
			return nil, common.BadRequest("%s: %s", f.Name, err)
		}
		ends := [2]filter.Moment{{Time: from}, {Time: to}}
		for i := range ends {
			if ends[i].IsZero() {
				ends[i].Infinite = 2*i - 1
			}
		}
		return &filter.Call{Op: filter.Between, Args: []filter.Expr{property, &filter.Literal{Value: ends[0]}, &filter.Literal{Value: ends[1]}}}, nil
	}
	e := equal(s)
	if err := filter.Check(e, store.FieldTypes()); err != nil {
		return nil, common.BadRequest("%s: %s", f.Name, err)
	}
	return e, nil
}

// parseSort reads sortby: fields with commas between them, + or - before each.
func parseSort(q url.Values) ([]store.SortKey, error) {
	if !q.Has("sortby") {
		return nil, nil
	}
	var keys []store.SortKey
	for name := range strings.SplitSeq(q.Get("sortby"), ",") {
		// A + that nobody encoded arrives as a space.
		key := store.SortKey{Field: strings.TrimLeft(name, "+- "), Descending: strings.HasPrefix(name, "-")}
		f, ok := store.FieldNamed(key.Field)
		switch {
		case !ok || f.Of == nil:
			return nil, common.BadRequest("sortby: can't sort by %s; there are %s", common.Quote(key.Field), sortable())
		case slices.ContainsFunc(keys, func(k store.SortKey) bool { return k.Field == key.Field }):
			return nil, common.BadRequest("sortby names %s twice", key.Field)
		case len(keys) == store.MaxSortKeys:
			return nil, common.BadRequest("sortby names more than %d properties", store.MaxSortKeys)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func sortable() string {
	var names []string
	for _, f := range store.Fields() {
		if f.Of != nil {
			names = append(names, f.Name)
		}
	}
	return strings.Join(names, ", ")
}

// attributes are the fields that are members of a feature's properties.
func attributes() []store.Field {
	return slices.DeleteFunc(store.Fields(), func(f store.Field) bool { return f.Of == nil || f.Name == "id" })
}

// parseProperties reads the selection of attributes; they keep their own order.
func parseProperties(q url.Values) ([]store.Field, error) {
	if !q.Has("properties") {
		return attributes(), nil
	}
	asked := map[string]bool{}
	for name := range strings.SplitSeq(q.Get("properties"), ",") {
		if f, ok := store.FieldNamed(name); name != "" && (!ok || f.Of == nil) {
			return nil, common.BadRequest("properties: there is no property %s; there are %s", common.Quote(name), sortable())
		}
		asked[name] = true
	}
	return slices.DeleteFunc(attributes(), func(f store.Field) bool { return !asked[f.Name] }), nil
}

// converter returns what brings outlines to the CRS's coordinates and axis order.
func (a *API) converter(crs common.CRS) func(orb.Polygon) (orb.Polygon, error) {
	return func(p orb.Polygon) (orb.Polygon, error) {
		if crs == common.CRS84() {
			return p, nil
		}
		p = p.Clone()
		for _, ring := range p {
			for i, at := range ring {
				x, y, err := a.projector().FromLonLat(crs.EPSG, at[0], at[1])
				if err != nil {
					return nil, common.BadRequest("the features can't be converted to %s: %s; choose another crs", crs.URI(), err)
				}
				if crs.LatLon {
					x, y = y, x
				}
				ring[i] = orb.Point{x, y}
			}
		}
		return p, nil
	}
}
