-- Who is let in by Clerk's Device Trust on the first device after the move.
-- depends: toolkit-0001-import

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

CREATE TABLE IF NOT EXISTS clerk_migration.device_graces (
    clerk_id text PRIMARY KEY,
    granted_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE clerk_migration.device_graces IS 'Users in Clerk that go past Device Trust (bypass_client_trust). A row is gone once its user has logged in, on a device that Clerk knows from then on, and Clerk is told to ask again on others.';
