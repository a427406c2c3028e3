-- Logins that wait for a second step, and how many logins there were on which system.
-- depends: toolkit-0001-runs

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

CREATE TABLE IF NOT EXISTS clerk_migration.login_challenges (
    id_hash bytea PRIMARY KEY,
    user_id text NOT NULL,
    path text NOT NULL CHECK (path IN ('clerk', 'legacy')),
    clerk_sign_in_id text,
    client_token_cipher bytea,
    client_token_nonce bytea,
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CHECK ((path = 'clerk') = (clerk_sign_in_id IS NOT NULL AND client_token_cipher IS NOT NULL)),
    CHECK ((client_token_cipher IS NULL) = (client_token_nonce IS NULL))
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS login_challenges_expires_at_idx ON clerk_migration.login_challenges (expires_at);

COMMENT ON TABLE clerk_migration.login_challenges IS 'Logins whose password was right and that wait for a second step.';
COMMENT ON COLUMN clerk_migration.login_challenges.id_hash IS 'SHA-256 of the id that the browser holds.';
COMMENT ON COLUMN clerk_migration.login_challenges.client_token_cipher IS 'Clerk''s client token, AES-256-GCM with its tag at the end.';

CREATE TABLE IF NOT EXISTS clerk_migration.login_counts (
    day date NOT NULL,
    path text NOT NULL CHECK (path IN ('clerk', 'legacy', 'lazy')),
    outcome text NOT NULL,
    count bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (day, path, outcome)
);

COMMENT ON TABLE clerk_migration.login_counts IS 'Logins by day (UTC), path and outcome: what the gates of the cutover read.';
