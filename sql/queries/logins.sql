-- Logging in, on both systems: who it is, challenges, devices, limits, and the counts that the gates read.

-- name: check_schema()$
-- That everything the BFF needs is there; an error if not.
SELECT 1
FROM users AS u, sessions AS s, clerk_migration.challenges AS c, clerk_migration.devices,
    clerk_migration.attempts, clerk_migration.login_counts, clerk_migration.switches,
    clerk_migration.signups AS g
WHERE u.clerk_id = '' AND s.clerk_session_id = '' AND c.digest_hash = '' AND g.code_hash = ''
LIMIT 0;

-- name: lower(text)$
-- As Postgres compares: Python's is another.
SELECT lower(:text);

-- name: account_by_email(email)^
-- Byte by byte, as AX looks its users up; and as Clerk compares addresses, for users who are in Clerk.
SELECT
    id,
    email,
    email_verified_at IS NOT NULL AS email_verified,
    clerk_id,
    hashed_password AS digest,
    enabled_2fa AS second_factor,
    totp_cipher,
    nonce AS totp_nonce,
    disabled_at IS NOT NULL AS disabled
FROM users
WHERE email = :email OR (lower(email) = lower(:email) AND clerk_id IS NOT NULL)
ORDER BY email = :email DESC
LIMIT 1;

-- name: account_by_id(user_id)^
SELECT
    id,
    email,
    email_verified_at IS NOT NULL AS email_verified,
    clerk_id,
    hashed_password AS digest,
    enabled_2fa AS second_factor,
    totp_cipher,
    nonce AS totp_nonce,
    disabled_at IS NOT NULL AS disabled
FROM users
WHERE id = :user_id;

-- name: open_challenge(id_hash, user_id, system, kind, delivery, methods, clerk_sign_in_id, client_token_cipher, client_token_nonce, digest_hash, lifetime)$
INSERT INTO clerk_migration.challenges (
    id_hash, user_id, system, kind, delivery, methods, clerk_sign_in_id,
    client_token_cipher, client_token_nonce, digest_hash, expires_at
)
VALUES (
    :id_hash, :user_id, :system, :kind, :delivery, :methods::jsonb, :clerk_sign_in_id,
    :client_token_cipher, :client_token_nonce, :digest_hash, now() + :lifetime::interval
)
RETURNING expires_at;

-- name: get_challenge(id_hash, most)^
-- A challenge that can still be finished.
SELECT
    user_id, system, kind, delivery, methods::text AS methods, clerk_sign_in_id, client_token_cipher AS cipher,
    client_token_nonce AS nonce, digest_hash
FROM clerk_migration.challenges
WHERE id_hash = :id_hash AND used_at IS NULL AND expires_at > now() AND attempts < :most;

-- name: attempt_challenge(id_hash, most)^
-- Spend an attempt before the code is looked at; nothing comes back when none is left.
UPDATE clerk_migration.challenges
SET attempts = attempts + 1
WHERE id_hash = :id_hash AND used_at IS NULL AND expires_at > now() AND attempts < :most
RETURNING
    user_id, system, kind, delivery, methods::text AS methods, clerk_sign_in_id, client_token_cipher AS cipher,
    client_token_nonce AS nonce, digest_hash;

-- name: give_back_attempt(id_hash)!
-- Nobody looked at the code.
UPDATE clerk_migration.challenges
SET attempts = attempts - 1
WHERE id_hash = :id_hash AND attempts > 0;

-- name: keep_client_token(id_hash, cipher, nonce)!
-- Clerk gave another client token in the course of the challenge.
UPDATE clerk_migration.challenges
SET client_token_cipher = :cipher, client_token_nonce = :nonce
WHERE id_hash = :id_hash AND used_at IS NULL;

-- name: lock_totp(user_id)$
-- One legacy code of a user is looked at at a time, so that the same code does not finish two challenges.
SELECT pg_advisory_xact_lock(hashtextextended('clerk_migration.totp.' || :user_id, 0));

-- name: last_totp_step(user_id)$
-- The step of the newest legacy code that the user spent.
SELECT max(totp_step) FROM clerk_migration.challenges WHERE user_id = :user_id;

-- name: use_challenge(id_hash, totp_step)$
-- Finish a challenge: true once.
UPDATE clerk_migration.challenges
SET used_at = now(), totp_step = :totp_step
WHERE id_hash = :id_hash AND used_at IS NULL AND expires_at > now()
RETURNING true;

-- name: get_device(device_hash, user_id)^
SELECT client_token_cipher AS cipher, client_token_nonce AS nonce
FROM clerk_migration.devices
WHERE device_hash = :device_hash AND user_id = :user_id AND expires_at > now();

-- name: rename_device(device_hash, new_hash)!
-- With all who are known there.
UPDATE clerk_migration.devices SET device_hash = :new_hash WHERE device_hash = :device_hash;

-- name: put_device(device_hash, user_id, cipher, nonce, lifetime)!
INSERT INTO clerk_migration.devices (device_hash, user_id, client_token_cipher, client_token_nonce, expires_at)
VALUES (:device_hash, :user_id, :cipher, :nonce, now() + :lifetime::interval)
ON CONFLICT (device_hash, user_id) DO UPDATE SET
    client_token_cipher = excluded.client_token_cipher,
    client_token_nonce = excluded.client_token_nonce,
    expires_at = excluded.expires_at;

-- name: spend_attempts(keys, attempts, seconds)
-- Let an attempt through under each key (its hash), unless there were as many as may be in the seconds before; what is
-- refused does not count. With the oldest that counts, in seconds from now (negative). Keys are taken in one order, so
-- that two replicas never wait for each other.
WITH given AS (
    SELECT g.key_hash, g.attempts, g.seconds
    FROM unnest(:keys::bytea[], :attempts::int[], :seconds::float8[]) AS g (key_hash, attempts, seconds)
    ORDER BY g.key_hash
)

INSERT INTO clerk_migration.attempts AS a (key_hash, times, refused)
SELECT key_hash, ARRAY[now()], false FROM given
ON CONFLICT (key_hash) DO UPDATE SET (times, refused, updated_at) = (
    SELECT
        CASE WHEN cardinality(within.times) < g.attempts THEN within.times || now() ELSE within.times END,
        cardinality(within.times) >= g.attempts,
        now()
    FROM given AS g
    CROSS JOIN LATERAL (
        SELECT array(
            SELECT t.at FROM unnest(a.times) AS t (at) WHERE t.at > now() - make_interval(secs => g.seconds) ORDER BY t.at
        ) AS times
    ) AS within
    WHERE g.key_hash = a.key_hash
)
RETURNING a.key_hash, a.refused, extract(EPOCH FROM a.times[1] - now())::float8 AS oldest;

-- name: count_login(path, outcome)!
INSERT INTO clerk_migration.login_counts AS c (day, path, outcome, count)
VALUES ((now() AT TIME ZONE 'UTC')::date, :path, :outcome, 1)
ON CONFLICT (day, path, outcome) DO UPDATE SET count = c.count + 1;

-- name: forget_expired_challenges()!
DELETE FROM clerk_migration.challenges WHERE expires_at < now() - interval '1 hour';

-- name: forget_expired_devices()!
DELETE FROM clerk_migration.devices WHERE expires_at < now();

-- name: forget_old_attempts()!
DELETE FROM clerk_migration.attempts WHERE updated_at < now() - interval '2 days';

-- name: typical_digest()$
-- A digest whose parameters most of the table's have, as far as a sample tells.
SELECT max(hashed_password) AS digest
FROM (SELECT hashed_password FROM users WHERE hashed_password IS NOT NULL LIMIT 200) AS sample
GROUP BY regexp_replace(hashed_password, '(\$[^$]*){2}$', '')
ORDER BY count(*) DESC
LIMIT 1;
