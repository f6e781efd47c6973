package common

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Whatever a client sends as a time or a subset is read or refused, and what is
// chosen are dates that there are.
func FuzzTime(f *testing.F) {
	for _, s := range []string{"", "current", "all", "2018-09-10", "2018-09", "2018", "2018-09-01/2018-09-30/P1D", "2018-09-15/current", "2018-09-10,2018-09-20", "2018-09-10T03:07Z",
		"Lat(42:43),Lon(141:142)", `time("2018-09-10T00:00:00Z":"2018-09-11")`, "a(", "a)(", "(,)"} {
		f.Add(s)
	}
	day := func(d int) time.Time { return time.Date(2018, 9, d, 3, 7, 59, 0, time.UTC) }
	c := Collection{Ref: Ref{"a", "post"}, Dates: []time.Time{day(10), day(20), day(30)}}
	f.Fuzz(func(t *testing.T, s string) {
		chosen, err := c.Time(s)
		if err != nil {
			require.Equal(t, 400, AsProblem(err).Status)
		} else if !chosen.During.IsZero() {
			require.Contains(t, c.Dates, chosen.During.From)
			require.Contains(t, c.Dates, chosen.During.To)
			require.False(t, chosen.During.From.After(chosen.During.To))
		}
		if subset, err := ParseSubset([]string{s}); err == nil {
			require.LessOrEqual(t, len(subset), 4)
		}
		if _, err := c.Datetime(s); err != nil {
			require.Contains(t, []int{400, 404}, AsProblem(err).Status)
		}
	})
}
