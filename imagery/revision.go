package imagery

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
)

// formatRevision changes when the same files come to be read as different
// numbers, so that nothing derived from the former is taken for current.
const formatRevision = 1

// definitionDigest digests an event's definition.
func definitionDigest(e Event) (string, error) {
	h := sha256.New()
	if err := json.NewEncoder(h).Encode(e); err != nil {
		return "", fmt.Errorf("digest event %s: %w", e.ID, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// filesDigest digests place, size and time of change of the files behind an
// event. Files at URLs count by their address alone.
func filesDigest(files []location) (string, error) {
	h := sha256.New()
	for _, f := range files {
		fmt.Fprintf(h, "%q", f.gdal)
		if f.local != "" {
			info, err := os.Stat(f.local)
			if err != nil {
				return "", fmt.Errorf("digest %s: %w", f.ref, err)
			}
			fmt.Fprintf(h, " %d %d", info.Size(), info.ModTime().UnixNano())
		}
		fmt.Fprintln(h)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// stamp is what a source was opened from.
type stamp struct{ definition, files string }

func stampOf(e Event, files []location) (s stamp, err error) {
	if s.definition, err = definitionDigest(e); err != nil {
		return s, err
	}
	s.files, err = filesDigest(files)
	return s, err
}

func (s stamp) revision() string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s", formatRevision, s.definition, s.files))
	return hex.EncodeToString(sum[:8])
}

// current says whether a source is what opening the event now would give.
func (s *source) current(e Event) bool {
	files, err := filesDigest(s.files)
	if err != nil || files != s.stamp.files {
		return false // a file that is gone counts as a change: opening again tells what is missing
	}
	if reflect.DeepEqual(e, s.event) {
		return true // much quicker than digesting a large aoi
	}
	definition, err := definitionDigest(e)
	return err == nil && definition == s.stamp.definition
}
