-- AX's tables as they are before the move.
--
-- A database that has them already is adopted: `python -m toolkit migrate` compares its columns with these and
-- marks this migration as applied; plain `yoyo apply` runs it, and it makes nothing. What it makes bears a
-- comment, by which the rollback tells its own tables from those it found.

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

DO $$
BEGIN
    PERFORM set_config('clerk_migration.adopted', (to_regclass('users') IS NOT NULL)::text, true);
END
$$;

CREATE TABLE IF NOT EXISTS users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- Compared byte by byte: addresses that differ only in case are two accounts to AX.
    email text NOT NULL UNIQUE,
    -- Argon2, as a PHC string.
    hashed_password text NOT NULL,
    email_verified_at timestamptz,
    enabled_2fa boolean NOT NULL DEFAULT false,
    -- The base32 TOTP secret, AES-256-GCM with its tag at the end, no associated data.
    totp_cipher bytea,
    -- The 12 bytes of nonce that go with it.
    nonce bytea,
    first_name text,
    last_name text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    disabled_at timestamptz
);

CREATE TABLE IF NOT EXISTS sessions (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 of the token, which is 256 random bits.
    token_hash bytea NOT NULL UNIQUE,
    ip_address inet,
    user_agent text,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz NOT NULL DEFAULT now(),
    -- Slides with use, never beyond max_expires_at.
    expires_at timestamptz NOT NULL,
    max_expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS sessions_user_id_idx ON sessions (user_id);

CREATE TABLE IF NOT EXISTS api_keys (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name text NOT NULL,
    -- SHA-256 of the key, `ax_` and 256 random bits.
    key_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    expires_at timestamptz,
    revoked_at timestamptz
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS api_keys_user_id_idx ON api_keys (user_id);

CREATE TABLE IF NOT EXISTS invites (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- SHA-256 of the code that the invited person types.
    code_hash bytea NOT NULL UNIQUE,
    uses_left integer NOT NULL CHECK (uses_left >= 0),
    created_by uuid REFERENCES users (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz
);

CREATE TABLE IF NOT EXISTS password_reset_codes (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 of the code that was mailed.
    code_hash bytea NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS password_reset_codes_user_id_idx ON password_reset_codes (user_id);

DO $$
BEGIN
    IF NOT current_setting('clerk_migration.adopted')::boolean THEN
        COMMENT ON TABLE users IS 'Made by migration baseline-0001-tables.';
    END IF;
END
$$;
