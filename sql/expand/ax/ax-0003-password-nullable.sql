-- Users who sign up with Clerk have no digest here. One statement: of several, yoyo would answer a failure with the
-- rollback's statements of the same numbers, and one of those makes the column NOT NULL.
-- depends: ax-0002-users
-- transactional: false

DO $$
BEGIN
    SET LOCAL lock_timeout = '2s';
    ALTER TABLE users ALTER COLUMN hashed_password DROP NOT NULL;
END
$$;
