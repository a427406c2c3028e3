-- The whole schema as it is after expand: to read, not to run. What makes it are the migrations (sql/baseline,
-- sql/expand) and the source view; tests/integration/schema/test_whole.py keeps this file equal to them, down to the
-- comments.

CREATE SCHEMA clerk_migration;

COMMENT ON SCHEMA clerk_migration IS 'The move of the users to Clerk: what is to be moved, what was done, and what is switched on.';

-- AX's tables, with what expand adds
-- ----------------------------------

CREATE TABLE users (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- Compared byte by byte: addresses that differ only in case are two accounts to AX.
    email text NOT NULL UNIQUE,
    -- Argon2, as a PHC string. NULL for who signed up with Clerk.
    hashed_password text,
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
    disabled_at timestamptz,
    -- In Clerk: then Clerk checks the login, and nothing else does.
    clerk_id text
);

-- A Clerk user belongs to one row (invariant 1).
CREATE UNIQUE INDEX users_clerk_id_key ON users (clerk_id) WHERE clerk_id IS NOT NULL;

-- Users who are not in Clerk yet, by id: what an import goes through.
CREATE INDEX users_due_idx ON users (id) WHERE clerk_id IS NULL;

-- By this the baseline's rollback tells a table of its own from one that it found.
COMMENT ON TABLE users IS 'Made by migration baseline-0001-tables.';
COMMENT ON COLUMN users.clerk_id IS 'The user''s id in Clerk. Set: Clerk checks the login. NULL: AX does.';

-- A linked user's password and second factor are Clerk's. An application that read the row just before it was linked
-- would write a newer one here, where nobody looks any more (invariants 2 and 4): it is refused, and has to go to
-- Clerk. Taking them away is no such thing.
CREATE FUNCTION clerk_migration.refuse_legacy_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'user % is in Clerk, so password and second factor are changed there', OLD.id
    USING ERRCODE = 'CM001', HINT = 'Read the row again: users.clerk_id is set.';
END
$$;

COMMENT ON FUNCTION clerk_migration.refuse_legacy_change() IS 'Refuses to change the password or the second factor of a user who is in Clerk (SQLSTATE CM001).';

CREATE TRIGGER refuse_legacy_change
BEFORE UPDATE OF hashed_password, enabled_2fa, totp_cipher ON users
FOR EACH ROW
WHEN (
    OLD.clerk_id IS NOT NULL
    AND NEW.clerk_id IS NOT NULL
    AND (
        (NEW.hashed_password IS DISTINCT FROM OLD.hashed_password AND NEW.hashed_password IS NOT NULL)
        OR (NEW.enabled_2fa AND NOT OLD.enabled_2fa)
        OR (NEW.totp_cipher IS DISTINCT FROM OLD.totp_cipher AND NEW.totp_cipher IS NOT NULL)
    )
)
EXECUTE FUNCTION clerk_migration.refuse_legacy_change();

CREATE TABLE sessions (
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
    revoked_at timestamptz,
    -- The session in Clerk behind this one, and the client token that reaches it, encrypted.
    clerk_session_id text,
    clerk_client_token_cipher bytea,
    clerk_client_token_nonce bytea,
    proved_at timestamptz
);

CREATE INDEX sessions_user_id_idx ON sessions (user_id);

COMMENT ON COLUMN sessions.clerk_session_id IS 'The session in Clerk; NULL for one that legacy login made.';
COMMENT ON COLUMN sessions.clerk_client_token_cipher IS 'Clerk''s client token, AES-256-GCM with its tag at the end.';
COMMENT ON COLUMN sessions.proved_at IS 'When its holder last proved password and second factor; NULL for one from before the move.';

-- A disabled account's sessions are refused, and not for good as long as nobody ends them. They end when it is enabled
-- again, whoever does that; so those of accounts that were disabled before this was here do, too.
CREATE FUNCTION clerk_migration.end_sessions_from_before() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
        'UPDATE %I.sessions SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL', TG_TABLE_SCHEMA
    ) USING NEW.id;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION clerk_migration.end_sessions_from_before() IS 'Ends the sessions that somebody had before their account was disabled.';

CREATE TRIGGER end_sessions_from_before
AFTER UPDATE OF disabled_at ON users
FOR EACH ROW
WHEN (OLD.disabled_at IS NOT NULL AND NEW.disabled_at IS NULL)
EXECUTE FUNCTION clerk_migration.end_sessions_from_before();

CREATE TABLE api_keys (
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

CREATE INDEX api_keys_user_id_idx ON api_keys (user_id);

CREATE TABLE invites (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- SHA-256 of the code that the invited person types.
    code_hash bytea NOT NULL UNIQUE,
    uses_left integer NOT NULL CHECK (uses_left >= 0),
    created_by uuid REFERENCES users (id) ON DELETE SET NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz
);

CREATE TABLE password_reset_codes (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    user_id uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- SHA-256 of the code that was mailed.
    code_hash bytea NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);

CREATE INDEX password_reset_codes_user_id_idx ON password_reset_codes (user_id);

-- The import: its runs, what became of each user, and who is on the way
-- ---------------------------------------------------------------------

CREATE FUNCTION clerk_migration.refuse_rewriting() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%.% is a record: rows are added, and neither changed nor deleted', TG_TABLE_SCHEMA, TG_TABLE_NAME
    USING ERRCODE = 'CM002';
END
$$;

COMMENT ON FUNCTION clerk_migration.refuse_rewriting() IS 'Keeps a record append-only (SQLSTATE CM002). TRUNCATE empties it, as a copy of a database needs.';

CREATE TABLE clerk_migration.runs (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    command text NOT NULL,
    environment text NOT NULL,
    options jsonb NOT NULL DEFAULT '{}',
    operator text NOT NULL,
    role text NOT NULL DEFAULT session_user,
    version text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    outcome text CHECK (outcome IN ('finished', 'interrupted', 'failed', 'killed')),
    error text,
    counts jsonb
);

COMMENT ON TABLE clerk_migration.runs IS 'A row for each run of a command. One without an outcome goes on, or was killed, which the next one notes. What has ended is not changed any more.';
COMMENT ON COLUMN clerk_migration.runs.operator IS 'The operator''s user@host.';
COMMENT ON COLUMN clerk_migration.runs.role IS 'The database role that it ran as.';
COMMENT ON COLUMN clerk_migration.runs.version IS 'The version of the toolkit.';
COMMENT ON COLUMN clerk_migration.runs.finished_at IS 'NULL as long as it goes on; of one that was killed nobody knows.';
COMMENT ON COLUMN clerk_migration.runs.error IS 'Why it ended as it did; NULL when there is nothing to say. Never a secret.';

CREATE TRIGGER refuse_rewriting_ended
BEFORE UPDATE ON clerk_migration.runs
FOR EACH ROW
WHEN (OLD.outcome IS NOT NULL)
EXECUTE FUNCTION clerk_migration.refuse_rewriting();

CREATE TRIGGER refuse_deleting
BEFORE DELETE ON clerk_migration.runs
FOR EACH STATEMENT
EXECUTE FUNCTION clerk_migration.refuse_rewriting();

CREATE TABLE clerk_migration.import_ledger (
    user_id text PRIMARY KEY,
    state text NOT NULL CHECK (state IN ('linked', 'refused', 'held', 'conflict', 'failed')),
    error_code text,
    clerk_id text,
    attempts integer NOT NULL,
    run_id bigint NOT NULL REFERENCES clerk_migration.runs (id),
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX import_ledger_state_error_code_idx ON clerk_migration.import_ledger (state, error_code);

COMMENT ON TABLE clerk_migration.import_ledger IS 'A row for each user that an import looked at, as the last attempt left it.';
COMMENT ON COLUMN clerk_migration.import_ledger.user_id IS 'The id of the source view as text; the external ID in Clerk.';
COMMENT ON COLUMN clerk_migration.import_ledger.error_code IS 'Why the user is not linked: a reason of the toolkit, or Clerk''s code. Never a secret.';

CREATE TABLE clerk_migration.import_history (
    user_id text NOT NULL,
    run_id bigint NOT NULL REFERENCES clerk_migration.runs (id),
    state text NOT NULL CHECK (state IN ('linked', 'refused', 'held', 'conflict', 'failed')),
    error_code text,
    clerk_id text,
    at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX import_history_user_id_idx ON clerk_migration.import_history (user_id);

COMMENT ON TABLE clerk_migration.import_history IS 'What became of each user in each run. Append-only; import_ledger has the last of it.';

CREATE TRIGGER refuse_rewriting
BEFORE UPDATE OR DELETE ON clerk_migration.import_history
FOR EACH STATEMENT
EXECUTE FUNCTION clerk_migration.refuse_rewriting();

CREATE TABLE clerk_migration.sending (
    user_id text PRIMARY KEY,
    run_id bigint NOT NULL REFERENCES clerk_migration.runs (id),
    noted_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE clerk_migration.sending IS 'Users that are about to be sent to Clerk and are not linked: noted before, gone with the link. Clerk users without a link that these rows lead to are withdrawn.';
COMMENT ON COLUMN clerk_migration.sending.noted_at IS 'A create that was sent shortly before its process died may still arrive at Clerk.';

CREATE FUNCTION clerk_migration.this_database() RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    server text := '';
BEGIN
    BEGIN
        server := (SELECT system_identifier::text FROM pg_control_system());
    EXCEPTION WHEN insufficient_privilege THEN
        NULL;
    END;
    RETURN format('%s/%s/%s', server, (SELECT oid FROM pg_database WHERE datname = current_database()), current_database());
END
$$;

COMMENT ON FUNCTION clerk_migration.this_database() IS 'What tells this database from a copy of it: the server''s system identifier, the database''s oid and its name.';

CREATE TABLE clerk_migration.origin (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    single boolean NOT NULL DEFAULT true UNIQUE CHECK (single),
    database text NOT NULL DEFAULT clerk_migration.this_database(),
    environment text
);

COMMENT ON TABLE clerk_migration.origin IS 'This database''s own name. It stands in the private metadata of every Clerk user that comes from here: ids such as 1, 2, 3 are in every database.';
COMMENT ON COLUMN clerk_migration.origin.database IS 'What this_database() said when the name was given. Where it says something else, this is a copy, and must not take the other''s Clerk users for its own.';
COMMENT ON COLUMN clerk_migration.origin.environment IS 'The environment that this database belongs to, by the name of its playbook: no command of another one works on it. NULL for the embedded sandbox, and before the first migrate.';

-- The users to move, as the import reads them (sql/sources)
-- ---------------------------------------------------------

CREATE VIEW clerk_migration.source AS
SELECT
    id,
    email,
    email_verified_at IS NOT NULL AS email_verified,
    hashed_password AS password_digest,
    CASE
        WHEN starts_with(hashed_password, '$argon2id$') THEN 'argon2id'
        WHEN starts_with(hashed_password, '$argon2i$') THEN 'argon2i'
    END AS password_hasher,
    enabled_2fa AS second_factor,
    totp_cipher,
    nonce AS totp_nonce,
    NULL::text AS totp_secret,
    first_name,
    last_name,
    created_at,
    disabled_at IS NOT NULL AS disabled,
    clerk_id
FROM users;

COMMENT ON VIEW clerk_migration.source IS 'The users to move, as the import reads them. Installed from a file of sql/sources.';
COMMENT ON COLUMN clerk_migration.source.id IS 'The user''s key, in its own type; as text it is the external ID in Clerk.';
COMMENT ON COLUMN clerk_migration.source.email IS 'text: the address as it is stored.';
COMMENT ON COLUMN clerk_migration.source.email_verified IS 'boolean: whether the address is proven to be the user''s.';
COMMENT ON COLUMN clerk_migration.source.password_digest IS 'text: the digest as Clerk takes it; NULL for a user without a password.';
COMMENT ON COLUMN clerk_migration.source.password_hasher IS 'text: Clerk''s name of the digest''s hasher (argon2id, argon2i, bcrypt, …); NULL if it is none that Clerk knows.';
COMMENT ON COLUMN clerk_migration.source.second_factor IS 'boolean: whether the user needs a second factor to log in.';
COMMENT ON COLUMN clerk_migration.source.totp_cipher IS 'bytea: the TOTP secret as totp_secret has it, AES-256-GCM with its tag at the end and no associated data; NULL without.';
COMMENT ON COLUMN clerk_migration.source.totp_nonce IS 'bytea: the nonce that goes with totp_cipher.';
COMMENT ON COLUMN clerk_migration.source.totp_secret IS 'text: the TOTP secret in base32 or as an otpauth:// URI, for tables that keep it readable; NULL otherwise. Of a user whose codes are not of SHA-1, 6 digits, 30 seconds, a URI that says so.';
COMMENT ON COLUMN clerk_migration.source.first_name IS 'text: may be NULL.';
COMMENT ON COLUMN clerk_migration.source.last_name IS 'text: may be NULL.';
COMMENT ON COLUMN clerk_migration.source.created_at IS 'timestamp with time zone: when the user signed up.';
COMMENT ON COLUMN clerk_migration.source.disabled IS 'boolean: whether the user is shut out.';
COMMENT ON COLUMN clerk_migration.source.clerk_id IS 'text: the user''s id in Clerk; NULL as long as the user is due.';

-- What is switched over for everybody
-- -----------------------------------

CREATE TABLE clerk_migration.switches (
    name text PRIMARY KEY,
    value text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (
        (name, value) IN (
            ('signup', 'legacy'),
            ('signup', 'clerk'),
            ('lazy_migration', 'off'),
            ('lazy_migration', 'on'),
            ('legacy_login', 'on'),
            ('legacy_login', 'off'),
            ('import', 'running'),
            ('import', 'paused')
        )
        OR (name = 'import_rate' AND value ~ '^(default|(?=.*[1-9])[0-9]{1,4}([.][0-9]{1,3})?)$')
    )
);

COMMENT ON TABLE clerk_migration.switches IS 'What is switched over for everybody. Read when it is used, so a change holds at once.';
COMMENT ON COLUMN clerk_migration.switches.value IS 'Of import_rate: requests a second to Clerk, or default.';

CREATE TABLE clerk_migration.switch_history (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    before text NOT NULL,
    value text NOT NULL,
    operator text,
    role text NOT NULL DEFAULT session_user,
    at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE clerk_migration.switch_history IS 'Every change of a switch, whoever makes it: a trigger writes it. Append-only.';
COMMENT ON COLUMN clerk_migration.switch_history.operator IS 'The operator''s user@host; NULL where it was changed past the toolkit.';
COMMENT ON COLUMN clerk_migration.switch_history.role IS 'The database role that it was changed as.';

CREATE FUNCTION clerk_migration.note_switch() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO clerk_migration.switch_history (name, before, value, operator)
    VALUES (NEW.name, OLD.value, NEW.value, nullif(current_setting('clerk_migration.operator', true), ''));
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION clerk_migration.note_switch() IS 'Writes a change of a switch into the history, for roles, too, that may not write there.';

CREATE TRIGGER note_switch
AFTER UPDATE OF value ON clerk_migration.switches
FOR EACH ROW
WHEN (OLD.value <> NEW.value)
EXECUTE FUNCTION clerk_migration.note_switch();

CREATE TRIGGER refuse_rewriting
BEFORE UPDATE OR DELETE ON clerk_migration.switch_history
FOR EACH STATEMENT
EXECUTE FUNCTION clerk_migration.refuse_rewriting();

-- Signups with Clerk
-- ------------------

CREATE TABLE clerk_migration.signups (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    state text NOT NULL CHECK (
        state IN ('invite_taken', 'row_created', 'code_sent', 'decoy', 'undoing', 'verified', 'undone')
    ),
    user_id text NOT NULL UNIQUE,
    invite_id text NOT NULL,
    email text,
    delivery text NOT NULL CHECK (delivery IN ('cookie', 'bearer')),
    clerk_id text UNIQUE,
    email_address_id text,
    clerk_session_id text,
    client_token_cipher bytea,
    client_token_nonce bytea,
    password_hash bytea,
    code_hash bytea,
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (state <> 'undone' OR reason IS NOT NULL),
    CHECK ((client_token_cipher IS NULL) = (client_token_nonce IS NULL))
);

CREATE INDEX signups_open_idx ON clerk_migration.signups (updated_at)
WHERE state NOT IN ('verified', 'undone');

COMMENT ON TABLE clerk_migration.signups IS 'A row for each signup: the last step that was done. It ends as verified or undone.';
COMMENT ON COLUMN clerk_migration.signups.state IS 'The last step that was done. decoy: the address has an account already, which the browser must not learn. undoing: gone from AX, perhaps not from Clerk yet.';
COMMENT ON COLUMN clerk_migration.signups.user_id IS 'The id of the new user''s row, and the external ID in Clerk; chosen before either exists.';
COMMENT ON COLUMN clerk_migration.signups.email IS 'Where the code goes; NULL once the signup has ended.';
COMMENT ON COLUMN clerk_migration.signups.delivery IS 'How the session is to be handed over: cookie or bearer.';
COMMENT ON COLUMN clerk_migration.signups.email_address_id IS 'The address''s id in Clerk.';
COMMENT ON COLUMN clerk_migration.signups.clerk_session_id IS 'The session in Clerk that the code is tried with.';
COMMENT ON COLUMN clerk_migration.signups.client_token_cipher IS 'Clerk''s client token, AES-256-GCM with its tag at the end.';
COMMENT ON COLUMN clerk_migration.signups.password_hash IS 'Of a decoy, while it lasts: what scrypt makes of what was typed as password.';
COMMENT ON COLUMN clerk_migration.signups.code_hash IS 'HMAC-SHA-256, with a key of the BFF, of a code that is being tried in Clerk, or whose answer was lost.';
COMMENT ON COLUMN clerk_migration.signups.reason IS 'Why it was undone.';

-- Logins
-- ------

CREATE TABLE clerk_migration.challenges (
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

CREATE INDEX challenges_expires_at_idx ON clerk_migration.challenges (expires_at);

COMMENT ON TABLE clerk_migration.challenges IS 'Proofs of who somebody is that wait for a further step: after a password that was right, or in a reset of one.';
COMMENT ON COLUMN clerk_migration.challenges.id_hash IS 'SHA-256 of the id that the browser holds.';
COMMENT ON COLUMN clerk_migration.challenges.system IS 'Who checks the code: clerk or legacy.';
COMMENT ON COLUMN clerk_migration.challenges.kind IS 'What it waits for: second_factor, client_trust, or in a reset reset_code, then new_password.';
COMMENT ON COLUMN clerk_migration.challenges.delivery IS 'How the session is to be handed over: cookie or bearer.';
COMMENT ON COLUMN clerk_migration.challenges.methods IS 'The methods that finish it: which, and where a code goes (masked), with Clerk''s ids.';
COMMENT ON COLUMN clerk_migration.challenges.purpose IS 'What it is for: a challenge that was begun for one thing finishes no other.';
COMMENT ON COLUMN clerk_migration.challenges.session_id IS 'The session that it belongs to; NULL for somebody who is not signed in.';
COMMENT ON COLUMN clerk_migration.challenges.state_cipher IS 'What the system has to remember (Clerk: the sign-in and its client token; legacy: the hash of the digest that the password was checked against), as JSON, AES-256-GCM with its tag at the end.';

CREATE TABLE clerk_migration.spent_codes (
    user_id uuid NOT NULL,
    code_hash bytea NOT NULL,
    step bigint,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);

COMMENT ON TABLE clerk_migration.spent_codes IS 'Authenticator codes that finished something, for as long as they could be used: a code works once.';
COMMENT ON COLUMN clerk_migration.spent_codes.code_hash IS 'SHA-256 of the user''s id and the code.';
COMMENT ON COLUMN clerk_migration.spent_codes.step IS 'The 30-second step that the code stood for, of one that legacy took: none that is older works there any more, either.';

CREATE TABLE clerk_migration.devices (
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

CREATE INDEX devices_expires_at_idx ON clerk_migration.devices (expires_at);
CREATE INDEX devices_user_id_idx ON clerk_migration.devices (user_id);

COMMENT ON TABLE clerk_migration.devices IS 'Devices on which users logged in, with Clerk''s client token so that Clerk knows them again (client trust). A device is known for who logged in there, and not for whoever else does.';
COMMENT ON COLUMN clerk_migration.devices.device_hash IS 'SHA-256 of the id that the device holds.';
COMMENT ON COLUMN clerk_migration.devices.proved IS 'Whether the user ever got in there: a password alone makes no device a known one.';
COMMENT ON COLUMN clerk_migration.devices.client_token_cipher IS 'Clerk''s client token, AES-256-GCM with its tag at the end; NULL where the user logged in on legacy alone.';

CREATE TABLE clerk_migration.attempts (
    key_hash bytea PRIMARY KEY,
    times timestamptz[] NOT NULL,
    refused boolean NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX attempts_updated_at_idx ON clerk_migration.attempts (updated_at);

COMMENT ON TABLE clerk_migration.attempts IS 'Attempts at logging in and signing up: what the limits go by. Their window slides, as that of Clerk''s limits does.';
COMMENT ON COLUMN clerk_migration.attempts.key_hash IS 'SHA-256 of what is limited, for example an address.';
COMMENT ON COLUMN clerk_migration.attempts.times IS 'When there were attempts that were let through, within the window.';
COMMENT ON COLUMN clerk_migration.attempts.refused IS 'Whether the last attempt was not let through.';

CREATE TABLE clerk_migration.login_counts (
    day date NOT NULL,
    path text NOT NULL CHECK (path IN ('clerk', 'legacy', 'lazy')),
    outcome text NOT NULL,
    count bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (day, path, outcome)
);

COMMENT ON TABLE clerk_migration.login_counts IS 'Logins by day (UTC), path and outcome: what the gates of the cutover read.';
COMMENT ON COLUMN clerk_migration.login_counts.path IS 'The system that checked the login: clerk or legacy; lazy: legacy, and the user went over to Clerk with it.';

CREATE TABLE clerk_migration.security_events (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    ip_address inet,
    user_agent text
);

CREATE INDEX security_events_user_id_at_idx ON clerk_migration.security_events (user_id, at);
CREATE INDEX security_events_at_idx ON clerk_migration.security_events (at);

COMMENT ON TABLE clerk_migration.security_events IS 'What was done to the ways in to an account, for its owner to see: kept 90 days.';
COMMENT ON COLUMN clerk_migration.security_events.kind IS 'A name of bff/events.py, for example totp_removed.';

CREATE TABLE clerk_migration.changes (
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

CREATE INDEX changes_user_id_idx ON clerk_migration.changes (user_id);

COMMENT ON TABLE clerk_migration.changes IS 'Changes of the ways in to an account that a system was asked for, until it is known what came of them.';
COMMENT ON COLUMN clerk_migration.changes.session_id IS 'The session that asks for it, which goes on when the others end; NULL when all are to end.';
COMMENT ON COLUMN clerk_migration.changes.kind IS 'The security event that it becomes.';
COMMENT ON COLUMN clerk_migration.changes.subject IS 'What of several it is about: a phone number''s id in Clerk, or the SHA-256 of an enrolment''s id.';
COMMENT ON COLUMN clerk_migration.changes.lost IS 'The system was asked, and its answer was lost.';
COMMENT ON COLUMN clerk_migration.changes.look_at IS 'When it is looked up whether it was done, if nobody has said so by then.';
COMMENT ON COLUMN clerk_migration.changes.shelved_at IS 'When a look found that it was not done. The row stays for a while, should whoever asked for it hear otherwise.';

-- Mails
-- -----

CREATE TABLE clerk_migration.mails (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    kind text NOT NULL,
    recipient text NOT NULL,
    ip_address inet,
    user_agent text,
    code_cipher bytea,
    code_nonce bytea,
    attempts integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    not_before timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    CHECK ((code_cipher IS NULL) = (code_nonce IS NULL))
);

CREATE INDEX mails_not_before_idx ON clerk_migration.mails (not_before);

COMMENT ON TABLE clerk_migration.mails IS 'Mails that wait to be sent. A row is gone once its mail is sent, refused for good, or too late.';
COMMENT ON COLUMN clerk_migration.mails.kind IS 'A name of bff/mail/mails.py, and of its templates, for example totp_removed.';
COMMENT ON COLUMN clerk_migration.mails.ip_address IS 'Where what it tells of came from; and so user_agent.';
COMMENT ON COLUMN clerk_migration.mails.code_cipher IS 'The code that it is to tell, AES-256-GCM with its tag at the end.';
COMMENT ON COLUMN clerk_migration.mails.attempts IS 'How often a BFF set out to send it.';
COMMENT ON COLUMN clerk_migration.mails.not_before IS 'Whoever claims it puts this off for longer than sending takes, and each time longer: nobody else sends it meanwhile, and it is tried again if that fails.';
COMMENT ON COLUMN clerk_migration.mails.expires_at IS 'When it is too late to send it.';

CREATE TABLE clerk_migration.canaries (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    canary text NOT NULL,
    event text NOT NULL CHECK (event IN ('begun', 'ended', 'removed')),
    user_id text,
    finding text,
    noted_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((event = 'begun') = (user_id IS NOT NULL)),
    CHECK ((event = 'ended') = (finding IS NOT NULL))
);

CREATE UNIQUE INDEX canaries_canary_event_idx ON clerk_migration.canaries (canary, event);

COMMENT ON TABLE clerk_migration.canaries IS 'What became of each canary: rows are added, and never changed. A stand-in that was begun and is not removed may still be in Clerk.';
COMMENT ON COLUMN clerk_migration.canaries.canary IS 'The stand-in''s external ID in Clerk.';
COMMENT ON COLUMN clerk_migration.canaries.user_id IS 'The id, as text, of the row whose password was tried.';
COMMENT ON COLUMN clerk_migration.canaries.finding IS 'What came out, a code of toolkit/migration/findings.py.';

CREATE TABLE clerk_migration.device_graces (
    clerk_id text PRIMARY KEY,
    granted_at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE clerk_migration.device_graces IS 'Users in Clerk that go past Device Trust (bypass_client_trust). A row is gone once its user has logged in, on a device that Clerk knows from then on, and Clerk is told to ask again on others.';

-- Playbooks
-- ---------

CREATE TABLE clerk_migration.playbook_steps (
    environment text NOT NULL,
    step text NOT NULL,
    run_id bigint NOT NULL REFERENCES clerk_migration.runs (id),
    done_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (environment, step)
);

COMMENT ON TABLE clerk_migration.playbook_steps IS 'Steps of an environment''s playbook that are done, and the run that did them.';

-- When two email addresses are the same to Clerk
-- ----------------------------------------------

-- The characters that most addresses are made of stand first: translate() looks for each from the beginning.
CREATE FUNCTION clerk_migration.small_letters(written text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    small text COLLATE "C" := translate(
        normalize(written, NFKD),
        'abcdefghijklmnopqrstuvwxyz0123456789@.-_+'
        'ABCDEFGHIJKLMNOPQRSTUVWXYZÆÐØÞĐĦıŁŊŒŦƁƂƄƆƇƉƊƋƎƏƐƑƓƔƖƗƘƜƝƟƢƤƦƧƩƬƮƱƲƳƵƷƸƼǤǶǷȜȠȢȤȺȻȽȾɁɃɄɅɆɈ'
        'ɊɌɎͰͲͶͿΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩςϏϘϚϜϞϠϢϤϦϨϪϬϮϷϺϽϾϿЂЄЅІЈЉЊЋЏАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЪЫЬЭ'
        'ЮЯѠѢѤѦѨѪѬѮѰѲѴѸѺѼѾҀҊҌҎҐҒҔҖҘҚҜҞҠҢҤҦҨҪҬҮҰҲҴҶҸҺҼҾӀӃӅӇӉӋӍӔӘӠӨӶӺӼӾԀԂԄԆԈԊԌԎԐԒԔԖԘԚԜԞԠԢԤԦԨԪԬԮԱԲԳԴ'
        'ԵԶԷԸԹԺԻԼԽԾԿՀՁՂՃՄՅՆՇՈՉՊՋՌՍՎՏՐՑՒՓՔՕՖႠႡႢႣႤႥႦႧႨႩႪႫႬႭႮႯႰႱႲႳႴႵႶႷႸႹႺႻႼႽႾႿჀჁჂჃჄჅჇჍᏸᏹᏺᏻᏼᏽᲀᲁᲂᲃᲄᲅᲆᲇ'
        'ᲈᲐᲑᲒᲓᲔᲕᲖᲗᲘᲙᲚᲛᲜᲝᲞᲟᲠᲡᲢᲣᲤᲥᲦᲧᲨᲩᲪᲫᲬᲭᲮᲯᲰᲱᲲᲳᲴᲵᲶᲷᲸᲹᲺᲽᲾᲿẞỺỼỾℲↃⰀⰁⰂⰃⰄⰅⰆⰇⰈⰉⰊⰋⰌⰍⰎⰏⰐⰑⰒⰓⰔⰕⰖⰗⰘⰙⰚⰛⰜⰝⰞⰟⰠⰡⰢ'
        'ⰣⰤⰥⰦⰧⰨⰩⰪⰫⰬⰭⰮⰯⱠⱢⱣⱤⱧⱩⱫⱭⱮⱯⱰⱲⱵⱾⱿⲀⲂⲄⲆⲈⲊⲌⲎⲐⲒⲔⲖⲘⲚⲜⲞⲠⲢⲤⲦⲨⲪⲬⲮⲰⲲⲴⲶⲸⲺⲼⲾⳀⳂⳄⳆⳈⳊⳌⳎⳐⳒⳔⳖⳘⳚⳜⳞⳠⳢⳫⳭⳲ。ꙀꙂꙄꙆꙈꙊ'
        'ꙌꙎꙐꙒꙔꙖꙘꙚꙜꙞꙠꙢꙤꙦꙨꙪꙬꚀꚂꚄꚆꚈꚊꚌꚎꚐꚒꚔꚖꚘꚚꜢꜤꜦꜨꜪꜬꜮꜲꜴꜶꜸꜺꜼꜾꝀꝂꝄꝆꝈꝊꝌꝎꝐꝒꝔꝖꝘꝚꝜꝞꝠꝢꝤꝦꝨꝪꝬꝮꝹꝻꝽꝾꞀꞂꞄꞆꞋꞍꞐꞒꞖꞘꞚꞜꞞꞠꞢ'
        'ꞤꞦꞨꞪꞫꞬꞭꞮꞰꞱꞲꞳꞴꞶꞸꞺꞼꞾꟀꟂꟄꟅꟆꟇꟉꟐꟖꟘꟵꭰꭱꭲꭳꭴꭵꭶꭷꭸꭹꭺꭻꭼꭽꭾꭿꮀꮁꮂꮃꮄꮅꮆꮇꮈꮉꮊꮋꮌꮍꮎꮏꮐꮑꮒꮓꮔꮕꮖꮗꮘꮙꮚꮛꮜꮝꮞꮟꮠꮡꮢꮣꮤꮥꮦꮧꮨꮩꮪ'
        'ꮫꮬꮭꮮꮯꮰꮱꮲꮳꮴꮵꮶꮷꮸꮹꮺꮻꮼꮽꮾꮿ𐐀𐐁𐐂𐐃𐐄𐐅𐐆𐐇𐐈𐐉𐐊𐐋𐐌𐐍𐐎𐐏𐐐𐐑𐐒𐐓𐐔𐐕𐐖𐐗𐐘𐐙𐐚𐐛𐐜𐐝𐐞𐐟𐐠𐐡𐐢𐐣𐐤𐐥𐐦𐐧𐒰𐒱𐒲𐒳𐒴𐒵𐒶𐒷𐒸𐒹𐒺𐒻𐒼𐒽𐒾𐒿𐓀𐓁𐓂𐓃𐓄𐓅𐓆𐓇𐓈𐓉𐓊'
        '𐓋𐓌𐓍𐓎𐓏𐓐𐓑𐓒𐓓𐕰𐕱𐕲𐕳𐕴𐕵𐕶𐕷𐕸𐕹𐕺𐕼𐕽𐕾𐕿𐖀𐖁𐖂𐖃𐖄𐖅𐖆𐖇𐖈𐖉𐖊𐖌𐖍𐖎𐖏𐖐𐖑𐖒𐖔𐖕𑢠𑢡𑢢𑢣𑢤𑢥𑢦𑢧𑢨𑢩𑢪𑢫𑢬𑢭𑢮𑢯𑢰𑢱𑢲𑢳𑢴𑢵𑢶𑢷𑢸𑢹𑢺𑢻𑢼𑢽𑢾𑢿𖹀𖹁𖹂𖹃𖹄𖹅𖹆𖹇𖹈𖹉𖹊𖹋'
        '𖹌𖹍𖹎𖹏𖹐𖹑𖹒𖹓𖹔𖹕𖹖𖹗𖹘𖹙𖹚𖹛𖹜𖹝𖹞𖹟'
        '𐲀𐲁𐲂𐲃𐲄𐲅𐲆𐲇𐲈𐲉𐲊𐲋𐲌𐲍𐲎𐲏𐲐𐲑𐲒𐲓𐲔𐲕𐲖𐲗𐲘𐲙𐲚𐲛𐲜𐲝𐲞𐲟𐲠𐲡𐲢𐲣𐲤𐲥𐲦𐲧𐲨𐲩𐲪𐲫𐲬𐲭𐲮𐲯𐲰𐲱𐲲𞤀𞤁𞤂𞤃𞤄𞤅𞤆𞤇𞤈𞤉𞤊𞤋𞤌𞤍𞤎𞤏𞤐𞤑𞤒𞤓𞤔𞤕𞤖𞤗𞤘𞤙𞤚𞤛𞤜𞤝𞤞𞤟𞤠𞤡'
        || U&'\0345',
        'abcdefghijklmnopqrstuvwxyz0123456789@.-_+'
        'abcdefghijklmnopqrstuvwxyzæðøþđħiłŋœŧɓƃƅɔƈɖɗƌǝəɛƒɠɣɩɨƙɯɲɵƣƥʀƨʃƭʈʊʋƴƶʒƹƽǥƕƿȝƞȣȥⱥȼƚⱦɂƀʉʌɇɉ'
        'ɋɍɏͱͳͷϳαβγδεζηθικλμνξοπρστυφχψωσϗϙϛϝϟϡϣϥϧϩϫϭϯϸϻͻͼͽђєѕіјљњћџабвгдежзиклмнопрстуфхцчшщъыьэ'
        'юяѡѣѥѧѩѫѭѯѱѳѵѹѻѽѿҁҋҍҏґғҕҗҙқҝҟҡңҥҧҩҫҭүұҳҵҷҹһҽҿӏӄӆӈӊӌӎӕәӡөӷӻӽӿԁԃԅԇԉԋԍԏԑԓԕԗԙԛԝԟԡԣԥԧԩԫԭԯաբգդ'
        'եզէըթժիլխծկհձղճմյնշոչպջռսվտրցւփքօֆⴀⴁⴂⴃⴄⴅⴆⴇⴈⴉⴊⴋⴌⴍⴎⴏⴐⴑⴒⴓⴔⴕⴖⴗⴘⴙⴚⴛⴜⴝⴞⴟⴠⴡⴢⴣⴤⴥⴧⴭᏰᏱᏲᏳᏴᏵвдосттъѣ'
        'ꙋაბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰჱჲჳჴჵჶჷჸჹჺჽჾჿßỻỽỿⅎↄⰰⰱⰲⰳⰴⰵⰶⰷⰸⰹⰺⰻⰼⰽⰾⰿⱀⱁⱂⱃⱄⱅⱆⱇⱈⱉⱊⱋⱌⱍⱎⱏⱐⱑⱒ'
        'ⱓⱔⱕⱖⱗⱘⱙⱚⱛⱜⱝⱞⱟⱡɫᵽɽⱨⱪⱬɑɱɐɒⱳⱶȿɀⲁⲃⲅⲇⲉⲋⲍⲏⲑⲓⲕⲗⲙⲛⲝⲟⲡⲣⲥⲧⲩⲫⲭⲯⲱⲳⲵⲷⲹⲻⲽⲿⳁⳃⳅⳇⳉⳋⳍⳏⳑⳓⳕⳗⳙⳛⳝⳟⳡⳣⳬⳮⳳ.ꙁꙃꙅꙇꙉꙋ'
        'ꙍꙏꙑꙓꙕꙗꙙꙛꙝꙟꙡꙣꙥꙧꙩꙫꙭꚁꚃꚅꚇꚉꚋꚍꚏꚑꚓꚕꚗꚙꚛꜣꜥꜧꜩꜫꜭꜯꜳꜵꜷꜹꜻꜽꜿꝁꝃꝅꝇꝉꝋꝍꝏꝑꝓꝕꝗꝙꝛꝝꝟꝡꝣꝥꝧꝩꝫꝭꝯꝺꝼᵹꝿꞁꞃꞅꞇꞌɥꞑꞓꞗꞙꞛꞝꞟꞡꞣ'
        'ꞥꞧꞩɦɜɡɬɪʞʇʝꭓꞵꞷꞹꞻꞽꞿꟁꟃꞔʂᶎꟈꟊꟑꟗꟙꟶᎠᎡᎢᎣᎤᎥᎦᎧᎨᎩᎪᎫᎬᎭᎮᎯᎰᎱᎲᎳᎴᎵᎶᎷᎸᎹᎺᎻᎼᎽᎾᎿᏀᏁᏂᏃᏄᏅᏆᏇᏈᏉᏊᏋᏌᏍᏎᏏᏐᏑᏒᏓᏔᏕᏖᏗᏘᏙᏚ'
        'ᏛᏜᏝᏞᏟᏠᏡᏢᏣᏤᏥᏦᏧᏨᏩᏪᏫᏬᏭᏮᏯ𐐨𐐩𐐪𐐫𐐬𐐭𐐮𐐯𐐰𐐱𐐲𐐳𐐴𐐵𐐶𐐷𐐸𐐹𐐺𐐻𐐼𐐽𐐾𐐿𐑀𐑁𐑂𐑃𐑄𐑅𐑆𐑇𐑈𐑉𐑊𐑋𐑌𐑍𐑎𐑏𐓘𐓙𐓚𐓛𐓜𐓝𐓞𐓟𐓠𐓡𐓢𐓣𐓤𐓥𐓦𐓧𐓨𐓩𐓪𐓫𐓬𐓭𐓮𐓯𐓰𐓱𐓲'
        '𐓳𐓴𐓵𐓶𐓷𐓸𐓹𐓺𐓻𐖗𐖘𐖙𐖚𐖛𐖜𐖝𐖞𐖟𐖠𐖡𐖣𐖤𐖥𐖦𐖧𐖨𐖩𐖪𐖫𐖬𐖭𐖮𐖯𐖰𐖱𐖳𐖴𐖵𐖶𐖷𐖸𐖹𐖻𐖼𑣀𑣁𑣂𑣃𑣄𑣅𑣆𑣇𑣈𑣉𑣊𑣋𑣌𑣍𑣎𑣏𑣐𑣑𑣒𑣓𑣔𑣕𑣖𑣗𑣘𑣙𑣚𑣛𑣜𑣝𑣞𑣟𖹠𖹡𖹢𖹣𖹤𖹥𖹦𖹧𖹨𖹩𖹪𖹫'
        '𖹬𖹭𖹮𖹯𖹰𖹱𖹲𖹳𖹴𖹵𖹶𖹷𖹸𖹹𖹺𖹻𖹼𖹽𖹾𖹿'
        '𐳀𐳁𐳂𐳃𐳄𐳅𐳆𐳇𐳈𐳉𐳊𐳋𐳌𐳍𐳎𐳏𐳐𐳑𐳒𐳓𐳔𐳕𐳖𐳗𐳘𐳙𐳚𐳛𐳜𐳝𐳞𐳟𐳠𐳡𐳢𐳣𐳤𐳥𐳦𐳧𐳨𐳩𐳪𐳫𐳬𐳭𐳮𐳯𐳰𐳱𐳲𞤢𞤣𞤤𞤥𞤦𞤧𞤨𞤩𞤪𞤫𞤬𞤭𞤮𞤯𞤰𞤱𞤲𞤳𞤴𞤵𞤶𞤷𞤸𞤹𞤺𞤻𞤼𞤽𞤾𞤿𞥀𞥁𞥂𞥃'
        || 'ι'
    );
BEGIN
    RETURN replace(replace(small, 'ß', 'ss'), U&'i\0307', 'i');
END
$$;

COMMENT ON FUNCTION clerk_migration.small_letters(text) IS 'Decomposed (NFKD), every letter in its lower case.';

-- This one and normal_address are not STRICT: as they are, Postgres writes their bodies into the query that calls them,
-- which makes a million addresses a matter of a second.
CREATE FUNCTION clerk_migration.folded(written text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN btrim(
    CASE
        WHEN octet_length(written) = length(written) THEN lower(written COLLATE "C")
        ELSE clerk_migration.small_letters(written)
    END,
    E' \t\n\r\f\x0b'
);

COMMENT ON FUNCTION clerk_migration.folded(text) IS 'As small_letters has it, without blanks around it.';

CREATE FUNCTION clerk_migration.from_punycode(label text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    encoded text COLLATE "C" := substr(label, 5);
    hyphen bigint := length(encoded) - strpos(reverse(encoded), '-') + 1;
    here bigint := CASE WHEN hyphen > length(encoded) THEN 1 ELSE hyphen + 1 END;
    decoded text COLLATE "C" := left(encoded, greatest(here - 2, 0)::int);
    is_first boolean := true;
    code bigint := 128;
    place bigint := 0;
    bias bigint := 72;
    delta bigint;
    weight bigint;
    threshold bigint;
    digit bigint;
    step bigint;
BEGIN
    IF NOT starts_with(label COLLATE "C", 'xn--') OR octet_length(encoded) <> length(encoded) THEN
        RETURN label;
    END IF;
    WHILE here <= length(encoded) LOOP
        delta := 0;
        weight := 1;
        step := 36;
        LOOP
            digit := strpos('abcdefghijklmnopqrstuvwxyz0123456789', substr(encoded, here::int, 1)) - 1;
            -- The end came too early, or this is no digit, or what it makes is no character.
            IF here > length(encoded) OR digit < 0 OR delta > 1114112 * (length(decoded) + 1) THEN
                RETURN label;
            END IF;
            here := here + 1;
            delta := delta + digit * weight;
            threshold := least(greatest(step - bias, 1), 26);
            EXIT WHEN digit < threshold;
            weight := weight * (36 - threshold);
            step := step + 36;
        END LOOP;
        place := place + delta;
        code := code + place / (length(decoded) + 1);
        place := place % (length(decoded) + 1);
        IF code > 1114111 OR code BETWEEN 55296 AND 57343 THEN
            RETURN label;
        END IF;
        decoded := left(decoded, place::int) || chr(code::int) || substr(decoded, place::int + 1);
        place := place + 1;
        delta := delta / CASE WHEN is_first THEN 700 ELSE 2 END;
        delta := delta + delta / length(decoded);
        is_first := false;
        bias := 0;
        WHILE delta > 455 LOOP
            delta := delta / 35;
            bias := bias + 36;
        END LOOP;
        bias := bias + 36 * delta / (delta + 38);
    END LOOP;
    RETURN decoded;
END
$$;

COMMENT ON FUNCTION clerk_migration.from_punycode(text) IS 'A domain''s label that begins with xn-- as what it stands for (RFC 3492); any other, and one that stands for nothing, as it is.';

CREATE FUNCTION clerk_migration.without_punycode(address text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
    SELECT
        coalesce(substring(address COLLATE "C" FROM '^.*@'), '')
        || coalesce(string_agg(clerk_migration.from_punycode(l.label), '.' ORDER BY l.place), '')
    FROM unnest(string_to_array(substring(address COLLATE "C" FROM '[^@]*$'), '.')) WITH ORDINALITY AS l (label, place)
);

COMMENT ON FUNCTION clerk_migration.without_punycode(text) IS 'A folded address whose domain is in Unicode.';

CREATE FUNCTION clerk_migration.normal_address(address text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN strpos(clerk_migration.folded(address) COLLATE "C", 'xn--') = 0 THEN clerk_migration.folded(address)
    ELSE clerk_migration.folded(clerk_migration.without_punycode(clerk_migration.folded(address)))
END;

COMMENT ON FUNCTION clerk_migration.normal_address(text) IS 'What an email address has in common with all that are the same to Clerk. To compare, never to show or to write to.';

CREATE INDEX users_normal_address_idx ON users (clerk_migration.normal_address(email));

CREATE INDEX signups_normal_address_idx ON clerk_migration.signups (clerk_migration.normal_address(email))
WHERE state IN ('row_created', 'code_sent', 'decoy');
