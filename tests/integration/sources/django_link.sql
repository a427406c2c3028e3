-- The write-back that belongs to the view of django.sql; sql/sources/ax_link.sql explains it. The digest is compared with
-- the locked row, put back as Django has it, and not with the view: that would be the row from before the lock.

-- name: link(ids, clerk_ids, emails, email_verified, digests, disabled)
WITH unchanged AS (
    SELECT
        u.id,
        sent.clerk_id
    FROM auth_user AS u
    INNER JOIN unnest(
        :ids::text[],
        :clerk_ids::text[],
        :emails::text[],
        :email_verified::boolean[],
        :digests::text[],
        :disabled::boolean[]
    ) AS sent (id, clerk_id, email, email_verified, digest, disabled)
        ON u.id = sent.id::integer
    WHERE
        u.clerk_id IS NULL
        AND u.email = sent.email
        AND (u.last_login IS NOT NULL) = sent.email_verified
        AND CASE
            WHEN sent.digest IS NULL THEN u.password = '' OR starts_with(u.password, '!')
            ELSE u.password IN (sent.digest, 'argon2' || sent.digest, 'bcrypt$' || sent.digest)
        END
        AND u.is_active <> sent.disabled
    ORDER BY u.id
    FOR UPDATE OF u SKIP LOCKED
)

UPDATE auth_user AS u
SET clerk_id = unchanged.clerk_id
FROM unchanged
WHERE u.id = unchanged.id
RETURNING u.id::text AS id;
