-- A GeoPackage 1.3 (OGC 12-128r17) with Scarp's tables. The application id is
-- "GPKG"; the user version is the standard's.

-- +goose Up
PRAGMA application_id = 1196444487;
PRAGMA user_version = 10300;

CREATE TABLE gpkg_spatial_ref_sys (
  srs_name TEXT NOT NULL,
  srs_id INTEGER NOT NULL PRIMARY KEY,
  organization TEXT NOT NULL,
  organization_coordsys_id INTEGER NOT NULL,
  definition TEXT NOT NULL,
  description TEXT
);
INSERT INTO gpkg_spatial_ref_sys VALUES
  ('Undefined Cartesian SRS', -1, 'NONE', -1, 'undefined', 'undefined Cartesian coordinate reference system'),
  ('Undefined geographic SRS', 0, 'NONE', 0, 'undefined', 'undefined geographic coordinate reference system'),
  ('WGS 84 geodetic', 4326, 'EPSG', 4326,
   'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563,AUTHORITY["EPSG","7030"]],AUTHORITY["EPSG","6326"]],PRIMEM["Greenwich",0,AUTHORITY["EPSG","8901"]],UNIT["degree",0.0174532925199433,AUTHORITY["EPSG","9122"]],AXIS["Latitude",NORTH],AXIS["Longitude",EAST],AUTHORITY["EPSG","4326"]]',
   'longitude and latitude in decimal degrees on the WGS 84 ellipsoid');

CREATE TABLE gpkg_contents (
  table_name TEXT NOT NULL PRIMARY KEY,
  data_type TEXT NOT NULL,
  identifier TEXT UNIQUE,
  description TEXT DEFAULT '',
  last_change DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  min_x DOUBLE,
  min_y DOUBLE,
  max_x DOUBLE,
  max_y DOUBLE,
  srs_id INTEGER,
  CONSTRAINT fk_gc_r_srs_id FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys(srs_id)
);

CREATE TABLE gpkg_geometry_columns (
  table_name TEXT NOT NULL,
  column_name TEXT NOT NULL,
  geometry_type_name TEXT NOT NULL,
  srs_id INTEGER NOT NULL,
  z TINYINT NOT NULL,
  m TINYINT NOT NULL,
  CONSTRAINT pk_geom_cols PRIMARY KEY (table_name, column_name),
  CONSTRAINT uk_gc_table_name UNIQUE (table_name),
  CONSTRAINT fk_gc_tn FOREIGN KEY (table_name) REFERENCES gpkg_contents(table_name),
  CONSTRAINT fk_gc_srs FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id)
);

CREATE TABLE gpkg_extensions (
  table_name TEXT,
  column_name TEXT,
  extension_name TEXT NOT NULL,
  definition TEXT NOT NULL,
  scope TEXT NOT NULL,
  CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name)
);

-- Events: the definition is imagery.Event as JSON, the rest is for people who
-- open the file. latest_run is the run that readers see who ask for no other.
CREATE TABLE events (
  fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  id TEXT NOT NULL UNIQUE,
  title TEXT NOT NULL,
  trigger_time DATETIME NOT NULL,
  trigger_type TEXT NOT NULL,
  latest_run TEXT,
  definition TEXT NOT NULL
);

-- Runs: one published mapping of an event each; aoi is a GeoJSON geometry,
-- null for the whole event.
CREATE TABLE runs (
  fid INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  id TEXT NOT NULL UNIQUE,
  event TEXT NOT NULL REFERENCES events(id) ON DELETE CASCADE,
  model TEXT NOT NULL,
  model_version TEXT NOT NULL,
  threshold DOUBLE NOT NULL,
  min_area_m2 DOUBLE NOT NULL,
  started DATETIME NOT NULL,
  published DATETIME NOT NULL,
  aoi TEXT,
  landslides INTEGER NOT NULL,
  total_area_m2 DOUBLE NOT NULL,
  largest_area_m2 DOUBLE NOT NULL,
  mapped_area_m2 DOUBLE NOT NULL,
  cloud_share DOUBLE NOT NULL,
  nodata_share DOUBLE NOT NULL,
  min_x DOUBLE,
  min_y DOUBLE,
  max_x DOUBLE,
  max_y DOUBLE
);
CREATE INDEX runs_event ON runs(event, published);

CREATE TABLE landslides (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  geom POLYGON NOT NULL,
  event TEXT NOT NULL,
  run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  area_m2 DOUBLE NOT NULL,
  perimeter_m DOUBLE NOT NULL,
  length_m DOUBLE NOT NULL,
  width_m DOUBLE NOT NULL,
  probability_mean DOUBLE NOT NULL,
  probability_max DOUBLE NOT NULL,
  elevation_min_m DOUBLE NOT NULL,
  elevation_max_m DOUBLE NOT NULL,
  elevation_mean_m DOUBLE NOT NULL,
  slope_mean_deg DOUBLE NOT NULL,
  aspect_deg DOUBLE NOT NULL,
  delta_ndvi_mean DOUBLE,
  cloud_adjacent BOOLEAN NOT NULL,
  pre_date DATETIME,
  post_date DATETIME,
  model TEXT NOT NULL,
  model_version TEXT NOT NULL
);
-- The row id is the index's last column, so that a run is read in order of id.
CREATE INDEX landslides_run ON landslides(run);

INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id) VALUES
  ('landslides', 'features', 'landslides', 'Landslide polygons of all runs', 4326),
  ('runs', 'attributes', 'runs', 'Published mapping runs', NULL),
  ('events', 'attributes', 'events', 'Events and the scenes that show them', NULL);
INSERT INTO gpkg_geometry_columns VALUES ('landslides', 'geom', 'POLYGON', 4326, 0, 0);
INSERT INTO gpkg_extensions VALUES
  ('landslides', 'geom', 'gpkg_rtree_index', 'http://www.geopackage.org/spec120/#extension_rtree', 'write-only');

-- The spatial index and its triggers as annex F.3 of the standard has them, so
-- that every writer (Scarp, GDAL, QGIS) keeps it right.
CREATE VIRTUAL TABLE rtree_landslides_geom USING rtree(id, minx, maxx, miny, maxy);

-- +goose StatementBegin
CREATE TRIGGER rtree_landslides_geom_insert AFTER INSERT ON landslides
  WHEN (NEW.geom NOT NULL AND NOT ST_IsEmpty(NEW.geom))
BEGIN
  INSERT OR REPLACE INTO rtree_landslides_geom VALUES
    (NEW.id, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom));
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER rtree_landslides_geom_update1 AFTER UPDATE OF geom ON landslides
  WHEN OLD.id = NEW.id AND (NEW.geom NOTNULL AND NOT ST_IsEmpty(NEW.geom))
BEGIN
  INSERT OR REPLACE INTO rtree_landslides_geom VALUES
    (NEW.id, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom));
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER rtree_landslides_geom_update2 AFTER UPDATE OF geom ON landslides
  WHEN OLD.id = NEW.id AND (NEW.geom ISNULL OR ST_IsEmpty(NEW.geom))
BEGIN
  DELETE FROM rtree_landslides_geom WHERE id = OLD.id;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER rtree_landslides_geom_update3 AFTER UPDATE ON landslides
  WHEN OLD.id != NEW.id AND (NEW.geom NOTNULL AND NOT ST_IsEmpty(NEW.geom))
BEGIN
  DELETE FROM rtree_landslides_geom WHERE id = OLD.id;
  INSERT OR REPLACE INTO rtree_landslides_geom VALUES
    (NEW.id, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom));
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER rtree_landslides_geom_update4 AFTER UPDATE ON landslides
  WHEN OLD.id != NEW.id AND (NEW.geom ISNULL OR ST_IsEmpty(NEW.geom))
BEGIN
  DELETE FROM rtree_landslides_geom WHERE id IN (OLD.id, NEW.id);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER rtree_landslides_geom_delete AFTER DELETE ON landslides
  WHEN OLD.geom NOT NULL
BEGIN
  DELETE FROM rtree_landslides_geom WHERE id = OLD.id;
END;
-- +goose StatementEnd
