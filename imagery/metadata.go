package imagery

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Levels of processing.
const (
	levelL1C = "L1C"
	levelL2A = "L2A"
)

// baselineOffset is what products of processing baseline 04.00 and later were
// given on top of reflectance × 10000, with the sign that takes it off again;
// baselineDate is the day on which ESA put that baseline into operation.
// maxOffset bounds what is believed.
const (
	baselineOffset = -1000
	maxOffset      = 10000
)

var baselineDate = time.Date(2022, 1, 25, 0, 0, 0, 0, time.UTC)

// metadata is what a scene's files say about it. Zero values mean: not said.
type metadata struct {
	date    time.Time
	level   string
	offset  *int           // for all bands
	offsets map[string]int // by band, where they were given singly
}

// fill takes from o what m does not know yet.
func (m *metadata) fill(o metadata) {
	if m.date.IsZero() {
		m.date = o.date
	}
	if m.level == "" {
		m.level = o.level
	}
	if m.offset == nil && m.offsets == nil {
		m.offset, m.offsets = o.offset, o.offsets
	}
}

// maxMetadata bounds the size of a metadata file in bytes.
const maxMetadata = 8 << 20

// safeBandIDs are the bands by their number in the product metadata.
var safeBandIDs = []string{"B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"}

// readSAFE reads MTD_MSIL2A.xml or MTD_MSIL1C.xml.
func readSAFE(r io.Reader) (metadata, error) {
	type offset struct {
		Band  int    `xml:"band_id,attr"`
		Value string `xml:",chardata"`
	}
	var doc struct {
		Product struct {
			Level    string `xml:"PROCESSING_LEVEL"`
			Type     string `xml:"PRODUCT_TYPE"`
			Baseline string `xml:"PROCESSING_BASELINE"`
			Start    string `xml:"PRODUCT_START_TIME"`
			Sensed   string `xml:"Datatake>DATATAKE_SENSING_START"`
		} `xml:"General_Info>Product_Info"`
		BOA   []offset `xml:"General_Info>Product_Image_Characteristics>BOA_ADD_OFFSET_VALUES_LIST>BOA_ADD_OFFSET"`
		Radio []offset `xml:"General_Info>Product_Image_Characteristics>Radiometric_Offset_List>RADIO_ADD_OFFSET"`
	}
	if err := xml.NewDecoder(io.LimitReader(r, maxMetadata)).Decode(&doc); err != nil {
		return metadata{}, fmt.Errorf("read product metadata: %w", err)
	}
	var m metadata
	p := doc.Product
	for _, s := range []string{p.Sensed, p.Start} {
		if t, ok := parseTime(s); ok {
			m.date = t
			break
		}
	}
	switch {
	case strings.Contains(p.Level, "1C") || strings.Contains(p.Type, "1C"):
		m.level = levelL1C
	case strings.Contains(p.Level, "2A") || strings.Contains(p.Type, "2A"):
		m.level = levelL2A
	}
	for _, o := range append(doc.BOA, doc.Radio...) {
		v, err := strconv.ParseFloat(strings.TrimSpace(o.Value), 64)
		if err != nil || o.Band < 0 || o.Band >= len(safeBandIDs) || v < -maxOffset || v > maxOffset {
			return metadata{}, fmt.Errorf("read product metadata: offset %q of band %d is not understood", o.Value, o.Band)
		}
		if m.offsets == nil {
			m.offsets = map[string]int{}
		}
		m.offsets[safeBandIDs[o.Band]] = int(v)
	}
	if m.offsets == nil {
		m.offset = offsetOfBaseline(p.Baseline)
	}
	return m, nil
}

// readSTAC reads a STAC Item of a Sentinel-2 scene.
func readSTAC(r io.Reader) (metadata, error) {
	var item struct {
		Type       string                     `json:"type"`
		Stac       string                     `json:"stac_version"`
		Properties map[string]json.RawMessage `json:"properties"`
	}
	if err := json.NewDecoder(io.LimitReader(r, maxMetadata)).Decode(&item); err != nil {
		return metadata{}, fmt.Errorf("read STAC item: %w", err)
	}
	if item.Stac == "" || item.Properties == nil {
		return metadata{}, fmt.Errorf("is not a STAC item")
	}
	text := func(keys ...string) string {
		for _, k := range keys {
			var s string
			if json.Unmarshal(item.Properties[k], &s) == nil && s != "" {
				return s
			}
		}
		return ""
	}
	var m metadata
	if t, ok := parseTime(text("datetime", "start_datetime")); ok {
		m.date = t
	}
	m.level = levelOf(text("s2:product_type", "s2:product_uri", "s2:product_name", "processing:level"))
	// A catalogue that says it took the offset off has done so, whatever the baseline.
	var applied bool
	if json.Unmarshal(item.Properties["earthsearch:boa_offset_applied"], &applied) == nil && applied {
		zero := 0
		m.offset = &zero
	} else {
		m.offset = offsetOfBaseline(text("s2:processing_baseline", "processing:version", "processing:baseline"))
	}
	return m, nil
}

// tagMetadata reads what GeoTIFF metadata items say.
func tagMetadata(tags map[string]string) metadata {
	get := func(keys ...string) string {
		for k, v := range tags {
			if slices.Contains(keys, strings.ToUpper(k)) {
				return v
			}
		}
		return ""
	}
	var m metadata
	for _, key := range []string{"ACQUISITION_DATE", "DATETIME", "DATE", "PRODUCT_START_TIME", "SENSING_TIME"} {
		if t, ok := parseTime(get(key)); ok {
			m.date = t
			break
		}
	}
	m.level = levelOf(get("PROCESSING_LEVEL", "LEVEL"))
	if v, err := strconv.ParseFloat(strings.TrimSpace(get("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET")), 64); err == nil && v >= -maxOffset && v <= maxOffset {
		n := int(v)
		m.offset = &n
	} else {
		m.offset = offsetOfBaseline(get("PROCESSING_BASELINE"))
	}
	return m
}

// nameMetadata reads what a product's, folder's or file's name says.
func nameMetadata(name string) metadata {
	var m metadata
	if d := compactDate.FindStringSubmatch(name); d != nil {
		m.date, _ = time.Parse("20060102", d[1]+d[2]+d[3])
		if t, err := time.Parse("20060102150405", d[1]+d[2]+d[3]+d[4]); err == nil {
			m.date = t
		}
	} else if d := isoDate.FindString(name); d != "" {
		m.date, _ = time.Parse(time.DateOnly, d)
	}
	if l := levelInName.FindStringSubmatch(name); l != nil {
		m.level = "L" + strings.ToUpper(l[1])
	}
	// Products say their baseline as _N0400_.
	for _, w := range words(name) {
		if len(w) == 5 && w[0] == 'N' {
			m.offset = offsetOfBaseline(w[1:3] + "." + w[3:])
		}
	}
	return m
}

// offsetOfBaseline returns the offset of a baseline such as 04.00, or nil if it is none.
func offsetOfBaseline(baseline string) *int {
	v, err := strconv.ParseFloat(strings.TrimSpace(baseline), 64)
	if err != nil || v <= 0 || v > 99 {
		return nil // 99.99 marks test products
	}
	offset := 0
	if v >= 4 {
		offset = baselineOffset
	}
	return &offset
}

func offsetOfDate(t time.Time) int {
	if t.Before(baselineDate) {
		return 0
	}
	return baselineOffset
}

func levelOf(s string) string {
	switch s = strings.ToUpper(s); {
	case strings.Contains(s, "1C"):
		return levelL1C
	case strings.Contains(s, "2A"):
		return levelL2A
	}
	return ""
}

func parseTime(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", time.DateTime, time.DateOnly, "2006:01:02 15:04:05", "20060102T150405", "20060102"} {
		if t, err := time.Parse(layout, strings.TrimSpace(s)); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}
