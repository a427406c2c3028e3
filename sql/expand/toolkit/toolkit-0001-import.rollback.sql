-- The source view lives in the schema whoever installed it, and goes with it.

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

DROP VIEW IF EXISTS clerk_migration.source;
DROP TABLE IF EXISTS clerk_migration.origin;
DROP FUNCTION IF EXISTS clerk_migration.this_database();
DROP TABLE IF EXISTS clerk_migration.sending;
DROP TABLE IF EXISTS clerk_migration.import_history;
DROP TABLE IF EXISTS clerk_migration.import_ledger;
DROP TABLE IF EXISTS clerk_migration.runs;
DROP FUNCTION IF EXISTS clerk_migration.refuse_rewriting();
DROP SCHEMA IF EXISTS clerk_migration;
