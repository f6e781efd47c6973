package gpkg_test

import (
	"bytes"
	"database/sql"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/paulmach/orb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/gpkg"
	"github.com/scarp-map/scarp/store/storetest"
)

// published makes a file with one run of n landslides and returns its path.
func published(t *testing.T, n int) (string, *gpkg.Store) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "with space #1.gpkg")
	s := open(t, path)
	require.NoError(t, s.PutEvent(t.Context(), storetest.Event("noto")))
	require.NoError(t, s.Publish(t.Context(), storetest.NewRun("run", "noto", 1), storetest.Landslides(n)))
	return path, s
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "folder", "scarp.gpkg")
	first, err := gpkg.Open(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, first.PutEvent(t.Context(), storetest.Event("noto")))
	require.NoError(t, first.Publish(t.Context(), storetest.NewRun("run", "noto", 1), storetest.Landslides(3)))
	require.NoError(t, first.Close())
	assert.NoFileExists(t, path+"-wal", "closing leaves one file")

	second := open(t, path)
	page, err := second.Landslides(t.Context(), store.Query{Event: "noto"})
	require.NoError(t, err)
	assert.Equal(t, 3, page.Matched)
}

// Two processes share the file, here two stores: one serves, one adds events.
func TestSeveralStoresOnOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scarp.gpkg")
	stores := make([]*gpkg.Store, 4)
	var g errgroup.Group
	for i := range stores {
		g.Go(func() (err error) {
			stores[i], err = gpkg.Open(t.Context(), path)
			return err
		})
	}
	require.NoError(t, g.Wait(), "all bring the new file up to date at once")
	for i, s := range stores {
		g.Go(func() error { return s.PutEvent(t.Context(), storetest.Event(strings.Repeat("e", i+1))) })
	}
	require.NoError(t, g.Wait())
	for _, s := range stores {
		events, err := s.Events(t.Context())
		require.NoError(t, err)
		assert.Len(t, events, len(stores))
		require.NoError(t, s.Close())
	}
}

// A trigger of the test's refuses the last landslide when the others are in.
func TestFailureInTheMiddleLeavesTheOldRun(t *testing.T) {
	path, s := published(t, 5)
	exec1(t, path, `CREATE TRIGGER fail BEFORE INSERT ON landslides WHEN NEW.area_m2 = 607 BEGIN SELECT RAISE(ABORT, 'disk on fire'); END`)
	before, err := s.Landslides(t.Context(), store.Query{Event: "noto"})
	require.NoError(t, err)
	for _, id := range []string{"run", "new"} {
		err = s.Publish(t.Context(), storetest.NewRun(id, "noto", 2), storetest.Landslides(8))
		require.ErrorContains(t, err, "landslide 8 of 8")
		require.ErrorContains(t, err, "disk on fire")
		after, err := s.Landslides(t.Context(), store.Query{Event: "noto"})
		require.NoError(t, err)
		assert.Equal(t, before, after)
	}
	page, err := s.Landslides(t.Context(), store.Query{BBox: &[4]float64{137, 37, 138, 38}})
	require.NoError(t, err)
	assert.Equal(t, 5, page.Matched, "the spatial index was rolled back as well")
}

func exec1(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.Exec(statement)
	require.NoError(t, err)
}

func TestErrorsTellHowToMend(t *testing.T) {
	folder := t.TempDir()
	damaged, path := filepath.Join(folder, "damaged.gpkg"), filepath.Join(folder, "good.gpkg")
	require.NoError(t, os.WriteFile(damaged, bytes.Repeat([]byte("no database "), 1000), 0o600))
	s := open(t, path)
	require.NoError(t, s.Ping(t.Context()))
	foreign := filepath.Join(folder, "foreign.gpkg")
	exec1(t, foreign, `CREATE TABLE roads (id INTEGER PRIMARY KEY)`)
	newer := filepath.Join(folder, "newer.gpkg")
	made, err := gpkg.Open(t.Context(), newer)
	require.NoError(t, err)
	require.NoError(t, made.Close())
	exec1(t, newer, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)

	for name, test := range map[string]struct {
		path string
		says []string
	}{
		"damaged":        {damaged, []string{damaged, "damaged or no GeoPackage", ".recover", "move the file away"}},
		"of another":     {foreign, []string{foreign, "Scarp did not make", "another path"}},
		"newer":          {newer, []string{"version 99", "newer Scarp"}},
		"a folder":       {folder, []string{folder, "it is a folder"}},
		"none":           {"", []string{"empty"}},
		"in a file":      {filepath.Join(path, "x.gpkg"), []string{"folder", "not a directory"}},
		"read-only disk": {readOnlyFolder(t) + "/scarp.gpkg", []string{"writable by this user"}},
	} {
		_, err := gpkg.Open(t.Context(), test.path)
		for _, text := range test.says {
			assert.ErrorContains(t, err, text, name)
		}
	}
}

// readOnlyFolder is one that not even root can write to.
func readOnlyFolder(t *testing.T) string {
	t.Helper()
	if os.Geteuid() == 0 {
		return "/proc"
	}
	folder := t.TempDir()
	require.NoError(t, os.Chmod(folder, 0o555))
	return folder
}

func ogr(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(args[0]); err != nil {
		t.Skipf("%s is not installed (gdal-bin)", args[0])
	}
	out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
	require.NoError(t, err, string(out))
	return string(out)
}

func TestOpensInGDAL(t *testing.T) {
	path, s := published(t, 20)
	info := ogr(t, "ogrinfo", "-al", "-so", path)
	for _, text := range []string{
		"Layer name: landslides", "Geometry: Polygon", "Feature Count: 20", `ID["EPSG",4326]`,
		"Extent: (137.000000, 37.000000) - (137.195000, 37.005000)", "area_m2: Real", "post_date: DateTime",
		"cloud_adjacent: Integer(Boolean)", "Layer name: runs", "Layer name: events",
	} {
		assert.Contains(t, info, text)
	}
	assert.NotContains(t, strings.ToLower(info), "warning")
	assert.NotContains(t, info, "goose", "the migrations' table is no layer")
	window := ogr(t, "ogrinfo", "-so", "-spat", "137.1", "37", "137.111", "37.01", path, "landslides")
	assert.Contains(t, window, "Feature Count: 2")
	assert.Contains(t, ogr(t, "ogrinfo", path, "-sql", "SELECT HasSpatialIndex('landslides', 'geom')"), "= 1")

	page, err := s.Landslides(t.Context(), store.Query{Event: "noto"})
	require.NoError(t, err)
	assert.Equal(t, 20, page.Matched)

	// An edit through GDAL keeps the index right for Scarp, and the other way round.
	ogr(t, "ogrinfo", path, "-sql", "DELETE FROM landslides WHERE area_m2 < 610")
	ogr(t, "ogrinfo", path, "-sql", `UPDATE landslides SET geom = AsGPB(ST_GeomFromText('POLYGON((10 10,11 10,11 11,10 10))', 4326)) WHERE area_m2 = 615`)
	page, err = s.Landslides(t.Context(), store.Query{BBox: &[4]float64{137, 37, 138, 38}})
	require.NoError(t, err)
	assert.Equal(t, 9, page.Matched)
	page, err = s.Landslides(t.Context(), store.Query{Event: "noto"})
	require.NoError(t, err)
	assert.Len(t, page.Landslides, 10)
	assert.Equal(t, 10, page.Matched, "the count that was remembered is not used after an edit")
	page, err = s.Landslides(t.Context(), store.Query{BBox: &[4]float64{10.5, 10.1, 11, 10.4}})
	require.NoError(t, err)
	require.Equal(t, 1, page.Matched)
	assert.Equal(t, orb.Polygon{{{10, 10}, {11, 10}, {11, 11}, {10, 10}}}, page.Landslides[0].Geometry)
}

// Pages in the middle of the file are overwritten, as a failing disk does.
func TestDamageWithinTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scarp.gpkg")
	s, err := gpkg.Open(t.Context(), path)
	require.NoError(t, err)
	require.NoError(t, s.PutEvent(t.Context(), storetest.Event("noto")))
	require.NoError(t, s.Publish(t.Context(), storetest.NewRun("run", "noto", 1), storetest.Landslides(2000)))
	require.NoError(t, s.Close())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	for i := len(content) / 2; i < len(content); i++ {
		content[i] = 0xA5
	}
	require.NoError(t, os.WriteFile(path, content, 0o600))

	s = open(t, path)
	_, err = s.Landslides(t.Context(), store.Query{Event: "noto", Limit: 2000})
	require.ErrorContains(t, err, "the file is damaged")
	assert.ErrorContains(t, err, "restore a backup")
}

// sketched are the ids of what a box draws of n landslides.
func sketched(t *testing.T, s store.Store, n int, box [4]float64) (ids []int64) {
	t.Helper()
	page, err := s.Landslides(t.Context(), store.Query{Event: "e", BBox: &box, Sketch: n, Limit: store.MaxLimit})
	require.NoError(t, err)
	for _, l := range page.Landslides {
		ids = append(ids, l.ID)
	}
	return ids
}

func TestFilesFromBeforeLevelsAreDrawnTheSame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "old.gpkg")
	s := open(t, path)
	require.NoError(t, s.PutEvent(t.Context(), storetest.Event("e")))
	require.NoError(t, s.Publish(t.Context(), storetest.NewRun("run", "e", 1), storetest.Scattered(4000)))
	box := [4]float64{135, 35, 140, 40}
	expected := sketched(t, s, 1000, box)
	assert.Less(t, len(expected), 4000, "the landslides of a level, not all")
	require.NoError(t, s.Close())
	exec1(t, path, `DROP TRIGGER scarp_drawn_insert; DROP TRIGGER scarp_drawn_update; DROP TRIGGER scarp_drawn_delete;
		DROP TABLE scarp_drawn; DROP TABLE scarp_ranges; DROP TRIGGER scarp_ranges_insert; DROP TRIGGER scarp_ranges_update;
		DELETE FROM goose_db_version WHERE version_id > 4`)
	assert.Equal(t, expected, sketched(t, open(t, path), 1000, box))
}

func TestWhatOthersEditIsOnThePagesOfItsBox(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edited.gpkg")
	s := open(t, path)
	storetest.BehindOthers(t, s)
	assert.Equal(t, []int64{4001, 4002, 4003, 4004}, storetest.FirstIDs(t, s))
	exec1(t, path, `UPDATE landslides SET geom = (SELECT geom FROM landslides WHERE id = 4500) WHERE id = 2500; DELETE FROM landslides WHERE id = 3500;
		UPDATE landslides SET id = 3500 WHERE id = 5000; DELETE FROM landslides WHERE id = 4001`)
	assert.Equal(t, []int64{2500, 3500, 4002, 4003}, storetest.FirstIDs(t, s))
	exec1(t, path, `DELETE FROM landslides WHERE id = 800; UPDATE landslides SET id = 800 WHERE id = 4002`)
	assert.Equal(t, []int64{800, 2500, 3500, 4003}, storetest.FirstIDs(t, s))
	require.NoError(t, s.Close())
	// Files from before there were ranges are paged the same.
	exec1(t, path, `DROP TABLE scarp_ranges; DROP TRIGGER scarp_ranges_insert; DROP TRIGGER scarp_ranges_update; DELETE FROM goose_db_version WHERE version_id > 6`)
	assert.Equal(t, []int64{800, 2500, 3500, 4003}, storetest.FirstIDs(t, open(t, path)))
}

func TestWhatOthersEditIsDrawnWhereItIs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "edited.gpkg")
	s := open(t, path)
	require.NoError(t, s.PutEvent(t.Context(), storetest.Event("e")))
	require.NoError(t, s.Publish(t.Context(), storetest.NewRun("run", "e", 1), storetest.Landslides(3))) // from 137° E on, 0.01° apart
	first := [4]float64{136.999, 36.999, 137.005, 37.005}
	assert.Equal(t, []int64{1}, sketched(t, s, 100, first))
	exec1(t, path, `UPDATE landslides SET geom = (SELECT geom FROM landslides WHERE id = 1) WHERE id = 3`)
	assert.ElementsMatch(t, []int64{1, 3}, sketched(t, s, 100, first))
	exec1(t, path, `DELETE FROM landslides WHERE id = 1; UPDATE landslides SET id = 9 WHERE id = 3`)
	assert.Equal(t, []int64{9}, sketched(t, s, 100, first))
}
