-- AX's users as the import reads them.
--
-- To move the users of another table, write a file like this one and its write-back query (ax_link.sql), and
-- name both in the playbook. The columns below are the contract: these names and types, in any order. The id
-- may be of any type that has an order and an index; the other types are those the comments give. Keep the view
-- simple, so that the planner reaches the table's indexes through it: `id > … ORDER BY id LIMIT …` and
-- `clerk_id IS NULL` are what it is asked.
--
-- One column more is optional, as AX has nothing for it: backup_codes text[], the codes that are not used up and stand in
-- for the second factor, each plain or as bcrypt makes it; NULL or empty without. With it the write-back must compare
-- :backup_codes, or a code that is used up while its user is imported works in Clerk once more.

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
