-- Logins counted, and whether the BFF finds what it needs.

-- name: check_schema()$
-- Look at a column of every table that the BFF needs; an error if one is missing. Legacy's own columns are not among them.
SELECT 1
FROM users AS u, sessions AS s, api_keys, invites, clerk_migration.challenges AS c, clerk_migration.devices AS d,
    clerk_migration.attempts, clerk_migration.login_counts, clerk_migration.switches, clerk_migration.spent_codes,
    clerk_migration.signups AS g, clerk_migration.security_events, clerk_migration.changes, clerk_migration.mails,
    clerk_migration.device_graces, clerk_migration.canaries
WHERE u.clerk_id = '' AND s.proved_at IS NULL AND c.kind = '' AND d.proved AND g.code_hash = ''
LIMIT 0;

-- name: count_login(path, outcome)!
-- One more login today (UTC) that went this way.
INSERT INTO clerk_migration.login_counts AS c (day, path, outcome, count)
VALUES ((now() AT TIME ZONE 'UTC')::date, :path, :outcome, 1)
ON CONFLICT (day, path, outcome) DO UPDATE SET count = c.count + 1;
