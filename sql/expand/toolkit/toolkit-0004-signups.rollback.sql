-- Refuses while signups go on: what is needed to finish or undo them would be lost.

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

DO $$
BEGIN
    IF to_regclass('clerk_migration.signups') IS NOT NULL THEN
        IF EXISTS (SELECT FROM clerk_migration.signups WHERE state NOT IN ('verified', 'undone')) THEN
            RAISE EXCEPTION 'signups have begun and not ended (clerk_migration.signups)'
            USING HINT = 'Set the switch signup to legacy, then let `python -m toolkit sweep --unverified-hours 0` undo them.';
        END IF;
    END IF;
END
$$;

DROP TABLE IF EXISTS clerk_migration.signups;
