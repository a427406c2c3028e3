-- The Clerk session behind a session, and the client token that reaches it.
-- depends: baseline-0001-tables

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

ALTER TABLE sessions ADD COLUMN IF NOT EXISTS clerk_session_id text;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS clerk_client_token_cipher bytea;
ALTER TABLE sessions ADD COLUMN IF NOT EXISTS clerk_client_token_nonce bytea;

COMMENT ON COLUMN sessions.clerk_session_id IS 'The session in Clerk; NULL for one that legacy login made.';
COMMENT ON COLUMN sessions.clerk_client_token_cipher IS 'Clerk''s client token, AES-256-GCM with its tag at the end.';
