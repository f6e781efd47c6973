-- The largest landslides of a run are found first: maps of large areas show no others.

-- +goose Up
CREATE INDEX landslides_area ON landslides(run, area_m2 DESC);
