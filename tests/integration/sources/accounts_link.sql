-- The write-back that belongs to the view of accounts.sql; sql/sources/ax_link.sql explains it.

-- name: link(ids, clerk_ids, emails, email_verified, digests, disabled)
UPDATE accounts AS a
SET clerk_user_id = sent.clerk_id
FROM unnest(
    :ids::text[],
    :clerk_ids::text[],
    :emails::text[],
    :email_verified::boolean[],
    :digests::text[],
    :disabled::boolean[]
) AS sent (id, clerk_id, email, email_verified, digest, disabled)
WHERE
    a.account_no = sent.id::integer
    AND a.clerk_user_id IS NULL
    AND a.login = sent.email
    AND a.confirmed = sent.email_verified
    AND a.pw_hash IS NOT DISTINCT FROM sent.digest
    AND (a.status = 'closed') = sent.disabled
RETURNING a.account_no::text AS id;
