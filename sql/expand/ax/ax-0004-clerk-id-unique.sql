-- A Clerk user belongs to one row (invariant 1). Built while the table is written to; what a failed build left behind, an
-- invalid index that IF NOT EXISTS would accept, is dropped first.
-- depends: ax-0003-password-nullable
-- transactional: false

-- The build waits for transactions that are older than itself, and nobody waits for the build.
SET lock_timeout = '10min';
SET statement_timeout = 0;

DROP INDEX CONCURRENTLY IF EXISTS users_clerk_id_key;

-- Dropped above.
-- squawk-ignore prefer-robust-stmts
CREATE UNIQUE INDEX CONCURRENTLY users_clerk_id_key ON users (clerk_id) WHERE clerk_id IS NOT NULL;
