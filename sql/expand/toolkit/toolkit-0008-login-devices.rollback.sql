SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

DROP TABLE IF EXISTS clerk_migration.attempts;
DROP TABLE IF EXISTS clerk_migration.login_devices;
-- A small table: its rows live ten minutes.
-- squawk-ignore require-concurrent-index-deletion
DROP INDEX IF EXISTS clerk_migration.login_challenges_user_id_idx;
ALTER TABLE clerk_migration.login_challenges DROP COLUMN IF EXISTS totp_step;
ALTER TABLE clerk_migration.login_challenges DROP COLUMN IF EXISTS digest_hash;
ALTER TABLE clerk_migration.login_challenges DROP COLUMN IF EXISTS factors;
ALTER TABLE clerk_migration.login_challenges DROP COLUMN IF EXISTS transport;
ALTER TABLE clerk_migration.login_challenges DROP COLUMN IF EXISTS kind;
