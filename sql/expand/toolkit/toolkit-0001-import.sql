-- The toolkit's own schema, and what the import writes down: its runs, what became of each user, and who is on the way.

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

CREATE SCHEMA IF NOT EXISTS clerk_migration;

COMMENT ON SCHEMA clerk_migration IS 'The move of the users to Clerk: what is to be moved, what was done, and what is switched on.';

CREATE OR REPLACE FUNCTION clerk_migration.refuse_rewriting() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is a record: rows are added, and neither changed nor deleted', TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'CM002';
END
$$;

COMMENT ON FUNCTION clerk_migration.refuse_rewriting() IS 'Keeps a record append-only (SQLSTATE CM002). TRUNCATE empties it, as a copy of a database needs.';

CREATE TABLE IF NOT EXISTS clerk_migration.runs (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    command text NOT NULL,
    environment text NOT NULL,
    options jsonb NOT NULL DEFAULT '{}',
    operator text NOT NULL,
    role text NOT NULL DEFAULT session_user,
    version text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    outcome text CHECK (outcome IN ('finished', 'interrupted', 'failed', 'killed')),
    error text,
    counts jsonb
);

COMMENT ON TABLE clerk_migration.runs IS 'A row for each run of a command. One without an outcome goes on, or was killed, which the next one notes. What has ended is not changed any more.';
COMMENT ON COLUMN clerk_migration.runs.operator IS 'The operator''s user@host.';
COMMENT ON COLUMN clerk_migration.runs.role IS 'The database role that it ran as.';
COMMENT ON COLUMN clerk_migration.runs.version IS 'The version of the toolkit.';
COMMENT ON COLUMN clerk_migration.runs.finished_at IS 'NULL as long as it goes on; of one that was killed nobody knows.';
COMMENT ON COLUMN clerk_migration.runs.error IS 'Why it ended as it did; NULL when there is nothing to say. Never a secret.';

CREATE OR REPLACE TRIGGER refuse_rewriting_ended
BEFORE UPDATE ON clerk_migration.runs
FOR EACH ROW
WHEN (OLD.outcome IS NOT NULL)
EXECUTE FUNCTION clerk_migration.refuse_rewriting();

CREATE OR REPLACE TRIGGER refuse_deleting
BEFORE DELETE ON clerk_migration.runs
FOR EACH STATEMENT
EXECUTE FUNCTION clerk_migration.refuse_rewriting();

CREATE TABLE IF NOT EXISTS clerk_migration.import_ledger (
    user_id text PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('linked', 'refused', 'held', 'conflict', 'failed')),
    error_code text,
    clerk_id text,
    attempts integer NOT NULL,
    run_id bigint NOT NULL REFERENCES clerk_migration.runs (id),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS import_ledger_state_error_code_idx ON clerk_migration.import_ledger (state, error_code);

COMMENT ON TABLE clerk_migration.import_ledger IS 'A row for each user that an import looked at, as the last attempt left it.';
COMMENT ON COLUMN clerk_migration.import_ledger.user_id IS 'The id of the source view as text; the external ID in Clerk.';
COMMENT ON COLUMN clerk_migration.import_ledger.error_code IS 'Why the user is not linked: a reason of the toolkit, or Clerk''s code. Never a secret.';

CREATE TABLE IF NOT EXISTS clerk_migration.import_history (
    user_id text NOT NULL,
    run_id bigint NOT NULL REFERENCES clerk_migration.runs (id),
    state text NOT NULL CHECK (state IN ('linked', 'refused', 'held', 'conflict', 'failed')),
    error_code text,
    clerk_id text,
    at timestamptz NOT NULL DEFAULT now()
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS import_history_user_id_idx ON clerk_migration.import_history (user_id);

COMMENT ON TABLE clerk_migration.import_history IS 'What became of each user in each run. Append-only; import_ledger has the last of it.';

CREATE OR REPLACE TRIGGER refuse_rewriting
BEFORE UPDATE OR DELETE ON clerk_migration.import_history
FOR EACH STATEMENT
EXECUTE FUNCTION clerk_migration.refuse_rewriting();

CREATE TABLE IF NOT EXISTS clerk_migration.sending (
    user_id text PRIMARY KEY,
    run_id bigint NOT NULL REFERENCES clerk_migration.runs (id),
    noted_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE clerk_migration.sending IS 'Users that are about to be sent to Clerk and are not linked: noted before, gone with the link. Clerk users without a link that these rows lead to are withdrawn.';
COMMENT ON COLUMN clerk_migration.sending.noted_at IS 'A create that was sent shortly before its process died may still arrive at Clerk.';

CREATE OR REPLACE FUNCTION clerk_migration.this_database() RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    server text := '';
BEGIN
    BEGIN
        server := (SELECT system_identifier::text FROM pg_control_system());
    EXCEPTION WHEN insufficient_privilege THEN
        NULL;
    END;
    RETURN format('%s/%s/%s', server, (SELECT oid FROM pg_database WHERE datname = current_database()), current_database());
END
$$;

COMMENT ON FUNCTION clerk_migration.this_database() IS 'What tells this database from a copy of it: the server''s system identifier, the database''s oid and its name.';

CREATE TABLE IF NOT EXISTS clerk_migration.origin (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    single boolean NOT NULL DEFAULT true UNIQUE CHECK (single),
    database text NOT NULL DEFAULT clerk_migration.this_database(),
    environment text
);

INSERT INTO clerk_migration.origin DEFAULT VALUES
ON CONFLICT (single) DO NOTHING;

COMMENT ON TABLE clerk_migration.origin IS 'This database''s own name. It stands in the private metadata of every Clerk user that comes from here: ids such as 1, 2, 3 are in every database.';
COMMENT ON COLUMN clerk_migration.origin.database IS 'What this_database() said when the name was given. Where it says something else, this is a copy, and must not take the other''s Clerk users for its own.';
COMMENT ON COLUMN clerk_migration.origin.environment IS 'The environment that this database belongs to, by the name of its playbook: no command of another one works on it. NULL for the embedded sandbox, and before the first migrate.';
