-- Somebody else's users: integer ids, bcrypt digests, the whole name in one column, TOTP secrets
-- that are kept readable, and recovery codes beside them.

CREATE TABLE accounts (
    account_no integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    login varchar(320) NOT NULL,
    confirmed boolean NOT NULL DEFAULT false,
    pw_hash varchar(60),
    full_name varchar(200) NOT NULL DEFAULT '',
    registered timestamp NOT NULL DEFAULT now(),
    status varchar(10) NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'closed')),
    otp_secret text,
    recovery_codes varchar(60) [],
    clerk_user_id text UNIQUE
);

COMMENT ON COLUMN accounts.registered IS 'In UTC.';
