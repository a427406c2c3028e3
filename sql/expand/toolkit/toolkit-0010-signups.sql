-- What a signup with Clerk has to remember until it is verified or undone.
-- depends: toolkit-0005-signup-sagas

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

ALTER TABLE clerk_migration.signup_sagas ADD COLUMN IF NOT EXISTS email text;
ALTER TABLE clerk_migration.signup_sagas ADD COLUMN IF NOT EXISTS email_address_id text;
ALTER TABLE clerk_migration.signup_sagas ADD COLUMN IF NOT EXISTS clerk_session_id text;
ALTER TABLE clerk_migration.signup_sagas ADD COLUMN IF NOT EXISTS client_token_cipher bytea;
ALTER TABLE clerk_migration.signup_sagas ADD COLUMN IF NOT EXISTS client_token_nonce bytea;
ALTER TABLE clerk_migration.signup_sagas ADD COLUMN IF NOT EXISTS transport text NOT NULL DEFAULT 'cookie';

ALTER TABLE clerk_migration.signup_sagas DROP CONSTRAINT IF EXISTS signup_sagas_state_check;
ALTER TABLE clerk_migration.signup_sagas ADD CONSTRAINT signup_sagas_state_check
CHECK (state IN ('invite_taken', 'row_created', 'code_sent', 'decoy', 'undoing', 'verified', 'undone')) NOT VALID;
ALTER TABLE clerk_migration.signup_sagas VALIDATE CONSTRAINT signup_sagas_state_check;

COMMENT ON COLUMN clerk_migration.signup_sagas.state IS 'The last step that was done. decoy: the address has an account already, which the browser must not learn. undoing: gone from AX, perhaps not from Clerk yet.';
COMMENT ON COLUMN clerk_migration.signup_sagas.email IS 'Where the code goes; NULL once the signup has ended.';
COMMENT ON COLUMN clerk_migration.signup_sagas.email_address_id IS 'The address''s id in Clerk.';
COMMENT ON COLUMN clerk_migration.signup_sagas.clerk_session_id IS 'The session in Clerk that the code is tried with.';
COMMENT ON COLUMN clerk_migration.signup_sagas.client_token_cipher IS 'Clerk''s client token, AES-256-GCM with its tag at the end.';
COMMENT ON COLUMN clerk_migration.signup_sagas.transport IS 'How the session is to be handed over: cookie or bearer.';
