-- Refuses while users are linked: a Clerk user belongs to one row, and it is this index that says so. An index whose
-- build failed says nothing, and goes. The refusal stands first, because yoyo takes back what it did before a failure,
-- and would build the index anew.

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('users_clerk_id_key') AND indisvalid) THEN
        IF EXISTS (SELECT FROM users WHERE clerk_id IS NOT NULL) THEN
            RAISE EXCEPTION 'users are linked to Clerk (users.clerk_id), so its unique index is not dropped'
            USING HINT = 'It goes only from a database without linked users.';
        END IF;
    END IF;
END
$$;

SET lock_timeout = '10min';
SET statement_timeout = 0;

DROP INDEX CONCURRENTLY IF EXISTS users_clerk_id_key;
