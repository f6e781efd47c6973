-- +goose Up
CREATE EXTENSION IF NOT EXISTS postgis;

-- definition is imagery.Event; latest_run is the run that readers see who ask for no other.
CREATE TABLE scarp.events (
  id text PRIMARY KEY,
  title text NOT NULL,
  trigger_time timestamptz NOT NULL,
  trigger_type text NOT NULL,
  latest_run text,
  definition jsonb NOT NULL
);

-- seq orders runs published at the same time.
CREATE TABLE scarp.runs (
  id text PRIMARY KEY,
  seq bigint GENERATED ALWAYS AS IDENTITY,
  event text NOT NULL REFERENCES scarp.events (id) ON DELETE CASCADE,
  model text NOT NULL,
  model_version text NOT NULL,
  threshold double precision NOT NULL,
  min_area_m2 double precision NOT NULL,
  started timestamptz NOT NULL,
  published timestamptz NOT NULL,
  aoi geometry(Geometry, 4326),
  landslides integer NOT NULL,
  total_area_m2 double precision NOT NULL,
  largest_area_m2 double precision NOT NULL,
  mapped_area_m2 double precision NOT NULL,
  cloud_share double precision NOT NULL,
  nodata_share double precision NOT NULL
);
CREATE INDEX runs_event ON scarp.runs (event, published DESC, seq DESC);

CREATE TABLE scarp.landslides (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  geom geometry(Polygon, 4326) NOT NULL,
  event text NOT NULL,
  run text NOT NULL REFERENCES scarp.runs (id) ON DELETE CASCADE,
  area_m2 double precision NOT NULL,
  perimeter_m double precision NOT NULL,
  length_m double precision NOT NULL,
  width_m double precision NOT NULL,
  probability_mean double precision NOT NULL,
  probability_max double precision NOT NULL,
  elevation_min_m double precision NOT NULL,
  elevation_max_m double precision NOT NULL,
  elevation_mean_m double precision NOT NULL,
  slope_mean_deg double precision NOT NULL,
  aspect_deg double precision NOT NULL,
  delta_ndvi_mean double precision,
  cloud_adjacent boolean NOT NULL,
  pre_date timestamptz,
  post_date timestamptz,
  model text NOT NULL,
  model_version text NOT NULL
);
-- A run is read in order of id, and a run belongs to one event.
CREATE INDEX landslides_run ON scarp.landslides (run, id);
CREATE INDEX landslides_geom ON scarp.landslides USING gist (geom);
