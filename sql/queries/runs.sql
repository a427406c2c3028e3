-- Runs of the import, and the ledger: what became of each user.

-- name: claim_import()$
-- One import at a time on a database: true when this connection holds the claim. Released when it closes.
SELECT pg_try_advisory_lock(hashtextextended('clerk_migration.import', 0));

-- name: last_instance()^
-- The environment and the Clerk instance that the last import on this database went to.
SELECT environment, options ->> 'instance' AS instance
FROM clerk_migration.runs
WHERE command = 'import' AND options ->> 'instance' IS NOT NULL
ORDER BY id DESC
LIMIT 1;

-- name: begin_run(command, environment, options, operator, version)$
-- A row for a run of a command that begins now; its id.
INSERT INTO clerk_migration.runs (command, environment, options, operator, version)
VALUES (:command, :environment, :options::jsonb, :operator, :version)
RETURNING id;

-- name: close_killed_runs(run_id)!
-- Imports that never said how they ended: this run has the claim now, so they are dead.
UPDATE clerk_migration.runs
SET outcome = 'killed', error = format('It never said how it ended; run %s found that.', :run_id::bigint)
WHERE command = 'import' AND outcome IS NULL AND id < :run_id;

-- name: running_import()^
-- The import that has not ended, the latest if some were killed.
SELECT id, operator, started_at
FROM clerk_migration.runs
WHERE command = 'import' AND outcome IS NULL
ORDER BY id DESC
LIMIT 1;

-- name: end_run(outcome, error, counts, id)!
-- A run has ended, in this way, for this reason and with these counts; unless another has taken it for dead.
UPDATE clerk_migration.runs
SET finished_at = now(), outcome = :outcome, error = :error, counts = :counts::jsonb
WHERE id = :id AND outcome IS NULL;

-- name: runs(size)
-- The last imports on this database, the latest first.
SELECT
    id,
    environment,
    options::text AS options,
    operator,
    role,
    version,
    started_at,
    finished_at,
    outcome,
    error,
    counts::text AS counts
FROM clerk_migration.runs
WHERE command = 'import'
ORDER BY id DESC
LIMIT :size;

-- name: record(run_id, user_ids, states, error_codes, clerk_ids)!
-- What a run did with each of these users, for the record; in the ledger the newest state stands, and attempts add up.
WITH became AS (
    SELECT *
    FROM unnest(:user_ids::text[], :states::text[], :error_codes::text[], :clerk_ids::text[])
        AS given (user_id, state, error_code, clerk_id)
),

kept AS (
    INSERT INTO clerk_migration.import_history (user_id, run_id, state, error_code, clerk_id)
    SELECT user_id, :run_id, state, error_code, clerk_id FROM became
)

INSERT INTO clerk_migration.import_ledger AS l
    (user_id, state, error_code, clerk_id, attempts, run_id, updated_at)
SELECT r.user_id, r.state, r.error_code, r.clerk_id, 1, :run_id, now()
FROM became AS r
ON CONFLICT (user_id) DO UPDATE
SET
    state = excluded.state,
    error_code = excluded.error_code,
    clerk_id = excluded.clerk_id,
    attempts = l.attempts + 1,
    run_id = excluded.run_id,
    updated_at = excluded.updated_at;

-- name: users_in_all()^
-- How many users the source has, and how many of them are in Clerk.
SELECT count(*) AS total, count(clerk_id) AS linked
FROM clerk_migration.source;

-- name: origin()$
-- This database's own name, as it stands in the metadata of the Clerk users that come from here.
SELECT id::text FROM clerk_migration.origin;

-- name: is_copy()$
-- Whether the origin is another database's, of which this is a copy.
SELECT database IS DISTINCT FROM clerk_migration.this_database() FROM clerk_migration.origin;

-- name: noted_among(user_ids)
-- Those of these users that are noted as being sent.
SELECT user_id FROM clerk_migration.sending WHERE user_id = ANY(:user_ids::text[]);

-- name: note_sending(run_id, user_ids)!
-- Note, before anything is sent, that this run is about to send these users.
INSERT INTO clerk_migration.sending (user_id, run_id)
SELECT id, :run_id FROM unnest(:user_ids::text[]) AS given (id)
ON CONFLICT (user_id) DO UPDATE SET run_id = excluded.run_id, noted_at = now();

-- name: take_over_sending(run_id)!
-- What earlier runs noted is this run's from now on: none of them links anybody any more.
UPDATE clerk_migration.sending SET run_id = :run_id;

-- name: lock_sending(run_id, user_ids)
-- Those of these users whom this run may still link.
SELECT user_id
FROM clerk_migration.sending
WHERE run_id = :run_id AND user_id = ANY(:user_ids::text[])
ORDER BY user_id
FOR UPDATE;

-- name: forget_sending(user_ids)!
-- These users are linked, or nothing of them is in Clerk: there is nothing to withdraw any more.
DELETE FROM clerk_migration.sending WHERE user_id = ANY(:user_ids::text[]);

-- name: some_sending(run_id, after, size)
-- Users who were to be sent and are not linked, by id; `may_come` are those whom an earlier run noted within the last five
-- minutes: what it sent may still arrive at Clerk.
SELECT
    user_id,
    noted_at > now() - interval '5 minutes'
    AND noted_at < (SELECT started_at FROM clerk_migration.runs WHERE id = :run_id) AS may_come
FROM clerk_migration.sending
WHERE user_id > :after
ORDER BY user_id
LIMIT :size;

-- name: linked_among(clerk_ids)
-- Those of these Clerk users that a row is linked to.
SELECT clerk_id FROM clerk_migration.source WHERE clerk_id = ANY(:clerk_ids::text[]);

-- name: impatient#
-- The application is not to wait for the import, nor the import for the application.
SET LOCAL lock_timeout = '1s';

-- name: ledger_counts()
-- How many users are in which state, and why. Who was linked since, or is gone, is not asked about any more.
SELECT state, error_code, count(*) AS users, NULL::text[] AS examples
FROM clerk_migration.import_ledger
WHERE state = 'linked'
GROUP BY state, error_code
UNION ALL
SELECT state, error_code, count(*), array_agg(user_id ORDER BY place) FILTER (WHERE place <= 5)
FROM (
    SELECT l.state, l.error_code, l.user_id, row_number() OVER (PARTITION BY l.state, l.error_code ORDER BY l.user_id) AS place
    FROM clerk_migration.import_ledger AS l
    INNER JOIN clerk_migration.source AS s ON l.user_id = s.id::text
    WHERE l.state <> 'linked' AND s.clerk_id IS NULL
) AS staying
GROUP BY state, error_code
ORDER BY state, error_code;

-- name: not_carried()
-- The users that are not in Clerk although a run looked at them, and why.
SELECT l.user_id, l.error_code
FROM clerk_migration.import_ledger AS l
INNER JOIN clerk_migration.source AS s ON l.user_id = s.id::text
WHERE l.state <> 'linked' AND s.clerk_id IS NULL
ORDER BY l.state, l.error_code, l.user_id;
