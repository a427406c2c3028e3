-- Canaries: proofs of one password each, by a stand-in in Clerk.

-- name: note_canary(canary, event, user_id, finding)!
-- Something became of a canary; that it is removed may be noted by its process and by a sweep.
INSERT INTO clerk_migration.canaries (canary, event, user_id, finding)
VALUES (:canary, :event, :user_id, :finding)
ON CONFLICT (canary, event) DO NOTHING;

-- name: left_canaries(settle, most)
-- Canaries whose process has died, the oldest first: begun before `settle`, and their stand-ins not removed.
SELECT begun.canary
FROM clerk_migration.canaries AS begun
WHERE
    begun.event = 'begun'
    AND begun.noted_at < now() - :settle::interval
    AND NOT EXISTS (
        SELECT 1 FROM clerk_migration.canaries AS removed
        WHERE removed.canary = begun.canary AND removed.event = 'removed'
    )
ORDER BY begun.id
LIMIT :most;

-- name: last_finding()$
-- What the last canary found that came to an end; none before the first.
SELECT finding FROM clerk_migration.canaries WHERE event = 'ended' ORDER BY id DESC LIMIT 1;
