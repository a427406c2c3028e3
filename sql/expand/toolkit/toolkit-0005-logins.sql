-- Logging in, on both systems: challenges, spent codes, the devices that Clerk knows, the limits' attempts, how many logins
-- there were on which system, and what was done to accounts.
-- depends: toolkit-0001-import

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

CREATE TABLE IF NOT EXISTS clerk_migration.challenges (
    id_hash bytea PRIMARY KEY,
    user_id text NOT NULL,
    system text NOT NULL CHECK (system IN ('clerk', 'legacy')),
    purpose text NOT NULL CHECK (purpose IN ('login', 'reauthentication', 'reset', 'enrol')),
    session_id uuid,
    kind text NOT NULL CHECK (kind IN ('second_factor', 'client_trust', 'reset_code', 'new_password')),
    delivery text NOT NULL CHECK (delivery IN ('cookie', 'bearer')),
    methods jsonb NOT NULL,
    state_cipher bytea NOT NULL,
    state_nonce bytea NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    CHECK ((purpose IN ('login', 'reset')) = (session_id IS NULL)),
    CHECK ((purpose = 'reset') = (kind IN ('reset_code', 'new_password')))
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS challenges_expires_at_idx ON clerk_migration.challenges (expires_at);

COMMENT ON TABLE clerk_migration.challenges IS 'Proofs of who somebody is that wait for a further step: after a password that was right, or in a reset of one.';
COMMENT ON COLUMN clerk_migration.challenges.id_hash IS 'SHA-256 of the id that the browser holds.';
COMMENT ON COLUMN clerk_migration.challenges.system IS 'Who checks the code: clerk or legacy.';
COMMENT ON COLUMN clerk_migration.challenges.kind IS 'What it waits for: second_factor, client_trust, or in a reset reset_code, then new_password.';
COMMENT ON COLUMN clerk_migration.challenges.delivery IS 'How the session is to be handed over: cookie or bearer.';
COMMENT ON COLUMN clerk_migration.challenges.methods IS 'The methods that finish it: which, and where a code goes (masked), with Clerk''s ids.';
COMMENT ON COLUMN clerk_migration.challenges.purpose IS 'What it is for: a challenge that was begun for one thing finishes no other.';
COMMENT ON COLUMN clerk_migration.challenges.session_id IS 'The session that it belongs to; NULL for somebody who is not signed in.';
COMMENT ON COLUMN clerk_migration.challenges.state_cipher IS 'What the system has to remember (Clerk: the sign-in and its client token; legacy: the hash of the digest that the password was checked against), as JSON, AES-256-GCM with its tag at the end.';

CREATE TABLE IF NOT EXISTS clerk_migration.spent_codes (
    user_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    step bigint,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);

COMMENT ON TABLE clerk_migration.spent_codes IS 'Authenticator codes that finished something, for as long as they could be used: a code works once.';
COMMENT ON COLUMN clerk_migration.spent_codes.code_hash IS 'SHA-256 of the user''s id and the code.';
COMMENT ON COLUMN clerk_migration.spent_codes.step IS 'The 30-second step that the code stood for, of one that legacy took: none that is older works there any more, either.';

CREATE TABLE IF NOT EXISTS clerk_migration.devices (
    device_hash bytea NOT NULL,
    user_id uuid NOT NULL,
    client_token_cipher bytea,
    client_token_nonce bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    proved boolean NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (device_hash, user_id),
    CHECK ((client_token_cipher IS NULL) = (client_token_nonce IS NULL))
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS devices_expires_at_idx ON clerk_migration.devices (expires_at);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS devices_user_id_idx ON clerk_migration.devices (user_id);

COMMENT ON TABLE clerk_migration.devices IS 'Devices on which users logged in, with Clerk''s client token so that Clerk knows them again (client trust). A device is known for who logged in there, and not for whoever else does.';
COMMENT ON COLUMN clerk_migration.devices.device_hash IS 'SHA-256 of the id that the device holds.';
COMMENT ON COLUMN clerk_migration.devices.proved IS 'Whether the user ever got in there: a password alone makes no device a known one.';
COMMENT ON COLUMN clerk_migration.devices.client_token_cipher IS 'Clerk''s client token, AES-256-GCM with its tag at the end; NULL where the user logged in on legacy alone.';

CREATE TABLE IF NOT EXISTS clerk_migration.attempts (
    key_hash bytea PRIMARY KEY,
    times timestamptz[] NOT NULL,
    refused boolean NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS attempts_updated_at_idx ON clerk_migration.attempts (updated_at);

COMMENT ON TABLE clerk_migration.attempts IS 'Attempts at logging in and signing up: what the limits go by. Their window slides, as that of Clerk''s limits does.';
COMMENT ON COLUMN clerk_migration.attempts.key_hash IS 'SHA-256 of what is limited, for example an address.';
COMMENT ON COLUMN clerk_migration.attempts.times IS 'When there were attempts that were let through, within the window.';
COMMENT ON COLUMN clerk_migration.attempts.refused IS 'Whether the last attempt was not let through.';

CREATE TABLE IF NOT EXISTS clerk_migration.login_counts (
    day date NOT NULL,
    path text NOT NULL CHECK (path IN ('clerk', 'legacy', 'lazy')),
    outcome text NOT NULL,
    count bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (day, path, outcome)
);

COMMENT ON TABLE clerk_migration.login_counts IS 'Logins by day (UTC), path and outcome: what the gates of the cutover read.';
COMMENT ON COLUMN clerk_migration.login_counts.path IS 'The system that checked the login: clerk or legacy; lazy: legacy, and the user went over to Clerk with it.';

CREATE TABLE IF NOT EXISTS clerk_migration.security_events (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    ip_address inet,
    user_agent text
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS security_events_user_id_at_idx ON clerk_migration.security_events (user_id, at);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS security_events_at_idx ON clerk_migration.security_events (at);

COMMENT ON TABLE clerk_migration.security_events IS 'What was done to the ways in to an account, for its owner to see: kept 90 days.';
COMMENT ON COLUMN clerk_migration.security_events.kind IS 'A name of bff/events.py, for example totp_removed.';

CREATE TABLE IF NOT EXISTS clerk_migration.changes (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    user_id uuid NOT NULL,
    session_id uuid,
    kind text NOT NULL,
    subject text NOT NULL,
    sign_out_others boolean NOT NULL,
    ip_address inet,
    user_agent text,
    lost boolean NOT NULL DEFAULT false,
    look_at timestamptz NOT NULL,
    shelved_at timestamptz
);

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS changes_user_id_idx ON clerk_migration.changes (user_id);

COMMENT ON TABLE clerk_migration.changes IS 'Changes of the ways in to an account that a system was asked for, until it is known what came of them.';
COMMENT ON COLUMN clerk_migration.changes.session_id IS 'The session that asks for it, which goes on when the others end; NULL when all are to end.';
COMMENT ON COLUMN clerk_migration.changes.kind IS 'The security event that it becomes.';
COMMENT ON COLUMN clerk_migration.changes.subject IS 'What of several it is about: a phone number''s id in Clerk, or the SHA-256 of an enrolment''s id.';
COMMENT ON COLUMN clerk_migration.changes.lost IS 'The system was asked, and its answer was lost.';
COMMENT ON COLUMN clerk_migration.changes.look_at IS 'When it is looked up whether it was done, if nobody has said so by then.';
COMMENT ON COLUMN clerk_migration.changes.shelved_at IS 'When a look found that it was not done. The row stays for a while, should whoever asked for it hear otherwise.';
