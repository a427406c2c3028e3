-- Users who sign up with Clerk have no digest here.
-- depends: ax-0002-users
-- transactional: false

SET lock_timeout = '2s';
SET statement_timeout = '10s';

-- Left behind by a rollback that was interrupted.
ALTER TABLE users DROP CONSTRAINT IF EXISTS users_hashed_password_present;

-- May be run twice, and is what this is for.
-- squawk-ignore prefer-robust-stmts, ban-drop-not-null
ALTER TABLE users ALTER COLUMN hashed_password DROP NOT NULL;
