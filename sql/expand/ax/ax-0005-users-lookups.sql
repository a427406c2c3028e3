-- What the import goes through, and whom an address belongs to: indexes, built as ax-0004-clerk-id-unique is.
-- depends: ax-0004-clerk-id-unique toolkit-0002-addresses
-- transactional: false

SET lock_timeout = '10min';
SET statement_timeout = 0;

-- Users who are not in Clerk yet, by id. It shrinks to nothing as they go over.
DROP INDEX CONCURRENTLY IF EXISTS users_due_idx;

-- Dropped above.
-- squawk-ignore prefer-robust-stmts
CREATE INDEX CONCURRENTLY users_due_idx ON users (id) WHERE clerk_id IS NULL;

-- Addresses as Clerk compares them: who logs in is found however the address is typed, and who signs up must not have the
-- address of somebody who is there already.
DROP INDEX CONCURRENTLY IF EXISTS users_normal_address_idx;

-- Dropped above.
-- squawk-ignore prefer-robust-stmts
CREATE INDEX CONCURRENTLY users_normal_address_idx ON users (clerk_migration.normal_address(email));
