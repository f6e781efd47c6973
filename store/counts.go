package store

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/scarp-map/scarp/store/filter"
)

// Extent says how many landslides a query matches, and between which ids. Of a
// query that matches more than [CountLimit] only More is told, and at most an
// id before which none matches.
type Extent struct {
	Matched     int
	First, Last int64
	More        bool
}

// Counted is the extent as Page.Matched has it, of a page with n landslides.
func (e Extent) Counted(n int) int {
	if e.More {
		return -1
	}
	return max(e.Matched, n)
}

// Scan says whether a page is found sooner by looking at landslides in order of
// id until it is full than by finding all matches to sort them, taking them to
// lie evenly between the first and the last.
func (e Extent) Scan(limit int) bool {
	return float64(limit)*float64(e.Last-e.First+1) < float64(e.Matched)*float64(e.Matched)
}

// Counts remembers the extents of queries, which cost as much as there are
// matches, so that the pages after the first do not pay again. It forgets what
// is older than a minute: runs do not change, but people may edit the tables.
type Counts struct {
	kept *lru.Cache[countKey, counted]
	now  func() time.Time
}

type countKey struct {
	mark     string
	box      [4]float64
	boxed    bool
	from, to time.Time
	minArea  float64
	filter   string
}

type counted struct {
	Extent
	at time.Time
}

// NewCounts remembers the extents of the last few thousand queries.
func NewCounts() *Counts {
	kept, err := lru.New[countKey, counted](4096)
	if err != nil {
		panic(err) // only a size below one is an error
	}
	return &Counts{kept, time.Now}
}

// Extent returns what it remembers of the query (from [Query.Normal]) under the
// mark of the run that it resolves to, or else asks count. An empty mark is
// never remembered.
func (c *Counts) Extent(q Query, mark string, count func() (Extent, error)) (Extent, error) {
	key := countKey{mark: mark, boxed: q.BBox != nil, from: q.From, to: q.To, minArea: q.MinArea, filter: filter.Key(q.Filter)}
	if q.BBox != nil {
		key.box = *q.BBox
	}
	if got, ok := c.kept.Get(key); ok && mark != "" && c.now().Sub(got.at) < time.Minute {
		return got.Extent, nil
	}
	extent, err := count()
	if err == nil && mark != "" {
		c.kept.Add(key, counted{extent, c.now()})
	}
	return extent, err
}
