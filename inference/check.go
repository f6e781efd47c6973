package inference

import (
	"fmt"
	"slices"

	"scarp/imagery"
)

// Check says whether the model can be run on an event: the error is a
// [MissingError] if it can't, the warnings say what may make its predictions
// worse (another processing level, bands that something stands in for).
func (m *Model) Check(src imagery.Source) (warnings []string, err error) {
	if m.prepare == nil {
		return nil, nil // not from LoadModels: there is nothing to compare with
	}
	if _, err := m.prepare.bind(src); err != nil {
		return nil, err
	}
	sides := map[imagery.Side]bool{}
	for _, in := range m.prepare.inputs {
		for _, c := range in {
			if len(c.bands) == 0 {
				continue
			}
			sides[c.side] = true
			if src.HasBand(c.side, c.bands[0]) {
				continue
			}
			instead := "a constant"
			if i := slices.IndexFunc(c.bands, func(b string) bool { return src.HasBand(c.side, b) }); i > 0 {
				instead = "band " + c.bands[i]
			}
			warnings = append(warnings, fmt.Sprintf("the %s scenes have no band %s: model %s gets %s instead", c.side, c.bands[0], m.Name(), instead))
		}
	}
	for _, side := range []imagery.Side{imagery.Pre, imagery.Post} {
		want := m.Manifest.Imagery.ProcessingLevel
		if got := src.Level(side); sides[side] && want != "any" && got != want {
			warnings = append(warnings, fmt.Sprintf("the %s scenes are %s, model %s was made for %s", side, got, m.Name(), want))
		}
	}
	return warnings, nil
}
