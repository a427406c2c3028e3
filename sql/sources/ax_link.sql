-- The write-back that belongs to the view of ax.sql.
--
-- The contract, for those who write their own: one query named `link` that sets the row's Clerk id and returns
-- the ids that it linked, as text in a column named id. Its parameters are arrays of one length, a place for
-- each user:
--   :ids             text[]     the view's id as text
--   :clerk_ids       text[]     the id that Clerk gave
--   :emails          text[]     and from here on what was sent to Clerk, as the view gave it
--   :email_verified  boolean[]
--   :digests         text[]
--   :second_factors  boolean[]
--   :totp_ciphers    bytea[]
--   :totp_secrets    text[]
--   :backup_codes    jsonb[]    each user's codes as one JSON array, or NULL: to compare with to_jsonb(codes)
--   :disabled        boolean[]
-- A row that says something else by now (a password changed in the meantime), that is linked already, or that is
-- gone must be left alone and not be returned: the import then looks at it again. So must a row that somebody holds
-- a lock on (SKIP LOCKED): the import never waits for the application, nor the application for the import. The lock
-- must be as strong as the update's: FOR NO KEY UPDATE where the unique index on the Clerk id is partial, as AX's is
-- (WHERE clerk_id IS NOT NULL), and FOR UPDATE where it is a plain UNIQUE column, or rows that other tables' foreign
-- keys hold are waited for. Leave out
-- the parameters whose columns the table has nothing for. Cast the ids to the key's type, not the key to text, so that
-- its index serves. What is kept in another table, as backup codes may be, is not covered by the lock on the user's
-- row: let the application lock that row, too, when it changes them.
--
-- From then on password and second factor are Clerk's: a statement of the application that changes them must say
-- `AND clerk_id IS NULL`, or be refused by a trigger, as AX's are (sql/expand/ax/ax-0002-users.sql).

-- name: link(ids, clerk_ids, emails, email_verified, digests, second_factors, totp_ciphers, disabled)
WITH unchanged AS (
    SELECT
        u.id,
        sent.clerk_id
    FROM users AS u
    INNER JOIN unnest(
        :ids::text[],
        :clerk_ids::text[],
        :emails::text[],
        :email_verified::boolean[],
        :digests::text[],
        :second_factors::boolean[],
        :totp_ciphers::bytea[],
        :disabled::boolean[]
    ) AS sent (id, clerk_id, email, email_verified, digest, second_factor, totp_cipher, disabled)
        ON u.id = sent.id::uuid
    WHERE
        u.clerk_id IS NULL
        AND u.email IS NOT DISTINCT FROM sent.email
        AND (u.email_verified_at IS NOT NULL) = sent.email_verified
        AND u.hashed_password IS NOT DISTINCT FROM sent.digest
        AND u.enabled_2fa = sent.second_factor
        AND u.totp_cipher IS NOT DISTINCT FROM sent.totp_cipher
        AND (u.disabled_at IS NOT NULL) = sent.disabled
    ORDER BY u.id
    FOR NO KEY UPDATE OF u SKIP LOCKED
)

UPDATE users AS u
SET clerk_id = unchanged.clerk_id
FROM unchanged
WHERE u.id = unchanged.id
RETURNING u.id::text AS id;
