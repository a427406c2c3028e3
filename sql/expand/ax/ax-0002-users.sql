-- Who is in Clerk, a guard for what has gone over, and one for accounts that are enabled again. All change the catalogue only.
-- depends: ax-0001-sessions toolkit-0001-import

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

ALTER TABLE users ADD COLUMN IF NOT EXISTS clerk_id text;

COMMENT ON COLUMN users.clerk_id IS 'The user''s id in Clerk. Set: Clerk checks the login. NULL: AX does.';

-- A linked user's password and second factor are Clerk's. An application that read the row just before it was linked
-- would write a newer one here, where nobody looks any more (invariants 2 and 4): it is refused, and has to go to
-- Clerk. Taking them away is no such thing.
CREATE OR REPLACE FUNCTION clerk_migration.refuse_legacy_change() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'user % is in Clerk, so password and second factor are changed there', OLD.id
    USING ERRCODE = 'CM001', HINT = 'Read the row again: users.clerk_id is set.';
END
$$;

COMMENT ON FUNCTION clerk_migration.refuse_legacy_change() IS 'Refuses to change the password or the second factor of a user who is in Clerk (SQLSTATE CM001).';

CREATE OR REPLACE TRIGGER refuse_legacy_change
BEFORE UPDATE OF hashed_password, enabled_2fa, totp_cipher ON users
FOR EACH ROW
WHEN (
    OLD.clerk_id IS NOT NULL
    AND NEW.clerk_id IS NOT NULL
    AND (
        (NEW.hashed_password IS DISTINCT FROM OLD.hashed_password AND NEW.hashed_password IS NOT NULL)
        OR (NEW.enabled_2fa AND NOT OLD.enabled_2fa)
        OR (NEW.totp_cipher IS DISTINCT FROM OLD.totp_cipher AND NEW.totp_cipher IS NOT NULL)
    )
)
EXECUTE FUNCTION clerk_migration.refuse_legacy_change();

-- A disabled account's sessions are refused, and not for good as long as nobody ends them. They end when it is enabled
-- again, whoever does that; so those of accounts that were disabled before this was here do, too. Whoever may enable an
-- account needs no right on sessions for it, and no search_path.
CREATE OR REPLACE FUNCTION clerk_migration.end_sessions_from_before() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
        'UPDATE %I.sessions SET revoked_at = now() WHERE user_id = $1 AND revoked_at IS NULL', TG_TABLE_SCHEMA
    ) USING NEW.id;
    RETURN NULL;
END
$$;

COMMENT ON FUNCTION clerk_migration.end_sessions_from_before() IS 'Ends the sessions that somebody had before their account was disabled.';

CREATE OR REPLACE TRIGGER end_sessions_from_before
AFTER UPDATE OF disabled_at ON users
FOR EACH ROW
WHEN (OLD.disabled_at IS NOT NULL AND NEW.disabled_at IS NULL)
EXECUTE FUNCTION clerk_migration.end_sessions_from_before();
