-- Who an account belongs to, as far as both systems have it.

-- name: account_by_email(email, normal)^
-- The user whom an address means: byte by byte, as AX looks its users up; and as Clerk compares addresses, for users who
-- are in Clerk; of several, the one that was typed, or else the oldest. `normal` is the address as `normal_address` has it: the limits count by the same.
SELECT
    id,
    email,
    email_verified_at IS NOT NULL AS email_verified,
    clerk_id,
    disabled_at IS NOT NULL AS disabled,
    statement_timestamp() AS seen_at
FROM users
WHERE email = :email OR (clerk_migration.normal_address(email) = :normal AND clerk_id IS NOT NULL)
ORDER BY email = :email DESC, created_at, id
LIMIT 1;

-- name: account_by_id(user_id)^
-- The user with this id.
SELECT
    id,
    email,
    email_verified_at IS NOT NULL AS email_verified,
    clerk_id,
    disabled_at IS NOT NULL AS disabled,
    statement_timestamp() AS seen_at
FROM users
WHERE id = :user_id;

-- name: hold_account(user_id)!
-- Let nobody write down a change of the account until this transaction ends: what is looked up after this stays so.
SELECT FROM users WHERE id = :user_id FOR SHARE;

-- name: take_account(user_id)!
-- To write down a change of the account: whoever holds it is waited for, and comes before.
SELECT FROM users WHERE id = :user_id FOR NO KEY UPDATE;
