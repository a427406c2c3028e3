-- The table `members` as the import reads it; sql/sources/ax.sql explains the columns.

CREATE VIEW clerk_migration.source AS
SELECT
    id,
    email,
    true AS email_verified,
    digest AS password_digest,
    hasher AS password_hasher,
    false AS second_factor,
    NULL::bytea AS totp_cipher,
    NULL::bytea AS totp_nonce,
    NULL::text AS totp_secret,
    NULL::text AS first_name,
    NULL::text AS last_name,
    NULL::timestamptz AS created_at,
    false AS disabled,
    clerk_id
FROM members;
