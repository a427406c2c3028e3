SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

DROP TABLE IF EXISTS clerk_migration.switch_history;
DROP TABLE IF EXISTS clerk_migration.switches;
DROP FUNCTION IF EXISTS clerk_migration.note_switch();
