-- What is switched over for everybody, and who switched what.
-- depends: toolkit-0001-import

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

CREATE TABLE IF NOT EXISTS clerk_migration.switches (
    name text PRIMARY KEY,
    value text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (
        (name, value) IN (
            ('signup', 'legacy'),
            ('signup', 'clerk'),
            ('lazy_migration', 'off'),
            ('lazy_migration', 'on'),
            ('legacy_login', 'on'),
            ('legacy_login', 'off'),
            ('import', 'running'),
            ('import', 'paused')
        )
        OR (name = 'import_rate' AND value ~ '^(default|(?=.*[1-9])[0-9]{1,4}([.][0-9]{1,3})?)$')
    )
);

INSERT INTO clerk_migration.switches (name, value)
VALUES
('signup', 'legacy'),
('lazy_migration', 'off'),
('legacy_login', 'on'),
('import', 'running'),
('import_rate', 'default')
ON CONFLICT (name) DO NOTHING;

COMMENT ON TABLE clerk_migration.switches IS 'What is switched over for everybody. Read when it is used, so a change holds at once.';
COMMENT ON COLUMN clerk_migration.switches.value IS 'Of import_rate: requests a second to Clerk, or default.';

CREATE TABLE IF NOT EXISTS clerk_migration.switch_history (
    id bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    before text NOT NULL,
    value text NOT NULL,
    operator text,
    role text NOT NULL DEFAULT session_user,
    at timestamptz NOT NULL DEFAULT now()
);

COMMENT ON TABLE clerk_migration.switch_history IS 'Every change of a switch, whoever makes it: a trigger writes it. Append-only.';
COMMENT ON COLUMN clerk_migration.switch_history.operator IS 'The operator''s user@host; NULL where it was changed past the toolkit.';
COMMENT ON COLUMN clerk_migration.switch_history.role IS 'The database role that it was changed as.';

CREATE OR REPLACE FUNCTION clerk_migration.note_switch() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    INSERT INTO clerk_migration.switch_history (name, before, value, operator)
    VALUES (NEW.name, OLD.value, NEW.value, nullif(current_setting('clerk_migration.operator', true), ''));
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION clerk_migration.note_switch() IS 'Writes a change of a switch into the history, for roles, too, that may not write there.';

CREATE OR REPLACE TRIGGER note_switch
AFTER UPDATE OF value ON clerk_migration.switches
FOR EACH ROW
WHEN (OLD.value <> NEW.value)
EXECUTE FUNCTION clerk_migration.note_switch();

CREATE OR REPLACE TRIGGER refuse_rewriting
BEFORE UPDATE OR DELETE ON clerk_migration.switch_history
FOR EACH STATEMENT
EXECUTE FUNCTION clerk_migration.refuse_rewriting();
