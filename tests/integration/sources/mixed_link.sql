-- The write-back that belongs to the view of mixed.sql; sql/sources/ax_link.sql explains it.

-- name: link(ids, clerk_ids, emails, digests)
WITH unchanged AS (
    SELECT
        m.id,
        sent.clerk_id
    FROM members AS m
    INNER JOIN unnest(:ids::text[], :clerk_ids::text[], :emails::text[], :digests::text[])
        AS sent (id, clerk_id, email, digest)
        ON m.id = sent.id::integer
    WHERE m.clerk_id IS NULL AND m.email = sent.email AND m.digest = sent.digest
    ORDER BY m.id
    FOR UPDATE OF m SKIP LOCKED
)

UPDATE members AS m
SET clerk_id = unchanged.clerk_id
FROM unchanged
WHERE m.id = unchanged.id
RETURNING m.id::text AS id;
