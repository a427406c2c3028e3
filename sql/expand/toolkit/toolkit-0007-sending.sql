-- What a killed import leaves behind can be found again: who was being sent, and whose Clerk users are ours.
-- depends: toolkit-0002-import-ledger

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

CREATE TABLE IF NOT EXISTS clerk_migration.sending (
    user_id text PRIMARY KEY,
    run_id bigint NOT NULL REFERENCES clerk_migration.runs (id)
);

COMMENT ON TABLE clerk_migration.sending IS 'Users that are about to be sent to Clerk and are not linked: noted before, gone with the link. Clerk users without a link that these rows lead to are withdrawn.';

CREATE TABLE IF NOT EXISTS clerk_migration.origin (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    single boolean NOT NULL DEFAULT true UNIQUE CHECK (single)
);

INSERT INTO clerk_migration.origin DEFAULT VALUES
ON CONFLICT (single) DO NOTHING;

COMMENT ON TABLE clerk_migration.origin IS 'This database''s own name. It stands in the private metadata of every Clerk user that comes from here: ids such as 1, 2, 3 are in every database.';
