SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

ALTER TABLE clerk_migration.signup_sagas DROP COLUMN IF EXISTS code_hash;
COMMENT ON COLUMN clerk_migration.signup_sagas.password_hash IS 'Of a decoy, while it lasts: what was typed as password, scrypt, with its salt before it.';

CREATE TABLE IF NOT EXISTS clerk_migration.login_devices (
    id_hash bytea PRIMARY KEY,
    client_token_cipher bytea NOT NULL,
    client_token_nonce bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS login_devices_expires_at_idx ON clerk_migration.login_devices (expires_at);

COMMENT ON TABLE clerk_migration.login_devices IS 'Clerk''s client token of a device, so that Clerk knows it again (client trust).';
COMMENT ON COLUMN clerk_migration.login_devices.id_hash IS 'SHA-256 of the id that the device holds.';
COMMENT ON COLUMN clerk_migration.login_devices.client_token_cipher IS 'Clerk''s client token, AES-256-GCM with its tag at the end.';

DROP TABLE IF EXISTS clerk_migration.user_devices;
