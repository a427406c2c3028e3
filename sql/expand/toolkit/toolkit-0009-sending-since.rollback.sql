SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

ALTER TABLE clerk_migration.origin DROP COLUMN IF EXISTS database;
DROP FUNCTION IF EXISTS clerk_migration.this_database();
ALTER TABLE clerk_migration.sending DROP COLUMN IF EXISTS noted_at;
