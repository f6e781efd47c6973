-- What a map draws is found in an index of its own, in which each landslide's box has its level
-- as third dimension. Triggers keep it right for every writer; what others write is
-- drawn on all levels.

-- +goose Up
CREATE VIRTUAL TABLE scarp_drawn USING rtree(id, minx, maxx, miny, maxy, minlevel, maxlevel);
INSERT INTO scarp_drawn SELECT id, minx, maxx, miny, maxy, 0, 0 FROM rtree_landslides_geom;

-- +goose StatementBegin
CREATE TRIGGER scarp_drawn_insert AFTER INSERT ON landslides
  WHEN (NEW.geom NOT NULL AND NOT ST_IsEmpty(NEW.geom))
BEGIN
  INSERT OR REPLACE INTO scarp_drawn VALUES
    (NEW.id, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom), 0, 0);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER scarp_drawn_update AFTER UPDATE OF id, geom ON landslides
BEGIN
  DELETE FROM scarp_drawn WHERE id IN (OLD.id, NEW.id);
  INSERT INTO scarp_drawn
    SELECT NEW.id, ST_MinX(NEW.geom), ST_MaxX(NEW.geom), ST_MinY(NEW.geom), ST_MaxY(NEW.geom), 0, 0
    WHERE NEW.geom NOT NULL AND NOT ST_IsEmpty(NEW.geom);
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER scarp_drawn_delete AFTER DELETE ON landslides
BEGIN
  DELETE FROM scarp_drawn WHERE id = OLD.id;
END;
-- +goose StatementEnd
