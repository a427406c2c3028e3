-- Steps of the playbooks that are done.
-- depends: toolkit-0001-import

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

CREATE TABLE IF NOT EXISTS clerk_migration.playbook_steps (
    environment text NOT NULL,
    step text NOT NULL,
    run_id bigint NOT NULL REFERENCES clerk_migration.runs (id),
    done_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (environment, step)
);

COMMENT ON TABLE clerk_migration.playbook_steps IS 'Steps of an environment''s playbook that are done, and the run that did them.';
