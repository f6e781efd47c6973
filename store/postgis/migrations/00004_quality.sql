-- What the event lacked of what a run's model expects; empty for nothing.

-- +goose Up
ALTER TABLE scarp.runs ADD COLUMN quality text NOT NULL DEFAULT '';
