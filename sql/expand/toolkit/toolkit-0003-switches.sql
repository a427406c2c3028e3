-- What is switched over for everybody.
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
            ('legacy_login', 'off')
        )
    )
);

INSERT INTO clerk_migration.switches (name, value)
VALUES ('signup', 'legacy'), ('lazy_migration', 'off'), ('legacy_login', 'on')
ON CONFLICT (name) DO NOTHING;

COMMENT ON TABLE clerk_migration.switches IS 'What is switched over for everybody. Read when it is used, so a change holds at once.';
