-- Signups with Clerk: what is needed to finish or undo one when a process dies in the middle.
-- depends: toolkit-0002-addresses

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

CREATE TABLE IF NOT EXISTS clerk_migration.signups (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    state text NOT NULL CHECK (
        state IN ('invite_taken', 'row_created', 'code_sent', 'decoy', 'undoing', 'verified', 'undone')
    ),
    user_id text NOT NULL UNIQUE,
    invite_id text NOT NULL,
    email text,
    delivery text NOT NULL CHECK (delivery IN ('cookie', 'bearer')),
    clerk_id text UNIQUE,
    email_address_id text,
    clerk_session_id text,
    client_token_cipher bytea,
    client_token_nonce bytea,
    password_hash bytea,
    code_hash bytea,
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (state <> 'undone' OR reason IS NOT NULL),
    CHECK ((client_token_cipher IS NULL) = (client_token_nonce IS NULL))
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS signups_open_idx ON clerk_migration.signups (updated_at)
WHERE state NOT IN ('verified', 'undone');

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS signups_normal_address_idx ON clerk_migration.signups (clerk_migration.normal_address(email))
WHERE state IN ('row_created', 'code_sent', 'decoy');

COMMENT ON TABLE clerk_migration.signups IS 'A row for each signup: the last step that was done. It ends as verified or undone.';
COMMENT ON COLUMN clerk_migration.signups.state IS 'The last step that was done. decoy: the address has an account already, which the browser must not learn. undoing: gone from AX, perhaps not from Clerk yet.';
COMMENT ON COLUMN clerk_migration.signups.user_id IS 'The id of the new user''s row, and the external ID in Clerk; chosen before either exists.';
COMMENT ON COLUMN clerk_migration.signups.email IS 'Where the code goes; NULL once the signup has ended.';
COMMENT ON COLUMN clerk_migration.signups.delivery IS 'How the session is to be handed over: cookie or bearer.';
COMMENT ON COLUMN clerk_migration.signups.email_address_id IS 'The address''s id in Clerk.';
COMMENT ON COLUMN clerk_migration.signups.clerk_session_id IS 'The session in Clerk that the code is tried with.';
COMMENT ON COLUMN clerk_migration.signups.client_token_cipher IS 'Clerk''s client token, AES-256-GCM with its tag at the end.';
COMMENT ON COLUMN clerk_migration.signups.password_hash IS 'Of a decoy, while it lasts: what scrypt makes of what was typed as password.';
COMMENT ON COLUMN clerk_migration.signups.code_hash IS 'HMAC-SHA-256, with a key of the BFF, of a code that is being tried in Clerk, or whose answer was lost.';
COMMENT ON COLUMN clerk_migration.signups.reason IS 'Why it was undone.';
