package imagery

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// maxScenes bounds the scenes of a side.
const maxScenes = 64

var eventID = regexp.MustCompile(`^[a-z0-9]+(?:-+[a-z0-9]+)*$`)

// TriggerTypes lists what [Trigger].Type may be.
func TriggerTypes() []string {
	return []string{"earthquake", "rainfall", "snowmelt", "volcanic", "human", "other"}
}

// Validate checks a definition without looking at its files. The error joins
// all faults, each with the key it is about and how to mend it.
func (e Event) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if len(e.ID) > 64 || !eventID.MatchString(e.ID) {
		fault("id: %q: expected 1 to 64 lower-case letters, digits and hyphens, with no hyphen first or last", clip(e.ID))
	}
	if strings.TrimSpace(e.Title) == "" {
		fault("title: missing: give the event a name for people, such as \"Hokkaido Eastern Iburi earthquake 2018\"")
	}
	if e.Trigger.Time.IsZero() {
		fault("trigger.time: missing: give the time of the earthquake or storm, such as 2018-09-05T18:07:59Z")
	} else if y := e.Trigger.Time.Year(); y < 2015 || y > 2200 {
		fault("trigger.time: %s lies before Sentinel-2's first images (2015) or too far ahead", e.Trigger.Time.Format(time.RFC3339))
	}
	if t := e.Trigger.Type; t != "" && !slices.Contains(TriggerTypes(), t) {
		fault("trigger.type: %q: expected one of %s", clip(t), strings.Join(TriggerTypes(), ", "))
	}
	for _, side := range []Side{Pre, Post} {
		scenes := e.scenes(side)
		if n := len(scenes); n == 0 && side == Post {
			fault("%s: missing: name at least one scene", side)
		} else if n > maxScenes {
			fault("%s: %d scenes; at most %d are accepted", side, n, maxScenes)
			continue
		}
		for i, s := range scenes {
			for _, err := range s.faults() {
				fault("%s[%d].%w", side, i, err)
			}
		}
	}
	if e.AOI != nil {
		if err := checkAOI(e.AOI); err != nil {
			fault("aoi: %w", err)
		}
	}
	return errors.Join(faults...)
}

func (s Scene) faults() (faults []error) {
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if strings.TrimSpace(s.Path) == "" {
		fault("path: missing: name a GeoTIFF stack, a folder with a file per band, a SAFE folder or a zipped SAFE")
	}
	if s.Level != "" && s.Level != levelL1C && s.Level != levelL2A {
		fault("level: %q: expected L2A or L1C", clip(s.Level))
	}
	if s.Offset != nil && (*s.Offset < -maxOffset || *s.Offset > maxOffset) {
		fault("offset: %d: expected the number that is added to digital numbers: -1000 from processing baseline 04.00 on, 0 before", *s.Offset)
	}
	if len(s.Bands) > 256 {
		fault("bands: %d names; at most 256 are accepted", len(s.Bands))
		return faults
	}
	seen := map[string]bool{}
	for i, b := range s.Bands {
		if strings.TrimSpace(b) == "" {
			continue // a band that is not to be used
		}
		name, ok := bandName(b)
		if !ok {
			fault("bands[%d]: %q is no Sentinel-2 band: expected one of %s, %s, or \"\" for a band not to be used", i, clip(b), strings.Join(Bands(), ", "), sclName)
		} else if seen[name] {
			fault("bands[%d]: %s is named twice", i, name)
		}
		seen[name] = true
	}
	return faults
}

// clip shortens text of unknown origin for an error.
func clip(s string) string {
	const most = 80
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
