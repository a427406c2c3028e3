-- Signing up with Clerk. It works as a saga: every step is written down before the next, and each step asks for the one
-- before, so that whoever undoes a signup and whoever goes on with it never both succeed.

-- name: take_invite(code_hash)$
-- Take one use of an invite: its id, or nothing when it is unknown, used up or has expired.
UPDATE invites
SET uses_left = uses_left - 1
WHERE code_hash = :code_hash AND uses_left > 0 AND (expires_at IS NULL OR expires_at > now())
RETURNING id;

-- name: email_is_taken(normal)$
-- Whether somebody has this address already, in whatever form: Clerk would give it to nobody else.
SELECT EXISTS (SELECT FROM users WHERE clerk_migration.normal_address(email) = :normal);

-- name: owners_of(normal)
-- The addresses of those who have this one, each as its row has it.
SELECT email FROM users WHERE clerk_migration.normal_address(email) = :normal ORDER BY created_at, id;

-- name: begin_signup(invite_id, email, delivery)^
-- Write down that a signup has begun, whose invite is taken; its id, and the id that its user will have.
INSERT INTO clerk_migration.signups (state, user_id, invite_id, email, delivery)
VALUES ('invite_taken', gen_random_uuid()::text, :invite_id::text, :email, :delivery)
RETURNING id, user_id;

-- name: create_row(signup_id, clerk_id, first_name, last_name)$
-- The user's row, whose login Clerk checks: true, or nothing when the signup was undone meanwhile.
WITH signup AS (
    UPDATE clerk_migration.signups
    SET state = 'row_created', clerk_id = :clerk_id, updated_at = now()
    WHERE id = :signup_id AND state = 'invite_taken'
    RETURNING user_id, email, clerk_id
)

INSERT INTO users (id, email, clerk_id, first_name, last_name)
SELECT user_id::uuid, email, clerk_id, :first_name, :last_name FROM signup
RETURNING true;

-- name: become_decoy(signup_id, password_hash)$
-- The address has an account: the signup leads nowhere, and looks as if it did.
UPDATE clerk_migration.signups
SET state = 'decoy', password_hash = :password_hash, updated_at = now()
WHERE id = :signup_id AND state = 'invite_taken'
RETURNING true;

-- name: code_sent(signup_id, email_address_id, clerk_session_id, token_cipher, token_nonce)$
-- A code was sent, the first or a later one: true, or nothing when the signup was undone meanwhile.
UPDATE clerk_migration.signups
SET
    state = 'code_sent',
    email_address_id = :email_address_id,
    clerk_session_id = :clerk_session_id,
    client_token_cipher = :token_cipher,
    client_token_nonce = :token_nonce,
    updated_at = now()
WHERE id = :signup_id AND state IN ('row_created', 'code_sent')
RETURNING true;

-- name: signup(signup_id, unverified)^
-- A signup that waits for its code.
SELECT
    id, state, user_id, email, clerk_id, email_address_id, clerk_session_id, delivery,
    client_token_cipher AS token_cipher, client_token_nonce AS token_nonce
FROM clerk_migration.signups
WHERE id = :signup_id AND state IN ('code_sent', 'decoy') AND created_at > now() - :unverified::interval;

-- name: signups_at_address(normal, unverified)
-- Signups with this address that wait for their code, or will: where a decoy leads, that has somebody else's.
SELECT id, email, password_hash
FROM clerk_migration.signups
WHERE
    state IN ('row_created', 'code_sent', 'decoy') AND clerk_migration.normal_address(email) = :normal
    AND created_at > now() - :unverified::interval;

-- name: signup_of_user(user_id, unverified)^
-- The signup that this user has to verify yet; `over` when it is too late for that.
SELECT
    id, email, clerk_id, email_address_id, clerk_session_id, code_hash IS NOT NULL AS code_in_doubt,
    client_token_cipher AS token_cipher, client_token_nonce AS token_nonce,
    created_at <= now() - :unverified::interval AS over
FROM clerk_migration.signups
WHERE user_id = :user_id::text AND state IN ('row_created', 'code_sent');

-- name: has_open_signup(user_id)$
-- Whether this user's address is yet to be verified by a signup: what proves another place than the mailbox opens it to nobody.
SELECT EXISTS (
    SELECT FROM clerk_migration.signups WHERE user_id = :user_id::text AND state IN ('row_created', 'code_sent')
);

-- name: try_code(signup_id, code_hash)^
-- Note that a code is about to be tried; whether the same was tried before, and its answer lost.
UPDATE clerk_migration.signups AS s
SET code_hash = :code_hash
FROM (SELECT id, code_hash FROM clerk_migration.signups WHERE id = :signup_id FOR UPDATE) AS before
WHERE s.id = before.id AND s.state = 'code_sent'
RETURNING before.code_hash IS NOT DISTINCT FROM :code_hash AS tried_before;

-- name: forget_code(signup_id, code_hash)!
-- The code that was tried is known to have proven nothing.
UPDATE clerk_migration.signups SET code_hash = NULL WHERE id = :signup_id AND code_hash = :code_hash;

-- name: verify_signup(signup_id)$
-- The end of a signup: the address is verified. True once.
WITH signup AS (
    UPDATE clerk_migration.signups
    SET
        state = 'verified', email = NULL, code_hash = NULL, client_token_cipher = NULL, client_token_nonce = NULL,
        updated_at = now()
    WHERE id = :signup_id AND state IN ('row_created', 'code_sent')
    RETURNING user_id
)

UPDATE users
SET email_verified_at = now(), updated_at = now()
WHERE id = (SELECT user_id::uuid FROM signup)
RETURNING true;

-- name: begin_undo(signup_id, reason, states)^
-- Gone from AX, and the invite as it was: the user's ids, for one caller. What is left is to be done in Clerk.
WITH signup AS (
    UPDATE clerk_migration.signups
    SET
        state = 'undoing', reason = :reason, email = NULL, password_hash = NULL, code_hash = NULL,
        client_token_cipher = NULL, client_token_nonce = NULL, updated_at = now()
    WHERE id = :signup_id AND state = ANY(:states::text[])
    RETURNING user_id, clerk_id, invite_id
),

gone AS (
    DELETE FROM users WHERE id = (SELECT user_id::uuid FROM signup)
),

given_back AS (
    UPDATE invites SET uses_left = uses_left + 1 WHERE id = (SELECT invite_id::uuid FROM signup)
)

SELECT user_id, clerk_id FROM signup;

-- name: reopen_undo(signup_id, clerk_id)!
-- Clerk made the user after all, of a signup that was undone meanwhile.
UPDATE clerk_migration.signups
SET state = 'undoing', clerk_id = :clerk_id, updated_at = now()
WHERE id = :signup_id AND state IN ('undoing', 'undone');

-- name: end_undo(signup_id)!
-- Nothing of a signup that was undone is left in Clerk.
UPDATE clerk_migration.signups
SET state = 'undone', updated_at = now()
WHERE id = :signup_id AND state = 'undoing';

-- name: open_signups()$
-- How many signups have not ended.
SELECT count(*) FROM clerk_migration.signups WHERE state NOT IN ('verified', 'undone');

-- name: claim_sweep()$
-- One sweep at a time on a database: true when this connection holds the claim.
SELECT pg_try_advisory_lock(hashtextextended('clerk_migration.sweep', 0));

-- name: release_sweep()$
-- The sweep is over; the next may begin.
SELECT pg_advisory_unlock(hashtextextended('clerk_migration.sweep', 0));

-- name: signups_to_sweep(settle, unverified, most)
-- Signups that somebody began and left, with what there is to know of them.
SELECT
    id, state, user_id, clerk_id, email, code_hash IS NOT NULL AS code_in_doubt, updated_at <= now() - :settle::interval AS settled
FROM clerk_migration.signups
WHERE
    (state IN ('invite_taken', 'row_created') AND updated_at <= now() - :settle::interval)
    OR state = 'undoing'
    OR (state IN ('code_sent', 'decoy') AND created_at <= now() - :unverified::interval)
ORDER BY updated_at
LIMIT :most;
