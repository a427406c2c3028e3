-- Signups under way: what the reconciler finishes or undoes when a process dies in the middle.
-- depends: toolkit-0001-runs

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

CREATE TABLE IF NOT EXISTS clerk_migration.signup_sagas (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    state text NOT NULL CHECK (
        state IN ('invite_taken', 'clerk_user_created', 'row_created', 'code_sent', 'verified', 'undone')
    ),
    user_id text NOT NULL UNIQUE,
    invite_id text NOT NULL,
    clerk_id text UNIQUE,
    reason text,
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (state <> 'undone' OR reason IS NOT NULL)
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS signup_sagas_open_idx ON clerk_migration.signup_sagas (updated_at)
WHERE state NOT IN ('verified', 'undone');

COMMENT ON TABLE clerk_migration.signup_sagas IS 'A row for each signup: the last step that was done. It ends as verified or undone.';
COMMENT ON COLUMN clerk_migration.signup_sagas.user_id IS 'The id of the new user''s row, and the external ID in Clerk; chosen before either exists.';
COMMENT ON COLUMN clerk_migration.signup_sagas.reason IS 'Why it was undone.';
