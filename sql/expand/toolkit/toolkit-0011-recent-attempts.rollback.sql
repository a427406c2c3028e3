SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

CREATE TABLE IF NOT EXISTS clerk_migration.attempts (
    key_hash bytea NOT NULL,
    window_start timestamptz NOT NULL,
    count integer NOT NULL,
    PRIMARY KEY (key_hash, window_start)
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS attempts_window_start_idx ON clerk_migration.attempts (window_start);

DROP TABLE IF EXISTS clerk_migration.recent_attempts;
