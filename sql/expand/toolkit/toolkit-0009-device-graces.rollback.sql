SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

DROP TABLE IF EXISTS clerk_migration.device_graces;
