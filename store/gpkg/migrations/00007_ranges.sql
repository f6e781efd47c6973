-- Where the landslides of each thousand ids of a run lie, so that a page of a large box begins at those that
-- reach into it. There is a bounding box for each quarter of a degree in which landslides begin: one
-- around scattered landslides would hold all that is between them. Triggers keep them right for every
-- writer. They only grow: what is deleted or moved away leaves them larger than they need be, which costs a look.

-- +goose Up
CREATE TABLE scarp_ranges (
  run TEXT NOT NULL REFERENCES runs(id) ON DELETE CASCADE,
  number INTEGER NOT NULL, -- the thousand: ids / 1000
  x INTEGER NOT NULL, -- quarters of a degree from 180° W and 90° S
  y INTEGER NOT NULL,
  west DOUBLE NOT NULL,
  south DOUBLE NOT NULL,
  east DOUBLE NOT NULL,
  north DOUBLE NOT NULL,
  PRIMARY KEY (run, number, x, y)
) WITHOUT ROWID;
INSERT INTO scarp_ranges
  SELECT l.run, l.id / 1000, CAST(4 * (minx + 180) AS INTEGER), CAST(4 * (miny + 90) AS INTEGER), min(minx), min(miny), max(maxx), max(maxy)
  FROM rtree_landslides_geom b JOIN landslides l ON l.id = b.id JOIN runs r ON r.id = l.run GROUP BY 1, 2, 3, 4;

-- +goose StatementBegin
CREATE TRIGGER scarp_ranges_insert AFTER INSERT ON landslides
  WHEN (NEW.geom NOT NULL AND NOT ST_IsEmpty(NEW.geom))
BEGIN
  INSERT INTO scarp_ranges
    VALUES (NEW.run, NEW.id / 1000, CAST(4 * (ST_MinX(NEW.geom) + 180) AS INTEGER), CAST(4 * (ST_MinY(NEW.geom) + 90) AS INTEGER),
      ST_MinX(NEW.geom), ST_MinY(NEW.geom), ST_MaxX(NEW.geom), ST_MaxY(NEW.geom))
    ON CONFLICT DO UPDATE SET west = min(west, excluded.west), south = min(south, excluded.south),
      east = max(east, excluded.east), north = max(north, excluded.north);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER scarp_ranges_update AFTER UPDATE OF id, geom, run ON landslides
  WHEN (NEW.geom NOT NULL AND NOT ST_IsEmpty(NEW.geom))
BEGIN
  INSERT INTO scarp_ranges
    VALUES (NEW.run, NEW.id / 1000, CAST(4 * (ST_MinX(NEW.geom) + 180) AS INTEGER), CAST(4 * (ST_MinY(NEW.geom) + 90) AS INTEGER),
      ST_MinX(NEW.geom), ST_MinY(NEW.geom), ST_MaxX(NEW.geom), ST_MaxY(NEW.geom))
    ON CONFLICT DO UPDATE SET west = min(west, excluded.west), south = min(south, excluded.south),
      east = max(east, excluded.east), north = max(north, excluded.north);
END;
-- +goose StatementEnd
