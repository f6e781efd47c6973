package wms

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/labstack/echo/v4"

	"github.com/scarp-map/scarp/ogc/common"
)

// capabilities holds what capabilities documents need beside the catalog.
type capabilities struct {
	boxes    *boxes
	sequence common.Sequence
}

// boxes remembers bounds in other CRSs: there are many, and they hardly change.
type boxes struct {
	projector common.Projector
	known     *lru.Cache[boxKey, [4]float64]
}

type boxKey struct {
	bounds [4]float64
	epsg   int
}

func newBoxes(p common.Projector) *boxes {
	known, err := lru.New[boxKey, [4]float64](8192)
	if err != nil { // only for a size below 1
		panic(err)
	}
	return &boxes{p, known}
}

// in returns the bounds in the CRS; not ok where they can't be expressed in it.
func (b *boxes) in(epsg int, bounds [4]float64) ([4]float64, bool) {
	if epsg == 4326 {
		return bounds, true
	}
	key := boxKey{bounds, epsg}
	if box, ok := b.known.Get(key); ok {
		return box, true
	}
	box, err := common.ProjectBounds(b.projector, epsg, bounds)
	if err != nil {
		return box, false
	}
	b.known.Add(key, box)
	return box, true
}

// getCapabilities describes the service in the version's own document.
func (a *API) getCapabilities(c echo.Context, p params, v version) error {
	if p["SERVICE"] == "" {
		return fault("", "SERVICE is missing; write SERVICE=WMS")
	}
	ctx := c.Request().Context()
	all, err := a.Catalog.Collections(ctx)
	if err != nil {
		return err
	}
	sequence, err := a.capabilities.sequence.Number(all, time.Now())
	if err != nil {
		return err
	}
	if err := checkSequence(p["UPDATESEQUENCE"], sequence); err != nil {
		return err
	}
	doc, err := a.describe(ctx, c, v, all)
	if err != nil {
		return err
	}
	doc.UpdateSequence = strconv.FormatInt(sequence, 10)
	body, err := xml.MarshalIndent(doc, "", "  ")
	if err != nil {
		return fmt.Errorf("encode capabilities: %w", err)
	}
	kind, head := "text/xml; charset=utf-8", xml.Header
	if v == v111 {
		kind = "application/vnd.ogc.wms_xml"
		// The corrected DTD (OGC 01-068r3): that of the same folder which is named
		// WMS_MS_Capabilities lacks two attributes of Extent.
		head += `<!DOCTYPE WMT_MS_Capabilities SYSTEM "http://schemas.opengis.net/wms/1.1.1/capabilities_1_1_1.dtd">` + "\n"
	}
	return common.WriteBytes(c, http.StatusOK, kind, append([]byte(head), append(body, '\n')...))
}

// checkSequence compares the client's sequence with the server's.
func checkSequence(s string, now int64) error {
	if s == "" {
		return nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil || n > now:
		return fault("InvalidUpdateSequence", "UPDATESEQUENCE=%s is above the current %d", common.Quote(s), now)
	case n == now:
		return fault("CurrentUpdateSequence", "UPDATESEQUENCE=%d is current", n)
	}
	return nil
}

func (a *API) describe(ctx context.Context, c echo.Context, v version, all []common.Collection) (capabilitiesDoc, error) {
	base := a.Site.Base(c)
	d := newCapabilities(v)
	d.Service = a.service(v, base)
	d.Capability.Request = requests(v, base+"/wms?")
	d.Capability.Exception.Format = []string{"XML", "INIMAGE", "BLANK"}
	if v == v111 {
		d.Capability.Exception.Format = []string{"application/vnd.ogc.se_xml", "application/vnd.ogc.se_inimage", "application/vnd.ogc.se_blank"}
	}
	root := layerDoc{Title: a.Site.Title, Abstract: a.Site.Description}
	codes := a.codes(all)
	names := crsNames(v, codes)
	if v == v111 {
		root.SRS = names
	} else {
		root.CRS = names
	}
	// GDAL and others want a box on the root too.
	a.place(&root, v, codes, everywhere(all))
	for group := range byEvent(all) {
		if ctx.Err() != nil {
			return d, ctx.Err()
		}
		e := layerDoc{Title: group[0].Of.Title, Abstract: group[0].Of.Description}
		if e.Title == "" {
			e.Title = group[0].Event
		}
		for _, col := range group {
			one := 1
			l := layerDoc{Queryable: &one, Name: col.ID(), Title: col.Title, Abstract: col.Description}
			if col.Known {
				a.place(&l, v, codes, col.Bounds)
			}
			l.setTime(v, col)
			l.Styles = a.styles(base, col)
			e.Layers = append(e.Layers, l)
		}
		root.Layers = append(root.Layers, e)
	}
	d.Capability.Layer = root
	return d, nil
}

// byEvent yields runs of collections of the same event.
func byEvent(all []common.Collection) func(func([]common.Collection) bool) {
	return func(yield func([]common.Collection) bool) {
		for len(all) > 0 {
			n := slices.IndexFunc(all, func(c common.Collection) bool { return c.Event != all[0].Event })
			if n < 0 {
				n = len(all)
			}
			if !yield(all[:n]) {
				return
			}
			all = all[n:]
		}
	}
}

// codes lists the EPSG codes of maps: the configured ones and those of the events' grids.
func (a *API) codes(all []common.Collection) []int {
	codes := []int{4326}
	for _, code := range a.CRS {
		if !slices.Contains(codes, code) {
			codes = append(codes, code)
		}
	}
	for _, col := range all {
		if col.EPSG != 0 && !slices.Contains(codes, col.EPSG) {
			codes = append(codes, col.EPSG)
		}
	}
	return codes
}

func crsNames(v version, codes []int) []string {
	var names []string
	if v == v130 {
		names = append(names, "CRS:84")
	}
	for _, code := range codes {
		names = append(names, "EPSG:"+strconv.Itoa(code))
	}
	return names
}

// everywhere is the box of all layers, the world where none is known.
func everywhere(all []common.Collection) [4]float64 {
	var b *[4]float64
	for _, col := range all {
		switch {
		case !col.Known:
		case b == nil:
			b = &[4]float64{}
			*b = col.Bounds
		default:
			*b = [4]float64{min(b[0], col.Bounds[0]), min(b[1], col.Bounds[1]), max(b[2], col.Bounds[2]), max(b[3], col.Bounds[3])}
		}
	}
	if b == nil {
		return [4]float64{-180, -90, 180, 90}
	}
	return *b
}

// place gives a layer its boxes: in each CRS in the axis order of the version.
func (a *API) place(l *layerDoc, v version, codes []int, bounds [4]float64) {
	b := decimals(bounds)
	if v == v111 {
		l.LatLon = &latLonBox{b[0], b[1], b[2], b[3]}
	} else {
		l.Geographic = &geographicBox{b[0], b[2], b[1], b[3]}
		l.Boxes = append(l.Boxes, boxDoc{CRS: "CRS:84", MinX: b[0], MinY: b[1], MaxX: b[2], MaxY: b[3]})
	}
	for _, code := range codes {
		box, ok := a.capabilities.boxes.in(code, bounds)
		if !ok {
			continue
		}
		x := decimals(box)
		name := "EPSG:" + strconv.Itoa(code)
		switch {
		case v == v111:
			l.Boxes = append(l.Boxes, boxDoc{SRS: name, MinX: x[0], MinY: x[1], MaxX: x[2], MaxY: x[3]})
		case a.LatLon(code):
			l.Boxes = append(l.Boxes, boxDoc{CRS: name, MinX: x[1], MinY: x[0], MaxX: x[3], MaxY: x[2]})
		default:
			l.Boxes = append(l.Boxes, boxDoc{CRS: name, MinX: x[0], MinY: x[1], MaxX: x[2], MaxY: x[3]})
		}
	}
}

// setTime declares the dimension time: an image's closest date stands in for
// one that there is not, and without a date all images are drawn as one.
func (l *layerDoc) setTime(v version, col common.Collection) {
	if len(col.Dates) == 0 {
		return
	}
	values := make([]string, len(col.Dates))
	for i, d := range col.Dates {
		values[i] = common.Instant(d)
	}
	all := strings.Join(values, ",")
	if v == v111 {
		l.Dimension = &dimensionDoc{Name: "time", Units: "ISO8601"}
		l.Extent = &extentDoc{"time", col.DefaultTime(), "1", "1", "1", all}
		return
	}
	l.Dimension = &dimensionDoc{"time", "ISO8601", col.DefaultTime(), "1", "1", "1", all}
}

// styles describes a collection's styles.
func (a *API) styles(base string, col common.Collection) []styleDoc {
	var docs []styleDoc
	for _, s := range a.Renderer.Styles(col.Layer) {
		docs = append(docs, styleDoc{Name: s.ID, Title: s.Title, Abstract: s.Description, Legend: &legendDoc{Width: s.LegendSize.X, Height: s.LegendSize.Y, Format: "image/png",
			Online: link(base + "/collections/" + col.ID() + "/styles/" + s.ID + "/legend")}})
	}
	return docs
}
