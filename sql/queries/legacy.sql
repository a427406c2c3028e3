-- All that touches the columns and tables of legacy authentication. It goes away with `bff/legacy`.

-- name: legacy_credentials(user_id)^
-- What AX checks a user by; nothing for one who is in Clerk or disabled.
SELECT hashed_password AS digest, enabled_2fa AS second_factor, totp_cipher, nonce AS totp_nonce
FROM users
WHERE id = :user_id AND clerk_id IS NULL AND disabled_at IS NULL;

-- name: hold_legacy_standing(user_id, digest_hash, new_salt, second_factor_passed)$
-- True if the user is still AX's, with the digest that was checked (or the one with the new salt, which the same check made of
-- the same password), and without a second factor that was not asked for; and so it stays until the transaction ends
-- (invariants 2, 3 and 4). One login of a user at a time gets past this.
SELECT true
FROM users
WHERE
    id = :user_id
    AND clerk_id IS NULL
    AND disabled_at IS NULL
    AND (
        sha256(convert_to(hashed_password, 'UTF8')) = :digest_hash::bytea
        OR position('$' || :new_salt::text || '$' IN hashed_password) > 0
    )
    AND (:second_factor_passed::boolean OR NOT enabled_2fa)
FOR NO KEY UPDATE;

-- name: replace_digest(user_id, before, after)$
-- Put a digest in another's place: true if that was still there, and the user AX's (invariants 3 and 4).
UPDATE users
SET hashed_password = :after, updated_at = now()
WHERE id = :user_id AND clerk_id IS NULL AND disabled_at IS NULL AND hashed_password = :before
RETURNING true;

-- name: set_digest(user_id, digest)$
-- Give a user a new password, whatever the one before was; whether there is a second factor. To be called with the row held.
UPDATE users
SET hashed_password = :digest, updated_at = now()
WHERE id = :user_id
RETURNING enabled_2fa;

-- name: hold_legacy_user(user_id)$
-- True if the user is AX's; and so it stays until the transaction ends (invariants 3 and 4).
SELECT true
FROM users
WHERE id = :user_id AND clerk_id IS NULL AND disabled_at IS NULL
FOR NO KEY UPDATE;

-- name: forget_live_reset_codes(user_id, lifetime)!
-- Delete a user's codes but for one that just came back. To be called with the user's row held.
DELETE FROM password_reset_codes
WHERE user_id = :user_id AND (used_at IS NULL OR used_at <= now() - :lifetime::interval);

-- name: forget_reset_codes(user_id)!
-- Delete all of a user's codes: there is a new password.
DELETE FROM password_reset_codes WHERE user_id = :user_id;

-- name: forget_expired_reset_codes(most)$
-- Delete codes that ended an hour ago, `most` at a time; how many they were.
WITH gone AS (
    DELETE FROM password_reset_codes
    WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM password_reset_codes WHERE expires_at < now() - interval '1 hour' LIMIT :most FOR UPDATE SKIP LOCKED
    ))
    RETURNING 1
)

SELECT count(*) FROM gone;

-- name: add_reset_code(user_id, code_hash, lifetime)$
-- Keep a code that is mailed; its id.
INSERT INTO password_reset_codes (user_id, code_hash, expires_at)
VALUES (:user_id, :code_hash, now() + :lifetime::interval)
RETURNING id;

-- name: live_reset_code(user_id)^
-- The one code of a user that can still come back: its id, and what is kept of it.
SELECT id, code_hash
FROM password_reset_codes
WHERE user_id = :user_id AND used_at IS NULL AND expires_at > now()
ORDER BY created_at DESC
LIMIT 1;

-- name: use_reset_code(code_id)$
-- A code came back: true once.
UPDATE password_reset_codes SET used_at = now() WHERE id = :code_id AND used_at IS NULL RETURNING true;

-- name: reset_is_proven(code_id, lifetime)$
-- Whether a code came back lately, and no password was set since.
SELECT EXISTS (
    SELECT FROM password_reset_codes WHERE id = :code_id AND used_at > now() - :lifetime::interval
);

-- name: typical_digest()$
-- A digest whose parameters most of the table's have, as far as a sample tells.
SELECT max(hashed_password) AS digest
FROM (SELECT hashed_password FROM users WHERE hashed_password IS NOT NULL LIMIT 200) AS sample
GROUP BY regexp_replace(hashed_password, '(\$[^$]*){2}$', '')
ORDER BY count(*) DESC
LIMIT 1;

-- name: most_are_legacy()$
-- Whether AX checks at least half of the users, as far as a sample tells where there are more than some 200000.
SELECT count(*) FILTER (WHERE clerk_id IS NULL) >= count(clerk_id)
FROM users TABLESAMPLE SYSTEM (
    (SELECT 100 * least(1, 200000 / greatest(reltuples, 1)) FROM pg_class WHERE oid = 'users'::regclass)
);

-- name: insert_legacy_user(email, normal, digest, first_name, last_name)$
-- A user whose password AX keeps: the id; nothing when the address is taken.
INSERT INTO users (email, hashed_password, first_name, last_name)
SELECT :email, :digest, :first_name, :last_name
WHERE NOT EXISTS (SELECT FROM users WHERE clerk_migration.normal_address(email) = :normal)
ON CONFLICT (email) DO NOTHING
RETURNING id;

-- name: turn_second_factor_on(user_id, totp_cipher, totp_nonce)$
-- Give a user who has none an authenticator: true once, and not for one who was moved or disabled meanwhile.
UPDATE users
SET enabled_2fa = true, totp_cipher = :totp_cipher, nonce = :totp_nonce, updated_at = now()
WHERE id = :user_id AND clerk_id IS NULL AND disabled_at IS NULL AND NOT enabled_2fa
RETURNING true;

-- name: turn_second_factor_off(user_id)$
-- Take a user's authenticator away.
UPDATE users
SET enabled_2fa = false, totp_cipher = NULL, nonce = NULL, updated_at = now()
WHERE id = :user_id AND clerk_id IS NULL AND disabled_at IS NULL AND enabled_2fa
RETURNING true;
