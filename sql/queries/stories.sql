-- One user's story: what is known of somebody who has written a mail.

-- name: ledger_of_user(user_id)^
-- The last that an import did with a user.
SELECT state, error_code, attempts, run_id, updated_at
FROM clerk_migration.import_ledger
WHERE user_id = :user_id;

-- name: history_of_user(user_id)
-- What every import did with a user, the oldest first.
SELECT h.run_id, r.operator, h.at, h.state, h.error_code, h.clerk_id
FROM clerk_migration.import_history AS h
INNER JOIN clerk_migration.runs AS r ON h.run_id = r.id
WHERE h.user_id = :user_id
ORDER BY h.run_id, h.at;

-- name: logins_of_user(user_id)^
-- A user's sessions with the BFF, by the system that made them. An id that is no UUID is not AX's.
SELECT
    count(*) FILTER (WHERE revoked_at IS NULL AND expires_at > now()) AS live,
    count(clerk_session_id) AS clerk,
    count(*) FILTER (WHERE clerk_session_id IS NULL) AS legacy,
    max(created_at) AS last_login_at,
    max(last_used_at) AS last_used_at
FROM sessions
WHERE user_id = CASE WHEN :user_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN :user_id::uuid END;

-- name: security_events_of_user(user_id, most)
-- What was done to a user's account, the newest first.
SELECT kind, at, host(ip_address) AS address, user_agent
FROM clerk_migration.security_events
WHERE user_id = CASE WHEN :user_id ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN :user_id::uuid END
ORDER BY at DESC, id DESC
LIMIT :most;
