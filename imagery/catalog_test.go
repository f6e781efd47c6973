package imagery_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
)

// events is a store of event definitions that tests change.
type events struct {
	mu      sync.Mutex
	byID    map[string]imagery.Event
	lookups atomic.Int32
}

var errNoEvent = errors.New("no such event")

func (e *events) lookup(_ context.Context, id string) (imagery.Event, error) {
	e.lookups.Add(1)
	e.mu.Lock()
	defer e.mu.Unlock()
	if v, ok := e.byID[id]; ok {
		return v, nil
	}
	return imagery.Event{}, errNoEvent
}

func (e *events) set(v imagery.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.byID[v.ID] = v
}

// newCatalog makes a catalog of n events on the same files.
func newCatalog(t testing.TB, n, open int) (*imagery.Catalog, *events) {
	e := pair(t, 64, 64)
	store := &events{byID: map[string]imagery.Event{}}
	for i := range n {
		e.ID = fmt.Sprintf("event-%d", i)
		store.set(e)
	}
	o := allowing(e)
	o.Sources = open
	c := imagery.NewSources(store.lookup, o)
	t.Cleanup(func() { c.Close() })
	return c, store
}

var someRequest = imagery.Request{Rect: imagery.Rect{W: 16, H: 16}, Pre: []string{"B04"}, Terrain: []string{imagery.Slope}}

func TestCatalogKeepsSourcesOpenAndNoticesChanges(t *testing.T) {
	c, store := newCatalog(t, 1, 2)
	get := func() imagery.Source {
		s, err := c.Source(t.Context(), "event-0")
		require.NoError(t, err)
		return s
	}
	first := get()
	assert.Same(t, first, get())

	e := first.Event()
	require.NoError(t, os.Chtimes(e.Post[0].Path, time.Time{}, time.Now().Add(time.Hour)))
	second := get()
	assert.NotEqual(t, first.Revision(), second.Revision(), "a file was touched")
	assert.Len(t, second.Revision(), 16)
	assert.Equal(t, read(t, first, someRequest), read(t, second, someRequest), "who holds the old source is not disturbed")

	e.Title = "Renamed"
	store.set(e)
	third := get()
	assert.NotEqual(t, second.Revision(), third.Revision(), "the definition was changed")
	assert.Equal(t, "Renamed", third.Event().Title)

	require.NoError(t, os.Remove(e.DEM))
	_, err := c.Source(t.Context(), "event-0")
	assert.ErrorContains(t, err, "dem:")

	_, err = c.Source(t.Context(), "event-9")
	assert.ErrorIs(t, err, errNoEvent)
}

func TestCatalogServesManyAtOnce(t *testing.T) {
	c, _ := newCatalog(t, 4, 2)
	want := map[string]*imagery.Window{}
	for i := range 4 {
		id := fmt.Sprintf("event-%d", i)
		s, err := c.Source(t.Context(), id)
		require.NoError(t, err)
		want[id] = read(t, s, someRequest)
	}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 12 {
				id := fmt.Sprintf("event-%d", (g+i)%4)
				s, err := c.Source(t.Context(), id)
				if !assert.NoError(t, err) {
					return
				}
				w, err := s.Read(t.Context(), someRequest)
				assert.NoError(t, err)
				assert.Equal(t, want[id], w)
			}
		})
	}
	wg.Wait()
}

func TestCatalogRefusesAfterClose(t *testing.T) {
	c, _ := newCatalog(t, 2, 2)
	s, err := c.Source(t.Context(), "event-0")
	require.NoError(t, err)
	require.NoError(t, c.Close())
	_, err = c.Source(t.Context(), "event-0")
	assert.ErrorContains(t, err, "closed")
	_, err = c.Source(t.Context(), "event-1")
	assert.ErrorContains(t, err, "closed")
	_, err = s.Read(t.Context(), someRequest)
	assert.ErrorContains(t, err, "closed")
}

func TestReadsAreSafeForManyGoroutines(t *testing.T) {
	s := open(t, mixed(t))
	request := func(i int) imagery.Request {
		return imagery.Request{Rect: imagery.Rect{X: i * 10 % 200, Y: i * 7 % 200, W: 50, H: 60}, Pre: []string{"B04", "B11"}, Post: []string{"B01", "B02", "B05"}, Terrain: allTerrain, Clouds: true}
	}
	want := make([]*imagery.Window, 12)
	for i := range want {
		want[i] = read(t, s, request(i))
	}
	var wg sync.WaitGroup
	for g := range 6 {
		wg.Go(func() {
			for i := range want {
				k := (i + g) % len(want)
				w, err := s.Read(t.Context(), request(k))
				assert.NoError(t, err)
				assert.Equal(t, want[k], w)
			}
		})
	}
	wg.Wait()
}
