-- Refuses while users are linked: without their clerk_id they would be checked against the legacy digest again.

SET LOCAL lock_timeout = '2s';
-- The check reads the whole table, and blocks nobody.
SET LOCAL statement_timeout = '10min';

DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = to_regclass('users') AND attname = 'clerk_id' AND NOT attisdropped
    ) THEN
        IF EXISTS (SELECT FROM users WHERE clerk_id IS NOT NULL) THEN
            RAISE EXCEPTION 'users are linked to Clerk (users.clerk_id), so the column is not dropped'
            USING HINT = 'Clerk checks their login, and nothing else may. It goes only from a database without linked users.';
        END IF;
    END IF;
END
$$;

ALTER TABLE users DROP COLUMN IF EXISTS clerk_id;
