package imagery

import "context"

// Sources finds the open source of an event by the event's id. Callers do not
// close what they get: the owner closes sources that were not used for long.
type Sources interface {
	Source(ctx context.Context, eventID string) (Source, error)
}
