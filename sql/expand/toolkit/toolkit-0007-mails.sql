-- Mails that the BFF sends itself, from the transaction that they tell of until they are sent.
-- depends: toolkit-0001-import

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

CREATE TABLE IF NOT EXISTS clerk_migration.mails (
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

-- The table is new.
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX IF NOT EXISTS mails_not_before_idx ON clerk_migration.mails (not_before);

COMMENT ON TABLE clerk_migration.mails IS 'Mails that wait to be sent. A row is gone once its mail is sent, refused for good, or too late.';
COMMENT ON COLUMN clerk_migration.mails.kind IS 'A name of bff/mail/mails.py, and of its templates, for example totp_removed.';
COMMENT ON COLUMN clerk_migration.mails.ip_address IS 'Where what it tells of came from; and so user_agent.';
COMMENT ON COLUMN clerk_migration.mails.code_cipher IS 'The code that it is to tell, AES-256-GCM with its tag at the end.';
COMMENT ON COLUMN clerk_migration.mails.attempts IS 'How often a BFF set out to send it.';
COMMENT ON COLUMN clerk_migration.mails.not_before IS 'Whoever claims it puts this off for longer than sending takes, and each time longer: nobody else sends it meanwhile, and it is tried again if that fails.';
COMMENT ON COLUMN clerk_migration.mails.expires_at IS 'When it is too late to send it.';
