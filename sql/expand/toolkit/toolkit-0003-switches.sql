-- What is switched over for everybody. Each change is announced, so that every running BFF follows at once.
-- depends: toolkit-0001-runs

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
            ('legacy_login', 'off')
        )
    )
);

INSERT INTO clerk_migration.switches (name, value)
VALUES ('signup', 'legacy'), ('lazy_migration', 'off'), ('legacy_login', 'on')
ON CONFLICT (name) DO NOTHING;

CREATE OR REPLACE FUNCTION clerk_migration.announce_switch() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('clerk_migration_switches', NEW.name);
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER announce_switch
AFTER INSERT OR UPDATE ON clerk_migration.switches
FOR EACH ROW EXECUTE FUNCTION clerk_migration.announce_switch();

COMMENT ON TABLE clerk_migration.switches IS 'What is switched over for everybody. A change is announced on the channel clerk_migration_switches, with the name.';
