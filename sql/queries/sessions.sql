-- AX's sessions and API keys. Tokens and keys are looked up by their SHA-256.

-- name: session_by_token(token_hash)^
-- A live session with its user: the one query that every signed-in request makes.
SELECT
    s.id,
    s.created_at,
    s.last_used_at,
    s.expires_at,
    s.clerk_session_id,
    s.proved_at,
    u.id AS user_id,
    u.email,
    u.email_verified_at IS NOT NULL AS email_verified,
    u.first_name,
    u.last_name,
    u.clerk_id
FROM sessions AS s
INNER JOIN users AS u ON s.user_id = u.id
WHERE
    s.token_hash = :token_hash
    AND s.revoked_at IS NULL
    AND s.expires_at > now()
    AND u.disabled_at IS NULL;

-- name: slide_session(session_id, idle)!
-- Note that a session was used, and let its end slide, never beyond the longest that it may live.
UPDATE sessions
SET last_used_at = now(), expires_at = least(now() + :idle::interval, max_expires_at)
WHERE id = :session_id AND revoked_at IS NULL;

-- name: mint_session(user_id, clerk_id, token_hash, address, user_agent, idle, longest, clerk_session_id, client_token_cipher, client_token_nonce)^
-- A session, if the user still stands as when the proof was made: not disabled, and in the same system (invariant 3).
-- What else the system of the proof asks of the row, it holds in the same transaction.
WITH standing AS (
    SELECT id, email, email_verified_at, first_name, last_name, clerk_id
    FROM users
    WHERE
        id = :user_id
        AND disabled_at IS NULL
        AND clerk_id IS NOT DISTINCT FROM :clerk_id::text
    FOR SHARE
),

minted AS (
    INSERT INTO sessions (
        user_id, token_hash, ip_address, user_agent, expires_at, max_expires_at,
        clerk_session_id, clerk_client_token_cipher, clerk_client_token_nonce, proved_at
    )
    SELECT
        id, :token_hash, :address::inet, :user_agent, now() + least(:idle::interval, :longest::interval),
        now() + :longest::interval, :clerk_session_id, :client_token_cipher, :client_token_nonce, now()
    FROM standing
    RETURNING id, created_at, last_used_at, expires_at, max_expires_at, clerk_session_id, proved_at
)

SELECT
    m.id,
    m.created_at,
    m.last_used_at,
    m.expires_at,
    m.max_expires_at,
    m.clerk_session_id,
    m.proved_at,
    s.id AS user_id,
    s.email,
    s.email_verified_at IS NOT NULL AS email_verified,
    s.first_name,
    s.last_name,
    s.clerk_id
FROM minted AS m
CROSS JOIN standing AS s;

-- name: sessions_of_user(user_id)
-- The user's live sessions, the last used first.
SELECT id, created_at, last_used_at, expires_at, host(ip_address) AS address, user_agent
FROM sessions
WHERE user_id = :user_id AND revoked_at IS NULL AND expires_at > now()
ORDER BY last_used_at DESC, id;

-- name: revoke_session(session_id, user_id)^
-- End a session; what is needed to end the one in Clerk comes back.
UPDATE sessions
SET revoked_at = now()
WHERE id = :session_id AND user_id = :user_id AND revoked_at IS NULL AND expires_at > now()
RETURNING id, clerk_session_id, clerk_client_token_cipher AS token_cipher, clerk_client_token_nonce AS token_nonce;

-- name: renew_session(session_id, user_id, clerk_id, clerk_session_id, token_cipher, token_nonce)^
-- Note that a session's holder has just proven who they are, and what stands behind it in Clerk from now on; what stood there
-- before comes back. Nothing when the session is over, or the user was moved or disabled meanwhile.
WITH standing AS (
    SELECT id
    FROM users
    WHERE id = :user_id AND disabled_at IS NULL AND clerk_id IS NOT DISTINCT FROM :clerk_id::text
    FOR SHARE
),

before AS (
    SELECT s.id, s.clerk_session_id, s.clerk_client_token_cipher, s.clerk_client_token_nonce
    FROM sessions AS s
    INNER JOIN standing AS u ON s.user_id = u.id
    WHERE s.id = :session_id AND s.revoked_at IS NULL AND s.expires_at > now()
    FOR UPDATE OF s
)

UPDATE sessions AS s
SET
    proved_at = now(),
    clerk_session_id = :clerk_session_id,
    clerk_client_token_cipher = :token_cipher,
    clerk_client_token_nonce = :token_nonce
FROM before AS b
WHERE s.id = b.id
RETURNING
    b.clerk_session_id, b.clerk_client_token_cipher AS token_cipher, b.clerk_client_token_nonce AS token_nonce;

-- name: clerk_session_of(session_id)^
-- What stands behind a live session in Clerk.
SELECT clerk_session_id, clerk_client_token_cipher AS token_cipher, clerk_client_token_nonce AS token_nonce
FROM sessions
WHERE id = :session_id AND revoked_at IS NULL AND expires_at > now();

-- name: keep_client_token(session_id, clerk_session_id, token_cipher, token_nonce)!
-- Clerk gave another client token for the session that stands behind this one.
UPDATE sessions
SET clerk_client_token_cipher = :token_cipher, clerk_client_token_nonce = :token_nonce
WHERE id = :session_id AND clerk_session_id = :clerk_session_id AND revoked_at IS NULL;

-- name: revoke_other_sessions(session_id, user_id)
-- End all of the user's sessions but one, or all where that is null; what is needed to end those in Clerk comes back.
UPDATE sessions
SET revoked_at = now()
WHERE
    user_id = :user_id AND id IS DISTINCT FROM :session_id::uuid AND revoked_at IS NULL AND expires_at > now()
RETURNING
    clerk_session_id, clerk_client_token_cipher AS token_cipher, clerk_client_token_nonce AS token_nonce;

-- name: forget_proofs(session_id, user_id)!
-- Who proved less than the user has to prove from now on has to do so again, in all sessions but this one.
UPDATE sessions SET proved_at = NULL WHERE user_id = :user_id AND id <> :session_id AND revoked_at IS NULL;

-- name: user_by_api_key(key_hash)^
-- Whose API key it is, if it is live.
SELECT
    u.id AS user_id,
    u.email,
    u.email_verified_at IS NOT NULL AS email_verified,
    u.first_name,
    u.last_name,
    u.clerk_id,
    k.id,
    k.last_used_at
FROM api_keys AS k
INNER JOIN users AS u ON k.user_id = u.id
WHERE
    k.key_hash = :key_hash
    AND k.revoked_at IS NULL
    AND (k.expires_at IS NULL OR k.expires_at > now())
    AND u.disabled_at IS NULL;

-- name: touch_api_key(key_id)!
-- Note that an API key was used.
UPDATE api_keys SET last_used_at = now() WHERE id = :key_id;
