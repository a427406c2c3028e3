SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

DROP TABLE IF EXISTS clerk_migration.changes;
DROP TABLE IF EXISTS clerk_migration.security_events;
DROP TABLE IF EXISTS clerk_migration.login_counts;
DROP TABLE IF EXISTS clerk_migration.attempts;
DROP TABLE IF EXISTS clerk_migration.devices;
DROP TABLE IF EXISTS clerk_migration.spent_codes;
DROP TABLE IF EXISTS clerk_migration.challenges;
