-- What a map draws is found in an index of its own, in which each landslide's box lies at a
-- height: 16 times its run's number, and its level. Triggers keep it right for every
-- writer; what others write is drawn on all levels.

-- +goose Up
CREATE VIRTUAL TABLE scarp_drawn USING rtree(id, minx, maxx, miny, maxy, low, high);
INSERT INTO scarp_drawn SELECT b.id, minx, maxx, miny, maxy, 16 * r.fid, 16 * r.fid
  FROM rtree_landslides_geom b JOIN landslides l ON l.id = b.id JOIN runs r ON r.id = l.run;

-- +goose StatementBegin
CREATE TRIGGER scarp_drawn_insert AFTER INSERT ON landslides
  WHEN (NEW.geom NOT NULL AND NOT ST_IsEmpty(NEW.geom))
BEGIN
  INSERT OR REPLACE INTO scarp_drawn
    SELECT NEW.id, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom), 16 * fid, 16 * fid
    FROM runs WHERE id = NEW.run;
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER scarp_drawn_update AFTER UPDATE OF id, geom, run ON landslides
BEGIN
  DELETE FROM scarp_drawn WHERE id IN (OLD.id, NEW.id);
  INSERT INTO scarp_drawn
    SELECT NEW.id, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom), 16 * fid, 16 * fid
    FROM runs WHERE id = NEW.run AND NEW.geom NOT NULL AND NOT ST_IsEmpty(NEW.geom);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER scarp_drawn_delete AFTER DELETE ON landslides
BEGIN
  DELETE FROM scarp_drawn WHERE id = OLD.id;
END;
-- +goose StatementEnd
