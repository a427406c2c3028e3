-- What logins on both systems need beside their challenges: devices that Clerk knows, and limits on guessing.
-- depends: toolkit-0004-logins

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

ALTER TABLE clerk_migration.login_challenges ADD COLUMN IF NOT EXISTS kind text NOT NULL DEFAULT 'second_factor';
ALTER TABLE clerk_migration.login_challenges ADD COLUMN IF NOT EXISTS transport text NOT NULL DEFAULT 'cookie';
ALTER TABLE clerk_migration.login_challenges ADD COLUMN IF NOT EXISTS factors jsonb NOT NULL DEFAULT '[]';
ALTER TABLE clerk_migration.login_challenges ADD COLUMN IF NOT EXISTS digest_hash bytea;
ALTER TABLE clerk_migration.login_challenges ADD COLUMN IF NOT EXISTS totp_step bigint;

COMMENT ON COLUMN clerk_migration.login_challenges.kind IS 'second_factor or client_trust.';
COMMENT ON COLUMN clerk_migration.login_challenges.transport IS 'How the session is to be handed over: cookie or bearer.';
COMMENT ON COLUMN clerk_migration.login_challenges.factors IS 'The ways to finish it: method, and where a code goes (masked), with Clerk''s ids.';
COMMENT ON COLUMN clerk_migration.login_challenges.digest_hash IS 'SHA-256 of the legacy digest that the password was checked against: a password changed since ends the challenge.';
COMMENT ON COLUMN clerk_migration.login_challenges.totp_step IS 'The 30-second step of the legacy TOTP code that finished it: a code works once.';

-- The table is small: its rows live ten minutes.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS login_challenges_user_id_idx ON clerk_migration.login_challenges (user_id);

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

CREATE TABLE IF NOT EXISTS clerk_migration.attempts (
    key_hash bytea NOT NULL,
    window_start timestamptz NOT NULL,
    count integer NOT NULL,
    PRIMARY KEY (key_hash, window_start)
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS attempts_window_start_idx ON clerk_migration.attempts (window_start);

COMMENT ON TABLE clerk_migration.attempts IS 'Attempts at logging in, by window of time: what the limits go by.';
COMMENT ON COLUMN clerk_migration.attempts.key_hash IS 'SHA-256 of what is limited: an address, or an account''s email address.';
