-- Switches: what is switched over for everybody.

-- name: switch(name)$
-- The value of a switch.
SELECT value FROM clerk_migration.switches WHERE name = :name;

-- name: switches()
-- All switches, and since when each is as it is.
SELECT name, value, updated_at FROM clerk_migration.switches ORDER BY name;

-- name: set_switch(name, value)$
-- Set a switch; the value before.
WITH before AS (
    SELECT value FROM clerk_migration.switches WHERE name = :name FOR UPDATE
),

changed AS (
    INSERT INTO clerk_migration.switches AS s (name, value)
    VALUES (:name, :value)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = now()
    WHERE s.value <> excluded.value
)

SELECT value FROM before;
