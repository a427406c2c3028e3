-- Switches: what is switched over for everybody.

-- name: switch(name)$
-- The value of a switch.
SELECT value FROM clerk_migration.switches WHERE name = :name;

-- name: switches()
-- All switches, since when each is as it is, and who set it: nobody as long as it is as it began.
SELECT s.name, s.value, s.updated_at, h.operator, h.role
FROM clerk_migration.switches AS s
LEFT JOIN LATERAL (
    SELECT operator, role FROM clerk_migration.switch_history WHERE name = s.name ORDER BY id DESC LIMIT 1
) AS h ON true
ORDER BY s.name;

-- name: switch_history()
-- Every change of a switch, the oldest first.
SELECT name, before, value, operator, role, at FROM clerk_migration.switch_history ORDER BY id;

-- name: name_operator(operator)$
-- Who changes something in this transaction, for the history.
SELECT set_config('clerk_migration.operator', :operator, true);

-- name: set_switch(name, value)$
-- Set a switch; the value before.
WITH before AS (
    SELECT value FROM clerk_migration.switches WHERE name = :name FOR UPDATE
),

changed AS (
    UPDATE clerk_migration.switches
    SET value = :value, updated_at = now()
    WHERE name = :name AND value <> :value
)

SELECT value FROM before;
