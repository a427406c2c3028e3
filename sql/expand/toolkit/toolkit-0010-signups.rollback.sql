-- Refuses while signups go on: what is needed to finish or undo them would be lost.

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

DO $$
BEGIN
    IF EXISTS (SELECT FROM clerk_migration.signup_sagas WHERE state NOT IN ('verified', 'undone')) THEN
        RAISE EXCEPTION 'signups have begun and not ended (clerk_migration.signup_sagas)'
        USING HINT = 'Set the switch signup to legacy, then let `python -m toolkit sweep --unverified-hours 0` undo them.';
    END IF;
END
$$;

ALTER TABLE clerk_migration.signup_sagas DROP CONSTRAINT IF EXISTS signup_sagas_state_check;
ALTER TABLE clerk_migration.signup_sagas ADD CONSTRAINT signup_sagas_state_check
CHECK (state IN ('invite_taken', 'clerk_user_created', 'row_created', 'code_sent', 'verified', 'undone')) NOT VALID;
ALTER TABLE clerk_migration.signup_sagas VALIDATE CONSTRAINT signup_sagas_state_check;

ALTER TABLE clerk_migration.signup_sagas DROP COLUMN IF EXISTS transport;
ALTER TABLE clerk_migration.signup_sagas DROP COLUMN IF EXISTS client_token_nonce;
ALTER TABLE clerk_migration.signup_sagas DROP COLUMN IF EXISTS client_token_cipher;
ALTER TABLE clerk_migration.signup_sagas DROP COLUMN IF EXISTS clerk_session_id;
ALTER TABLE clerk_migration.signup_sagas DROP COLUMN IF EXISTS email_address_id;
ALTER TABLE clerk_migration.signup_sagas DROP COLUMN IF EXISTS email;
