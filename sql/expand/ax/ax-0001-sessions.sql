-- The Clerk session behind a session, the client token that reaches it, and when its holder last proved who they are.
-- depends: baseline-0001-tables

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

ALTER TABLE sessions ADD COLUMN IF NOT EXISTS clerk_session_id text;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS clerk_client_token_cipher bytea;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS clerk_client_token_nonce bytea;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS proved_at timestamptz;

COMMENT ON COLUMN sessions.clerk_session_id IS 'The session in Clerk; NULL for one that legacy login made.';
COMMENT ON COLUMN sessions.clerk_client_token_cipher IS 'Clerk''s client token, AES-256-GCM with its tag at the end.';
COMMENT ON COLUMN sessions.proved_at IS 'When its holder last proved password and second factor; NULL for one from before the move.';
