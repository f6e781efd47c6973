-- +goose Up
-- What a job that is no mapping has kept: JSON, a list of id, mediaType and name.
ALTER TABLE scarp_job ADD COLUMN outputs TEXT NOT NULL DEFAULT '';
-- 1 where the job failed because of what its client sent.
ALTER TABLE scarp_job ADD COLUMN bad_inputs INTEGER NOT NULL DEFAULT 0;

-- Who wants to be told of a job: URLs, empty for none.
CREATE TABLE scarp_job_subscriber (
    job      TEXT PRIMARY KEY REFERENCES scarp_job (id) ON DELETE CASCADE,
    success  TEXT NOT NULL,
    progress TEXT NOT NULL,
    failure  TEXT NOT NULL,
    told     BIGINT NOT NULL DEFAULT 0 -- when progress was told last
);

-- +goose Down
DROP TABLE scarp_job_subscriber;
ALTER TABLE scarp_job DROP COLUMN bad_inputs;
ALTER TABLE scarp_job DROP COLUMN outputs;
