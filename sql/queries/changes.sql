-- Changes of the ways in to an account that a system is asked for, until it is known what came of them.

-- name: begin_change(user_id, session_id, kind, subject, sign_out_others, address, user_agent, look_after)^
-- Write down what a system is about to be asked for; and whether it was asked before, and nobody knows what came of it.
INSERT INTO clerk_migration.changes (
    user_id, session_id, kind, subject, sign_out_others, ip_address, user_agent, look_at
)
VALUES (
    :user_id, :session_id, :kind, :subject, :sign_out_others, :address::inet, :user_agent, now() + :look_after::interval
)
RETURNING
    id,
    EXISTS (
        SELECT
        FROM clerk_migration.changes
        WHERE
            user_id = :user_id
            AND kind = :kind
            AND subject = :subject
            AND (lost OR look_at <= now())
            AND shelved_at IS NULL
    ) AS again;

-- name: lose_change(change_id)!
-- The system was asked, and its answer was lost. What a look found before that is not the last word.
UPDATE clerk_migration.changes SET lost = true, shelved_at = NULL WHERE id = :change_id;

-- name: take_unsettled_changes(kinds, look_after, most)
-- Changes of these kinds that nobody finished in time, for one replica to look at; another does when it dies over it.
UPDATE clerk_migration.changes AS c
SET look_at = now() + :look_after::interval, lost = true
FROM (
    SELECT id
    FROM clerk_migration.changes
    WHERE look_at <= now() AND kind = ANY(:kinds::text[]) AND shelved_at IS NULL
    ORDER BY look_at
    LIMIT :most
    FOR UPDATE SKIP LOCKED
) AS due
WHERE c.id = due.id
RETURNING c.id, c.user_id, c.session_id, c.kind, c.subject, c.sign_out_others, c.ip_address, c.user_agent;

-- name: unsettled_changes()$
-- How many changes there are that nobody finished in time, and of which a look could not tell yet what came of them.
SELECT count(*) FROM clerk_migration.changes WHERE lost AND shelved_at IS NULL;

-- name: shelve_change(change_id)!
-- A look found that it was not done. Who asked for it may hear otherwise all the same, later than anybody thought.
UPDATE clerk_migration.changes SET shelved_at = now() WHERE id = :change_id;

-- name: end_change(change_id)$
-- It is known what came of a change: true once.
DELETE FROM clerk_migration.changes WHERE id = :change_id RETURNING true;

-- name: end_lost_changes(user_id, kind, subject)$
-- What was asked for again was done, so nobody has to look whether it was done the time before. Whether other sessions
-- were to end with that.
WITH ended AS (
    DELETE FROM clerk_migration.changes
    WHERE user_id = :user_id AND kind = :kind AND subject = :subject AND lost AND shelved_at IS NULL
    RETURNING sign_out_others
)

SELECT coalesce(bool_or(sign_out_others), false) FROM ended;

-- name: forget_shelved_changes(most)$
-- Delete changes that were not done, once nobody asks for them any more, `most` at a time; how many they were.
WITH gone AS (
    DELETE FROM clerk_migration.changes
    WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM clerk_migration.changes WHERE shelved_at < now() - interval '1 hour' LIMIT :most FOR UPDATE SKIP LOCKED
    ))
    RETURNING 1
)

SELECT count(*) FROM gone;
