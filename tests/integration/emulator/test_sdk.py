"""Clerk's own SDK, unchanged, does everything that the toolkit needs: what comes back parses into its models."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pyotp
import pytest
from clerk_backend_api import Clerk, models

from tests.emulator import Emulator
from tests.integration.emulator.conftest import ARGON2I, DIGEST, PASSWORD, SECRET


@pytest.fixture
def clerk(emulator: Emulator) -> Iterator[Clerk]:
    with Clerk(bearer_auth=emulator.secret_key, server_url=f"{emulator.url}/v1") as client:
        yield client


def create(clerk: Clerk, number: int = 1) -> models.User:
    return clerk.users.create(
        external_id=f"ax-{number}",
        email_address=[f"user{number}@example.com"],
        password_digest=DIGEST,
        password_hasher="argon2id",
    )


def test_creates_a_user_with_all_that_a_migration_brings(clerk: Clerk) -> None:
    user = clerk.users.create(
        external_id="ax-1",
        first_name="Ada",
        last_name="Lovelace",
        locale="en-GB",
        email_address=["Ada@Example.com", "ada@other.example"],
        email_address_identification_status=[
            models.EmailAddressIdentificationStatus.VERIFIED,
            models.EmailAddressIdentificationStatus.RESERVED,
        ],
        password_digest=DIGEST,
        password_hasher="argon2id",
        totp_secret=SECRET,
        backup_codes=["one-of-ten"],
        created_at="2020-02-03T04:05:06.789Z",
        public_metadata={"plan": "gold"},
        private_metadata={"migration": {"run": 1}},
        unsafe_metadata={"theme": "dark"},
        banned=True,
        locked=True,
        delete_self_enabled=False,
    )
    assert user.id.startswith("user_")
    assert (user.external_id, user.first_name, user.last_name, user.locale) == (
        "ax-1",
        "Ada",
        "Lovelace",
        "en-GB",
    )
    verified, reserved = user.email_addresses
    assert verified.email_address == "ada@example.com"
    assert isinstance(verified.verification, models.Admin)
    assert verified.verification.status == "verified"
    assert not verified.reserved
    assert reserved.email_address == "ada@other.example"
    assert reserved.verification is None
    assert reserved.reserved
    assert user.primary_email_address_id == verified.id
    assert user.password_enabled
    assert user.totp_enabled
    assert user.two_factor_enabled
    assert user.backup_code_enabled
    created = datetime(2020, 2, 3, 4, 5, 6, 789000, tzinfo=UTC)
    assert user.created_at == created.timestamp() * 1000
    assert user.public_metadata == {"plan": "gold"}
    assert user.private_metadata == {"migration": {"run": 1}}
    assert user.unsafe_metadata == {"theme": "dark"}
    assert user.banned
    assert user.locked
    assert user.delete_self_enabled is False


def test_gets_a_user_as_it_was_created(clerk: Clerk) -> None:
    created = create(clerk)
    assert clerk.users.get(user_id=created.id) == created


def test_finds_users_by_external_id_and_by_email_and_counts_them(clerk: Clerk) -> None:
    created = [create(clerk, number) for number in range(3)]
    users, count = clerk.users, clerk.users.count
    assert users.list(request={"external_id": ["ax-1"]}) == [created[1]]
    assert {user.id for user in users.list(request={"external_id": ["ax-0", "+ax-2"]})} == {
        created[0].id,
        created[2].id,
    }
    assert users.list(request={"email_address": [" USER2@example.COM "]}) == [created[2]]
    assert users.list(request={"external_id": ["nobody"]}) == []
    assert count(request={}).total_count == 3
    assert count(request={"external_id": ["ax-1", "nobody"]}).total_count == 1


def test_pages_through_users(clerk: Clerk) -> None:
    created = [create(clerk, number).id for number in range(5)]
    pages = [
        clerk.users.list(request={"limit": 2, "offset": offset, "order_by": "+created_at"})
        for offset in (0, 2, 4)
    ]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert {user.id for page in pages for user in page} == set(created)


def test_updates_a_user(clerk: Clerk) -> None:
    user = create(clerk)
    updated = clerk.users.update(
        user_id=user.id,
        external_id="ax-other",
        first_name="Augusta",
        password_digest=ARGON2I.hash("another password"),
        password_hasher="argon2i",
        totp_secret=SECRET,
        created_at="2019-01-01T00:00:00Z",
    )
    assert (updated.external_id, updated.first_name, updated.totp_enabled) == ("ax-other", "Augusta", True)
    assert updated.created_at == 1546300800000
    assert clerk.users.get(user_id=user.id) == updated
    assert clerk.users.verify_password(user_id=user.id, password="another password").verified


def test_merges_metadata(clerk: Clerk) -> None:
    user = create(clerk)
    clerk.users.update_metadata(user_id=user.id, private_metadata={"a": {"b": 1, "c": 2}, "d": 3})
    merged = clerk.users.update_metadata(user_id=user.id, private_metadata={"a": {"b": None, "e": 4}})
    assert merged.private_metadata == {"a": {"c": 2, "e": 4}, "d": 3}
    assert merged.public_metadata == {}


def test_deletes_a_user(clerk: Clerk) -> None:
    user = create(clerk)
    gone = clerk.users.delete(user_id=user.id)
    assert (gone.id, gone.deleted) == (user.id, True)
    with pytest.raises(models.ClerkErrors) as refused:
        clerk.users.get(user_id=user.id)
    assert refused.value.status_code == 404
    assert refused.value.data.errors[0].code == "resource_not_found"


def test_bans_and_locks(clerk: Clerk) -> None:
    user = create(clerk)
    assert clerk.users.ban(user_id=user.id).banned
    assert not clerk.users.unban(user_id=user.id).banned
    assert clerk.users.lock(user_id=user.id).locked
    assert not clerk.users.unlock(user_id=user.id).locked


def test_verifies_passwords(clerk: Clerk) -> None:
    user = create(clerk)
    assert clerk.users.verify_password(user_id=user.id, password=PASSWORD).verified
    with pytest.raises(models.SDKError, match="incorrect_password") as refused:  # the SDK has no type for it
        clerk.users.verify_password(user_id=user.id, password="wrong")
    assert refused.value.status_code == 422


def test_replaces_condemns_and_removes_passwords(clerk: Clerk) -> None:
    user = create(clerk)
    assert user.password_last_updated_at is not None
    with pytest.raises(models.ClerkErrors) as refused:
        clerk.users.update(user_id=user.id, password="password123")
    assert refused.value.data.errors[0].code == "form_password_pwned"
    session = clerk.sessions.create(request={"user_id": user.id})
    clerk.users.update(user_id=user.id, password="an even newer horse", sign_out_of_other_sessions=True)
    assert clerk.sessions.get(session_id=session.id).status == "revoked"
    session = clerk.sessions.create(request={"user_id": user.id})
    condemned = clerk.users.set_password_compromised(user_id=user.id, revoke_all_sessions=True)
    assert condemned.password_enabled
    assert clerk.sessions.get(session_id=session.id).status == "revoked"
    assert clerk.users.unset_password_compromised(user_id=user.id).password_enabled
    assert not clerk.users.remove_password(user_id=user.id).password_enabled


def test_verifies_and_removes_second_factors(clerk: Clerk) -> None:
    user = clerk.users.create(
        email_address=["ada@example.com"],
        password=PASSWORD,
        totp_secret=SECRET,
        backup_codes=["first-code", "second-code"],
    )
    by_totp = clerk.users.verify_totp(user_id=user.id, code=pyotp.TOTP(SECRET).now())
    assert (by_totp.verified, by_totp.code_type) == (True, models.CodeType.TOTP)
    by_code = clerk.users.verify_totp(user_id=user.id, code="first-code")
    assert (by_code.verified, by_code.code_type) == (True, models.CodeType.BACKUP_CODE)
    assert clerk.users.delete_totp(user_id=user.id).user_id == user.id
    without = clerk.users.get(user_id=user.id)
    assert (without.totp_enabled, without.backup_code_enabled) == (False, True)
    clerk.users.update(user_id=user.id, totp_secret=SECRET)
    assert clerk.users.disable_mfa(user_id=user.id).user_id == user.id
    without = clerk.users.get(user_id=user.id)
    assert {without.totp_enabled, without.two_factor_enabled, without.backup_code_enabled} == {False}
    clerk.users.update(user_id=user.id, backup_codes=["third-code"])
    assert clerk.users.delete_backup_codes(user_id=user.id).user_id == user.id
    assert not clerk.users.get(user_id=user.id).backup_code_enabled


def test_keeps_email_addresses(clerk: Clerk) -> None:
    user = create(clerk)
    added = clerk.email_addresses.create(
        request={"user_id": user.id, "email_address": "new@example.com", "verified": False}
    )
    assert added.id is not None
    assert added.verification is None
    assert clerk.email_addresses.get(email_address_id=added.id) == added
    verified = clerk.email_addresses.update(email_address_id=added.id, verified=True, primary=True)
    assert isinstance(verified.verification, models.Admin)
    assert clerk.users.get(user_id=user.id).primary_email_address_id == added.id
    former = user.email_addresses[0].id
    assert former is not None
    gone = clerk.email_addresses.delete(email_address_id=former)
    assert gone.deleted
    assert [email.id for email in clerk.users.get(user_id=user.id).email_addresses] == [added.id]


def test_creates_and_revokes_sign_in_tokens(clerk: Clerk) -> None:
    user = create(clerk)
    token = clerk.sign_in_tokens.create(request={"user_id": user.id, "expires_in_seconds": 60})
    assert token is not None
    assert (token.user_id, token.status) == (user.id, models.SignInTokenStatus.PENDING)
    assert token.token
    revoked = clerk.sign_in_tokens.revoke(sign_in_token_id=token.id)
    assert revoked.status == models.SignInTokenStatus.REVOKED
    with pytest.raises(models.ClerkErrors) as refused:
        clerk.sign_in_tokens.revoke(sign_in_token_id=token.id)
    assert refused.value.data.errors[0].code == "sign_in_token_cannot_be_revoked_code"


def test_lists_and_revokes_sessions(clerk: Clerk) -> None:
    user, other = create(clerk, 1), create(clerk, 2)
    first = clerk.sessions.create(request={"user_id": user.id})
    second = clerk.sessions.create(request={"user_id": user.id})
    clerk.sessions.create(request={"user_id": other.id})
    assert {session.id for session in clerk.sessions.list(user_id=user.id)} == {first.id, second.id}
    assert clerk.sessions.revoke(session_id=first.id).status == "revoked"
    assert clerk.sessions.get(session_id=first.id).status == "revoked"
    active = clerk.sessions.list(user_id=user.id, status=models.QueryParamStatus.ACTIVE)
    assert [session.id for session in active] == [second.id]


def test_reads_the_instance(clerk: Clerk) -> None:
    instance = clerk.instance_settings.get()
    assert instance is not None
    assert instance.id.startswith("ins_")
    assert instance.environment_type == "development"


def test_is_told_when_the_key_is_wrong(emulator: Emulator) -> None:
    with (
        Clerk(bearer_auth="sk_test_wrong", server_url=f"{emulator.url}/v1") as clerk,
        pytest.raises(models.ClerkErrors) as refused,
    ):
        clerk.users.list()
    assert refused.value.status_code == 401
    assert refused.value.data.errors[0].code == "clerk_key_invalid"


async def test_works_asynchronously_too(emulator: Emulator) -> None:
    async with Clerk(bearer_auth=emulator.secret_key, server_url=f"{emulator.url}/v1") as clerk:
        user = await clerk.users.create_async(email_address=["ada@example.com"], password=PASSWORD)
        assert await clerk.users.get_async(user_id=user.id) == user
