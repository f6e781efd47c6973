-- Times are microseconds since 1970 by the database's clock; 0 is never.
-- The same statements serve SQLite and Postgres.

-- +goose Up
CREATE TABLE scarp_job (
    id             TEXT PRIMARY KEY,
    process        TEXT NOT NULL,
    event          TEXT NOT NULL,
    spec           TEXT NOT NULL, -- JSON
    request        TEXT NOT NULL, -- JSON, opaque
    revision       TEXT NOT NULL, -- of the event when the job was accepted
    model          TEXT NOT NULL,
    digest         TEXT NOT NULL, -- of the model when the job was accepted
    status         TEXT NOT NULL,
    stage          TEXT NOT NULL, -- predict, finish
    progress       INTEGER NOT NULL DEFAULT 0,
    message        TEXT NOT NULL,
    blocks_done    INTEGER NOT NULL DEFAULT 0,
    blocks_planned INTEGER NOT NULL,
    created        BIGINT NOT NULL,
    started        BIGINT NOT NULL DEFAULT 0,
    updated        BIGINT NOT NULL,
    finished       BIGINT NOT NULL DEFAULT 0,
    summary        TEXT NOT NULL DEFAULT '' -- JSON
);
CREATE INDEX scarp_job_created ON scarp_job (created, id);
CREATE INDEX scarp_job_status ON scarp_job (status);

CREATE TABLE scarp_job_log (
    job     TEXT NOT NULL REFERENCES scarp_job (id) ON DELETE CASCADE,
    n       INTEGER NOT NULL,
    time    BIGINT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (job, n)
);

-- A task is a batch of blocks, or (the last one of a job) the finishing.
CREATE TABLE scarp_job_task (
    job      TEXT NOT NULL REFERENCES scarp_job (id) ON DELETE CASCADE,
    n        INTEGER NOT NULL,
    blocks   INTEGER NOT NULL,           -- planned; 0 for finishing
    done     INTEGER NOT NULL DEFAULT 0, -- blocks
    complete INTEGER NOT NULL DEFAULT 0, -- 1 when the task is
    worker   TEXT NOT NULL DEFAULT '',   -- who has it
    lease    BIGINT NOT NULL DEFAULT 0,  -- when the worker last said that it lives
    queue_id BIGINT NOT NULL,            -- in the queue (river_job)
    PRIMARY KEY (job, n)
);
CREATE INDEX scarp_job_task_queue ON scarp_job_task (queue_id);

-- +goose Down
DROP TABLE scarp_job_task;
DROP TABLE scarp_job_log;
DROP TABLE scarp_job;
