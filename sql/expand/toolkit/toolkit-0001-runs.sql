-- The toolkit's own schema, and its runs.

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

CREATE SCHEMA IF NOT EXISTS clerk_migration;

COMMENT ON SCHEMA clerk_migration IS 'The move of the users to Clerk: what is to be moved, what was done, and what is switched on.';

CREATE TABLE IF NOT EXISTS clerk_migration.runs (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    command text NOT NULL,
    environment text NOT NULL,
    options jsonb NOT NULL DEFAULT '{}',
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    outcome text CHECK (outcome IN ('finished', 'interrupted', 'failed')),
    counts jsonb
);

COMMENT ON TABLE clerk_migration.runs IS 'A row for each run of a command. One without an outcome goes on, or was killed.';
