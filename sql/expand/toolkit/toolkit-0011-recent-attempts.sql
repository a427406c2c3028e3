-- The limits count a window that slides, as Clerk's do, instead of one that begins anew.
-- depends: toolkit-0010-signups

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

CREATE TABLE IF NOT EXISTS clerk_migration.recent_attempts (
    key_hash bytea PRIMARY KEY,
    times timestamptz[] NOT NULL,
    refused boolean NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS recent_attempts_updated_at_idx ON clerk_migration.recent_attempts (updated_at);

COMMENT ON TABLE clerk_migration.recent_attempts IS 'Attempts at logging in and signing up: what the limits go by.';
COMMENT ON COLUMN clerk_migration.recent_attempts.key_hash IS 'SHA-256 of what is limited, for example an address.';
COMMENT ON COLUMN clerk_migration.recent_attempts.times IS 'When there were attempts that were let through, within the window.';
COMMENT ON COLUMN clerk_migration.recent_attempts.refused IS 'Whether the last attempt was not let through.';

-- What counted them before; no release had it.
DROP TABLE IF EXISTS clerk_migration.attempts;
