SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

ALTER TABLE sessions DROP COLUMN IF EXISTS proved_at;
ALTER TABLE sessions DROP COLUMN IF EXISTS clerk_client_token_nonce;
ALTER TABLE sessions DROP COLUMN IF EXISTS clerk_client_token_cipher;
ALTER TABLE sessions DROP COLUMN IF EXISTS clerk_session_id;
