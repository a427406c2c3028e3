-- Graces: users whom Clerk's Device Trust lets in on their first device.

-- name: grant_graces(clerk_ids)!
-- The grace of these Clerk users runs from now on.
INSERT INTO clerk_migration.device_graces (clerk_id)
SELECT clerk_id FROM unnest(:clerk_ids::text[]) AS given (clerk_id)
ON CONFLICT (clerk_id) DO NOTHING;

-- name: grace_runs(clerk_id)$
-- Whether the grace of a Clerk user still runs.
SELECT EXISTS (SELECT 1 FROM clerk_migration.device_graces WHERE clerk_id = :clerk_id);

-- name: end_grace(clerk_id)!
-- A Clerk user's grace is over, in Clerk, too.
DELETE FROM clerk_migration.device_graces WHERE clerk_id = :clerk_id;

-- name: count_graces()$
-- Users whose grace still runs. Whose row is gone, or linked to another Clerk user, is not asked about any more.
SELECT count(*) FROM clerk_migration.device_graces AS g
INNER JOIN clerk_migration.source AS s ON g.clerk_id = s.clerk_id;
