-- The write-back that belongs to the view of accounts.sql; sql/sources/ax_link.sql explains it. FOR UPDATE, as the
-- unique index on clerk_user_id is not a partial one.

-- name: link(ids, clerk_ids, emails, email_verified, digests, totp_secrets, backup_codes, disabled)
WITH unchanged AS (
    SELECT
        a.account_no,
        sent.clerk_id
    FROM accounts AS a
    INNER JOIN unnest(
        :ids::text[],
        :clerk_ids::text[],
        :emails::text[],
        :email_verified::boolean[],
        :digests::text[],
        :totp_secrets::text[],
        :backup_codes::jsonb[],
        :disabled::boolean[]
    ) AS sent (id, clerk_id, email, email_verified, digest, totp_secret, backup_codes, disabled)
        ON a.account_no = sent.id::integer
    WHERE
        a.clerk_user_id IS NULL
        AND a.login = sent.email
        AND a.confirmed = sent.email_verified
        AND a.pw_hash IS NOT DISTINCT FROM sent.digest
        AND a.otp_secret IS NOT DISTINCT FROM sent.totp_secret
        AND to_jsonb(a.recovery_codes) IS NOT DISTINCT FROM sent.backup_codes
        AND (a.status = 'closed') = sent.disabled
    ORDER BY a.account_no
    FOR UPDATE OF a SKIP LOCKED
)

UPDATE accounts AS a
SET clerk_user_id = unchanged.clerk_id
FROM unchanged
WHERE a.account_no = unchanged.account_no
RETURNING a.account_no::text AS id;
