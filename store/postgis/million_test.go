package postgis_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/paulmach/orb"
	"github.com/stretchr/testify/require"

	"github.com/scarp-map/scarp/store"
	"github.com/scarp-map/scarp/store/postgrestest"
	"github.com/scarp-map/scarp/store/storetest"
)

// The database makes the landslides of storetest.InRows itself, which is faster than to send them.
const inRows = `
INSERT INTO scarp.landslides (geom, event, run, area_m2, perimeter_m, length_m, width_m, probability_mean, probability_max,
	elevation_min_m, elevation_max_m, elevation_mean_m, slope_mean_deg, aspect_deg, delta_ndvi_mean, cloud_adjacent, pre_date, post_date, model, model_version, height)
SELECT ST_Buffer(ST_SetSRID(ST_MakePoint(136 + 0.002 * (i % $1::int), 36 + 0.002 * (i / $1::int)), 4326), 0.0005, 2), 'e', 'big', 500 - 1000 * ln(1 - random()), 150, 60, 20, 0.75, 0.98,
	100, 180, 140, 31, 270, -0.375, true, '2023-12-23', '2024-01-08', 'bbunet', '1.0.0', (SELECT 16 * seq FROM scarp.runs WHERE id = 'big')
FROM generate_series(0, $1::int * $1::int - 1) i`

func BenchmarkMillion(b *testing.B) {
	url := postgrestest.URL(b)
	s := open(b, url)
	require.NoError(b, s.PutEvent(b.Context(), storetest.Event("e")))
	require.NoError(b, s.Publish(b.Context(), storetest.BigRun(), nil))
	conn, err := pgx.Connect(b.Context(), url)
	require.NoError(b, err)
	defer conn.Close(b.Context())
	_, err = conn.Exec(b.Context(), inRows, storetest.Million)
	require.NoError(b, err)
	level(b, conn)
	_, err = conn.Exec(b.Context(), `CLUSTER scarp.landslides USING landslides_pkey`) // as if published with their levels
	require.NoError(b, err)
	_, err = conn.Exec(b.Context(), `VACUUM ANALYZE scarp.landslides`) // as autovacuum does
	require.NoError(b, err)
	storetest.BenchmarkMillion(b, s)
}

// level gives the landslides the levels that they would have had if they had been published.
func level(b *testing.B, conn *pgx.Conn) {
	type spot struct {
		ID                             int64
		Area, West, South, East, North float64
	}
	rows, err := conn.Query(b.Context(), `SELECT id, area_m2, ST_XMin(geom), ST_YMin(geom), ST_XMax(geom), ST_YMax(geom) FROM scarp.landslides ORDER BY id`)
	require.NoError(b, err)
	spots, err := pgx.CollectRows(rows, pgx.RowToStructByPos[spot])
	require.NoError(b, err)
	ids, areas, bounds := make([]int64, len(spots)), make([]float64, len(spots)), make([]orb.Bound, len(spots))
	for i, s := range spots {
		ids[i], areas[i], bounds[i] = s.ID, s.Area, orb.Bound{Min: orb.Point{s.West, s.South}, Max: orb.Point{s.East, s.North}}
	}
	levels := make([]int16, len(spots))
	for i, l := range store.Levels(bounds, areas) {
		levels[i] = int16(l)
	}
	_, err = conn.Exec(b.Context(), `UPDATE scarp.landslides l SET height = height + u.level FROM unnest($1::bigint[], $2::smallint[]) u(id, level) WHERE l.id = u.id`, ids, levels)
	require.NoError(b, err)
}
