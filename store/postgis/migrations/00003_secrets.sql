-- The secret by which servers know each other's paging tokens.

-- +goose Up
CREATE TABLE scarp.secrets (name text PRIMARY KEY, value bytea NOT NULL);
INSERT INTO scarp.secrets VALUES ('tokens', sha256((gen_random_uuid()::text || gen_random_uuid()::text)::bytea));
