-- Django's table auth_user as the import reads it; sql/sources/ax.sql explains the columns. Django writes the hasher before
-- each digest, and makes "unusable" passwords (a "!" at the beginning) for those who have none. It does not say whether an
-- address is verified: here those count as verified who have logged in.

CREATE VIEW clerk_migration.source AS
SELECT
    id,
    email,
    last_login IS NOT NULL AS email_verified,
    CASE
        WHEN password = '' OR starts_with(password, '!') THEN NULL
        WHEN starts_with(password, 'argon2$') THEN substr(password, length('argon2') + 1)
        WHEN starts_with(password, 'bcrypt$') THEN substr(password, length('bcrypt$') + 1)
        ELSE password
    END AS password_digest,
    CASE
        WHEN starts_with(password, 'pbkdf2_sha256$') THEN 'pbkdf2_sha256_django'
        WHEN starts_with(password, 'argon2$argon2id$') THEN 'argon2id'
        WHEN starts_with(password, 'argon2$argon2i$') THEN 'argon2i'
        WHEN starts_with(password, 'bcrypt_sha256$') THEN 'bcrypt_sha256_django'
        WHEN starts_with(password, 'bcrypt$') THEN 'bcrypt'
    END AS password_hasher,
    false AS second_factor,
    NULL::bytea AS totp_cipher,
    NULL::bytea AS totp_nonce,
    NULL::text AS totp_secret,
    nullif(first_name, '') AS first_name,
    nullif(last_name, '') AS last_name,
    date_joined AS created_at,
    NOT is_active AS disabled,
    clerk_id
FROM auth_user;
