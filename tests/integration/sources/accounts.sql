-- The table `accounts` as the import reads it; sql/sources/ax.sql explains the columns.

CREATE VIEW clerk_migration.source AS
SELECT
    account_no AS id,
    login AS email,
    confirmed AS email_verified,
    pw_hash AS password_digest,
    CASE WHEN pw_hash ~ '^\$2[abxy]?\$' THEN 'bcrypt' END AS password_hasher,
    otp_secret IS NOT NULL AS second_factor,
    NULL::bytea AS totp_cipher,
    NULL::bytea AS totp_nonce,
    otp_secret AS totp_secret,
    recovery_codes AS backup_codes,
    nullif(split_part(full_name, ' ', 1), '') AS first_name,
    nullif(substr(full_name, length(split_part(full_name, ' ', 1)) + 2), '') AS last_name,
    registered AT TIME ZONE 'UTC' AS created_at,
    status = 'closed' AS disabled,
    clerk_user_id AS clerk_id
FROM accounts;
