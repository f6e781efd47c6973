-- Tiles of large areas show the largest landslides in a box: they are found in the index, without a look at the others' rows.

-- +goose Up
ALTER TABLE scarp.landslides
  ADD COLUMN west double precision GENERATED ALWAYS AS (ST_XMin(geom)) STORED,
  ADD COLUMN south double precision GENERATED ALWAYS AS (ST_YMin(geom)) STORED,
  ADD COLUMN east double precision GENERATED ALWAYS AS (ST_XMax(geom)) STORED,
  ADD COLUMN north double precision GENERATED ALWAYS AS (ST_YMax(geom)) STORED;
DROP INDEX scarp.landslides_area;
CREATE INDEX landslides_area ON scarp.landslides (run, area_m2 DESC, id) INCLUDE (west, south, east, north);
