-- What people want to see who open the file in a GIS: the landslides of each
-- event's latest run, without having to filter those of all runs. And the
-- secret by which a server knows its own paging tokens.

-- +goose Up
CREATE VIEW latest_landslides AS
  SELECT l.id AS OGC_FID, l.geom, l.event, l.run, l.area_m2, l.perimeter_m, l.length_m, l.width_m, l.probability_mean, l.probability_max,
    l.elevation_min_m, l.elevation_max_m, l.elevation_mean_m, l.slope_mean_deg, l.aspect_deg, l.delta_ndvi_mean, l.cloud_adjacent,
    l.pre_date, l.post_date, l.model, l.model_version
  FROM landslides l JOIN events e ON e.latest_run = l.run;
INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id, min_x, min_y, max_x, max_y)
  SELECT 'latest_landslides', 'features', 'latest_landslides', 'Landslide polygons of the latest run of each event', 4326, min_x, min_y, max_x, max_y
  FROM gpkg_contents WHERE table_name = 'landslides';
INSERT INTO gpkg_geometry_columns VALUES ('latest_landslides', 'geom', 'POLYGON', 4326, 0, 0);

CREATE TABLE scarp_secrets (name TEXT PRIMARY KEY, value BLOB NOT NULL);
INSERT INTO scarp_secrets VALUES ('tokens', randomblob(32));
