-- Outside a transaction, in steps: the table is read without a lock that anybody notices (VALIDATE), and
-- SET NOT NULL then takes the constraint's word for it instead of reading all rows under an exclusive lock. One that
-- breaks off may leave the constraint, and the migration counts as applied: the next rollback begins anew, without it.

SET lock_timeout = '2s';
SET statement_timeout = '10min';

ALTER TABLE users DROP CONSTRAINT IF EXISTS users_hashed_password_present;

DO $$
BEGIN
    IF EXISTS (SELECT FROM users WHERE hashed_password IS NULL) THEN
        RAISE EXCEPTION 'users without a password digest exist, so users.hashed_password stays nullable'
        USING HINT = 'They can only log in with Clerk. Delete them, or give them a digest, before this is rolled back.';
    END IF;
END
$$;

ALTER TABLE users ADD CONSTRAINT users_hashed_password_present CHECK (hashed_password IS NOT NULL) NOT VALID;

ALTER TABLE users VALIDATE CONSTRAINT users_hashed_password_present;

-- May be run twice.
-- squawk-ignore prefer-robust-stmts
ALTER TABLE users ALTER COLUMN hashed_password SET NOT NULL;

ALTER TABLE users DROP CONSTRAINT IF EXISTS users_hashed_password_present;
