-- A device is known for the user who logged in there, and not for whoever else does; and a signup remembers the code
-- whose answer was lost, so that only that code finishes it.
-- depends: toolkit-0012-decoy-passwords

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

CREATE TABLE IF NOT EXISTS clerk_migration.user_devices (
    device_hash bytea NOT NULL,
    user_id uuid NOT NULL,
    client_token_cipher bytea NOT NULL,
    client_token_nonce bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (device_hash, user_id)
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS user_devices_expires_at_idx ON clerk_migration.user_devices (expires_at);

COMMENT ON TABLE clerk_migration.user_devices IS 'Clerk''s client token of a user on a device, so that Clerk knows it again (client trust).';
COMMENT ON COLUMN clerk_migration.user_devices.device_hash IS 'SHA-256 of the id that the device holds.';
COMMENT ON COLUMN clerk_migration.user_devices.client_token_cipher IS 'Clerk''s client token, AES-256-GCM with its tag at the end.';

-- What kept them before; no release had it.
DROP TABLE IF EXISTS clerk_migration.login_devices;

ALTER TABLE clerk_migration.signup_sagas ADD COLUMN IF NOT EXISTS code_hash bytea;

COMMENT ON COLUMN clerk_migration.signup_sagas.code_hash IS 'SHA-256 of a code that is being tried in Clerk, or whose answer was lost.';
COMMENT ON COLUMN clerk_migration.signup_sagas.password_hash IS 'Of a decoy, while it lasts: what scrypt makes of what was typed as password.';
