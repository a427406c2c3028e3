-- Canaries: proofs of one password each, by a stand-in that Clerk has for as long as that takes.
-- depends: toolkit-0001-import

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

CREATE TABLE IF NOT EXISTS clerk_migration.canaries (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    canary text NOT NULL,
    event text NOT NULL CHECK (event IN ('begun', 'ended', 'removed')),
    user_id text,
    finding text,
    noted_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((event = 'begun') = (user_id IS NOT NULL)),
    CHECK ((event = 'ended') = (finding IS NOT NULL))
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE UNIQUE INDEX IF NOT EXISTS canaries_canary_event_idx ON clerk_migration.canaries (canary, event);

COMMENT ON TABLE clerk_migration.canaries IS 'What became of each canary: rows are added, and never changed. A stand-in that was begun and is not removed may still be in Clerk.';
COMMENT ON COLUMN clerk_migration.canaries.canary IS 'The stand-in''s external ID in Clerk.';
COMMENT ON COLUMN clerk_migration.canaries.user_id IS 'The id, as text, of the row whose password was tried.';
COMMENT ON COLUMN clerk_migration.canaries.finding IS 'What came out, a code of toolkit/migration/findings.py.';
