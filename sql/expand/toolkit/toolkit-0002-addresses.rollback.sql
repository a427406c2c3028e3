SET LOCAL lock_timeout = '2s';
SET LOCAL statement_timeout = '10s';

DROP FUNCTION IF EXISTS clerk_migration.normal_address(text);
DROP FUNCTION IF EXISTS clerk_migration.without_punycode(text);
DROP FUNCTION IF EXISTS clerk_migration.from_punycode(text);
DROP FUNCTION IF EXISTS clerk_migration.folded(text);
DROP FUNCTION IF EXISTS clerk_migration.small_letters(text);
