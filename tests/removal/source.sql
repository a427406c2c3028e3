-- AX's users once legacy's columns are gone: nobody is left to import.

CREATE VIEW clerk_migration.source AS
SELECT
    id,
    email,
    email_verified_at IS NOT NULL AS email_verified,
    NULL::text AS password_digest,
    NULL::text AS password_hasher,
    false AS second_factor,
    NULL::bytea AS totp_cipher,
    NULL::bytea AS totp_nonce,
    NULL::text AS totp_secret,
    first_name,
    last_name,
    created_at,
    disabled_at IS NOT NULL AS disabled,
    clerk_id
FROM users;
