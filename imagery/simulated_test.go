package imagery_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/paulmach/orb/geo"
	"github.com/paulmach/orb/geojson"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/imagery"
	"github.com/scarp-map/scarp/imagery/simulate"
)

// TestSimulatedEventIsReadBack writes a simulated event and reads it as any other event is read.
func TestSimulatedEventIsReadBack(t *testing.T) {
	ctx := context.Background()
	sim, err := simulate.Generate(ctx, simulate.Config{
		Seed: 2, Width: 200, Height: 170, EPSG: 32648, OriginX: 360000, OriginY: 3675000, PostCloud: 0.15, PostNoData: 0.1,
		// After 2022-01-25 real products carry an offset; simulated ones must not be taken to.
		PreDate: time.Date(2022, 7, 3, 3, 48, 0, 0, time.UTC), PostDate: time.Date(2022, 9, 11, 3, 48, 0, 0, time.UTC),
	})
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "event")
	written, err := imagery.WriteSimulated(ctx, dir, "sim", "A simulated event", "for a test", sim)
	require.NoError(t, err)
	assert.Equal(t, "pre.tif", written.Pre[0].Path)

	event, err := imagery.LoadEvent(filepath.Join(dir, "event.yaml"))
	require.NoError(t, err)
	src, err := imagery.Open(ctx, event, imagery.Options{Allow: []string{dir}})
	require.NoError(t, err)
	defer src.Close()
	assert.Equal(t, imagery.Grid{EPSG: 32648, OriginX: 360000, OriginY: 3675000, Width: 200, Height: 170}, src.Grid())
	assert.Equal(t, []time.Time{sim.PreDate}, src.Dates(imagery.Pre))

	w, err := src.Read(ctx, imagery.Request{
		Rect: imagery.Rect{W: 200, H: 170}, Pre: simulate.Bands(), Post: simulate.Bands(),
		Terrain: []string{imagery.Elevation, imagery.Slope, imagery.Aspect}, Clouds: true,
	})
	require.NoError(t, err)
	for b, name := range simulate.Bands() {
		assert.Equal(t, sim.Pre[b], w.Pre[b], name)
		assert.Equal(t, sim.Post[b], w.Post[b], name)
	}
	elevation, slope, _ := sim.Terrain()
	var worstHeight, worstSlope float64
	for y := 10; y < 160; y++ {
		for x := 10; x < 190; x++ {
			i := y*200 + x
			worstHeight = max(worstHeight, abs(elevation[i]-w.Terrain[0][i]))
			worstSlope = max(worstSlope, abs(slope[i]-w.Terrain[1][i]))
			require.Equal(t, sim.Post[3][i] != 0, w.PostValid[i] == 1)
		}
	}
	assert.Less(t, worstHeight, 0.1, "metres")
	assert.Less(t, worstSlope, 0.1, "degrees")
	assert.Contains(t, w.PostCloud, imagery.ThickCloud)
}

func abs(v float32) float64 { return float64(max(v, -v)) }

func TestSimulatedLandslidesAreInDegrees(t *testing.T) {
	ctx := context.Background()
	sim, err := simulate.Generate(ctx, simulate.Config{Seed: 3, Width: 150, Height: 150, EPSG: 32648, OriginX: 360000, OriginY: 3675000, LandslideShare: 0.05})
	require.NoError(t, err)
	dir := t.TempDir()
	_, err = imagery.WriteSimulated(ctx, dir, "sim", "A simulated event", "", sim)
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, "landslides.geojson"))
	require.NoError(t, err)
	var all geojson.FeatureCollection
	require.NoError(t, json.Unmarshal(text, &all))
	require.Len(t, all.Features, len(sim.Landslides))
	for i, f := range all.Features {
		b := f.Geometry.Bound()
		assert.True(t, b.Min[0] > 103.4 && b.Max[0] < 103.6 && b.Min[1] > 33.1 && b.Max[1] < 33.3, "%v", b)
		// UTM's scale and the sphere that the check uses differ from the ellipsoid by under a percent.
		assert.InEpsilon(t, sim.Landslides[i].Area, geo.Area(f.Geometry), 0.01)
		assert.InEpsilon(t, sim.Landslides[i].Area, f.Properties.MustFloat64("area_m2"), 1e-9)
	}
}

func TestWriteSimulatedRefusesABadID(t *testing.T) {
	sim, err := simulate.Generate(context.Background(), simulate.Config{Width: 32, Height: 32})
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "never")
	_, err = imagery.WriteSimulated(context.Background(), dir, "No Good", "title", "", sim)
	assert.ErrorContains(t, err, "id")
	assert.NoDirExists(t, dir)
}
