-- Mails that the BFF sends itself.

-- name: add_mail(kind, recipient, address, user_agent, code_cipher, code_nonce, lifetime)!
-- Have a mail sent once this transaction is committed.
INSERT INTO clerk_migration.mails (kind, recipient, ip_address, user_agent, code_cipher, code_nonce, expires_at)
VALUES (
    :kind, :recipient, :address::inet, :user_agent, :code_cipher, :code_nonce, now() + :lifetime::interval
);

-- name: claim_mails(most, pause)
-- Mails that are due, for one caller: nobody else gets them before the pause is over, which doubles with every attempt.
WITH due AS (
    SELECT id
    FROM clerk_migration.mails
    WHERE not_before <= now() AND expires_at > now()
    ORDER BY not_before
    LIMIT :most
    FOR UPDATE SKIP LOCKED
)

UPDATE clerk_migration.mails AS m
SET attempts = m.attempts + 1, not_before = now() + :pause::interval * 2 ^ least(m.attempts, 6)
FROM due
WHERE m.id = due.id
RETURNING
    m.id, m.kind, m.recipient, host(m.ip_address) AS address, m.user_agent, m.code_cipher, m.code_nonce, m.attempts,
    m.created_at, m.expires_at;

-- name: forget_mails(ids)!
-- Delete mails that were sent, or that are refused for good: nothing of them is kept.
DELETE FROM clerk_migration.mails WHERE id = ANY(:ids::uuid[]);

-- name: give_up_mails(sending)
-- Delete mails that are too late, but for one that may just be being sent.
DELETE FROM clerk_migration.mails WHERE expires_at <= now() - :sending::interval RETURNING kind;

-- name: mails_waiting()$
-- How many mails wait to be sent.
SELECT count(*) FROM clerk_migration.mails;
