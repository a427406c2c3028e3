-- What was done to the ways in to an account, for its owner to see.

-- name: add_event(user_id, kind, address, user_agent)!
-- Write down what was done, and from where.
INSERT INTO clerk_migration.security_events (user_id, kind, ip_address, user_agent)
VALUES (:user_id, :kind, :address::inet, :user_agent);

-- name: events_of_user(user_id, most)
-- The newest first.
SELECT kind, at, host(ip_address) AS address, user_agent
FROM clerk_migration.security_events
WHERE user_id = :user_id
ORDER BY at DESC, id DESC
LIMIT :most;

-- name: changed_since(user_id, since)$
-- Whether the ways in to an account were changed since a moment.
SELECT EXISTS (
    SELECT FROM clerk_migration.security_events WHERE user_id = :user_id AND at > :since
);

-- name: forget_old_events(most)$
-- Delete events that are older than 90 days, `most` at a time; how many they were.
WITH gone AS (
    DELETE FROM clerk_migration.security_events
    WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM clerk_migration.security_events WHERE at < now() - interval '90 days' LIMIT :most FOR UPDATE SKIP LOCKED
    ))
    RETURNING 1
)

SELECT count(*) FROM gone;
