-- What became of each user that an import looked at.
-- depends: toolkit-0001-runs

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

CREATE TABLE IF NOT EXISTS clerk_migration.import_ledger (
    user_id text PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('linked', 'refused', 'held', 'conflict', 'failed')),
    error_code text,
    clerk_id text,
    attempts integer NOT NULL,
    run_id bigint NOT NULL REFERENCES clerk_migration.runs (id),
    first_attempt_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS import_ledger_state_error_code_idx ON clerk_migration.import_ledger (state, error_code);

COMMENT ON TABLE clerk_migration.import_ledger IS 'A row for each user that an import looked at, as the last attempt left it.';
COMMENT ON COLUMN clerk_migration.import_ledger.user_id IS 'The id of the source view as text; the external ID in Clerk.';
COMMENT ON COLUMN clerk_migration.import_ledger.error_code IS 'Why the user is not linked: a reason of the toolkit, or Clerk''s code. Never a secret.';
