SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

DO $$
BEGIN
    IF to_regclass('users') IS NOT NULL THEN
        DROP TRIGGER IF EXISTS refuse_legacy_change ON users;
    END IF;
END
$$;

DROP FUNCTION IF EXISTS clerk_migration.refuse_legacy_change();
