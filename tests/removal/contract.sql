-- What the contract will drop: legacy's columns, its table, and what stands on them.
-- depends: ax-0006-source-view

SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

DROP VIEW clerk_migration.source;
DROP TRIGGER refuse_legacy_change ON users;
ALTER TABLE users
DROP COLUMN hashed_password,
DROP COLUMN enabled_2fa,
DROP COLUMN totp_cipher,
DROP COLUMN nonce;
DROP TABLE password_reset_codes;
