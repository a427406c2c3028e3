-- A signup that leads nowhere answers a login with its password as one that leads somewhere.
-- depends: toolkit-0011-recent-attempts

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

ALTER TABLE clerk_migration.signup_sagas ADD COLUMN IF NOT EXISTS password_hash bytea;

COMMENT ON COLUMN clerk_migration.signup_sagas.password_hash IS 'Of a decoy, while it lasts: what was typed as password, scrypt, with its salt before it.';
