-- Who an account belongs to, as far as both systems have it.

-- name: account_by_email(email)^
-- The user whom an address means: byte by byte, as AX looks its users up; and as Clerk compares addresses, for users who
-- are in Clerk.
SELECT id, email, email_verified_at IS NOT NULL AS email_verified, clerk_id, disabled_at IS NOT NULL AS disabled
FROM users
WHERE email = :email OR (lower(email) = lower(:email) AND clerk_id IS NOT NULL)
ORDER BY email = :email DESC
LIMIT 1;

-- name: account_by_id(user_id)^
-- The user with this id.
SELECT id, email, email_verified_at IS NOT NULL AS email_verified, clerk_id, disabled_at IS NOT NULL AS disabled
FROM users
WHERE id = :user_id;

-- name: lower(text)$
-- The lower case of an address as Postgres compares it: Python's is another.
SELECT lower(:text);
