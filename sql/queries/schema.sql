-- What `toolkit/schema.py` asks and does beside yoyo's migrations.

-- name: is_sandbox()$
-- Whether this is the embedded sandbox's database, which the sandbox marks.
SELECT coalesce(current_setting('clerk_migration.sandbox', true) = 'on', false);

-- name: bound_to()$
-- The environment that the database belongs to; nothing before the first `migrate`.
SELECT environment FROM clerk_migration.origin;

-- name: bind(environment)!
-- Write down which environment the database belongs to, unless that is known.
UPDATE clerk_migration.origin SET environment = :environment WHERE environment IS NULL;

-- name: role()$
-- Who one is in the database.
SELECT current_user::text;

-- name: may_create()$
-- Whether the role may make tables: yoyo's own, and the baseline's.
SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false);

-- name: encoding()$
-- How the database keeps text.
SELECT getdatabaseencoding();

-- name: claim_schema()$
-- One `migrate` at a time on a database. Held by the connection, so a killed process leaves no lock behind.
SELECT pg_try_advisory_lock(hashtextextended('clerk_migration.schema', 0));

-- name: forget_killed_claim()!
-- Under the claim: a row that a toolkit process left in yoyo's lock table when it was killed. Toolkit processes
-- write the negative of their backend's id, yoyo itself the id of its process.
DELETE FROM yoyo_lock WHERE pid < 0;

-- name: claim_yoyo()!
-- Keeps plain `yoyo` out. Affects no row when a yoyo process is at work.
INSERT INTO yoyo_lock (locked, ctime, pid)
VALUES (1, now() AT TIME ZONE 'UTC', -pg_backend_pid())
ON CONFLICT (locked) DO NOTHING;

-- name: yoyo_process()$
-- The id of the process that yoyo's lock table names.
SELECT pid FROM yoyo_lock;

-- name: release_yoyo()!
-- Let plain `yoyo` in again, once a change of the schema is over.
DELETE FROM yoyo_lock WHERE pid = -pg_backend_pid();

-- name: has_history()$
-- Whether yoyo ever ran on this database.
SELECT to_regclass('_yoyo_migration') IS NOT NULL;

-- name: history()
-- The migrations that are applied.
SELECT migration_id AS id, applied_at_utc AT TIME ZONE 'UTC' AS applied_at
FROM _yoyo_migration;

-- name: build_aside#
-- Tables made from here to the transaction's end are temporary ones.
SET LOCAL search_path TO pg_temp;

-- name: look_up_again#
-- End `build_aside`: names mean the database's own tables again.
SET LOCAL search_path TO DEFAULT;

-- name: compare_tables()
-- The tables made aside, column by column, and whether the database has the like.
WITH existing AS (
    SELECT DISTINCT ON (c.relname) c.oid, c.relname
    FROM pg_class AS c
    INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
    WHERE c.relkind IN ('r', 'p') AND n.nspname = any(current_schemas(false))
    ORDER BY c.relname, array_position(current_schemas(false), n.nspname)
)

SELECT
    made.relname AS table_name,
    made_column.attname AS column_name,
    existing.oid IS NOT NULL AS has_table,
    existing_column.attname IS NOT NULL AS has_column
FROM pg_class AS made
INNER JOIN pg_attribute AS made_column ON made.oid = made_column.attrelid AND made_column.attnum > 0
LEFT JOIN existing ON made.relname = existing.relname
LEFT JOIN
    pg_attribute AS existing_column
    ON
        existing.oid = existing_column.attrelid
        AND made_column.attname = existing_column.attname
        AND NOT existing_column.attisdropped
WHERE made.relnamespace = pg_my_temp_schema() AND made.relkind = 'r'
ORDER BY made.relname, made_column.attnum;

-- name: set_lock_timeout#
-- Give up soon on a lock that somebody else holds: those who come after would queue behind the wait.
SET LOCAL lock_timeout = '2s';

-- name: drop_source_view#
-- Take the source view away, so that another can take its place, or what it stands on can be rolled back.
DROP VIEW IF EXISTS clerk_migration.source;
