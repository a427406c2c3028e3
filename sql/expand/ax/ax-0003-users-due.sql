-- Users who are not in Clerk yet, by id: what an import goes through. It shrinks to nothing as they go over.
-- depends: ax-0001-clerk-id
-- transactional: false

-- As in ax-0002-clerk-id-unique.
SET lock_timeout = '10min';
SET statement_timeout = 0;

DROP INDEX CONCURRENTLY IF EXISTS users_due_idx;

-- Dropped above.
-- squawk-ignore prefer-robust-stmts
CREATE INDEX CONCURRENTLY users_due_idx ON users (id) WHERE clerk_id IS NULL;
