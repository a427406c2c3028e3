-- Limits on attempts.

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

-- name: take_attempt_back(keys)!
-- The last attempt under each of these keys does not count after all. They are taken in the order of `spend_attempts`.
WITH given AS (
    SELECT key_hash FROM clerk_migration.attempts WHERE key_hash = ANY(:keys::bytea[]) ORDER BY key_hash FOR UPDATE
)

UPDATE clerk_migration.attempts AS a
SET times = trim_array(a.times, 1)
FROM given AS g
WHERE a.key_hash = g.key_hash AND cardinality(a.times) > 0;

-- name: forget_attempts(keys)!
-- Nothing under these keys counts any more. They are taken in the order of `spend_attempts`.
WITH given AS (
    SELECT key_hash FROM clerk_migration.attempts WHERE key_hash = ANY(:keys::bytea[]) ORDER BY key_hash FOR UPDATE
)

DELETE FROM clerk_migration.attempts AS a USING given AS g WHERE a.key_hash = g.key_hash;

-- name: forget_old_attempts(most)$
-- Delete what no limit looks at any more, `most` at a time; how many they were.
WITH gone AS (
    DELETE FROM clerk_migration.attempts
    WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM clerk_migration.attempts WHERE updated_at < now() - interval '2 days' LIMIT :most FOR UPDATE SKIP LOCKED
    ))
    RETURNING 1
)

SELECT count(*) FROM gone;
