-- Drops what the baseline made. Tables that it found (an adopted database) stay, and so does every user.

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

DO $$
BEGIN
    IF obj_description(to_regclass('users'), 'pg_class') IS DISTINCT FROM 'Made by migration baseline-0001-tables.' THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM users) THEN
        RAISE EXCEPTION 'the table users holds users, so the baseline is not rolled back'
        USING HINT = 'Delete them first if they can go; a sandbox is emptied with `python -m toolkit sandbox reset`.';
    END IF;
    DROP TABLE password_reset_codes, invites, api_keys, sessions, users;
END
$$;
