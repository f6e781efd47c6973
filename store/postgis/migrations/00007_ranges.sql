-- Where the landslides of each thousand ids of a run lie, so that a page of a large box looks
-- only at those that reach into it. There is a bounding box for each quarter of a degree in which
-- landslides begin: one around scattered landslides would hold all that is between them.
-- Triggers keep them right for every writer. They only grow: what is deleted or moved
-- away leaves them larger than they need be, which costs a look.

-- +goose Up
CREATE TABLE scarp.ranges (
  run text NOT NULL REFERENCES scarp.runs (id) ON DELETE CASCADE,
  number bigint NOT NULL, -- the thousand: ids / 1000
  x smallint NOT NULL, -- quarters of a degree
  y smallint NOT NULL,
  west double precision NOT NULL,
  south double precision NOT NULL,
  east double precision NOT NULL,
  north double precision NOT NULL,
  PRIMARY KEY (run, number, x, y)
);

-- +goose StatementBegin
CREATE FUNCTION scarp.widen_ranges() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO scarp.ranges AS r
    SELECT run, id / 1000, floor(4 * ST_XMin(geom)), floor(4 * ST_YMin(geom)), min(ST_XMin(geom)), min(ST_YMin(geom)), max(ST_XMax(geom)), max(ST_YMax(geom))
    FROM written GROUP BY 1, 2, 3, 4
    ON CONFLICT (run, number, x, y) DO UPDATE SET
      west = least(r.west, excluded.west), south = least(r.south, excluded.south),
      east = greatest(r.east, excluded.east), north = greatest(r.north, excluded.north);
  RETURN NULL;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER ranges_insert AFTER INSERT ON scarp.landslides
  REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION scarp.widen_ranges();
CREATE TRIGGER ranges_update AFTER UPDATE ON scarp.landslides
  REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION scarp.widen_ranges();

INSERT INTO scarp.ranges
  SELECT run, id / 1000, floor(4 * ST_XMin(geom)), floor(4 * ST_YMin(geom)), min(ST_XMin(geom)), min(ST_YMin(geom)), max(ST_XMax(geom)), max(ST_YMax(geom))
  FROM scarp.landslides GROUP BY 1, 2, 3, 4;
