-- The users table as the import sees it: the view clerk_migration.source (sql/sources).

-- name: source_columns()
-- Columns and types of the source view; none when the view does not exist.
SELECT a.attname AS name, format_type(a.atttypid, NULL) AS type
FROM pg_attribute AS a
WHERE a.attrelid = to_regclass('clerk_migration.source') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum;

-- name: create_rows#
-- The source view without the moments that no calendar of ours has (infinity, before Christ). Its column backup_codes
-- is optional: where the view has none, the name means that of `absent`.
CREATE OR REPLACE TEMPORARY VIEW source_rows AS
SELECT
    id,
    email,
    email_verified,
    password_digest,
    password_hasher,
    second_factor,
    totp_cipher,
    totp_nonce,
    totp_secret,
    codes AS backup_codes,
    first_name,
    last_name,
    CASE WHEN created_at BETWEEN '0002-01-01Z' AND '9998-12-31Z' THEN created_at END AS created_at,
    disabled,
    clerk_id
FROM (SELECT NULL::text[] AS backup_codes) AS absent
CROSS JOIN LATERAL (SELECT s.*, backup_codes::text[] AS codes FROM clerk_migration.source AS s) AS present;

-- name: create_cohort#
-- The rows that a run is about, as a view of its own connection. A view takes no parameters, so the condition,
-- which the operator wrote into the playbook, is put in place of {condition}.
CREATE OR REPLACE TEMPORARY VIEW cohort AS
SELECT * FROM source_rows WHERE {condition};

-- name: create_duplicates#
-- Users whose address may be another one's too, to Clerk: one identity cannot be two accounts.
-- It sorts all addresses once, which a statement_timeout made for an application would not let it.
SET statement_timeout = 0;
CREATE TEMPORARY TABLE duplicates AS
SELECT id
FROM (
    SELECT id, count(*) OVER (PARTITION BY clerk_migration.normal_address(email)) AS holders
    FROM clerk_migration.source
    WHERE email IS NOT NULL
) AS addresses
WHERE holders > 1;
ANALYZE duplicates;
RESET statement_timeout;

-- name: first_batch(percent, emails, size)
-- The first users of the cohort that are not in Clerk yet, by id.
SELECT
    c.*,
    c.id::text AS external_id,
    EXISTS (SELECT 1 FROM duplicates AS d WHERE d.id = c.id) AS is_duplicate
FROM cohort AS c
WHERE
    c.clerk_id IS NULL
    AND (:percent::float8 IS NULL OR ('x' || substr(md5(c.id::text), 1, 8))::bit(32)::bigint % 10000 < :percent * 100)
    AND (:emails::text[] IS NULL OR clerk_migration.normal_address(c.email) = ANY(:emails))
ORDER BY c.id
LIMIT :size;

-- name: next_batch(after, percent, emails, size)
-- As first_batch, after the id of the last row seen.
SELECT
    c.*,
    c.id::text AS external_id,
    EXISTS (SELECT 1 FROM duplicates AS d WHERE d.id = c.id) AS is_duplicate
FROM cohort AS c
WHERE
    c.clerk_id IS NULL
    AND c.id > :after
    AND (:percent::float8 IS NULL OR ('x' || substr(md5(c.id::text), 1, 8))::bit(32)::bigint % 10000 < :percent * 100)
    AND (:emails::text[] IS NULL OR clerk_migration.normal_address(c.email) = ANY(:emails))
ORDER BY c.id
LIMIT :size;

-- name: count_due(percent, emails)^
-- How many users of the cohort there are, and how many of them are in Clerk already.
SELECT count(*) AS total, count(c.clerk_id) AS linked
FROM cohort AS c
WHERE
    (:percent::float8 IS NULL OR ('x' || substr(md5(c.id::text), 1, 8))::bit(32)::bigint % 10000 < :percent * 100)
    AND (:emails::text[] IS NULL OR clerk_migration.normal_address(c.email) = ANY(:emails));

-- name: is_empty(percent, emails)$
-- Whether the cohort has nobody, in Clerk or not.
SELECT NOT EXISTS (
    SELECT FROM cohort AS c
    WHERE
        (:percent::float8 IS NULL OR ('x' || substr(md5(c.id::text), 1, 8))::bit(32)::bigint % 10000 < :percent * 100)
        AND (:emails::text[] IS NULL OR clerk_migration.normal_address(c.email) = ANY(:emails))
);

-- name: present_emails(emails)
-- Which of these addresses (as `normal_address` has them) some user has.
SELECT DISTINCT clerk_migration.normal_address(email) AS email
FROM clerk_migration.source
WHERE clerk_migration.normal_address(email) = ANY(:emails);

-- name: rows_by_id(ids)
-- These users as they are now, whatever cohort they belong to. The ids are text; the array is read by the key.
SELECT
    s.*,
    s.id::text AS external_id,
    EXISTS (SELECT 1 FROM duplicates AS d WHERE d.id = s.id) AS is_duplicate
FROM source_rows AS s
WHERE s.id = ANY(:ids);

-- name: create_due#
-- A table of the run's own, for who is due.
CREATE TEMPORARY TABLE due (id text, email text, normal text, email_verified boolean);

-- name: fill_due(percent, emails)!
-- The users of the cohort that are not in Clerk, by what Clerk's users are compared with: key and normal address.
INSERT INTO due (id, email, normal, email_verified)
SELECT c.id::text, c.email, clerk_migration.normal_address(c.email), coalesce(c.email_verified, false)
FROM cohort AS c
WHERE
    c.clerk_id IS NULL
    AND (:percent::float8 IS NULL OR ('x' || substr(md5(c.id::text), 1, 8))::bit(32)::bigint % 10000 < :percent * 100)
    AND (:emails::text[] IS NULL OR clerk_migration.normal_address(c.email) = ANY(:emails));

-- name: index_due#
-- Who is due is looked up by address and by key.
CREATE INDEX ON due (normal);
CREATE INDEX ON due (id);
ANALYZE due;

-- name: due_users(addresses, ids)
-- Due users that hold one of these normal addresses, or have one of these keys.
SELECT id, email, normal, email_verified FROM due WHERE normal = ANY(:addresses::text[])
UNION
SELECT id, email, normal, email_verified FROM due WHERE id = ANY(:ids::text[]);
