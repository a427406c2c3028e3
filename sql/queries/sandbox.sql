-- What the sandbox asks of its own Postgres.

-- name: sandbox_has_database()$
-- Whether the sandbox's database is made.
SELECT EXISTS (SELECT FROM pg_database WHERE datname = 'ax');

-- name: sandbox_create_database#
-- Make the sandbox's database.
CREATE DATABASE ax;

-- name: sandbox_mark_database#
-- Mark the database, so that no environment but the sandbox's uses it (is_sandbox); a copy of the database does not have the mark.
ALTER DATABASE ax SET clerk_migration.sandbox = 'on';

-- name: sandbox_has_users()$
-- Whether AX's tables are made.
SELECT to_regclass('users') IS NOT NULL;

-- name: sandbox_count_users()$
-- How many users were seeded.
SELECT count(*) FROM users;

-- name: sandbox_analyze#
-- Have the planner know at once what was seeded.
ANALYZE users, api_keys, invites;
