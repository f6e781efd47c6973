package assess_test

import (
	"testing"

	"github.com/paulmach/orb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/inference/assess"
)

// rows shows a matcher two drawings: # is a landslide.
func rows(t *testing.T, mapped, truth []string) *assess.Objects {
	t.Helper()
	m := assess.NewMatcher()
	mask := func(s string) (out []bool) {
		for _, c := range s {
			out = append(out, c == '#')
		}
		return out
	}
	for i := range mapped {
		m.Row(mask(mapped[i]), mask(truth[i]))
	}
	return m.Objects(100, assess.DefaultRule())
}

func TestMatcherFindsMissedAndFalse(t *testing.T) {
	o := rows(t, []string{
		"##......",
		"##....##",
		"......##",
		"#.#.....",
		"###....#",
	}, []string{
		"#####...", // two of nine pixels and two more are covered: 4 of 10
		"#####...",
		"......##", // half is covered
		"......##",
		"........",
	})
	require.Len(t, o.Mapped, 4)
	require.Len(t, o.True, 2)
	assert.Equal(t, []assess.Object{
		{Area: 400, Overlap: 400, Matched: true},
		{Area: 400, Overlap: 200, Matched: true},
		{Area: 500}, // a U, whose arms are joined below
		{Area: 100},
	}, o.Mapped)
	assert.Equal(t, []assess.Object{{Area: 1000, Overlap: 400}, {Area: 400, Overlap: 200, Matched: true}}, o.True)
	assert.Equal(t, []assess.Pair{{0, 0, 400}, {1, 1, 200}}, o.Pairs)

	scores := o.ByClass()
	small, next, all := scores[0], scores[1], scores[len(scores)-1]
	assert.Equal(t, "< 0.1 ha", small.Class)
	assert.Equal(t, [4]int{1, 1, 4, 2}, [4]int{small.True, small.Found, small.Mapped, small.Right})
	assert.Equal(t, [2]int{1, 0}, [2]int{next.True, next.Found}, "1000 m² is in the second class")
	assert.Nil(t, next.Precision, "no mapped object is of that size")
	assert.Equal(t, 0.5, *all.Recall)
	assert.Equal(t, 0.5, *all.Precision)
}

func TestMatcherJoinsByEdgesOnly(t *testing.T) {
	spiral := []string{
		"#######",
		"......#",
		"#####.#",
		"#...#.#",
		"#.###.#",
		"#.....#",
		"#######",
	}
	diagonal := []string{"#......", ".#.....", "..#....", "...#...", ".......", ".......", "......."}
	o := rows(t, spiral, diagonal)
	require.Len(t, o.Mapped, 1)
	assert.Equal(t, 31*100.0, o.Mapped[0].Area)
	assert.Len(t, o.True, 4)
}

func square(x, y, side float64) orb.Polygon {
	return orb.Polygon{{{x, y}, {x + side, y}, {x + side, y + side}, {x, y + side}, {x, y}}}
}

func TestMatchPolygons(t *testing.T) {
	bowtie := orb.Polygon{{{0, 500}, {100, 600}, {100, 500}, {0, 600}, {0, 500}}} // invalid: it crosses itself
	o, err := assess.MatchPolygons(
		[]orb.Polygon{square(0, 0, 100), square(1000, 0, 50), bowtie},
		[]orb.Polygon{square(50, 0, 100), square(1000, 0, 100), square(5000, 0, 10), square(-10, 490, 200)}, assess.DefaultRule())
	require.NoError(t, err)
	assert.Equal(t, []assess.Pair{{0, 0, 5000}, {1, 1, 2500}}, o.Pairs[:2])
	assert.True(t, o.Mapped[0].Matched)
	assert.True(t, o.Mapped[1].Matched, "it lies wholly in a true one")
	assert.True(t, o.True[0].Matched)
	assert.False(t, o.True[1].Matched, "a quarter of it is found")
	assert.False(t, o.True[2].Matched)
	assert.True(t, o.Mapped[2].Matched)

	o, err = assess.MatchPolygons(nil, []orb.Polygon{square(0, 0, 1)}, assess.DefaultRule())
	require.NoError(t, err)
	assert.Len(t, o.True, 1)
}

func TestTally(t *testing.T) {
	var y assess.Tally
	for p, counts := range map[float64][2]int{0.1: {1, 9}, 0.5: {3, 1}, 0.9: {8, 2}} { // landslide, other
		for range counts[0] {
			y.Add(assess.Step(p), true)
		}
		for range counts[1] {
			y.Add(assess.Step(p), false)
		}
	}
	s := y.At(0.5)
	assert.Equal(t, [4]int64{11, 3, 1, 9}, [4]int64{s.TruePositive, s.FalsePositive, s.FalseNegative, s.TrueNegative})
	assert.InDelta(t, 11.0/14, s.Precision, 1e-12)
	assert.InDelta(t, 11.0/12, s.Recall, 1e-12)
	assert.InDelta(t, 22.0/26, s.F1, 1e-12)
	assert.InDelta(t, 11.0/15, s.IoU, 1e-12)
	assert.Equal(t, int64(11), y.At(0.9).TruePositive+3)

	bins, ece := y.Calibration()
	require.Len(t, bins, 3)
	assert.Equal(t, assess.Bin{From: 0.5, To: 0.6, Pixels: 4, Mean: 0.5, Share: 0.75}, bins[1])
	assert.InDelta(t, (10*0.0+4*0.25+10*0.1)/24, ece, 1e-12)
	assert.Equal(t, assess.Scores{Threshold: 0.3}, (&assess.Tally{}).At(0.3), "no pixels, no division by zero")
}
