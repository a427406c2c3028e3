-- Proofs that wait for a further step, and what must be remembered of the codes that finished one.

-- name: open_challenge(id_hash, user_id, system, purpose, session_id, kind, delivery, methods, state_cipher, state_nonce, lifetime)$
-- Keep a proof that waits; when it ends.
INSERT INTO clerk_migration.challenges (
    id_hash, user_id, system, purpose, session_id, kind, delivery, methods, state_cipher, state_nonce, expires_at
)
VALUES (
    :id_hash, :user_id, :system, :purpose, :session_id, :kind, :delivery, :methods::jsonb, :state_cipher, :state_nonce,
    now() + :lifetime::interval
)
RETURNING expires_at;

-- name: get_challenge(id_hash, purpose, session_id, most)^
-- A challenge that can still be finished, for what it was begun for.
SELECT user_id, system, kind, delivery, methods::text AS methods, state_cipher, state_nonce
FROM clerk_migration.challenges
WHERE
    id_hash = :id_hash
    AND purpose = :purpose
    AND session_id IS NOT DISTINCT FROM :session_id::uuid
    AND used_at IS NULL
    AND expires_at > now()
    AND attempts < :most;

-- name: attempt_challenge(id_hash, purpose, session_id, most)^
-- Spend an attempt before the code is looked at; nothing comes back when none is left.
UPDATE clerk_migration.challenges
SET attempts = attempts + 1
WHERE
    id_hash = :id_hash
    AND purpose = :purpose
    AND session_id IS NOT DISTINCT FROM :session_id::uuid
    AND used_at IS NULL
    AND expires_at > now()
    AND attempts < :most
RETURNING user_id, system, kind, delivery, methods::text AS methods, state_cipher, state_nonce;

-- name: give_back_attempt(id_hash)!
-- Return an attempt whose code nobody looked at.
UPDATE clerk_migration.challenges
SET attempts = attempts - 1
WHERE id_hash = :id_hash AND attempts > 0;

-- name: keep_challenge_state(id_hash, state_cipher, state_nonce)!
-- Replace what the system has to remember, such as Clerk's newest client token; not of a reset whose code came back while
-- another was being sent.
UPDATE clerk_migration.challenges
SET state_cipher = :state_cipher, state_nonce = :state_nonce
WHERE id_hash = :id_hash AND used_at IS NULL AND kind <> 'new_password';

-- name: advance_challenge(id_hash, kind, state_cipher, state_nonce, lifetime)$
-- Let a challenge wait for something else, with all its attempts and as long as a new one; when it ends.
UPDATE clerk_migration.challenges
SET
    kind = :kind, state_cipher = :state_cipher, state_nonce = :state_nonce, attempts = 0,
    expires_at = now() + :lifetime::interval
WHERE id_hash = :id_hash AND used_at IS NULL AND expires_at > now()
RETURNING expires_at;

-- name: move_challenge(id_hash, system, state_cipher, state_nonce)!
-- The user went over to another system, which goes on with the challenge.
UPDATE clerk_migration.challenges
SET system = :system, state_cipher = :state_cipher, state_nonce = :state_nonce
WHERE id_hash = :id_hash AND used_at IS NULL;

-- name: use_challenge(id_hash)$
-- Finish a challenge: true once.
UPDATE clerk_migration.challenges
SET used_at = now()
WHERE id_hash = :id_hash AND used_at IS NULL AND expires_at > now()
RETURNING true;

-- name: void_challenges(user_id)!
-- The ways in to an account have changed: who is in the middle of proving something for it, perhaps with the password from
-- before, begins anew. A reset that waits for its code becomes one for nobody, which no code finishes: whoever began it must
-- not learn that there is an account (invariant 9). Not meant is what is being set up in a session.
UPDATE clerk_migration.challenges
SET
    user_id = CASE WHEN kind = 'reset_code' THEN gen_random_uuid()::text ELSE user_id END,
    system = CASE WHEN kind = 'reset_code' THEN 'legacy' ELSE system END,
    used_at = CASE WHEN kind = 'reset_code' THEN NULL ELSE now() END
WHERE user_id = :user_id::text AND purpose IN ('login', 'reauthentication', 'reset') AND used_at IS NULL;

-- name: spend_code(user_id, code_hash, step, lifetime)$
-- Use up an authenticator code, and with it all of older steps: true once. To be called with the user's row locked, so that
-- who comes second sees what the first spent.
INSERT INTO clerk_migration.spent_codes (user_id, code_hash, step, expires_at)
SELECT :user_id, :code_hash, :step, now() + :lifetime::interval
WHERE NOT EXISTS (
    SELECT
    FROM clerk_migration.spent_codes
    WHERE user_id = :user_id AND expires_at > now() AND (step >= :step OR code_hash = :code_hash)
)
ON CONFLICT (user_id, code_hash) DO UPDATE SET step = excluded.step, expires_at = excluded.expires_at
RETURNING true;

-- name: note_code(user_id, code_hash, lifetime)!
-- Remember an authenticator code that Clerk took, which knows itself that it works once: after a move back AX must, too.
INSERT INTO clerk_migration.spent_codes (user_id, code_hash, expires_at)
VALUES (:user_id, :code_hash, now() + :lifetime::interval)
ON CONFLICT (user_id, code_hash) DO UPDATE SET expires_at = excluded.expires_at;

-- name: code_is_spent(user_id, code_hash)$
-- Whether an authenticator code was used already, by whichever system took it.
SELECT EXISTS (
    SELECT
    FROM clerk_migration.spent_codes
    WHERE user_id = :user_id AND code_hash = :code_hash AND expires_at > now()
);

-- name: forget_expired_challenges(most)$
-- Delete challenges that ended an hour ago, `most` at a time; how many they were.
WITH gone AS (
    DELETE FROM clerk_migration.challenges
    WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM clerk_migration.challenges WHERE expires_at < now() - interval '1 hour' LIMIT :most FOR UPDATE SKIP LOCKED
    ))
    RETURNING 1
)

SELECT count(*) FROM gone;

-- name: forget_spent_codes(most)$
-- Delete codes that nobody could use any more, `most` at a time; how many they were.
WITH gone AS (
    DELETE FROM clerk_migration.spent_codes
    WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM clerk_migration.spent_codes WHERE expires_at <= now() LIMIT :most FOR UPDATE SKIP LOCKED
    ))
    RETURNING 1
)

SELECT count(*) FROM gone;
