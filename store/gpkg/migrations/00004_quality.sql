-- What the event lacked of what a run's model expects; empty for nothing.

-- +goose Up
ALTER TABLE runs ADD COLUMN quality TEXT NOT NULL DEFAULT '';
