package inference

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scarp-map/scarp/imagery"
)

// Quality says what about an event may make a model's predictions of it worse
// than those that its figures were measured with. The zero value is an event
// that has everything.
type Quality struct {
	// Missing lists what the event lacks and what the network gets instead, by band, pre before post, terrain last.
	Missing []Gap `json:"missing,omitempty"`
	// Levels lists the sides whose processing level is not the one that the network was made for.
	Levels []LevelMismatch `json:"levels,omitempty"`
	// Clouds says by what clouds are found on each side that the model reads.
	Clouds []CloudMask `json:"clouds,omitempty"`
	// Cost is what the model's maker has measured of such an absence; nil where nothing was.
	Cost *Cost `json:"cost,omitempty"`
}

// Gap is an input that an event lacks.
type Gap struct {
	Date    string `json:"date,omitempty"` // pre or post; empty for terrain
	Input   string `json:"input"`          // B05, or terrain
	Instead string `json:"instead"`        // the band that is read instead, or constant
}

// LevelMismatch is a side of another processing level.
type LevelMismatch struct {
	Date string `json:"date"`
	Is   string `json:"is"`
	Want string `json:"wanted"`
}

// CloudMask is the provider of a side's cloud mask: scl (the scene
// classification of L2A), the name of a cloud network, both with a plus
// between them (where some scenes have no classification), or none.
type CloudMask struct {
	Date string `json:"date"`
	By   string `json:"by"`
}

// NoClouds is the provider that finds none.
const NoClouds = "none"

// Cost is a measured [Absence] beside the measurement with everything present.
type Cost struct {
	Absence
	// Fit says how what was measured fits the event: exact; less, where the event lacks more than
	// was withheld; more, where it lacks less.
	Fit string `json:"fit"`
	// Complete is the F1 score on the same data with everything present; 0 where it is not stated.
	Complete float64 `json:"f1_complete,omitempty"`
}

// Inputs lists the bands that are missing on any date, and [Terrain], in order and each once.
func (q *Quality) Inputs() []string {
	var names []string
	for _, g := range q.Missing {
		if !slices.Contains(names, g.Input) {
			names = append(names, g.Input)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return order(a) - order(b) })
	return names
}

// order sorts bands as Sentinel-2 numbers them, and terrain behind them.
func order(input string) int {
	if i := slices.Index(imagery.Bands(), input); i >= 0 {
		return i
	}
	return len(imagery.Bands())
}

// String writes the quality as a structured header field (RFC 9651, a
// dictionary): missing=(B05 B06 terrain), level=L2A, clouds=none. It is empty
// where nothing is worse than it should be.
func (q *Quality) String() string {
	var parts []string
	if inputs := q.Inputs(); len(inputs) > 0 {
		parts = append(parts, "missing=("+strings.Join(inputs, " ")+")")
	}
	if len(q.Levels) > 0 {
		parts = append(parts, "level="+q.Levels[0].Is)
	}
	if slices.ContainsFunc(q.Clouds, func(c CloudMask) bool { return c.By == NoClouds }) {
		parts = append(parts, "clouds=none")
	}
	return strings.Join(parts, ", ")
}

// Quality says what of the model's inputs the event lacks. The error is a
// [MissingError] where the model can't be run on it at all. Do not write to
// the result: it is remembered.
func (m *Model) Quality(src imagery.Source) (*Quality, error) {
	if m.qualities == nil {
		return m.quality(src)
	}
	revision := src.Revision()
	if q, ok := m.qualities.Get(revision); ok {
		return q, nil
	}
	q, err := m.quality(src)
	if err == nil {
		m.qualities.Add(revision, q)
	}
	return q, err
}

func (m *Model) quality(src imagery.Source) (*Quality, error) {
	q := &Quality{}
	if m.prepare == nil {
		return q, nil // not from LoadModels: there is nothing to compare with
	}
	if _, err := m.prepare.bind(src); err != nil {
		return nil, err
	}
	sides := map[imagery.Side]bool{}
	for _, in := range m.prepare.inputs {
		for _, c := range in {
			switch {
			case len(c.bands) > 0:
				sides[c.side] = true
				if !src.HasBand(c.side, c.bands[0]) {
					q.lack(Gap{string(c.side), c.bands[0], c.instead(src)})
				}
			case c.layer != "" && src.Event().DEM == "":
				q.lack(Gap{"", Terrain, "constant"})
			}
		}
	}
	for _, side := range []imagery.Side{imagery.Pre, imagery.Post} {
		if !sides[side] {
			continue
		}
		want := m.Manifest.Imagery.ProcessingLevel
		if got := src.Level(side); want != "any" && got != want {
			q.Levels = append(q.Levels, LevelMismatch{string(side), got, want})
		}
		q.Clouds = append(q.Clouds, CloudMask{string(side), m.clouds.provider(src, side)})
	}
	slices.SortStableFunc(q.Missing, func(a, b Gap) int { return order(a.Input) - order(b.Input) })
	q.Cost = m.Manifest.Provenance.cost(q.Inputs(), m.reads)
	return q, nil
}

func (q *Quality) lack(g Gap) {
	if !slices.Contains(q.Missing, g) {
		q.Missing = append(q.Missing, g)
	}
}

// instead names what stands in for a missing band.
func (c *channel) instead(src imagery.Source) string {
	if i := slices.IndexFunc(c.bands, func(b string) bool { return src.HasBand(c.side, b) }); i > 0 {
		return c.bands[i]
	}
	return "constant"
}

// reads says whether the model has a channel of the band, or of terrain.
func (m *Model) reads(input string) bool {
	for _, in := range m.Manifest.Inputs {
		for _, c := range in.Channels {
			if c.Band == input || c.Terrain != "" && input == Terrain {
				return true
			}
		}
	}
	return false
}

// cost finds the measurement that fits best: the same absence, else the
// smallest that includes it, else the largest that it includes.
func (p *Provenance) cost(missing []string, reads func(string) bool) *Cost {
	if len(missing) == 0 {
		return nil
	}
	var best *Cost
	rank, size := 3, 0
	for _, a := range p.Absences {
		withheld := slices.DeleteFunc(slices.Clone(a.Missing), func(s string) bool { return !reads(s) })
		r, fit := 3, ""
		switch more, less := includes(withheld, missing), includes(missing, withheld); {
		case len(withheld) == 0:
			continue // the measurement with everything present
		case more && less:
			r, fit = 0, "exact"
		case more:
			r, fit = 1, "more"
		case less:
			r, fit = 2, "less"
		}
		better := r < rank || r == rank && (r == 1 && len(withheld) < size || r == 2 && len(withheld) > size)
		if r < 3 && better {
			rank, size = r, len(withheld)
			best = &Cost{Absence: a, Fit: fit, Complete: p.complete(a.Split)}
		}
	}
	return best
}

// complete returns the F1 score with everything present on a split, or 0.
func (p *Provenance) complete(split string) float64 {
	for _, a := range p.Absences {
		if len(a.Missing) == 0 && a.Split == split {
			return a.F1
		}
	}
	for _, m := range p.Metrics {
		if m.Name == "F1" && m.Split == split {
			return m.Value
		}
	}
	return 0
}

// includes says whether all of b are in a.
func includes(a, b []string) bool {
	return !slices.ContainsFunc(b, func(s string) bool { return !slices.Contains(a, s) })
}

// Check says whether the model can be run on an event: the error is a
// [MissingError] if it can't, the warnings say in words what [Model.Quality] says.
func (m *Model) Check(src imagery.Source) (warnings []string, err error) {
	q, err := m.Quality(src)
	if err != nil {
		return nil, err
	}
	return q.Warnings(m.Name()), nil
}

// Warnings says the quality in words.
func (q *Quality) Warnings(model string) (warnings []string) {
	add := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	for _, side := range []imagery.Side{imagery.Pre, imagery.Post} {
		var filled []string
		for _, g := range q.Missing {
			switch {
			case g.Date != string(side):
			case g.Instead == "constant":
				filled = append(filled, g.Input)
			default:
				add("the %s scenes have no band %s: model %s gets band %s instead", side, g.Input, model, g.Instead)
			}
		}
		switch len(filled) {
		case 0:
		case 1:
			add("the %s scenes have no band %s: model %s gets a constant instead", side, filled[0], model)
		default:
			add("the %s scenes have no bands %s: model %s gets constants instead", side, strings.Join(filled, ", "), model)
		}
	}
	if slices.ContainsFunc(q.Missing, func(g Gap) bool { return g.Input == Terrain }) {
		add("the event has no DEM: model %s gets constants instead of terrain", model)
	}
	if c := q.Cost; c != nil {
		add("%s", c.words(model))
	}
	for _, l := range q.Levels {
		add("the %s scenes are %s, model %s was made for %s", l.Date, l.Is, model, l.Want)
	}
	for _, c := range q.Clouds {
		if c.By == NoClouds {
			add("the %s scenes have no cloud mask: clouds in them may be taken for landslides", c.Date)
		}
	}
	return warnings
}

func (c *Cost) words(model string) string {
	s := fmt.Sprintf("model %s reached F1 %.2f without %s", model, c.F1, strings.Join(c.Missing, ", "))
	if c.Complete > 0 {
		s += fmt.Sprintf(" instead of %.2f", c.Complete)
	}
	if c.Split != "" {
		s += " on " + c.Split
	}
	return s
}
