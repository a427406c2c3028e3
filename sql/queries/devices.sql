-- Devices on which somebody logged in before.

-- name: get_device(device_hash, user_id)^
-- What Clerk knows the device by, for this user.
SELECT client_token_cipher AS token_cipher, client_token_nonce AS token_nonce, proved
FROM clerk_migration.devices
WHERE device_hash = :device_hash AND user_id = :user_id AND expires_at > now();

-- name: rename_device(device_hash, new_hash)!
-- Give a device another id, with all who are known there.
UPDATE clerk_migration.devices SET device_hash = :new_hash WHERE device_hash = :device_hash;

-- name: put_device(device_hash, user_id, token_cipher, token_nonce, proved, lifetime)!
-- Keep what Clerk knows a device by, for this user, unless only legacy does; and that the user got in there, once they did.
INSERT INTO clerk_migration.devices AS d (
    device_hash, user_id, client_token_cipher, client_token_nonce, proved, expires_at
)
VALUES (:device_hash, :user_id, :token_cipher, :token_nonce, :proved, now() + :lifetime::interval)
ON CONFLICT (device_hash, user_id) DO UPDATE SET
    client_token_cipher = coalesce(excluded.client_token_cipher, d.client_token_cipher),
    client_token_nonce = coalesce(excluded.client_token_nonce, d.client_token_nonce),
    proved = d.proved OR excluded.proved,
    expires_at = excluded.expires_at;

-- name: forget_other_devices(user_id, device_hash)!
-- Let the user be known on one device alone.
DELETE FROM clerk_migration.devices WHERE user_id = :user_id AND device_hash <> :device_hash;

-- name: forget_expired_devices(most)$
-- Delete devices that were not used for as long as they are kept, `most` at a time; how many they were.
WITH gone AS (
    DELETE FROM clerk_migration.devices
    WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM clerk_migration.devices WHERE expires_at < now() LIMIT :most FOR UPDATE SKIP LOCKED
    ))
    RETURNING 1
)

SELECT count(*) FROM gone;
