package imagery

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
)

// formatRevision changes when the same files come to be read as different
// numbers, so that nothing derived from the former is taken for current.
const formatRevision = 1

// revisionOf digests an event's definition, and place, size and time of change
// of the files behind it. Files at URLs count by their address alone.
func revisionOf(e Event, files []location) (string, error) {
	h := sha256.New()
	def, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("digest event %s: %w", e.ID, err)
	}
	fmt.Fprintf(h, "%d %d %s\n", formatRevision, len(def), def)
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
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}
