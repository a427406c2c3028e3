-- Refuses while users are linked: without it the application could write passwords where nobody looks any more.

SET LOCAL lock_timeout = '2s';
-- The check reads the whole table, and blocks nobody.
SET LOCAL statement_timeout = '10min';

DO $$
BEGIN
    IF to_regclass('users') IS NOT NULL THEN
        IF EXISTS (SELECT FROM users WHERE clerk_id IS NOT NULL) THEN
            RAISE EXCEPTION 'users are linked to Clerk (users.clerk_id), so the guard on their passwords stays'
            USING HINT = 'It goes only from a database without linked users.';
        END IF;
        DROP TRIGGER IF EXISTS refuse_legacy_change ON users;
    END IF;
END
$$;

DROP FUNCTION IF EXISTS clerk_migration.refuse_legacy_change();
