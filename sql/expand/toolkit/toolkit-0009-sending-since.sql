-- When a user was noted, as a create that is on its way may still arrive; and which database the origin is of, as a
-- copy of a database must not take the other's Clerk users for its own.
-- depends: toolkit-0007-sending

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

ALTER TABLE clerk_migration.sending ADD COLUMN IF NOT EXISTS noted_at timestamptz NOT NULL DEFAULT now();

ALTER TABLE clerk_migration.origin ADD COLUMN IF NOT EXISTS database text;

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

COMMENT ON FUNCTION clerk_migration.this_database() IS 'What tells this database from a copy of it: system identifier, oid and name.';

UPDATE clerk_migration.origin
SET database = clerk_migration.this_database()
WHERE database IS NULL;

COMMENT ON COLUMN clerk_migration.origin.database IS 'Where this stands: the server''s system identifier, the database''s oid and its name. Elsewhere it is a copy.';
