package inference

import (
	"errors"
	"fmt"
	"time"
)

// ErrClosed is returned (wrapped) by an engine that was closed.
var ErrClosed = errors.New("inference engine is closed")

// ErrBusy is what a [BusyError] is.
var ErrBusy = errors.New("too many blocks are being computed")

// BusyError is returned for interactive work when the queue is full. RetryAfter
// is a guess of when there will be room.
type BusyError struct{ RetryAfter time.Duration }

func (e *BusyError) Error() string {
	return fmt.Sprintf("%v; try again in %v", ErrBusy, e.RetryAfter)
}

// Is says that a BusyError is [ErrBusy].
func (e *BusyError) Is(target error) bool { return target == ErrBusy }
