SET lock_timeout = '10min';
SET statement_timeout = 0;

DROP INDEX CONCURRENTLY IF EXISTS users_normal_address_idx;
DROP INDEX CONCURRENTLY IF EXISTS users_due_idx;
