package imagerytest

import (
	"context"
	"fmt"

	"github.com/scarp-map/scarp/imagery"
)

// Sources finds synthetic events by id; it implements [imagery.Sources].
type Sources map[string]*Source

var _ imagery.Sources = Sources(nil)

// Source returns the event's source or an error that names the id.
func (s Sources) Source(_ context.Context, eventID string) (imagery.Source, error) {
	if src, ok := s[eventID]; ok {
		return src, nil
	}
	return nil, fmt.Errorf("no event %q", eventID)
}
