-- The users table as the import sees it. Three names in braces are put in by toolkit/migration/source.py, as no parameter
-- can stand there: {source} is the view clerk_migration.source (sql/sources), or the query in its file where it is not
-- installed; {normal} is `normal_address`, or `plain_address` where that is not installed; {condition} is the cohort's, which
-- the operator wrote into the playbook. {rows} and {cohort} are the queries of these names. So reading takes no right but
-- SELECT on the users table, and writes nothing, not even a temporary table: it works on a standby.

-- name: may_read_installed()$
-- Whether the view and the rule for addresses are installed, and this role may use them. It asks the catalogue, as a name that
-- leads into a schema that one may not use is an error.
SELECT coalesce(bool_and(
    has_schema_privilege(n.oid, 'USAGE')
    AND EXISTS (
        SELECT FROM pg_class AS c
        WHERE c.relnamespace = n.oid AND c.relname = 'source' AND has_table_privilege(c.oid, 'SELECT')
    )
    AND EXISTS (
        SELECT FROM pg_proc AS p
        WHERE p.pronamespace = n.oid AND p.proname = 'normal_address' AND has_function_privilege(p.oid, 'EXECUTE')
    )
), false)
FROM pg_namespace AS n
WHERE n.nspname = 'clerk_migration';

-- name: refuse_hidden_rows#
-- Rows that row-level security hides from this role become an error, instead of users who are not there.
SET row_security = off;

-- name: take_time#
-- A statement_timeout made for an application would not let all addresses be compared.
SET LOCAL statement_timeout = 0;

-- name: type_names(oids)
-- The names of types.
SELECT format_type(oid, NULL) AS name
FROM unnest(:oids::oid[]) WITH ORDINALITY AS given (oid, place)
ORDER BY place;

-- name: installed_source()
-- What {source} is where `migrate` was.
SELECT * FROM clerk_migration.source;

-- name: source_columns()
-- The columns of the source. It is prepared, and not run.
SELECT * FROM ({source}
) AS s;

-- name: normal_address()
-- What {normal} is where the rule for addresses is installed.
SELECT clerk_migration.normal_address(present.email) AS normal;

-- name: plain_address()
-- What {normal} is where it is not: the same for every address in ASCII whose domain is not in punycode.
SELECT
    translate(
        btrim(present.email, E' \t\n\r\f\x0b'), 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz'
    ) AS normal;

-- name: rows()
-- The source without the moments that no calendar of ours has (infinity, before Christ). Its column backup_codes
-- is optional: where it has none, the name means that of `absent`.
SELECT
    id,
    id::text AS external_id,
    email,
    normal,
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
CROSS JOIN LATERAL (SELECT s.*, backup_codes::text[] AS codes FROM ({source}
) AS s) AS present
CROSS JOIN LATERAL ({normal}) AS address;

-- name: cohort()
-- The rows that a run is about.
SELECT * FROM ({rows}) AS source_rows
WHERE ({condition}
);

-- name: cohort_columns()
-- Prepared, and not run: whether the cohort's condition is one.
SELECT * FROM ({cohort}) AS c;

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
    EXISTS (SELECT 1 FROM duplicates AS d WHERE d.id = c.id) AS is_duplicate
FROM ({cohort}) AS c
WHERE
    c.clerk_id IS NULL
    AND (:percent::float8 IS NULL OR ('x' || substr(md5(c.id::text), 1, 8))::bit(32)::bigint % 10000 < :percent * 100)
    AND (:emails::text[] IS NULL OR c.normal = ANY(:emails))
ORDER BY c.id
LIMIT :size;

-- name: next_batch(after, percent, emails, size)
-- As first_batch, after the id of the last row seen.
SELECT
    c.*,
    EXISTS (SELECT 1 FROM duplicates AS d WHERE d.id = c.id) AS is_duplicate
FROM ({cohort}) AS c
WHERE
    c.clerk_id IS NULL
    AND c.id > :after
    AND (:percent::float8 IS NULL OR ('x' || substr(md5(c.id::text), 1, 8))::bit(32)::bigint % 10000 < :percent * 100)
    AND (:emails::text[] IS NULL OR c.normal = ANY(:emails))
ORDER BY c.id
LIMIT :size;

-- name: all_due(percent, emails)
-- What first_batch and next_batch give, in one stream and without a table of duplicates: addresses are compared with those
-- of the users who are due, however many others there are.
WITH due AS MATERIALIZED (
    SELECT c.*
    FROM ({cohort}) AS c
    WHERE
        c.clerk_id IS NULL
        AND (
            :percent::float8 IS NULL
            OR ('x' || substr(md5(c.id::text), 1, 8))::bit(32)::bigint % 10000 < :percent * 100
        )
        AND (:emails::text[] IS NULL OR c.normal = ANY(:emails))
),

shared AS (
    SELECT everybody.normal
    FROM ({rows}) AS everybody
    WHERE everybody.normal IN (SELECT due.normal FROM due)
    GROUP BY everybody.normal
    HAVING count(*) > 1
)

SELECT due.*, shared.normal IS NOT NULL AS is_duplicate
FROM due
LEFT JOIN shared ON due.normal = shared.normal
ORDER BY due.id;

-- name: count_due(percent, emails)^
-- How many users of the cohort there are, and how many of them are in Clerk already.
SELECT count(*) AS total, count(c.clerk_id) AS linked
FROM ({cohort}) AS c
WHERE
    (:percent::float8 IS NULL OR ('x' || substr(md5(c.id::text), 1, 8))::bit(32)::bigint % 10000 < :percent * 100)
    AND (:emails::text[] IS NULL OR c.normal = ANY(:emails));

-- name: some_linked(percent, emails, size)
-- Some users of the cohort that are in Clerk, from all over it, and the same ones each time.
SELECT
    c.external_id,
    c.clerk_id
FROM ({cohort}) AS c
WHERE
    c.clerk_id IS NOT NULL
    AND (:percent::float8 IS NULL OR ('x' || substr(md5(c.id::text), 1, 8))::bit(32)::bigint % 10000 < :percent * 100)
    AND (:emails::text[] IS NULL OR c.normal = ANY(:emails))
ORDER BY md5(c.clerk_id)
LIMIT :size;

-- name: is_empty(percent, emails)$
-- Whether the cohort has nobody, in Clerk or not.
SELECT NOT EXISTS (
    SELECT FROM ({cohort}) AS c
    WHERE
        (:percent::float8 IS NULL OR ('x' || substr(md5(c.id::text), 1, 8))::bit(32)::bigint % 10000 < :percent * 100)
        AND (:emails::text[] IS NULL OR c.normal = ANY(:emails))
);

-- name: present_emails(emails)
-- Which of these addresses (as {normal} has them) some user has.
SELECT DISTINCT s.normal AS email
FROM ({rows}) AS s
WHERE s.normal = ANY(:emails);

-- name: rows_by_id(ids)
-- These users as they are now, whatever cohort they belong to. The ids are text; the array is read by the key.
SELECT
    s.*,
    EXISTS (SELECT 1 FROM duplicates AS d WHERE d.id = s.id) AS is_duplicate
FROM ({rows}) AS s
WHERE s.id = ANY(:ids);

-- name: user_by_id(user_id)
-- The user with this id, as text.
SELECT
    s.*,
    EXISTS (
        SELECT FROM clerk_migration.source AS o
        WHERE clerk_migration.normal_address(o.email) = s.normal AND o.id <> s.id
    ) AS is_duplicate
FROM ({rows}) AS s
WHERE s.id::text = :user_id;

-- name: users_by_address(normal)
-- The users who have this address, in whatever form.
SELECT
    s.*,
    count(*) OVER () > 1 AS is_duplicate
FROM ({rows}) AS s
WHERE s.normal = :normal
ORDER BY s.id
LIMIT 100;
