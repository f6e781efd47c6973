package store

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCounts(t *testing.T) {
	now := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	c := NewCounts()
	c.now = func() time.Time { return now }
	asked := 0
	ask := func(q Query, mark string) int {
		q, err := q.Normal()
		require.NoError(t, err)
		e, err := c.Extent(q, mark, func() (Extent, error) { asked++; return Extent{Matched: asked}, nil })
		require.NoError(t, err)
		return e.Matched
	}
	box, world := &[4]float64{1, 2, 3, 4}, &[4]float64{-180, -90, 180, 90}
	assert.Equal(t, 1, ask(Query{BBox: box}, "run"))
	assert.Equal(t, 1, ask(Query{BBox: &[4]float64{1, 2, 3, 4}, After: 7, Limit: 9}, "run"), "pages share a count")
	assert.Equal(t, 2, ask(Query{}, "run"))
	assert.Equal(t, 2, ask(Query{BBox: world}, "run"), "the world is no box")
	assert.Equal(t, 3, ask(Query{BBox: box, MinArea: 1}, "run"))
	assert.Equal(t, 4, ask(Query{BBox: box, From: now}, "run"))
	assert.Equal(t, 5, ask(Query{BBox: box}, "another run"))
	assert.Equal(t, 6, ask(Query{}, ""))
	assert.Equal(t, 7, ask(Query{}, ""), "without a mark nothing is remembered")
	now = now.Add(time.Minute)
	assert.Equal(t, 8, ask(Query{BBox: box}, "run"), "forgotten after a minute")

	broken := errors.New("broken")
	_, err := c.Extent(Query{MinArea: 5}, "run", func() (Extent, error) { return Extent{}, broken })
	assert.ErrorIs(t, err, broken)
	assert.Equal(t, 9, ask(Query{MinArea: 5}, "run"), "errors are not remembered")
}

func TestScanWherePagesAreDense(t *testing.T) {
	assert.True(t, Extent{Matched: 50_000, First: 1, Last: 100_000}.Scan(1000))
	assert.False(t, Extent{Matched: 900, First: 1, Last: 100_000}.Scan(1000))
	assert.False(t, Extent{}.Scan(1000), "nothing to look for")
}
