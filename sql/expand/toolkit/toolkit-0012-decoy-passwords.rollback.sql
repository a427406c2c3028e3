SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

ALTER TABLE clerk_migration.signup_sagas DROP COLUMN IF EXISTS password_hash;
