-- Who is in Clerk. A nullable column without a default changes the catalogue only.
-- depends: baseline-0001-tables

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

ALTER TABLE users ADD COLUMN IF NOT EXISTS clerk_id text;

COMMENT ON COLUMN users.clerk_id IS 'The user''s id in Clerk. Set: Clerk checks the login. NULL: AX does.';
