package tiles_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/mvt"
	"github.com/paulmach/orb/geojson"
	"github.com/paulmach/orb/maptile"
	"github.com/paulmach/orb/planar"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery/imagerytest"
	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/tiles"
)

const vectorFormat = "application/vnd.mapbox-vector-tile"

// publish puts polygons, given by their corners in grid pixels, into the store as a run.
func (f *fixture) publish(t testing.TB, run string, shapes ...[][][2]float64) {
	t.Helper()
	g := f.src.Grid()
	f.store.mu.Lock()
	defer f.store.mu.Unlock()
	f.store.runs = append([]store.Run{{ID: run, Event: "synthetic"}}, f.store.runs...)
	for _, rings := range shapes {
		var p orb.Polygon
		area := 0.0
		for i, ring := range rings {
			var r, pixels orb.Ring
			for _, c := range ring {
				lon, lat := project(t, g.EPSG, 4326, g.OriginX+c[0]*10, g.OriginY-c[1]*10)
				r, pixels = append(r, orb.Point{lon, lat}), append(pixels, orb.Point{c[0], c[1]})
			}
			p = append(p, append(r, r[0]))
			a := math.Abs(planar.Area(append(pixels, pixels[0]))) * 100
			if i > 0 {
				a = -a
			}
			area += a
		}
		ndvi := -0.3
		f.store.items = append(f.store.items, store.Landslide{
			ID: int64(len(f.store.items) + 1), Event: "synthetic", Run: run, Geometry: p, Area: area,
			ProbMean: 0.8, ProbMax: 0.97, SlopeMean: 31, DeltaNDVI: &ndvi, PreDate: time.Date(2024, 5, 20, 0, 0, 0, 0, time.UTC),
			PostDate: time.Date(2024, 6, 9, 0, 0, 0, 0, time.UTC), Model: "fake", ModelVersion: "1"})
	}
	f.Invalidate("synthetic")
}

func circle(x, y, r float64) (ring [][2]float64) {
	for i := range 48 {
		sin, cos := math.Sincos(float64(i) * math.Pi / 24)
		ring = append(ring, [2]float64{x + r*cos, y - r*sin})
	}
	return ring
}

// vectors decodes the features of a tile.
func (f *fixture) vectors(t testing.TB, tile tiles.Tile) []*geojson.Feature {
	t.Helper()
	tile.Format = vectorFormat
	r, err := f.Tile(t.Context(), tile)
	require.NoError(t, err)
	require.Equal(t, vectorFormat, r.ContentType)
	if len(r.Bytes) == 0 {
		return nil
	}
	layers, err := mvt.Unmarshal(r.Bytes)
	require.NoError(t, err)
	require.Len(t, layers, 1)
	require.Equal(t, "landslides", layers[0].Name)
	require.EqualValues(t, 2, layers[0].Version)
	return layers[0].Features
}

// The pieces of a polygon in all tiles have together its area, holes and all.
func TestVectorTilesAddUp(t *testing.T) {
	f := newFixture(t, imagerytest.New(600, 600), nil)
	hole := circle(300, 300, 30)
	f.publish(t, "run-1", [][][2]float64{circle(300, 300, 120), hole}, [][][2]float64{circle(80, 500, 12)})
	lat := f.store.items[0].Geometry.Bound().Center().Lat()
	for _, set := range f.MatrixSets() {
		for _, z := range []int{12, 14} {
			t.Run(fmt.Sprintf("%s %d", set.ID, z), func(t *testing.T) {
				l := f.Limits(set, z, located{f.src}.Bounds())
				total := map[float64]float64{}
				for row := l.MinRow; row <= l.MaxRow; row++ {
					for col := l.MinCol; col <= l.MaxCol; col++ {
						for _, v := range f.vectors(t, tiles.Tile{Event: "synthetic", Layer: tiles.Landslides, MatrixSet: set.ID, Matrix: z, Row: row, Col: col}) {
							p := v.Geometry.(orb.Polygon)
							assert.Equal(t, orb.CCW, p[0].Orientation(), "clockwise on screen")
							total[v.Properties["id"].(float64)] += inTile(p)
							assert.InDelta(t, 0.8, v.Properties["probability_mean"], 1e-9)
							assert.InDelta(t, 31, v.Properties["slope_mean_deg"], 1e-9)
							assert.Equal(t, "2024-06-09", v.Properties["post_date"])
							assert.InDelta(t, -0.3, v.Properties["delta_ndvi_mean"], 1e-9)
						}
					}
				}
				unit := set.Matrices[z].CellSize / 16
				metres := unit * unit * math.Cos(lat*math.Pi/180) * math.Cos(lat*math.Pi/180)
				if set.EPSG == 4326 {
					metres = unit * unit * 111320 * 111050 * math.Cos(lat*math.Pi/180)
				}
				for i, item := range f.store.items {
					assert.InEpsilon(t, item.Area, total[float64(i+1)]*metres, 0.03, "landslide %d", i+1)
				}
			})
		}
	}
}

// inTile is the area of a polygon within the tile itself, without its margin.
func inTile(p orb.Polygon) float64 {
	const n = 256
	inside := 0
	for y := range n {
		for x := range n {
			if planar.PolygonContains(p, orb.Point{(float64(x) + 0.5) * 4096 / n, (float64(y) + 0.5) * 4096 / n}) {
				inside++
			}
		}
	}
	return float64(inside) * (4096 / n) * (4096 / n)
}

// However far one zooms out, each landslide leaves a mark, and only one a pixel.
func TestNothingVanishesWhenZoomingOut(t *testing.T) {
	f := newFixture(t, imagerytest.New(600, 600), nil)
	var shapes [][][][2]float64
	for i := range 20 {
		shapes = append(shapes, [][][2]float64{circle(float64(20+i*28), float64(20+i*28), 2+float64(i)/4)})
	}
	f.publish(t, "run-1", shapes...)
	for z := range 13 {
		set := f.MatrixSets()[0]
		l := f.Limits(set, z, located{f.src}.Bounds())
		count := 0
		for row := l.MinRow; row <= l.MaxRow; row++ {
			for col := l.MinCol; col <= l.MaxCol; col++ {
				for _, v := range f.vectors(t, tiles.Tile{Event: "synthetic", Layer: tiles.Landslides, MatrixSet: set.ID, Matrix: z, Row: row, Col: col}) {
					count++
					b := v.Geometry.Bound()
					assert.GreaterOrEqual(t, max(b.Max[0]-b.Min[0], b.Max[1]-b.Min[1]), 14.0, "a pixel is 16 units")
				}
			}
		}
		if z == 12 {
			assert.GreaterOrEqual(t, count, 20)
		} else {
			assert.Positive(t, count, "zoom %d", z)
		}
	}
}

// The tile's own projection agrees with orb's.
func TestVectorTilesLieWhereTheyShould(t *testing.T) {
	f := newFixture(t, imagerytest.New(600, 600), nil)
	f.publish(t, "run-1", [][][2]float64{circle(300, 300, 10)})
	tile := f.middle(t, tiles.Landslides, 14)
	found := f.vectors(t, tile)
	require.Len(t, found, 1)
	layer := mvt.Layer{Extent: 4096, Features: found}
	layer.ProjectToWGS84(maptile.New(uint32(tile.Col), uint32(tile.Row), 14))
	want, got := f.store.items[0].Geometry.Bound().Center(), layer.Features[0].Geometry.Bound().Center()
	assert.InDelta(t, want[0], got[0], 1e-5)
	assert.InDelta(t, want[1], got[1], 1e-5)
}

func TestEmptyVectorTile(t *testing.T) {
	f := newFixture(t, imagerytest.New(600, 600), nil)
	tile := f.middle(t, tiles.Landslides, 13)
	tile.Format = vectorFormat
	r, err := f.Tile(t.Context(), tile)
	require.NoError(t, err)
	assert.Empty(t, r.Bytes)
	assert.NotEmpty(t, r.ETag)
}

// Polygons are drawn where they lie, holes left open, and one run at a time.
func TestLandslidesAreDrawn(t *testing.T) {
	f := newFixture(t, imagerytest.New(400, 400), nil)
	f.publish(t, "run-1", [][][2]float64{circle(100, 100, 40), circle(100, 100, 15)}, [][][2]float64{circle(300, 300, 0.4)})
	f.publish(t, "run-2", [][][2]float64{circle(300, 100, 40)})
	v := native(f, tiles.Landslides)
	v.Run = "run-1"
	r, err := f.Render(t.Context(), v)
	require.NoError(t, err)
	img := decode(t, r.Bytes)
	assert.Positive(t, img.NRGBAAt(75, 100).A, "fill")
	assert.Zero(t, img.NRGBAAt(100, 100).A, "hole")
	assert.Greater(t, img.NRGBAAt(60, 100).A, img.NRGBAAt(75, 100).A, "outline")
	assert.Positive(t, img.NRGBAAt(300, 300).A, "the small one leaves a mark")
	assert.Zero(t, img.NRGBAAt(300, 100).A, "the other run")
	golden(t, "landslides", r.Bytes)
	v.Run = ""
	r, err = f.Render(t.Context(), v)
	require.NoError(t, err)
	img = decode(t, r.Bytes)
	assert.Zero(t, img.NRGBAAt(75, 100).A)
	assert.Positive(t, img.NRGBAAt(300, 100).A, "the latest run")
	v.Style = "outline"
	r, err = f.Render(t.Context(), v)
	require.NoError(t, err)
	img = decode(t, r.Bytes)
	assert.Zero(t, img.NRGBAAt(300, 100).A, "outline only")
}

// collection decodes a tile of GeoJSON.
func (f *fixture) collection(t testing.TB, tile tiles.Tile) map[float64]*geojson.Feature {
	t.Helper()
	tile.Format = "application/geo+json"
	r, err := f.Tile(t.Context(), tile)
	require.NoError(t, err)
	require.Equal(t, tile.Format, r.ContentType)
	require.True(t, r.Complete)
	c, err := geojson.UnmarshalFeatureCollection(r.Bytes)
	require.NoError(t, err)
	out := map[float64]*geojson.Feature{}
	for _, v := range c.Features {
		out[v.ID.(float64)] = v
	}
	require.Len(t, out, len(c.Features), "each landslide once")
	return out
}

// A landslide is whole in every tile of GeoJSON that it touches, and in no other.
func TestGeoJSONTilesHoldWholeLandslides(t *testing.T) {
	f := newFixture(t, imagerytest.New(600, 600), nil)
	f.publish(t, "run-1", [][][2]float64{circle(300, 300, 120), circle(300, 300, 30)}, [][][2]float64{circle(80, 500, 12)})
	for _, set := range f.MatrixSets() {
		t.Run(set.ID, func(t *testing.T) {
			const z = 14
			l := f.Limits(set, z, located{f.src}.Bounds())
			seen := map[float64]*geojson.Feature{}
			tilesOf := map[float64]int{}
			for row := l.MinRow; row <= l.MaxRow; row++ {
				for col := l.MinCol; col <= l.MaxCol; col++ {
					tile := tiles.Tile{Event: "synthetic", Layer: tiles.Landslides, MatrixSet: set.ID, Matrix: z, Row: row, Col: col}
					vectors := map[float64]*geojson.Feature{}
					for _, v := range f.vectors(t, tile) {
						vectors[v.Properties["id"].(float64)] = v
					}
					found := f.collection(t, tile)
					for id, v := range vectors {
						assert.Equal(t, inTile(v.Geometry.(orb.Polygon)) > 0, found[id] != nil, "%d/%d: landslide %g", row, col, id)
					}
					for id, v := range found {
						require.Contains(t, vectors, id)
						assert.Equal(t, vectors[id].Properties, v.Properties, "the same attributes in both formats")
						if there := seen[id]; there != nil {
							assert.Equal(t, there.Geometry, v.Geometry, "the same outline in every tile")
						}
						seen[id] = v
						tilesOf[id]++
					}
				}
			}
			require.Len(t, seen, 2)
			assert.Greater(t, tilesOf[1], 1, "more than one tile shows the large one")
			for i, item := range f.store.items {
				got := seen[float64(i+1)].Geometry.(orb.Polygon)
				require.Len(t, got, len(item.Geometry), "holes too")
				assert.InEpsilon(t, planar.Area(item.Geometry), planar.Area(got), 0.01)
				assert.Equal(t, orb.CCW, got[0].Orientation(), "RFC 7946: anticlockwise")
				if len(got) > 1 {
					assert.Equal(t, orb.CW, got[1].Orientation())
				}
				for _, corner := range got[0] {
					assert.Contains(t, item.Geometry[0], corner, "corners are the store's own")
				}
			}
		})
	}
}

// Zoomed out, a tile of GeoJSON has few corners, and of the landslides below a pixel one a pixel.
func TestGeoJSONTilesAreGeneralized(t *testing.T) {
	f := newFixture(t, imagerytest.New(600, 600), nil)
	f.publish(t, "run-1", [][][2]float64{circle(300, 300, 120)}, [][][2]float64{circle(100, 100, 1)}, [][][2]float64{circle(102, 100, 1.5)})
	near, far := f.collection(t, f.middle(t, tiles.Landslides, 12)), f.collection(t, f.middle(t, tiles.Landslides, 8))
	assert.Len(t, near[1].Geometry.(orb.Polygon)[0], 49, "every corner shows")
	require.Len(t, far, 2)
	assert.Less(t, len(far[1].Geometry.(orb.Polygon)[0]), 40)
	require.Contains(t, far, 3.0, "the larger of two in one pixel")
	want, got := f.store.items[2].Geometry.Bound(), far[3].Geometry.(orb.Polygon)
	assert.Len(t, got[0], 5, "the box around it")
	assert.Equal(t, want, got.Bound())
	assert.Equal(t, orb.CCW, got[0].Orientation())
}

func TestGeoJSONTilesAreKept(t *testing.T) {
	f := newFixture(t, imagerytest.New(600, 600), nil)
	tile := f.middle(t, tiles.Landslides, 13)
	tile.Format = "application/geo+json"
	first, err := f.Tile(t.Context(), tile)
	require.NoError(t, err)
	assert.JSONEq(t, `{"type": "FeatureCollection", "features": []}`, string(first.Bytes), "an empty one")
	again, err := f.Tile(t.Context(), tile)
	require.NoError(t, err)
	assert.NotEqual(t, first.Tier, again.Tier, "from the cache")
	first.Tier = again.Tier
	assert.Equal(t, first, again)
}

// Attributes that nobody recorded are left out rather than made up.
func TestUnknownDatesAreLeftOut(t *testing.T) {
	f := newFixture(t, imagerytest.New(600, 600), nil)
	f.publish(t, "run-1", [][][2]float64{circle(300, 300, 50)})
	f.store.items[0].PreDate = time.Time{}
	tile := f.middle(t, tiles.Landslides, 12)
	assert.NotContains(t, f.vectors(t, tile)[0].Properties, "pre_date")
	assert.Equal(t, "2024-06-09", f.vectors(t, tile)[0].Properties["post_date"])
	assert.NotContains(t, f.collection(t, tile)[1].Properties, "pre_date")
}

// Check gives the errors of Render without drawing.
func TestCheckedViewsCanBeDrawn(t *testing.T) {
	f := newFixture(t, imagerytest.New(400, 400), nil)
	v := native(f, tiles.Probability)
	require.NoError(t, f.Check(t.Context(), v))
	for name, change := range map[string]func(*tiles.View){
		"style":  func(v *tiles.View) { v.Style = "no-such-style" },
		"model":  func(v *tiles.View) { v.Model = "no-such-model" },
		"format": func(v *tiles.View) { v.Layer, v.Format = tiles.Landslides, "application/geo+json" },
		"size":   func(v *tiles.View) { v.Width = 0 },
	} {
		wrong := v
		change(&wrong)
		_, drawn := f.Render(t.Context(), wrong)
		require.Error(t, drawn, name)
		assert.EqualError(t, f.Check(t.Context(), wrong), drawn.Error(), name)
	}
}
