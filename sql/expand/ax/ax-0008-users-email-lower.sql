-- Addresses as Clerk compares them: whoever signs up must not have the address of somebody who is there already, in
-- whatever case it was typed.
-- depends: baseline-0001-tables
-- transactional: false

-- As in ax-0002-clerk-id-unique.
SET lock_timeout = '10min';
SET statement_timeout = 0;

DROP INDEX CONCURRENTLY IF EXISTS users_email_lower_idx;

-- Dropped above.
-- squawk-ignore prefer-robust-stmts
CREATE INDEX CONCURRENTLY users_email_lower_idx ON users (lower(email));
