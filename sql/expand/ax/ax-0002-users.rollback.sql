-- Refuses while users are linked: without their clerk_id they would be checked against the legacy digest again, and
-- without the guard the application could write passwords where nobody looks any more.

SET LOCAL lock_timeout = '2s';
-- The check reads the whole table, and blocks nobody.
SET LOCAL statement_timeout = '10min';

DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = to_regclass('users') AND attname = 'clerk_id' AND NOT attisdropped
    ) THEN
        IF EXISTS (SELECT FROM users WHERE clerk_id IS NOT NULL) THEN
            RAISE EXCEPTION 'users are linked to Clerk (users.clerk_id), so column and guard are not dropped'
            USING HINT = 'Clerk checks their login, and nothing else may. They go only from a database without linked users.';
        END IF;
    END IF;
END
$$;

DROP TRIGGER IF EXISTS refuse_legacy_change ON users;
DROP FUNCTION IF EXISTS clerk_migration.refuse_legacy_change();
ALTER TABLE users DROP COLUMN IF EXISTS clerk_id;
