package events

import (
	"context"
	"errors"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/inference"
	"github.com/scarp-map/scarp/store"
)

// fitDoc says how a model and an event go together.
type fitDoc struct {
	Name    string `json:"name"`
	Title   string `json:"title"`
	Kind    string `json:"kind"`
	Default bool   `json:"default"`
	// Usable is false where the event lacks what the model can't do without; Lacks says what.
	Usable bool     `json:"usable"`
	Lacks  []string `json:"lacks,omitempty"`
	// Quality says what else the event lacks, Notes the same in words.
	Quality *inference.Quality `json:"quality,omitempty"`
	Notes   []string           `json:"notes,omitempty"`
}

// runDoc is a published run.
type runDoc struct {
	ID           string  `json:"id"`
	Model        string  `json:"model"`
	ModelVersion string  `json:"model_version"`
	Threshold    float64 `json:"threshold"`
	MinArea      float64 `json:"min_area_m2"`
	Published    string  `json:"published"`
	// Quality is what the event lacked, as in the header Scarp-Quality.
	Quality string        `json:"quality,omitempty"`
	Summary store.Summary `json:"summary"`
}

// fits lists the models and how they suit the event. It is empty where the event's files can't be opened now.
func (a *API) fits(ctx context.Context, e imagery.Event) []fitDoc {
	src, err := a.Catalog.Source(ctx, e.ID)
	if err != nil {
		return nil
	}
	var fits []fitDoc
	for i, m := range a.Models.Models() {
		own := e.Model == m.Name() || e.Model == "" && i == 0
		f := fitDoc{Name: m.Name(), Title: m.Manifest.Title, Kind: m.Manifest.Kind, Default: own, Usable: true}
		q, err := m.Quality(src)
		var missing *inference.MissingError
		switch {
		case errors.As(err, &missing):
			f.Usable, f.Lacks = false, missing.Missing
		case err == nil:
			f.Quality, f.Notes = q, q.Warnings(m.Name())
		}
		fits = append(fits, f)
	}
	return fits
}

// runs lists the event's runs, the newest first.
func (a *API) runs(ctx context.Context, e imagery.Event) ([]runDoc, error) {
	list, err := a.Catalog.Runs(ctx, e.ID)
	if err != nil {
		return nil, err
	}
	docs := make([]runDoc, len(list))
	for i, r := range list {
		docs[i] = runDoc{r.ID, r.Model, r.ModelVersion, r.Threshold, r.MinArea, r.Published.UTC().Format("2006-01-02T15:04:05.000Z"), r.Quality, r.Summary}
	}
	return docs, nil
}
