-- Refuses while users are linked: without their clerk_id they would be checked against the legacy digest again, and
-- without the guard the application could write passwords where nobody looks any more.
-- Looks twice: first while nobody is blocked, for as long as it takes; then with the table locked, at whoever was linked
-- meanwhile. The lock is at once the one that the drop needs: a stronger one afterwards could end in a deadlock.

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10min';

DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_attribute WHERE attrelid = to_regclass('users') AND attname = 'clerk_id' AND NOT attisdropped
    ) THEN
        FOR look IN 1..2 LOOP
            IF EXISTS (SELECT FROM users WHERE clerk_id IS NOT NULL) THEN
                RAISE EXCEPTION 'users are linked to Clerk (users.clerk_id), so column and guard are not dropped'
                USING HINT = 'Clerk checks their login, and nothing else may. They go only from a database without linked users.';
            END IF;
            LOCK TABLE users IN ACCESS EXCLUSIVE MODE;
        END LOOP;
    END IF;
END
$$;

DROP TRIGGER IF EXISTS end_sessions_from_before ON users;
DROP FUNCTION IF EXISTS clerk_migration.end_sessions_from_before();
DROP TRIGGER IF EXISTS refuse_legacy_change ON users;
DROP FUNCTION IF EXISTS clerk_migration.refuse_legacy_change();
ALTER TABLE users DROP COLUMN IF EXISTS clerk_id;
